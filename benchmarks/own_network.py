"""A network of its own for this process and all that it starts, with nothing in it but loopback."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def enter_own_network() -> str | None:
    """Leave the machine's network, so that a peer that listens everywhere or reports to its maker can be measured.

    Returns:
        None when it is done, otherwise why it is not possible. It takes Linux and the rights of root.
    """
    if sys.platform != "linux":
        return "it takes Linux"
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        return f"it is not allowed: {os.strerror(ctypes.get_errno())}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    return None

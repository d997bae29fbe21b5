"""Where receipts are kept: in memory up to a size, on disk beyond it."""

from __future__ import annotations

import errno
import os
import pickle
import struct
import tempfile
import weakref
from dataclasses import fields
from itertools import chain
from operator import attrgetter
from pathlib import Path

from harness.collector.arrival import Receipt

# What a receipt in memory takes beside its texts and its body.
_OVERHEAD = 600
_SIZES = struct.Struct(">QQ")
_HEAD = [each.name for each in fields(Receipt) if each.name != "wire_body"]
_head_of = attrgetter(*_HEAD)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoRoom(RuntimeError):
    """What arrived cannot be kept, because it cannot be written to disk; what arrived before is still there."""


class Spool:
    """Keeps receipts in order and gives each back by its number.

    What fits into the memory stays there. The rest goes to a file that has no name any more as soon as it is made, so
    that nothing is left of it when the process ends, however it ends. One thread may append while others read.

    Args:
        memory: Bytes of receipts to be kept in memory.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._taken = 0
        # A receipt, or where in the file it is.
        self._kept: list[Receipt | int] = []
        self._file: int | None = None
        self._end = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def spilled(self) -> int:
        """Bytes on disk."""
        return self._end

    def append(self, receipt: Receipt) -> None:
        """Keep a receipt.

        Args:
            receipt: Gets the next number.

        Raises:
            NoRoom: It would have to be written to disk, and that fails.
        """
        size = _OVERHEAD + len(receipt.wire_body) + sum(map(len, chain.from_iterable(receipt.headers)))
        if self._taken + size <= self._memory:
            self._taken += size
            self._kept.append(receipt)
        else:
            self._kept.append(self._write(receipt))

    def receipt(self, number: int, *, with_body: bool = True) -> tuple[Receipt, int]:
        """Give a receipt back.

        Args:
            number: Its number.
            with_body: Whether the body is wanted; without, one from disk has an empty one.

        Returns:
            The receipt, and the size of its body.
        """
        kept = self._kept[number]
        if isinstance(kept, Receipt):
            return kept, len(kept.wire_body)
        head_size, body_size = _SIZES.unpack(self._read(kept, _SIZES.size))
        content = self._read(kept + _SIZES.size, head_size + (body_size if with_body else 0))
        # Nobody but this object has ever had access to the file.
        head = zip(_HEAD, pickle.loads(content[:head_size]), strict=True)  # noqa: S301
        return Receipt(**dict(head), wire_body=content[head_size:]), body_size

    def _write(self, receipt: Receipt) -> int:
        head = pickle.dumps(_head_of(receipt), pickle.HIGHEST_PROTOCOL)
        begin = position = self._end
        try:
            if self._file is None:
                self._file = self._open()
            for part in (_SIZES.pack(len(head), len(receipt.wire_body)), head, receipt.wire_body):
                rest = memoryview(part)
                while rest:
                    written = os.pwrite(self._file, rest, position)
                    position += written
                    rest = rest[written:]
        except OSError as error:
            # What was half written is written over by whatever comes next.
            advice = "Free some space there, or name" if error.errno in _FULL else "Name"
            raise NoRoom(
                f"the collector keeps {self._taken} bytes in memory and {begin} on disk, and cannot write more to "
                f"{tempfile.gettempdir()}: {error.strerror}. {advice} another directory with TMPDIR, or allow more "
                "memory (--memory, or 'memory' under [collector] in harness.toml)"
            ) from error
        self._end = position
        return begin

    def _open(self) -> int:
        descriptor, path = tempfile.mkstemp(prefix="sentry-harness-")
        Path(path).unlink()
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def _read(self, offset: int, size: int) -> bytes:
        assert self._file is not None  # noqa: S101 - something was written to it
        parts = []
        while size:
            part = os.pread(self._file, size, offset)
            if not part:
                raise OSError(errno.EIO, "the collector's file in the temporary directory was cut short")
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

"""Answers that go out late, piece by piece, by half or not at all, always in the order of their requests."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.collector.messages import Delivery

# Closed with this option, a connection is reset instead of ended.
_NO_LINGER = struct.pack("ii", 1, 0)
_PIECES = 20


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as bytes.

    Attributes:
        head: Status line and headers.
        body: The body.
        delivery: How it goes out; None to simply write it.
        keep_alive: Whether the connection goes on afterwards.
    """

    head: bytes
    body: bytes
    delivery: Delivery | None
    keep_alive: bool


class Outlet:
    """Writes the answers of one connection, one after the other, each as its delivery says.

    Args:
        transport: The connection.
        close: Ends the connection.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close
        self._waiting: deque[Written] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = False

    @property
    def is_busy(self) -> bool:
        """Whether an answer is under way; what is written meanwhile has to wait for its turn here."""
        return self._is_busy

    def send(self, written: Written) -> None:
        """Send an answer, after those that are under way.

        Args:
            written: The answer.
        """
        self._waiting.append(written)
        if not self._is_busy:
            self._go_on()

    def give_up(self) -> None:
        """Send nothing more, because the connection is gone."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self) -> None:
        self._is_busy = False
        while self._waiting and not self._is_busy:
            self._begin(self._waiting.popleft())

    def _begin(self, written: Written) -> None:
        delivery = written.delivery or Delivery()
        if delivery.ending != "keep":
            self._is_busy = True
            self._fail(written, delivery)
        elif delivery.before:
            self._later(delivery.before, partial(self._finish, written, written.head + written.body))
        elif delivery.during:
            self._transport.write(written.head)
            size = -(-len(written.body) // _PIECES)
            pieces = deque(written.body[at : at + size] for at in range(0, len(written.body), size or 1))
            self._trickle(written, pieces, delivery.during / (len(pieces) or 1))
        else:
            self._write_last(written, written.head + written.body)

    def _fail(self, written: Written, delivery: Delivery) -> None:
        if delivery.ending == "reset":
            reset(self._transport)
        elif delivery.ending == "close":
            if delivery.bytes_of_body is not None:
                self._transport.write(written.head + written.body[: delivery.bytes_of_body])
            self._close()

    def _trickle(self, written: Written, pieces: deque[bytes], pause: float) -> None:
        def next_piece() -> None:
            piece = pieces.popleft() if pieces else b""
            if pieces:
                self._transport.write(piece)
                self._trickle(written, pieces, pause)
            else:
                self._finish(written, piece)

        self._later(pause, next_piece)

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        self._is_busy = True
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _finish(self, written: Written, rest: bytes) -> None:
        self._write_last(written, rest)
        self._go_on()

    def _write_last(self, written: Written, rest: bytes) -> None:
        self._transport.write(rest)
        if not written.keep_alive:
            self._close()


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection: the other side sees no orderly end.

    Args:
        transport: The connection.
    """
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()

"""A file of settings that may change while the service runs."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import Any, Generic, TypeVar

from observability.structured_log import log_line

LARGEST_BYTES = 1024 * 1024
TICK_NS = 2_000_000_000
"""The longest that a file system's clock stands still: what is written twice meanwhile looks like written once."""

ContentT = TypeVar("ContentT")
_Signature = tuple[int, ...]


class WatchedFile(Generic[ContentT]):
    """What a file says at this moment.

    Each look costs a `stat`, so that a switch that is thrown counts from the next request on; a watcher would miss a
    file that is mounted anew.
    """

    def __init__(self, path: Path, purpose: str, parse: Callable[[str], ContentT]) -> None:
        """Remember where it is; nothing is read yet.

        Args:
            path: the file.
            purpose: name of the setting that names it, for the log.
            parse: reads its text, and raises ValueError with a message for the log.
        """
        self._path = path
        self._purpose = purpose
        self._parse = parse
        self._signature: _Signature | None = None
        self._uncertain_until_ns = 0
        self._content: ContentT | None = None
        self._problem: str | None = None

    def read(self) -> ContentT | None:
        """Give the content; None while the file cannot be used, which is said once in the log."""
        signature = self._sign()
        if signature != self._signature or time.time_ns() < self._uncertain_until_ns:
            if signature != self._signature:
                self._problem = None
            self._signature = signature
            self._uncertain_until_ns = (signature[-1] if signature else 0) + TICK_NS
            try:
                self._content = self.load()
                self._problem = None
            except ValueError as problem:
                self._content = None
                self._say_once(str(problem))
        return self._content

    def _say_once(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            message = f"{self._purpose} cannot be used, so every debug endpoint is closed"
            log_line(logging.ERROR, message, reason=problem)

    def load(self) -> ContentT:
        """Read the file, whatever was read before.

        Raises:
            ValueError: it is missing, unreadable or invalid.
        """
        try:
            # A pipe would be waited for, a device might have no end.
            with open(self._path, "rb", opener=_open_at_once) as file:
                if not S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise ValueError(f"{self._path} is not a regular file")
                content = file.read(LARGEST_BYTES + 1)
        except OSError as problem:
            raise ValueError(f"{self._path} cannot be read: {problem.strerror or problem}") from problem
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"{self._path} is larger than {LARGEST_BYTES} bytes")
        try:
            return self._parse(content.decode("utf-8"))
        except RecursionError:
            raise ValueError(f"{self._path} is nested too deeply") from None

    def _sign(self) -> _Signature:
        try:
            stat = self._path.stat()
        except OSError:
            return ()
        if not S_ISREG(stat.st_mode):
            return (stat.st_dev, stat.st_ino, 0)
        return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def read_json(text: str) -> Any:
    """Read JSON (RFC 8259), of which Python itself takes more than other languages do.

    Raises:
        ValueError: it is none, or has a number that JSON does not have.
    """

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no number of JSON")

    return json.loads(text, parse_constant=refuse)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)

"""Sentry's envelope: headers and items, parsed under Relay's rules.

An envelope is what every SDK sends: a line of JSON headers, then for each item a line of JSON headers and a payload
of any bytes. The format is described at https://develop.sentry.dev/sdk/foundations/transport/envelopes/; the rules
are those of Relay (`relay-server/src/envelope`), which decides at Sentry's door what gets in.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Self

from harness.wire.json_text import InvalidJson, parse_json

_LARGEST_LENGTH = 2**32 - 1
_MOST_ITEMS = 100_000
_LARGEST_HEADER = 1024 * 1024
_NOT_WHITESPACE = re.compile(rb"[^ \t\r\n]")
_EVENT_ID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class MalformedEnvelope(ValueError):
    """A body is not an envelope that Relay would accept.

    Attributes:
        offset: Where in the body, in bytes from its beginning.
        reason: What is wrong there.
    """

    def __init__(self, offset: int, reason: str) -> None:
        # Both go to the base class, so that the error survives pickling.
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"malformed envelope at byte {self.offset}: {self.reason}"


class OversizedEnvelope(MalformedEnvelope):
    """A body that might be an envelope, but of a size that no SDK can mean, and that would cost too much to read."""


class MalformedPayload(ValueError):
    """An item's payload is not the JSON that its type asks for.

    Attributes:
        item_type: Type of the item.
        reason: What is wrong, and where in the payload.
    """

    def __init__(self, item_type: str, reason: str) -> None:
        super().__init__(item_type, reason)
        self.item_type = item_type
        self.reason = reason

    def __str__(self) -> str:
        return f"payload of the {self.item_type!r} item is not valid JSON: {self.reason}"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an envelope.

    Attributes:
        headers: The item's headers, known or not, as they were sent.
        payload: The item's bytes, without the newline that ends them.
    """

    headers: dict[str, Any]
    payload: bytes = b""

    def __post_init__(self) -> None:
        """Make sure that the item says what it is.

        Raises:
            TypeError: The headers have no `type`, or one that is not text.
        """
        if not isinstance(self.headers.get("type"), str):
            raise TypeError(f"an item needs a `type` header that is a string, not {self.headers.get('type')!r}")

    @property
    def type(self) -> str:
        """What the item is, for example `event`; types that Sentry does not know are kept as sent."""
        kind: str = self.headers["type"]
        return kind

    @property
    def content_type(self) -> str | None:
        """Media type of the payload, if the item's headers name one."""
        return _text(self.headers.get("content_type"))

    def json(self) -> Any:
        """Read the payload as JSON.

        Returns:
            The value that the payload describes.

        Raises:
            MalformedPayload: The payload is not JSON in UTF-8, or not JSON that Relay would read.
        """
        try:
            return parse_json(self.payload.decode())
        except UnicodeDecodeError as error:
            raise MalformedPayload(self.type, f"invalid UTF-8 at byte {error.start}") from None
        except InvalidJson as error:
            raise MalformedPayload(self.type, str(error)) from None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Headers and items that were, or are to be, sent together.

    A parsed envelope is a record of what arrived: change neither its headers nor its list of items, but make a new
    one from them (`dataclasses.replace` will do).

    Attributes:
        headers: The envelope's headers, known or not.
        items: The items in the order they were sent.
    """

    headers: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    # Not an argument of the constructor, so that a changed copy does not serialize to what the original came from.
    _body: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        r"""Read an envelope the way Relay does.

        A header is one line of JSON, ended by `\n` or by the end of the body and by nothing else. With a `length` in
        its headers, the payload has that many bytes and is followed by `\n` or the end; without, it runs to the next
        `\n` or the end. Whitespace before a header is skipped, but after the last payload there is at most one `\n`.
        An envelope may have no items, an item no bytes, a header line no headers but an item's `type`. In one point
        this is stricter than Relay, whose JSON reader happens to let a header run over several lines; the format
        forbids it.

        Args:
            body: The request body, already decoded from its content encoding.

        Returns:
            The envelope; it serializes to the same bytes again.

        Raises:
            MalformedEnvelope: Relay would answer 400 to this body.
            OversizedEnvelope: It has more than 100,000 items, or a header of more than 1 MiB.
        """
        start = _skip_whitespace(body, 0)
        if start == len(body):
            raise MalformedEnvelope(start, "the body is empty, an envelope begins with a line of JSON headers")
        headers, offset = _parse_header_line(body, start, "envelope header")
        items: list[Item] = []
        while offset < len(body):
            if len(items) == _MOST_ITEMS:
                raise OversizedEnvelope(offset, f"more than {_MOST_ITEMS} items")
            item, offset = _parse_item(body, offset, len(items))
            items.append(item)
        envelope = cls(headers, items)
        object.__setattr__(envelope, "_body", body)
        return envelope

    def serialize(self) -> bytes:
        """Write the envelope.

        Returns:
            The very bytes that this envelope was parsed from; for one made by hand its canonical form, in which every
            item states the length of its payload.

        Raises:
            TypeError: A header value made by hand is not of a type that JSON has.
            ValueError: A header value made by hand is a number that JSON does not have (`nan`, `inf`).
        """
        if self._body is not None:
            return self._body
        lines = [_dump_header(self.headers)]
        for item in self.items:
            lines += (_dump_header({**item.headers, "length": len(item.payload)}), item.payload)
        return b"\n".join(lines) + b"\n"

    @property
    def event_id(self) -> str | None:
        """The `event_id` header as 32 lower-case hex digits, whether it was sent with dashes or without.

        None when there is none, or something that is not a UUID.
        """
        event_id = _text(self.headers.get("event_id"))
        if event_id is None or not _EVENT_ID.fullmatch(event_id):
            return None
        return event_id.replace("-", "").lower()

    @property
    def dsn(self) -> str | None:
        """The `dsn` header, by which an envelope names its destination when the request does not."""
        return _text(self.headers.get("dsn"))

    @property
    def trace(self) -> dict[str, str] | None:
        """The dynamic sampling context: the string values of the `trace` header.

        Values of other types are left out, because a sampling context has only strings; `headers` has them all.
        None when the header is missing or is not an object.
        """
        context = self.headers.get("trace")
        if not isinstance(context, dict):
            return None
        return {key: value for key, value in context.items() if isinstance(value, str)}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _skip_whitespace(body: bytes, start: int) -> int:
    found = _NOT_WHITESPACE.search(body, start)
    return found.start() if found else len(body)


def _dump_header(headers: dict[str, Any]) -> bytes:
    return json.dumps(headers, separators=(",", ":"), allow_nan=False).encode()


def _parse_header_line(body: bytes, start: int, what: str) -> tuple[dict[str, Any], int]:
    """Read the line of JSON headers at `start`; returns them and the offset behind the line's end."""
    end = body.find(b"\n", start)
    if end < 0:
        end = len(body)
    if end - start > _LARGEST_HEADER:
        raise OversizedEnvelope(start, f"{what} has {end - start} bytes, more than {_LARGEST_HEADER}")
    try:
        line = body[start:end].decode()
    except UnicodeDecodeError as error:
        raise MalformedEnvelope(start + error.start, f"{what} is not valid UTF-8") from None
    if line[-1:] in (" ", "\t", "\r"):
        trimmed = len(body[start:end].rstrip(b" \t\r"))
        raise MalformedEnvelope(start + trimmed, f"{what} is followed by {line[-1]!r}, only a newline may follow it")
    try:
        headers = parse_json(line)
    except InvalidJson as error:
        offset = start + len(line[: error.position].encode())
        raise MalformedEnvelope(offset, f"{what} is not a line of JSON: {error.reason}") from None
    if not isinstance(headers, dict):
        raise MalformedEnvelope(start, f"{what} must be a JSON object")
    return headers, min(end + 1, len(body))


def _parse_item(body: bytes, offset: int, index: int) -> tuple[Item, int]:
    """Read the item at `offset`; returns it and the offset behind the newline that ends its payload."""
    start = _skip_whitespace(body, offset)
    if start == len(body):
        raise MalformedEnvelope(offset, "only whitespace follows the last item; its payload is ended by one newline")
    what = f"header of item {index}"
    headers, begin = _parse_header_line(body, start, what)
    kind, length = headers.get("type"), headers.get("length")
    if not isinstance(kind, str):
        raise MalformedEnvelope(start, f"{what} needs a `type` that is a string")
    if length is None:
        end = body.find(b"\n", begin)
        if end < 0:
            end = len(body)
    elif type(length) is not int or not 0 <= length <= _LARGEST_LENGTH:
        raise MalformedEnvelope(start, f"{what} has a `length` that is not a whole number of bytes")
    else:
        end = begin + length
        if end > len(body):
            left = len(body) - begin
            raise MalformedEnvelope(begin, f"item {index} ({kind}) declares {length} bytes of payload, {left} follow")
        if body[end : end + 1] not in (b"", b"\n"):
            excess = f"payload of item {index} ({kind}) is longer than its `length` of {length} bytes"
            raise MalformedEnvelope(end, excess)
    return Item(headers, body[begin:end]), min(end + 1, len(body))

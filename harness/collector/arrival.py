"""What arrived: as it is kept, and as it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from harness.collector.limits import LARGEST_BODY
from harness.wire.encoding import decode_body
from harness.wire.envelope import Envelope


class Content(ABC):
    """What an arrival consists of, wherever it is kept; two are equal when they say the same."""

    __slots__ = ()

    @property
    @abstractmethod
    def body(self) -> bytes:
        """The body, decoded."""

    @property
    @abstractmethod
    def envelope(self) -> Envelope | None:
        """The envelope that the body is, or that Relay makes of it."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content):
            return NotImplemented
        return self.body == other.body and self.envelope == other.envelope

    __hash__ = None  # type: ignore[assignment]  # envelopes have none either


class Opened(Content):
    """Content in memory.

    Args:
        body: The body, decoded.
        envelope: The envelope that it is, or that Relay makes of it.
    """

    __slots__ = ("_body", "_envelope")

    def __init__(self, body: bytes, envelope: Envelope | None) -> None:
        self._body = body
        self._envelope = envelope

    @property
    def body(self) -> bytes:
        """The body, decoded."""
        return self._body

    @property
    def envelope(self) -> Envelope | None:
        """The envelope."""
        return self._envelope


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Arrival:
    """One accepted request, exactly as it came, and when.

    Attributes:
        number: Position in the inbox, counted from 0 in order of arrival.
        received_at: When the request was complete, in Unix seconds.
        project_id: Project of the DSN it was sent to.
        public_key: Key of the DSN it was sent with.
        endpoint: Which of Sentry's endpoints it was sent to: `envelope`, `store`, `security`, `nel`, `cron`,
            `minidump`, `attachments`, `unreal`, `otlp_traces` or `otlp_logs`.
        headers: Names (in lower case) and values of the request's headers.
        query: The request's query string, without its `?`.
        content_encoding: Value of the `Content-Encoding` header, None without one.
        wire_size: Size of the body on the wire, in bytes.
        content: Body and envelope, in memory or still to be read.
    """

    number: int
    received_at: float
    project_id: str
    public_key: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    query: str
    content_encoding: str | None
    wire_size: int
    content: Content = field(repr=False)

    @property
    def body(self) -> bytes:
        """The body, decoded; read anew when it is not in memory, so keep it while working on it."""
        return self.content.body

    @property
    def envelope(self) -> Envelope | None:
        """The envelope, or the one that Relay makes of such a request; as for `body`.

        None for an endpoint whose bodies are kept as they are.
        """
        return self.content.envelope


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is kept of an accepted request until somebody looks at it.

    The body stays as it came over the wire: while requests come in, memory for what they decode to would cost more
    than all the rest of accepting them.

    Attributes:
        received_at: As in `Arrival`, like all that are not explained here.
        wire_body: The body, still in its content encoding; known to be decodable.
        envelope: The envelope that Relay makes of a body that is not one; None if the body is one (the endpoint is
            `envelope`) or is kept as it is.
    """

    received_at: float
    project_id: str
    public_key: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    query: str
    content_encoding: str | None
    wire_body: bytes
    envelope: Envelope | None = None

    def open(self) -> Opened:
        """Decode and read what was received."""
        body = decode_body(self.wire_body, self.content_encoding, limit=LARGEST_BODY)
        return Opened(body, Envelope.parse(body) if self.endpoint == "envelope" else self.envelope)

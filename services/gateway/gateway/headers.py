"""Which headers pass the gateway in either direction. Pure rules, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RawHeaders = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that belong to one connection and never pass a proxy (RFC 9110, section 7.6.1)."""

SET_BY_GATEWAY = frozenset(
    {b"host", b"expect", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix"}
)
"""Request headers that the gateway writes itself; `Expect` is answered by the server in front of it."""

CLAIMED_ADDRESS = frozenset({b"forwarded", b"x-real-ip"})
"""Further headers in which a client could claim an address, and that servers behind the gateway would believe."""

SET_BY_SERVER = frozenset({b"date", b"server"})
"""Response headers that the gateway's own server writes."""

LARGEST_HEADERS_BYTES = 12 * 1024
"""What passes: Node accepts 16 KiB, of which the gateway's own headers need some."""


@dataclass(frozen=True, slots=True)
class ClientSide:
    """How the request reached the gateway."""

    address: str
    scheme: str
    host: str
    prefix: str


def forwarded_request_headers(incoming: Sequence[tuple[bytes, bytes]], client: ClientSide) -> RawHeaders:
    """The headers for the upstream.

    `sentry-trace` and `baggage` pass: the SDK's client instrumentation overwrites the first and, in the second,
    replaces Sentry's own members and keeps everybody else's.

    Args:
        incoming: the client's headers in their order, names in lower case.
        client: how the request came in, for the `X-Forwarded-*` family.
    """
    passing = _without(incoming, HOP_BY_HOP | SET_BY_GATEWAY | CLAIMED_ADDRESS)
    chain = [value for name, value in incoming if name == b"x-forwarded-for"]
    return [
        # Blanks around a value are no part of it (RFC 9110, section 5.5), and httpx refuses to send them.
        *((name, value.strip(b" \t")) for name, value in passing),
        (b"x-forwarded-for", b", ".join([*chain, client.address.encode("latin-1")])),
        (b"x-forwarded-host", client.host.strip(" \t").encode("latin-1")),
        (b"x-forwarded-proto", client.scheme.encode("latin-1")),
        (b"x-forwarded-prefix", client.prefix.encode("latin-1")),
    ]


def returned_response_headers(incoming: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The headers for the client, in their order, repeated ones repeated."""
    return _without([(name.lower(), value) for name, value in incoming], HOP_BY_HOP | SET_BY_SERVER)


def are_too_large(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether some upstream would refuse these headers, or hang up, for their size."""
    return sum(len(name) + len(value) + len(b": \r\n") for name, value in headers) > LARGEST_HEADERS_BYTES


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request announces a body (RFC 9112, section 6.3)."""
    announced = {name: value for name, value in headers if name in {b"content-length", b"transfer-encoding"}}
    return b"transfer-encoding" in announced or announced.get(b"content-length", b"0") != b"0"


def _without(headers: Sequence[tuple[bytes, bytes]], names: frozenset[bytes]) -> RawHeaders:
    """Drop these names, and those that a `Connection` header declares as its own."""
    declared = {
        word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")
    }
    return [(name, value) for name, value in headers if name not in names and name not in declared]

"""Faults: in which ways Sentry, or the way to it, can fail a service.

Each function makes one fault, plain data that can be shared and sent between processes. All of them take the same
words for whom it befalls (`Selection`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack, get_args

from harness.wire.categories import CATEGORIES

Kind = Literal[
    "answer",
    "slow-first-byte",
    "slow-body",
    "hang",
    "reset",
    "truncated",
    "closed",
    "connection-refused",
    "wrong-certificate",
    "dns-failure",
    "disconnected",
]

OF_ADDRESS: frozenset[Kind] = frozenset({"connection-refused", "wrong-certificate", "dns-failure"})
"""Faults of the DSN that a service starts with; the others befall single requests."""

_KEEPING: frozenset[Kind] = frozenset({"slow-first-byte", "slow-body", "truncated"})
_MULTIPLE_CHOICES = 300
_TOO_MANY_REQUESTS = 429
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599


class InvalidFault(ValueError):
    """A fault that cannot be injected as described; the message says what to change."""


class Selection(TypedDict, total=False):
    """Which requests a fault befalls, and for how long; without any of these all requests, until it is taken away.

    Attributes:
        service: Those of this service, or, where services are not known, of this project.
        category: Those that carry an item of this data category, such as `error`, `transaction` or `log_item`.
        requests: So many of them, then the fault is over.
        seconds: Those within so many seconds from the injection on.
    """

    service: str | None
    category: str | None
    requests: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls a request, or the address that requests are sent to; made by the functions of this module.

    Attributes:
        kind: What happens.
        status: Status of the answer; None for the one that the request would get without the fault.
        headers: Names and values of further headers of the answer.
        content_type: Media type of the answer; None for the one that it would have.
        body: Body of the answer; None for the one that it would have.
        delay: Seconds until the first byte, or from the first byte to the last one.
        after: Bytes of the request's body after which the connection is reset; None to wait until all are there.
        service: As in `Selection`, like the three below.
        category: Which items.
        requests: How many requests.
        seconds: For how long.
    """

    kind: Kind
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    body: str | None = None
    delay: float = 0.0
    after: int | None = None
    service: str | None = None
    category: str | None = None
    requests: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what could never befall anything.

        Raises:
            InvalidFault: A value is out of range, or a name unknown.
        """
        if problem := _problem(self):
            raise InvalidFault(f"fault {self.kind!r}: {problem}")

    @property
    def is_of_address(self) -> bool:
        """Whether it belongs to the DSN of a service and not to a request."""
        return self.kind in OF_ADDRESS

    @property
    def keeps(self) -> bool:
        """Whether Sentry has what the request carried all the same."""
        if self.kind == "answer":
            return self.status is None or self.status < _MULTIPLE_CHOICES
        return self.kind in _KEEPING

    @property
    def costs_telemetry(self) -> bool:
        """Whether something is missing in Sentry by it: the request's own items, or those that a limit stops."""
        return not self.keeps or self.is_rate_limit

    @property
    def is_rate_limit(self) -> bool:
        """Whether it has SDKs keep something back for some time."""
        return self.status == _TOO_MANY_REQUESTS or any(name == "x-sentry-rate-limits" for name, _ in self.headers)

    def limits(self, categories: Collection[str]) -> bool:
        """Whether it has SDKs keep back something of these data categories for some time.

        A limit that cannot be read is one for everything: Node's SDK makes one of a minute of it. Source:
        https://develop.sentry.dev/sdk/expected-features/rate-limiting/.
        """
        if not self.is_rate_limit:
            return False
        stated = next((value for name, value in self.headers if name == "x-sentry-rate-limits"), None)
        if stated is None:
            return True
        for limit in stated.split(","):
            seconds, colon, rest = limit.strip().partition(":")
            of = rest.partition(":")[0].split(";")
            if not (seconds.isdecimal() and colon) or of == [""] or not {*categories}.isdisjoint(of):
                return True
        return False

    def __str__(self) -> str:
        return _WORDS[self.kind](self)


def answer(
    status: int,
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
    body: str | None = None,
    **selection: Unpack[Selection],
) -> Fault:
    """An answer of any kind, such as 400, 413, 500 or 503; with a status of 2xx the request is taken all the same.

    Args:
        status: Its status, 200 to 599.
        headers: Further headers, as they are: also malformed or huge ones.
        content_type: Its media type; by default that of Sentry's own answer.
        body: Its body; by default Sentry's own answer, or nothing with a status that is no 2xx.
        selection: Which requests, see `Selection`.

    Raises:
        InvalidFault: A value is out of range, or not of its kind; as with every fault.
    """
    if not isinstance(headers, Mapping | None):
        raise InvalidFault(f"fault 'answer': `headers` must be names with their values, not {headers!r}")
    held = tuple((name.lower(), value) for name, value in (headers or {}).items())
    return Fault("answer", status, held, content_type, body, **selection)


def rate_limited(
    limits: str | None = None,
    *,
    retry_after: str | float | None = None,
    status: int = 429,
    **selection: Unpack[Selection],
) -> Fault:
    """Sentry's rate limits, see https://develop.sentry.dev/sdk/expected-features/rate-limiting/.

    Args:
        limits: The header `X-Sentry-Rate-Limits`, such as `60:error:project` or `10:transaction;span:key`. It is
            sent as it is; `harness.wire.rate_limits.format_rate_limits` writes a correct one.
        retry_after: The header `Retry-After`, seconds or any text.
        status: 429 refuses the request as well; Sentry also announces limits with 200.
        selection: Which requests, see `Selection`.
    """
    retry = {} if retry_after is None else {"retry-after": str(retry_after)}
    limit = {} if limits is None else {"x-sentry-rate-limits": limits}
    return answer(status, headers=retry | limit, **selection)


def slow_first_byte(delay: float, **selection: Unpack[Selection]) -> Fault:
    """The request is taken, but its answer begins only after `delay` seconds."""
    return Fault("slow-first-byte", delay=delay, **selection)


def slow_body(delay: float, **selection: Unpack[Selection]) -> Fault:
    """The request is taken and the answer begins at once, but its last byte comes after `delay` seconds."""
    return Fault("slow-body", delay=delay, **selection)


def hang(**selection: Unpack[Selection]) -> Fault:
    """No answer ever comes; the connection stays open until the client gives up."""
    return Fault("hang", **selection)


def reset(*, after: int | None = None, **selection: Unpack[Selection]) -> Fault:
    """The connection is reset (RST).

    Args:
        after: After so many bytes of the body, while the client may still be sending: what a request carries is not
            known by then, so it goes with `service` but not with `category`. By default when the request is complete.
        selection: Which requests, see `Selection`.
    """
    return Fault("reset", after=after, **selection)


def truncated(**selection: Unpack[Selection]) -> Fault:
    """The request is taken, but of its answer only half of what its `Content-Length` promises comes."""
    return Fault("truncated", **selection)


def closed(**selection: Unpack[Selection]) -> Fault:
    """The connection is closed without any answer."""
    return Fault("closed", **selection)


def connection_refused(*, service: str | None = None) -> Fault:
    """The service's DSN names a port on which nobody listens."""
    return Fault("connection-refused", service=service)


def wrong_certificate(*, service: str | None = None) -> Fault:
    """The service's DSN begins with https, and the certificate there is self-signed; needs `cryptography`."""
    return Fault("wrong-certificate", service=service)


def dns_failure(*, service: str | None = None) -> Fault:
    """The service's DSN names a host that does not exist."""
    return Fault("dns-failure", service=service)


def disconnected(*, service: str | None = None) -> Fault:
    """All networks of a service are gone; done to its container, see `harness.fixtures.containers`, not by a DSN."""
    return Fault("disconnected", service=service)


_WORDS: dict[Kind, Callable[[Fault], str]] = {
    "answer": lambda fault: "answered " + ", ".join(_answer_words(fault)),
    "slow-first-byte": lambda fault: f"answered after {fault.delay:g} s",
    "slow-body": lambda fault: f"answered over {fault.delay:g} s",
    "hang": lambda _: "never answered",
    "reset": lambda fault: f"connection reset{'' if fault.after is None else f' after {fault.after} bytes'}",
    "truncated": lambda _: "answered by half",
    "closed": lambda _: "connection closed without answer",
    "connection-refused": lambda _: "connection refused",
    "wrong-certificate": lambda _: "self-signed certificate",
    "dns-failure": lambda _: "host does not exist",
    "disconnected": lambda _: "cut off from all networks",
}


def _answer_words(fault: Fault) -> list[str]:
    said = [str(fault.status)]
    said += [f"{name}: {value if len(value) <= 60 else value[:60] + '...'}" for name, value in fault.headers]
    if fault.content_type is not None:
        said.append(fault.content_type)
    return said


def _problem(fault: Fault) -> str | None:
    numbers = {"delay": fault.delay, "seconds": fault.seconds}
    for name, value in numbers.items():
        if value is not None and not (_is_number(value) and math.isfinite(value) and value >= 0):
            return f"`{name}` must be a number of seconds, not {value!r}"
    counts = {"requests": fault.requests, "after": fault.after}
    for name, value in counts.items():
        if value is not None and not (isinstance(value, int) and _is_number(value) and value > 0):
            return f"`{name}` must be a whole number above 0, not {value!r}"
    texts: dict[str, object] = {
        "service": fault.service,
        "category": fault.category,
        "content_type": fault.content_type,
    }
    for name, text in (texts | {"body": fault.body}).items():
        if text is not None and not isinstance(text, str):
            return f"`{name}` must be a text, not {text!r}"
    return _problem_of_kind(fault) or _problem_of_headers(fault)


def _problem_of_kind(fault: Fault) -> str | None:
    if fault.kind not in get_args(Kind):
        return f"there is no such kind; kinds are: {', '.join(get_args(Kind))}"
    if fault.category is not None and fault.category not in CATEGORIES:
        return f"there is no data category {fault.category!r}; there are: {', '.join(sorted(CATEGORIES))}"
    if fault.after is not None and fault.category is not None:
        return "`after` does not go with `category`: what a request carries is known once it is complete"
    status = fault.status
    if status is not None and not (_is_number(status) and _LOWEST_STATUS <= status <= _HIGHEST_STATUS):
        return f"the status must be a number from {_LOWEST_STATUS} to {_HIGHEST_STATUS}, not {status!r}"
    return None


def _problem_of_headers(fault: Fault) -> str | None:
    for name, value in (*fault.headers, ("content-type", fault.content_type or "")):
        if not isinstance(value, str) or not (name + value).isascii() or {"\r", "\n"} & set(name + value):
            return f"the header {name!r} must be text of ASCII characters without line breaks, not {value!r:.80}"
        if not name or name == "content-length":
            return "a header needs a name, and `content-length` is the collector's own; see the fault `truncated`"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

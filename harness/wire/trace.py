"""Trace propagation: `sentry-trace`, `baggage`, and the dynamic sampling context that baggage carries.

The formats are those of https://develop.sentry.dev/sdk/foundations/trace-propagation/ and
https://www.w3.org/TR/baggage/.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self
from urllib.parse import quote, unquote

_SENTRY_TRACE = re.compile(r"[ \t]*([0-9a-f]{32})-([0-9a-f]{16})(?:-([01]?))?[ \t]*")
_SENTRY_PREFIX = "sentry-"


class InvalidSentryTrace(ValueError):
    """A text is not the value of a `sentry-trace` header."""


class InvalidSamplingContext(ValueError):
    """A baggage or a `trace` envelope header has no dynamic sampling context that Relay would read."""


@dataclass(frozen=True, slots=True)
class SentryTrace:
    """Value of a `sentry-trace` header: which trace a request continues.

    Attributes:
        trace_id: 32 lower-case hex digits.
        parent_span_id: The span that made the request, 16 lower-case hex digits.
        sampled: Whether the sender records the trace; None when it leaves that to the receiver.
    """

    trace_id: str
    parent_span_id: str
    sampled: bool | None = None

    @classmethod
    def new(cls, *, sampled: bool | None = True) -> Self:
        """Start a trace.

        Args:
            sampled: The sampling decision to propagate.

        Returns:
            A header value with random trace and span ids.
        """
        return cls(secrets.token_hex(16), secrets.token_hex(8), sampled)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a header value apart.

        Args:
            text: The value, for example `771a43a4192642f0b136d5159a501700-7b1d2f0b8a9c4e5d-1`.

        Returns:
            Its parts.

        Raises:
            InvalidSentryTrace: The value has another form.
        """
        found = _SENTRY_TRACE.fullmatch(text)
        if found is None:
            raise InvalidSentryTrace(
                f"{text!r} is not a sentry-trace: expected 32 and 16 hex digits and perhaps 0 or 1, joined by -"
            )
        return cls(found[1], found[2], found[3] == "1" if found[3] else None)

    def __str__(self) -> str:
        decision = "" if self.sampled is None else f"-{int(self.sampled)}"
        return f"{self.trace_id}-{self.parent_span_id}{decision}"


@dataclass(frozen=True, slots=True)
class BaggageMember:
    """One `key=value` of a `baggage` header, percent-encoded as on the wire.

    Attributes:
        raw_key: The key.
        raw_value: The value with its properties (`;...`), if it has any.
    """

    raw_key: str
    raw_value: str

    @classmethod
    def of(cls, key: str, value: str) -> Self:
        """Encode a key and a value that are plain text."""
        return cls(quote(key, safe=""), quote(value, safe=""))

    @property
    def key(self) -> str:
        """The decoded key."""
        return unquote(self.raw_key)

    @property
    def value(self) -> str:
        """The decoded value, without properties."""
        return unquote(self.raw_value.partition(";")[0].rstrip())

    def __str__(self) -> str:
        return f"{self.raw_key}={self.raw_value}"


@dataclass(frozen=True, slots=True)
class Baggage:
    """Value of a `baggage` header: Sentry's members and everybody else's, in order.

    Attributes:
        members: The members as on the wire.
    """

    members: tuple[BaggageMember, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a header value apart.

        Args:
            text: The value; what is not a `key=value` is dropped, as SDKs do.

        Returns:
            Its members.
        """
        members = []
        for part in text.split(","):
            key, separator, value = part.partition("=")
            if separator and key.strip():
                members.append(BaggageMember(key.strip(), value.strip()))
        return cls(tuple(members))

    def __str__(self) -> str:
        return ",".join(str(member) for member in self.members)

    @property
    def sentry(self) -> dict[str, str]:
        """Decoded values of Sentry's members by their key without `sentry-`; the last of a repeated key counts."""
        return {
            member.key.removeprefix(_SENTRY_PREFIX): member.value for member in self.members if _is_sentrys(member)
        }

    @property
    def third_party(self) -> dict[str, str]:
        """Decoded values of all other members by their key; the last of a repeated key counts."""
        return {member.key: member.value for member in self.members if not _is_sentrys(member)}


def _is_sentrys(member: BaggageMember) -> bool:
    return member.raw_key.startswith(_SENTRY_PREFIX)


@dataclass(frozen=True, slots=True)
class DynamicSamplingContext:
    """What the SDK that started a trace tells everybody else in it.

    It travels as `sentry-...` members of the baggage and as `trace` header of envelopes. All values are strings. It
    must not change once it was propagated.

    Attributes:
        trace_id: The trace.
        public_key: Key of the DSN of the SDK that started the trace.
        sample_rate: Probability with which the trace is recorded, 0 to 1.
        sample_rand: The random number compared with it; recorded if it is lower.
        sampled: `true` or `false`, the decision.
        release: Release of the starting service.
        environment: Environment of the starting service.
        transaction: Name of the transaction that started the trace.
        org_id: Organization of the starting SDK.
        replay_id: Session replay that the trace belongs to.
    """

    trace_id: str
    public_key: str
    sample_rate: str | None = None
    sample_rand: str | None = None
    sampled: str | None = None
    release: str | None = None
    environment: str | None = None
    transaction: str | None = None
    org_id: str | None = None
    replay_id: str | None = None

    @classmethod
    def from_baggage(cls, baggage: Baggage) -> Self:
        """Take the context out of a baggage.

        Args:
            baggage: The baggage, with members of others or without.

        Returns:
            The context.

        Raises:
            InvalidSamplingContext: The baggage has no trace id or public key of Sentry's.
        """
        return cls._from_values(baggage.sentry, "baggage")

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Self:
        """Take the context out of the `trace` header of an envelope.

        Args:
            header: The header's value; fields that are not known here are left out.

        Returns:
            The context.

        Raises:
            InvalidSamplingContext: Trace id or public key is missing, or a field is not a string. As in Relay
                (`relay-sampling/src/dsc.rs`), only `sampled` may be a boolean as well.
        """
        values = {name: value for name, value in header.items() if value is not None}
        if isinstance(values.get("sampled"), bool):
            values["sampled"] = str(values["sampled"]).lower()
        return cls._from_values(values, "trace header")

    @classmethod
    def _from_values(cls, values: Mapping[str, Any], source: str) -> Self:
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        for name, value in known.items():
            if not isinstance(value, str):
                raise InvalidSamplingContext(f"{name} in the {source} must be a string, not {value!r}")
        for name in ("trace_id", "public_key"):
            if not known.get(name):
                raise InvalidSamplingContext(f"the {source} has no dynamic sampling context: {name} is missing")
        return cls(**known)

    def to_baggage(self) -> Baggage:
        """Write the context as baggage.

        Returns:
            A baggage of the fields that are set; prepend or append the members of others.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Baggage(
            tuple(
                BaggageMember.of(_SENTRY_PREFIX + name, value) for name, value in values.items() if value is not None
            )
        )

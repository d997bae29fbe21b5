"""What an incoming `baggage` must be like before the SDK sees it. Pure rules, no I/O.

sentry-sdk 2.75 computes with what the header says before any code of the service runs, sends Sentry's members as
envelope header and passes all of them on to the next service.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from observability.scrubbing import holds_token

BAGGAGE = "baggage"
LONGEST_BAGGAGE = 8192
"""Characters, which a platform must pass on at least (W3C Baggage, section 3.3.2), and none of this one does more."""

_SENTRY = "sentry-"
_KEY_OF_SENTRY = re.compile(r"sentry-[a-z_]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,32}(?:\.[0-9]{1,32})?(?:[eE][+-]?[0-9]{1,3})?")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def readable_baggage(values: Sequence[str]) -> str:
    """A `baggage` that no SDK stumbles over, out of what came in; empty when nothing of it can be used.

    Sentry's own members stay or go together: with a part of them, a trace would be sampled by two opinions. Members
    of others stay, but for those that are no printable ASCII and those that hold a token.

    Args:
        values: the values of all headers `baggage`, in their order.
    """
    if sum(map(len, values)) > LONGEST_BAGGAGE:
        return ""
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    kept = [member for member in members if _may_pass(member)]
    ours = [member for member in members if unquote(member).startswith(_SENTRY)]
    if all(member in kept and _is_readable(member) for member in ours):
        return ",".join(kept)
    return ",".join(member for member in kept if member not in ours)


def _may_pass(member: str) -> bool:
    return "=" in member and member.isascii() and member.isprintable() and not holds_token(member)


def _is_readable(member: str) -> bool:
    key, _, quoted = member.partition("=")
    value = unquote(quoted)
    if _KEY_OF_SENTRY.fullmatch(key) is None or not value.isprintable():
        return False
    match key.removeprefix(_SENTRY):
        case "sample_rate":
            return _NUMBER.fullmatch(value) is not None and float(value) <= 1
        case "sample_rand":
            return _NUMBER.fullmatch(value) is not None and float(value) < 1
        case "trace_id":
            return _TRACE_ID.fullmatch(value) is not None
    return True

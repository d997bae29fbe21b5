"""How fast an envelope is parsed, against the SDK's own reader; and how strict the two are.

Relay decides what is an envelope. The SDK's reader is lenient, which is why the harness has its own.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from sentry_sdk.envelope import Envelope as SdkEnvelope

from benchmarks.ingest_load import error_event
from benchmarks.measurement import Goal, Row, Section
from harness.wire.envelope import Envelope

TIMES_SDK = 1.5
_TIMES = 2000
_SDK, _HARNESS = "sentry_sdk.envelope", "harness.wire"
_RELUCTANT = "harness.wire, payloads left unread"
# What each breaks: an attachment cut off, a length too small, one too large for a log, no newline before the next
# item, half of a surrogate pair, NaN (Relay, relay-event-schema and relay-server/src/envelope).
_REFUSED_BY_RELAY = (
    b'{}\n{"type":"attachment","length":10}\nhello',
    b'{}\n{"type":"attachment","length":3}\nhello\n',
    b'{}\n{"type":"log","length":99}\n{"items":[]}\n',
    b'{}\n{"type":"attachment","length":5}\nhello{"type":"attachment","length":0}\n',
    b'{}\n{"type":"event"}\n{"message":"\\ud800"}\n',
    b'{}\n{"type":"event"}\n{"extra":{"ratio":NaN}}\n',
)


def measure(rounds: int) -> Section:
    """Parse the same envelope time after time, with its payload read as JSON, which the SDK's reader always does.

    Args:
        rounds: how often it is measured.
    """
    event = error_event()
    subjects: dict[str, Callable[[bytes], object]] = {_HARNESS: _read, _RELUCTANT: Envelope.parse, _SDK: _sdk}
    results: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        names = list(subjects)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            results[name].append(_microseconds(subjects[name], event))
    rows = tuple(Row(name, "us/envelope", tuple(values)) for name, values in results.items())
    medians = {row.subject: row.median for row in rows}
    accepted = {name: _accepted(subjects[name]) for name in (_HARNESS, _SDK)}
    return Section(
        "parsing",
        rows,
        peers=(_SDK,),
        goals=(
            Goal(
                f"parsing: at most {TIMES_SDK:g} x the time of the SDK's lenient reader",
                medians[_HARNESS] <= TIMES_SDK * medians[_SDK],
            ),
        ),
        notes=(
            f"of {len(_REFUSED_BY_RELAY)} envelopes that Relay refuses "
            + ", ".join(f"{name} takes {count}" for name, count in accepted.items()),
        ),
    )


def _read(body: bytes) -> object:
    return [item.json() for item in Envelope.parse(body).items]


def _sdk(body: bytes) -> object:
    return SdkEnvelope.deserialize_from(io.BytesIO(body)).items


def _microseconds(parse: Callable[[bytes], object], event: bytes) -> float:
    started = time.perf_counter()
    for _ in range(_TIMES):
        parse(event)
    return (time.perf_counter() - started) / _TIMES * 1e6


def _accepted(parse: Callable[[bytes], object]) -> int:
    accepted = 0
    for envelope in _REFUSED_BY_RELAY:
        try:
            parse(envelope)
        except (ValueError, TypeError, AttributeError, AssertionError):
            continue
        accepted += 1
    return accepted

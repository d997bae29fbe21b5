"""Check: nothing secret leaves a service for Sentry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.verify.canaries import Canary, CanarySearch, canaries
from harness.verify.checks.registry import Subject, check, run_check
from harness.verify.egress import Parcel, Passage
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject
from harness.verify.secret_patterns import SecretMatch, find_secrets

_PLACES_SHOWN = 2
# Ids and times of Sentry's own protocol: digits that nobody typed in.
_PROTOCOL_NUMBER = re.compile(
    r"(?:(?:trace|span|segment|event|replay|profile|profiler|thread|session)[._]?id|timestamp|_ns|\.[sd]id|_addr)$"
)
_CARD_FIELD = re.compile(r"card|pan\b|cc_?n|number", re.IGNORECASE)
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_REMEDY = (
    "Sentry's own scrubbing comes too late, it has left the service: do not attach it, or remove it in the SDK "
    "(before_send, before_breadcrumb, before_send_log, EventScrubber)"
)
_REMEDY_FOR_VARIABLES = (
    "It is in a local variable of a stack frame, and the SDK's scrubber goes by names, not by what they hold: remove "
    "it in before_send, or send no variables (include_local_variables, includeLocalVariables)"
)


@check("secrets", canaries=bool)
def secrets(subject: Subject) -> Iterator[Finding]:
    """Nothing secret leaves a service: no known secret in any form, and nothing that has the form of one."""
    yield from _inspect(subject.parcels, canaries(subject.capture.evidence.secrets.items()))


@run_check("secrets")
def secrets_outside_traces(subject: RunSubject) -> Iterator[Finding]:
    """Nothing secret in what belongs to no scenario's trace: sessions, batches, profiles, replays, lost traces."""
    yield from _inspect(subject.strays, canaries(subject.secrets))


def _inspect(parcels: Iterable[Parcel], known: Sequence[Canary]) -> Iterator[Finding]:
    search = CanarySearch(known)
    for parcel in parcels:
        seen = search.found_in(parcel.text)
        for canary in seen:
            yield _of_canary(parcel, canary, known)
        matches = {match.value: match for match in find_secrets(parcel.text)}
        for match in matches.values():
            # What was found as a known secret is not reported again by its form.
            if not any(canary.is_part_of(match.value) for canary in seen):
                yield from _of_pattern(parcel, match, known)


def _of_canary(parcel: Parcel, canary: Canary, known: Sequence[Canary]) -> Finding:
    paths = [passage.path for passage in parcel.passages() if canary.is_in(passage.text)]
    return _finding(
        f"secrets.known.{_slug(canary.name)}",
        f"the secret {canary.name!r} reaches Sentry",
        parcel,
        paths,
        known,
    )


def _of_pattern(parcel: Parcel, match: SecretMatch, known: Sequence[Canary]) -> Iterator[Finding]:
    # The value alone is not enough: digits that are a span id in one text are the tail of a sentry-trace in another.
    found = [
        passage
        for passage in parcel.passages()
        if match.value in passage.text and match in find_secrets(passage.text)
    ]
    if match.kind == "card-number":
        found = [passage for passage in found if _may_be_card(passage)]
    if found:
        this = Canary("secret", (match.value,))
        yield _finding(
            f"secrets.{match.kind}",
            f"{match.name} ({match.hint}) reaches Sentry",
            parcel,
            [passage.path for passage in found],
            [*known, this],
        )


def _may_be_card(passage: Passage) -> bool:
    if passage.is_number:
        # Long counters are JSON numbers too, a card number as one is rare.
        return _CARD_FIELD.search(passage.path) is not None
    return _PROTOCOL_NUMBER.search(passage.path) is None


def _finding(code: str, message: str, parcel: Parcel, paths: Sequence[str], known: Sequence[Canary]) -> Finding:
    first, *others = dict.fromkeys(_hide(path, known) for path in paths)
    more = f" and {len(others) - _PLACES_SHOWN} more places" if len(others) > _PLACES_SHOWN else ""
    also = f", also at {', '.join(others[:_PLACES_SHOWN])}{more}" if others else ""
    remedy = _REMEDY_FOR_VARIABLES if ".vars." in first else _REMEDY
    return Finding(
        code=code,
        message=f"{message}{also}. {remedy}",
        service=parcel.service,
        item=_hide(parcel.label, known),
        path=first,
    )


def _slug(name: str) -> str:
    return _NOT_A_WORD.sub("-", name.lower().replace("'", "")).strip("-")


def _hide(text: str, known: Sequence[Canary]) -> str:
    for canary in known:
        text = canary.hide(text)
    return text

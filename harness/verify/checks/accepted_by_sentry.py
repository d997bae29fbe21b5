"""Check: Sentry takes every event as it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.verify.checks.registry import Subject, check
from harness.verify.finding import Finding, Severity
from harness.verify.relay import RelayRefusal, Remark, remarks
from harness.verify.sent import SentItem, sent_items

# The check `protocol` says it too, and which span it is.
_SAID_ELSEWHERE = ("end timestamp is smaller than start timestamp",)
_SHOWN = 80
_INDEX = re.compile(r"\[\d+\]")
# What the SDK itself has taken out, such as all cookies at once, is a text where Sentry wants an object.
_SCRUBBED = "[Filtered]"
# SDKs send all local variables and installed packages, and leave it to Sentry to cut them to what it shows.
_CUT_ANYWAY = re.compile(r"\.frames\[\]\.vars\b|^\$\.modules\b")
# What was thrown how deep, and what a client sent, is not of the application's choosing either, but worth a word.
_CUT_BY_DESIGN = {
    "shortened-stack": re.compile(r"\.stacktrace\."),
    "shortened-request": re.compile(r"^\$\.request\."),
}


@check("accepted-by-sentry")
def accepted_by_sentry(subject: Subject) -> Iterator[Finding]:
    """Relay's own normaliser neither drops nor removes, shortens or replaces anything of an event or transaction."""
    for sent in sent_items(subject.capture, "event", "transaction"):
        try:
            for remark, others in _grouped(remarks(sent.payload)):
                yield _finding(sent, remark, others)
        except RelayRefusal as refusal:
            if not str(refusal).endswith(_SAID_ELSEWHERE):
                yield Finding(
                    code="accepted-by-sentry.rejected",
                    message=f"Sentry drops the whole {sent.item.type}: {refusal}",
                    service=sent.service,
                    item=str(sent),
                )


def _grouped(found: Iterable[Remark]) -> Iterator[tuple[Remark, int]]:
    """The first of all remarks alike, or inside one another, with the number of the others."""
    groups: dict[tuple[str, str, str], list[Remark]] = {}
    for remark in found:
        place, kind = _INDEX.sub("[]", remark.path), (remark.change, remark.reason)
        if remark.value == _SCRUBBED or (remark.change == "shortened" and _CUT_ANYWAY.search(place)):
            continue
        around = next((key for key in groups if key[1:] == kind and _is_inside(place, key[0])), (place, *kind))
        groups.setdefault(around, []).append(remark)
    for first, *others in groups.values():
        yield first, len(others)


def _is_inside(place: str, outer: str) -> bool:
    return place.startswith((f"{outer}.", f"{outer}["))


def _finding(sent: SentItem, remark: Remark, others: int) -> Finding:
    detail: str = remark.change
    severity = Severity.ERROR
    value = "" if remark.value is None else f", here {_short(repr(remark.value))}"
    match remark.change:
        case "shortened":
            size = "" if remark.size is None else f" of {remark.size} characters or entries"
            message = (
                f"Sentry cuts this{size} and drops what follows: it or all around it is too long; send less of it"
            )
            for by_design, place in _CUT_BY_DESIGN.items():
                if place.search(remark.path):
                    detail, severity = by_design, Severity.WARNING
        case "replaced":
            message = f"Sentry does not know this value and replaces it{value}; send one that it knows"
        case _:
            message = f"Sentry removes it, {remark.reason}{value}; correct it or do not send it"
    if others:
        message += f" (and {others} more like it in this {sent.item.type})"
    return Finding(
        f"accepted-by-sentry.{detail}", message, severity, service=sent.service, item=str(sent), path=remark.path
    )


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."

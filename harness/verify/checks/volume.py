"""Check: one request does not send more than its budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.telemetry.shape import sequence
from harness.verify.checks.registry import Subject, check
from harness.verify.finding import Finding
from harness.verify.sent import SentItem, entries, readable_items, sent_envelopes

ITEMS = 300.0
KILOBYTES = 1024.0

# A transaction counts as one span for each that it holds, as it does when Sentry bills it.
_NAMES = {"span": "spans", "transaction": "spans", "log": "logs", "trace_metric": "metrics"}


@check("volume", items=float, kilobytes=float)
def volume(subject: Subject) -> Iterator[Finding]:
    """A scenario sends no more items and bytes than ``[checks.volume]`` permits, so that a noisy change is seen."""
    items, sizes = _measure(subject)
    allowed_items = subject.settings.option("volume", "items", ITEMS)
    allowed_kilobytes = subject.settings.option("volume", "kilobytes", KILOBYTES)
    if (count := items.total()) > allowed_items:
        kind, most = items.most_common(1)[0]
        yield Finding(
            code="volume.items",
            message=f"the scenario sent {count} items, its budget is {allowed_items:g}; most of them are "
            f"{kind} ({most}): is something captured in a loop? Otherwise raise `items` in [checks.volume]",
        )
    if (kilobytes := sizes.total() / 1024) > allowed_kilobytes:
        kind, most = sizes.most_common(1)[0]
        yield Finding(
            code="volume.bytes",
            message=f"the scenario sent {kilobytes:.0f} kB, its budget is {allowed_kilobytes:g} kB; most of it is "
            f"{kind} ({most / 1024:.0f} kB): send less with each, or raise `kilobytes` in [checks.volume]",
        )


def _measure(subject: Subject) -> tuple[Counter[str], Counter[str]]:
    """Number and bytes of what belongs to the scenario, by kind."""
    items: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for sent in sent_envelopes(subject.capture):
        batches = {id(item.item): item for item in readable_items(sent, *_NAMES)}
        for item in sent.envelope.items:
            count, share = _share(batches[id(item)], subject) if id(item) in batches else (1, 1.0)
            kind = _NAMES.get(item.type, item.type)
            items[kind] += count
            sizes[kind] += round(len(item.payload) * share)
    return items, sizes


def _share(item: SentItem, subject: Subject) -> tuple[int, float]:
    """How many entries of a container are the scenario's, and what part of the container they are."""
    if item.item.type == "transaction":
        return 1 + len(sequence(item.payload.get("spans"))), 1.0
    held = list(entries(item))
    own = sum(subject.capture.trace_id in (None, entry.trace_id) for entry in held)
    return own, own / len(held) if held else 1.0

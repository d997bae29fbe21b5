"""The dynamic sampling context: there where it must be, consistent in itself, and the same along the whole trace.

Source: https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/; what Relay refuses is in
``relay-sampling/src/dsc.rs`` and ``relay-server/src/processing/spans/dynamic_sampling.rs``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from harness.verify.capture import Capture
from harness.verify.finding import Finding
from harness.verify.protocol.items import readable_containers
from harness.verify.sent import SentEnvelope, entries, readable_items, sent_envelopes
from harness.wire.trace import DynamicSamplingContext, InvalidSamplingContext

_TRACE_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_NUMBERS = ("sample_rate", "sample_rand")
# SDKs write the random number with six decimals, so a continued one may have lost what came after.
_PRECISION = 1e-6
# A sampler of a service's own applies a rate of its own, and says so here; the decision must stay the same.
_SETTLED_ANEW = frozenset({"sample_rate"})
_FIELDS = frozenset(field.name for field in fields(DynamicSamplingContext)) - _SETTLED_ANEW
# Whoever starts a trace may still learn these before the context is first propagated: a page's route, its replay.
_SETTLED_LATE = frozenset({"transaction", "replay_id"})

_DECISION = frozenset({"sampled", "sample_rand"})


def sampling_findings(capture: Capture) -> Iterator[Finding]:
    """What is wrong with the sampling contexts of a scenario's envelopes."""
    reference, source, frozen = capture.evidence.sampling_context, "the trigger", _FIELDS
    reported: set[tuple[str | None, str]] = set()
    for sent in sent_envelopes(capture):
        yield from _presence(sent)
        header = sent.envelope.headers.get("trace")
        if header is None:
            continue
        try:
            context = _read(header)
        except InvalidSamplingContext as invalid:
            yield _finding(sent, "invalid", f"Sentry cannot read it and samples the trace at random: {invalid}")
            continue
        yield from _contradiction(sent, context)
        yield from _foreign_contents(sent, context)
        if context.trace_id != capture.trace_id:
            continue
        if reference is None:
            if _is_undecided(context):
                continue
            reference, source, frozen = context, str(sent.origin.service), _FIELDS - _SETTLED_LATE
        # Whoever starts a trace decides when its first span begins; what it reports outside of any says nothing.
        starts = capture.evidence.sampling_context is None and sent.origin.service == source
        compared = frozen - _DECISION if starts and _is_undecided(context) else frozen
        difference = _difference(reference, context, compared)
        if difference and (sent.origin.service, difference) not in reported:
            reported.add((sent.origin.service, difference))
            yield _finding(
                sent,
                "changed",
                f"it differs from that of {source}: {difference}. A sampling context is frozen once it was "
                "propagated; the baggage of the request was lost, rewritten or not continued",
            )


def _is_undecided(context: DynamicSamplingContext) -> bool:
    return context.sampled is None and context.sample_rand is None and context.sample_rate is None


def _presence(sent: SentEnvelope) -> Iterator[Finding]:
    types = {container.item.type for container in readable_containers(sent)}
    present = sent.envelope.headers.get("trace") is not None
    if "span" in types and not present:
        yield _finding(sent, "missing", "Sentry drops streamed spans whose envelope has no `trace` header")
    elif present and "span" not in types and (batched := sorted(types)):
        yield _finding(
            sent,
            "unwanted",
            f"an envelope of {' and '.join(batched)} items must have no `trace` header: they come from many "
            "traces, and Sentry would sample all of them by that one",
        )


def _read(header: object) -> DynamicSamplingContext:
    """The context as Relay would read it.

    Raises:
        InvalidSamplingContext: it would not.
    """
    if not isinstance(header, dict):
        raise InvalidSamplingContext(f"it must be an object, not {header!r:.80}")
    context = DynamicSamplingContext.from_header(header)
    if not _TRACE_ID.fullmatch(context.trace_id.replace("-", "")):
        raise InvalidSamplingContext(f"trace_id {context.trace_id!r} is not 32 hexadecimal digits")
    for name in _NUMBERS:
        value = getattr(context, name)
        if value is not None and not 0 <= _number(name, value) <= 1:
            raise InvalidSamplingContext(f"{name} {value!r} is not between 0 and 1")
    if context.sampled not in (None, "true", "false"):
        raise InvalidSamplingContext(f"sampled {context.sampled!r} is neither true nor false")
    return context


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InvalidSamplingContext(f"{name} {value!r} is not a number") from None


def _contradiction(sent: SentEnvelope, context: DynamicSamplingContext) -> Iterator[Finding]:
    rate, rand, sampled = context.sample_rate, context.sample_rand, context.sampled
    if rate is None or rand is None or sampled is None:
        return
    if (float(rand) < float(rate)) != (sampled == "true"):
        yield _finding(
            sent,
            "contradictory",
            f"sampled is {sampled}, but sample_rand {rand} and sample_rate {rate} say otherwise: a trace is "
            "sampled if and only if sample_rand < sample_rate, and Sentry extrapolates counts by them; whoever "
            "starts the trace must decide by them",
        )


def _foreign_contents(sent: SentEnvelope, context: DynamicSamplingContext) -> Iterator[Finding]:
    inside = {item.trace_id for item in readable_items(sent, "event", "transaction")}
    for container in readable_containers(sent):
        if container.item.type == "span":
            inside |= {entry.trace_id for entry in entries(container)}
    if strangers := sorted(str(trace_id) for trace_id in inside - {context.trace_id.replace("-", "")}):
        yield _finding(
            sent,
            "mismatch",
            f"it is of trace {context.trace_id}, but what is inside belongs to {', '.join(strangers)}: Sentry drops "
            "such spans, and samples such events by the wrong trace",
        )


def _difference(reference: DynamicSamplingContext, context: DynamicSamplingContext, names: frozenset[str]) -> str:
    differing = []
    for name in sorted(names):
        was, is_now = getattr(reference, name), getattr(context, name)
        if was == is_now or (name in _NUMBERS and _same_number(was, is_now)):
            continue
        differing.append(f"{name} is {_word(is_now)}, not {_word(was)}")
    return "; ".join(differing)


def _same_number(was: str | None, is_now: str | None) -> bool:
    return was is not None and is_now is not None and abs(float(was) - float(is_now)) <= _PRECISION


def _word(value: str | None) -> str:
    return "missing" if value is None else repr(value)


def _finding(sent: SentEnvelope, what: str, message: str) -> Finding:
    return Finding(
        code=f"protocol.sampling-context-{what}",
        message=message,
        service=sent.origin.service,
        item=f"header `trace` of {sent}",
    )

"""Trace headers: written and read as the SDKs do."""

from __future__ import annotations

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import (
    Baggage,
    BaggageMember,
    DynamicSamplingContext,
    InvalidSamplingContext,
    InvalidSentryTrace,
    SentryTrace,
)

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
TEXTS = st.text(min_size=1, max_size=20)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1), st.sampled_from([True, False, None]))
def test_sentry_trace_round_trip(trace: int, span: int, sampled: bool | None) -> None:
    header = SentryTrace(f"{trace:032x}", f"{span:016x}", sampled)
    assert SentryTrace.parse(str(header)) == header


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"{TRACE_ID}-{SPAN_ID}-1", True),
        (f"{TRACE_ID}-{SPAN_ID}-0", False),
        (f"{TRACE_ID}-{SPAN_ID}", None),
        (f"{TRACE_ID}-{SPAN_ID}-", None),
        (f" \t{TRACE_ID}-{SPAN_ID}-1 ", True),
    ],
)
def test_sentry_trace_forms(text: str, sampled: bool | None) -> None:
    assert SentryTrace.parse(text) == SentryTrace(TRACE_ID, SPAN_ID, sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TRACE_ID,
        f"{TRACE_ID}{SPAN_ID}",
        f"{TRACE_ID}-{SPAN_ID}-2",
        f"{TRACE_ID}-{SPAN_ID}-1\n",
        f"{TRACE_ID.upper()}-{SPAN_ID}-1",
        f"00-{TRACE_ID}-{SPAN_ID}-01",
        f"{TRACE_ID}-{SPAN_ID}-1,{TRACE_ID}-{SPAN_ID}-1",
    ],
)
def test_what_is_not_a_sentry_trace_is_refused(text: str) -> None:
    with pytest.raises(InvalidSentryTrace, match="is not a sentry-trace"):
        SentryTrace.parse(text)


def test_a_new_trace_is_of_its_own() -> None:
    one, other = SentryTrace.new(), SentryTrace.new(sampled=None)
    assert SentryTrace.parse(str(one)) == one
    assert one.sampled is True
    assert other.sampled is None
    assert one.trace_id != other.trace_id
    assert one.parent_span_id != other.parent_span_id


BAGGAGE = (
    "other=1;ttl=5,sentry-trace_id="
    + TRACE_ID
    + " , sentry-public_key=front%20key,\tsentry-transaction=GET%20%2Fa%2Cb,"
    "vendor%20x=%C3%BC;a;b=c"
)


def test_baggage_keeps_order_and_other_members() -> None:
    baggage = Baggage.parse(BAGGAGE)
    assert [member.key for member in baggage.members] == [
        "other",
        "sentry-trace_id",
        "sentry-public_key",
        "sentry-transaction",
        "vendor x",
    ]
    assert baggage.sentry == {"trace_id": TRACE_ID, "public_key": "front key", "transaction": "GET /a,b"}
    assert baggage.third_party == {"other": "1", "vendor x": "ü"}
    assert str(baggage) == BAGGAGE.replace(" , ", ",").replace("\t", "")
    assert Baggage.parse(str(baggage)) == baggage


@pytest.mark.parametrize("text", ["", ",", "nonsense", "=value", " , ;"])
def test_what_is_not_a_member_is_dropped(text: str) -> None:
    assert Baggage.parse(text) == Baggage()
    assert Baggage.parse(f"{text},a=b=c") == Baggage((BaggageMember("a", "b=c"),))


def test_the_last_of_a_repeated_key_counts_and_none_is_lost() -> None:
    baggage = Baggage.parse("sentry-a=1,b=1,sentry-a=2,b=2")
    assert (baggage.sentry, baggage.third_party) == ({"a": "2"}, {"b": "2"})
    assert str(baggage) == "sentry-a=1,b=1,sentry-a=2,b=2"


@given(TEXTS, st.text(max_size=20))
def test_any_text_travels_as_a_member(key: str, value: str) -> None:
    (member,) = Baggage.parse(str(Baggage((BaggageMember.of(key, value),)))).members
    assert (member.key, member.value) == (key, value)


SAMPLING_CONTEXTS = st.builds(
    DynamicSamplingContext,
    trace_id=TEXTS,
    public_key=TEXTS,
    sample_rate=st.none() | TEXTS,
    sample_rand=st.none() | TEXTS,
    sampled=st.none() | st.sampled_from(["true", "false"]),
    release=st.none() | TEXTS,
    environment=st.none() | TEXTS,
    transaction=st.none() | st.text(),
    org_id=st.none() | TEXTS,
    replay_id=st.none() | TEXTS,
)


@given(SAMPLING_CONTEXTS)
def test_a_sampling_context_travels_as_baggage(context: DynamicSamplingContext) -> None:
    header = str(context.to_baggage())
    assert DynamicSamplingContext.from_baggage(Baggage.parse(f"a=b,{header},sentry-novelty=1")) == context


def test_the_real_sdk_continues_our_trace_with_our_context() -> None:
    trace = SentryTrace.new()
    context = DynamicSamplingContext(
        trace.trace_id, "frontkey", "1.0", "0.25", "true", "web@1", "test", "GET /ü, and /more"
    )
    with sentry_sdk.isolation_scope():
        sentry_sdk.continue_trace({"sentry-trace": str(trace), "baggage": f"a=b,{context.to_baggage()}"})
        forwarded = sentry_sdk.get_baggage()
        traceparent = sentry_sdk.get_traceparent()
    assert forwarded is not None
    assert traceparent is not None
    assert DynamicSamplingContext.from_baggage(Baggage.parse(forwarded)) == context
    assert SentryTrace.parse(traceparent).trace_id == trace.trace_id


@pytest.mark.parametrize(("sampled", "read"), [(True, "true"), (False, "false"), ("true", "true"), (None, None)])
def test_a_trace_header_is_read(sampled: object, read: str | None) -> None:
    header = {"trace_id": TRACE_ID, "public_key": "k", "sampled": sampled, "replay_id": None, "novelty": [1]}
    assert DynamicSamplingContext.from_header(header) == DynamicSamplingContext(TRACE_ID, "k", sampled=read)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({}, "trace_id is missing"),
        ({"trace_id": TRACE_ID}, "public_key is missing"),
        ({"trace_id": "", "public_key": "k"}, "trace_id is missing"),
        ({"trace_id": TRACE_ID, "public_key": "k", "sample_rate": 0.5}, "sample_rate in the trace header must be"),
        ({"trace_id": 5, "public_key": "k"}, "trace_id in the trace header must be a string, not 5"),
        ({"trace_id": TRACE_ID, "public_key": "k", "sampled": 1}, "sampled in the trace header must be"),
    ],
)
def test_a_trace_header_that_relay_would_drop_is_refused(header: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidSamplingContext, match=reason):
        DynamicSamplingContext.from_header(header)


def test_baggage_of_others_has_no_sampling_context() -> None:
    with pytest.raises(InvalidSamplingContext, match="the baggage has no dynamic sampling context"):
        DynamicSamplingContext.from_baggage(Baggage.parse("trace_id=1,public_key=2"))

"""Sending a trigger inside a trace of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping

import requests
from requests.structures import CaseInsensitiveDict

from harness.run.scenario import Trigger
from harness.verify.evidence import Response
from harness.wire.trace import DynamicSamplingContext, SentryTrace


def sampling_context(trace: SentryTrace) -> DynamicSamplingContext:
    """The dynamic sampling context that a trigger announces.

    Whoever starts a trace decides about sampling for everybody in it (develop.sentry.dev, "Dynamic Sampling
    Context"): the trigger plays a front end that records everything.

    Args:
        trace: the trace to start.
    """
    return DynamicSamplingContext(
        trace_id=trace.trace_id,
        public_key="trigger",
        release="trigger@verification",
        sample_rate="1",
        sample_rand="0.5",
        sampled="true",
    )


def announced_context(trigger: Trigger, trace: SentryTrace) -> DynamicSamplingContext | None:
    """The dynamic sampling context that services receive; None when the trigger's own headers override it.

    Args:
        trigger: what is sent.
        trace: the trace it starts.
    """
    overridden = {name.lower() for name in trigger.headers} & trace_headers(trace).keys()
    return None if overridden else sampling_context(trace)


def trace_headers(trace: SentryTrace) -> dict[str, str]:
    """The headers by which a trigger starts its trace.

    Args:
        trace: the trace to start.
    """
    return {"sentry-trace": str(trace), "baggage": str(sampling_context(trace).to_baggage())}


def send(trigger: Trigger, base_url: str, trace: SentryTrace, marks: Mapping[str, str] | None = None) -> Response:
    """Send the request and read the whole answer.

    Args:
        trigger: what to send; its own headers win over all others.
        base_url: URL of the service or of its route through the entry service, without a trailing slash.
        trace: the trace to start.
        marks: further headers, by which the request is recognised wherever its parts turn up.

    Raises:
        requests.RequestException: there was no answer.
    """
    with requests.Session() as session:
        session.trust_env = False
        started = time.perf_counter()
        answer = session.request(
            trigger.method,
            base_url + trigger.path,
            params=trigger.params,
            json=trigger.json,
            data=trigger.body,
            headers=CaseInsensitiveDict({**(marks or {}), **trace_headers(trace), **trigger.headers}),
            timeout=trigger.timeout,
            allow_redirects=False,
        )
        return Response(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=answer.content,
            elapsed_ms=(time.perf_counter() - started) * 1000,
            url=answer.url,
        )

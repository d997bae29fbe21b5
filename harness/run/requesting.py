"""Sending a trigger inside a trace of its own."""

from __future__ import annotations

import time

import requests

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


def trace_headers(trace: SentryTrace) -> dict[str, str]:
    """The headers by which a trigger starts its trace.

    Args:
        trace: the trace to start.
    """
    return {"sentry-trace": str(trace), "baggage": str(sampling_context(trace).to_baggage())}


def send(trigger: Trigger, base_url: str, trace: SentryTrace) -> Response:
    """Send the request and read the whole answer.

    Args:
        trigger: what to send.
        base_url: URL of the service or of its route through the entry service, without a trailing slash.
        trace: the trace to start.

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
            headers={**trace_headers(trace), **trigger.headers},
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

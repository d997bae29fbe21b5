"""The Sentry SDK inside of a page, reached through its own global state, whatever bundle it came in."""

from __future__ import annotations

from playwright.sync_api import Page

FLUSH_TIMEOUT = 10.0

# What a page does outside of any span of its own belongs to the scope that all others are made from; there is one
# for each version of the SDK that is loaded (`getMainCarrier` of @sentry/core). An idle span, such as that of the
# page load, is active on this very scope and is ended by nothing but time; since version 11 a WeakRef holds it.
_SCOPES = """
    const scopes = Object.values(globalThis.__SENTRY__ ?? {})
        .map((carrier) => carrier?.defaultCurrentScope).filter((scope) => scope?.getClient?.());
    const endIdleSpan = (scope) => {
        const held = scope.refs?.span ?? scope._sentrySpan;
        (held?.deref ? held.deref() : held)?.end();
    };
"""
_BEGIN = f"""(trace) => {{
    {_SCOPES}
    for (const scope of scopes) {{
        endIdleSpan(scope);
        // The random number is kept: the vitals of the page load, which are measured until it is left, go by it too.
        const {{ sampleRand }} = scope.getPropagationContext();
        scope.setPropagationContext({{ traceId: trace, spanId: trace.slice(16), sampleRand }});
    }}
    return scopes.length > 0;
}}"""
_FLUSH = f"""async ({{ timeout, replayed }}) => {{
    {_SCOPES}
    let sent = true;
    for (const scope of scopes) {{
        endIdleSpan(scope);
        const client = scope.getClient();
        const replay = client.getIntegrationByName?.('Replay');
        // In its other mode a replay is kept for an error that may come; to flush it then would be to send it.
        if (replay && (replayed || replay.getRecordingMode?.() === 'session')) {{
            await replay.flush();
        }}
        sent = (await client.flush(timeout)) && sent;
    }}
    return sent;
}}"""


def begin_trace(page: Page, trace_id: str) -> bool:
    """Let what the page does from now on, and puts into no trace of its own, be of a new trace.

    An SDK for browsers keeps the trace of the page load for as long as the page lives, so without this, all actions
    would be of one trace.

    Args:
        page: the page.
        trace_id: the trace.

    Returns:
        Whether the page has an SDK.
    """
    return bool(page.evaluate(_BEGIN, trace_id))


def flush(page: Page, *, replayed: bool = False) -> bool:
    """Let the page send everything that its SDK has captured so far.

    Args:
        page: the page.
        replayed: an error was sent that belongs to a replay, so the replay is sent as well.

    Returns:
        Whether all could be sent in time.
    """
    return bool(page.evaluate(_FLUSH, {"timeout": FLUSH_TIMEOUT * 1000, "replayed": replayed}))

"""A page's network: what it requests, which traces it speaks of, and when it is quiet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Error, Page, Request

from harness.run.observing import Exchange
from harness.telemetry.routing import trace_ids
from harness.telemetry.shape import mapping, one_line, sequence, text
from harness.verify.evidence import Response
from harness.wire.envelope import Envelope, Item, MalformedEnvelope, MalformedPayload
from harness.wire.trace import InvalidSentryTrace, SentryTrace

# These stay open for as long as the page wants.
_ENDLESS = frozenset({"eventsource", "websocket"})
GIVEN_UP = "net::ERR_ABORTED"
"""How a request ends that the page itself gives up, or leaves behind when it goes."""
_QUIET = "quiet"
_TURNS = """async () => {
    const { port1, port2 } = new MessageChannel();
    for (let left = 5; left > 0; left -= 1) {
        await new Promise((turned) => { port1.onmessage = turned; port2.postMessage(null); });
    }
    port1.close();
}"""
QUIET_TIMEOUT = 15.0


class NotQuiet(RuntimeError):
    """The page still waits for an answer, or does not react; the message says for which, or why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a page has sent since some moment.

    Args:
        requests: in their order, those that carry telemetry left out.
        traces: what it sent of each trace, in words, in the order in which the traces came up: ``request``, or the
            type of an item, an event with its text.
        replayed: whether an error that it reported belongs to a session replay.
    """

    requests: tuple[Request, ...]
    traces: Mapping[str, tuple[str, ...]]
    replayed: bool


class Network:
    """Watches all requests of a browser context.

    Args:
        context: the pages whose requests are meant.
        bell: a page elsewhere, which is rung when the network falls silent: Playwright waits for one kind of event
            at a time, and a request ends by one of two.
    """

    def __init__(self, context: BrowserContext, bell: Page) -> None:
        self._bell = bell
        self._requests: list[Request] = []
        self._open: list[Request] = []
        self._known: set[str] = set()
        self._someone_waits = False
        context.on("request", self._on_request)
        context.on("requestfinished", self._on_end)
        context.on("requestfailed", self._on_end)

    def __len__(self) -> int:
        return len(self._requests)

    def sent(self, since: int) -> Sent:
        """What was sent.

        Args:
            since: how many requests there had been.
        """
        traces: dict[str, list[str]] = {}
        requests = []
        replayed = False
        for request in self._requests[since:]:
            if (envelope := _envelope(request)) is not None:
                for trace_id in sorted(trace_ids(envelope)):
                    traces.setdefault(trace_id, []).extend(map(_in_words, envelope.items))
                replayed = replayed or _names_replay(envelope)
            else:
                requests.append(request)
                if (trace := _trace(request)) is not None:
                    traces.setdefault(trace.trace_id, []).append("request")
        new = {trace_id: tuple(held) for trace_id, held in traces.items() if trace_id not in self._known}
        return Sent(tuple(requests), new, replayed)

    def know(self, traces: Iterable[str]) -> None:
        """Take traces for known: what is sent of them later is nothing new."""
        self._known.update(traces)

    def wait_until_quiet(self, page: Page) -> None:
        """Wait until no request is open.

        Args:
            page: whose requests are waited for; what it is about to request in this instant counts as well.

        Raises:
            NotQuiet: something stays open.
        """
        settle_turns(page)
        while self._open:
            self._someone_waits = True
            try:
                with self._bell.expect_console_message(
                    lambda message: message.text == _QUIET, timeout=QUIET_TIMEOUT * 1000
                ):
                    self._ring()
            except Error as problem:
                waiting = "\n".join(f"  {request.method} {request.url}" for request in self._open)
                raise NotQuiet(
                    f"the page still waits for an answer after {QUIET_TIMEOUT:g} s:\n{waiting}"
                ) from problem
            finally:
                self._someone_waits = False
            settle_turns(page)

    def _ring(self) -> None:
        if self._someone_waits and not self._open:
            self._bell.evaluate("word => console.debug(word)", _QUIET)

    def _on_request(self, request: Request) -> None:
        self._requests.append(request)
        if request.resource_type not in _ENDLESS:
            self._open.append(request)

    def _on_end(self, request: Request) -> None:
        if request in self._open:
            self._open.remove(request)
            self._ring()


def settle_turns(page: Page) -> None:
    """Let the page's event loop turn, so that what an answer sets going has begun.

    Args:
        page: the page; one that is closed has nothing to begin.

    Raises:
        NotQuiet: it does not react.
    """
    while not page.is_closed():
        _require_reaction(page)
        try:
            page.evaluate(_TURNS)
        except Error:
            # It was left for another page in this very moment, which is loaded first.
            page.wait_for_load_state("load")
        else:
            return


def _require_reaction(page: Page) -> None:
    # Playwright waits for what it evaluates for as long as it takes; looking for an element has a limit.
    try:
        page.locator(":root").wait_for(state="attached", timeout=QUIET_TIMEOUT * 1000)
    except Error as problem:
        if page.is_closed():
            return
        raise NotQuiet(
            f"the page has not reacted for {QUIET_TIMEOUT:g} s: its main thread is busy, or the page has crashed"
        ) from problem


def exchange(request: Request) -> Exchange:
    """A request with its answer, once it is over."""
    trace = _trace(request)
    answer = request.response() if request.failure is None else None
    if answer is None:
        return Exchange(request.method, request.url, trace, None, request.failure or "it was given up")
    try:
        # What never ends has no body that one could wait for.
        body = b"" if request.resource_type in _ENDLESS else answer.body()
    except Error:
        # Chromium keeps no body of redirects, of preflights, and of pages that were left.
        body = b""
    timing = request.timing
    response = Response(
        status=answer.status,
        headers=answer.all_headers(),
        body=body,
        elapsed_ms=max(0.0, timing["responseEnd"] - max(0.0, timing["requestStart"])),
        url=request.url,
    )
    return Exchange(request.method, request.url, trace, response)


def _trace(request: Request) -> SentryTrace | None:
    try:
        return SentryTrace.parse(request.headers.get("sentry-trace", ""))
    except InvalidSentryTrace:
        return None


def _envelope(request: Request) -> Envelope | None:
    """The envelope that a request carries, to Sentry itself or through a tunnel; None when it carries none."""
    body = request.post_data_buffer if request.method == "POST" else None
    try:
        envelope = Envelope.parse(body or b"")
    except MalformedEnvelope:
        return None
    return envelope if envelope.items else None


def _in_words(item: Item) -> str:
    if item.type != "event":
        return item.type
    try:
        payload = item.json()
    except MalformedPayload:
        return item.type
    raised = mapping(next(iter(sequence(mapping(payload).get("exception"))), None))
    said = text(raised.get("value")) or text(mapping(payload).get("message")) or ""
    return f"event {one_line(said, 80)!r}"


def _names_replay(envelope: Envelope) -> bool:
    for item in envelope.items:
        if item.type == "event":
            try:
                payload = item.json()
            except MalformedPayload:
                continue
            tags = payload.get("tags") if isinstance(payload, dict) else None
            if isinstance(tags, dict) and "replayId" in tags:
                return True
    return False

"""A page, and what one does on it: each action with the capture of the trace that it started."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Error
from playwright.sync_api import Page as PlaywrightPage

from harness.browser.diary import Diary
from harness.browser.network import Network, NotQuiet, exchange, settle_turns
from harness.browser.sdk import begin_trace, flush
from harness.run.observing import Moment, Observation, Visit
from harness.verify.answer import status_problem
from harness.verify.evidence import PageView

if TYPE_CHECKING:
    from harness.run.sharing import Scenarios
    from harness.verify.capture import Capture

FIND_TIMEOUT = 5.0
_JPEG_QUALITY = 60


class BrowserFailure(AssertionError):
    """What was asked of a page cannot be done, or did not start one trace; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """How far everything was when something began."""

    moment: Moment
    requests: int
    entries: int
    trace_id: str | None


class Action:
    """Something that is done on a page; has its capture when it is over."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._capture: Capture | None = None

    @property
    def capture(self) -> Capture:
        """Everything that arrived for the trace that the action started.

        Raises:
            LookupError: the action is not over.
        """
        if self._capture is None:
            raise LookupError(f"{self._title!r} is not over: ask for its capture after the `with` block")
        return self._capture

    def conclude(self, capture: Capture) -> None:
        """Note what was captured."""
        self._capture = capture


class Page:
    """An open page of a service.

    Args:
        playwright: the page as Playwright knows it.
        service: whose page it is.
        visit: its stay.
        scenarios: the execution.
        network: what its context requests.
        diary: what its context says.
        deliver: gives the capture of an observation.
    """

    def __init__(
        self,
        playwright: PlaywrightPage,
        service: str,
        visit: Visit,
        scenarios: Scenarios,
        network: Network,
        diary: Diary,
        deliver: Callable[[Observation], Capture],
    ) -> None:
        self.playwright = playwright
        self._service = service
        self._visit = visit
        self._scenarios = scenarios
        self._network = network
        self._diary = diary
        self._deliver = deliver
        self._known: set[str] = set()
        self._load: tuple[_Beginning, tuple[str, ...], Observation] | None = None

    def load(self, path: str) -> None:
        """Go to a path of the service and wait until the page is there and quiet.

        Raises:
            BrowserFailure: the page cannot be opened.
        """
        began = self._mark(None)
        try:
            self.playwright.goto(self._visit.url + path, wait_until="load")
        except Error as problem:
            raise BrowserFailure(f"{self._service}: the page {path} does not open: {problem.message}") from problem
        traces = self._finish(began)
        self._load = began, traces, self._observed(began, traces[0] if traces else "", None)

    @cached_property
    def load_capture(self) -> Capture:
        """Everything that arrived for the trace of the page load; from then on it is judged like any capture.

        Raises:
            BrowserFailure: the page load is not one trace.
        """
        if self._load is None:
            raise BrowserFailure(f"{self._service}: no page was loaded")
        began, traces, observation = self._load
        self._only(traces, f"{self._service}: the page load")
        return self._judged(observation, began, self._deliver(observation))

    def press(self, name: str, *, status: int | None = None, exit_code: int | None = None) -> Capture:
        """Press the one button with an accessible name, and give what came of it.

        Args:
            name: the whole accessible name.
            status: what the first request of the action must be answered; None for any below 400.
            exit_code: the service that answers this request ends its process with this exit code.

        Raises:
            BrowserFailure: there is no such button, or several; or it does not start one trace; or the answer is
                another one.
        """
        __tracebackhide__ = True
        button = self.playwright.get_by_role("button", name=name, exact=True)
        try:
            button.first.wait_for(timeout=FIND_TIMEOUT * 1000)
        except Error as problem:
            raise BrowserFailure(f"{self._service}: no button {name!r}; there are: {self._buttons()}") from problem
        if (count := button.count()) > 1:
            raise BrowserFailure(f"{self._service}: {count} buttons have the name {name!r}; it must be one alone")
        with self.action(f'press "{name}"', status=status, exit_code=exit_code) as action:
            try:
                button.click(timeout=FIND_TIMEOUT * 1000)
            except Error as problem:
                raise BrowserFailure(f"{self._service}: {name!r} cannot be pressed: {problem.message}") from problem
        return action.capture

    @contextmanager
    def action(self, title: str, *, status: int | None = None, exit_code: int | None = None) -> Iterator[Action]:
        """Do something on the page; what the page does by it is captured as one trace.

        Args:
            title: what is done, in words.
            status: as for `press`.
            exit_code: as for `press`.

        Raises:
            BrowserFailure: it does not start one trace, or the answer is another one.
            ValueError: a service cannot be ended that others use as well.
        """
        __tracebackhide__ = True
        if exit_code is not None and not self._visit.isolated:
            raise ValueError(
                f"{title}: a service that ends its process must be one of its own: browser.open(..., isolated=(...))"
            )
        began = self._mark(secrets.token_hex(16))
        action = Action(title)
        yield action
        traces = self._finish(began)
        own = tuple(trace_id for trace_id in traces if trace_id != began.trace_id) or traces
        observation = self._observed(
            began, self._only(own, f"{self._service}: {title}"), title, status=status, exit_code=exit_code
        )
        capture = self._judged(observation, began, self._deliver(observation))
        target = capture.evidence.target
        if (status, exit_code) != (None, None) and (problem := self._answer(capture, status, exit_code, target)):
            raise BrowserFailure(problem)
        action.conclude(capture)

    def _answer(self, capture: Capture, status: int | None, exit_code: int | None, target: str) -> str | None:
        if capture.evidence.response is None and capture.evidence.problem is None:
            return (
                f"{capture.evidence.title}: status or exit code cannot be held, the page made no request in its trace"
            )
        return status_problem(capture, status, exit_code, target)

    def _mark(self, trace_id: str | None) -> _Beginning:
        if trace_id is not None:
            self._settle()
            begin_trace(self.playwright, trace_id)
        return _Beginning(self._scenarios.moment(), len(self._network), len(self._diary), trace_id)

    def _finish(self, began: _Beginning) -> tuple[str, ...]:
        """Wait until the page has done and sent all that the action set going; gives the traces that are new."""
        self._settle()
        flushed = flush(self.playwright)
        self._settle()
        if self._network.sent(began.requests).replayed:
            flushed = flush(self.playwright, replayed=True) and flushed
            self._settle()
        if not flushed:
            raise BrowserFailure(f"{self._service}: the page's SDK could not send everything that it has captured")
        continued = self._network.sent(began.requests).continued
        traces = tuple(trace_id for trace_id in continued if trace_id not in self._known)
        self._known.update(traces)
        self._scenarios.adopt(traces)
        return traces

    def _settle(self) -> None:
        try:
            self._network.wait_until_quiet(self.playwright)
        except NotQuiet as problem:
            raise BrowserFailure(f"{self._service}: {problem}") from problem

    def _only(self, traces: tuple[str, ...], what: str) -> str:
        if len(traces) == 1:
            return traces[0]
        if not traces:
            raise BrowserFailure(
                f"{what} started no trace: no request had a sentry-trace header, and the page sent no telemetry. "
                "Is the SDK initialised with the DSN that the fleet gives the service, with "
                "browserTracingIntegration() and with tracePropagationTargets that match the services it calls?"
            )
        listed = "\n".join(f"  {trace_id}" for trace_id in traces)
        raise BrowserFailure(
            f"{what} started {len(traces)} traces, one is expected:\n{listed}\nStart one trace for the whole action "
            "(Sentry.startNewTrace), or do less in one action"
        )

    def _observed(
        self,
        began: _Beginning,
        trace_id: str,
        title: str | None,
        *,
        status: int | None = None,
        exit_code: int | None = None,
    ) -> Observation:
        requests = self._network.sent(began.requests).requests
        return Observation(
            visit=self._visit.key,
            page=self._service,
            path=urlsplit(self.playwright.url).path or "/",
            action=title,
            trace_id=trace_id,
            began=began.moment,
            exchanges=tuple(exchange(request) for request in requests),
            view=PageView(
                url=self.playwright.url,
                console=self._diary.lines(began.entries),
                screenshot=self.playwright.screenshot(type="jpeg", quality=_JPEG_QUALITY),
            ),
            status=status,
            exit_code=exit_code,
        )

    def _judged(self, observation: Observation, began: _Beginning, capture: Capture) -> Capture:
        reported = [event for event in (*capture.errors, *capture.messages) if event.service == self._service]
        until = began.entries + len(observation.view.console)
        self._diary.expect(began.entries, until, status=observation.status, reported=reported)
        return capture

    def _buttons(self) -> str:
        settle_turns(self.playwright)
        names = [
            button.get_attribute("aria-label") or button.inner_text()
            for button in self.playwright.get_by_role("button").all()
        ]
        return ", ".join(map(repr, names)) or "none at all"

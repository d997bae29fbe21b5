"""A page, and what one does on it: each action with the capture of the trace that it started."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Error
from playwright.sync_api import Page as PlaywrightPage

from harness.browser.action import Action, BrowserFailure, not_one_trace
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


@dataclass(frozen=True, slots=True)
class _Beginning:
    """How far everything was when something began."""

    moment: Moment
    requests: int
    entries: int
    trace_id: str | None


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
        self._load: tuple[_Beginning, Mapping[str, tuple[str, ...]], Observation] | None = None

    def load(self, path: str) -> None:
        """Go to a path of the service and wait until the page is there and quiet.

        Raises:
            BrowserFailure: the page cannot be opened.
        """
        __tracebackhide__ = True
        if not path.startswith("/"):
            raise BrowserFailure(f"{self._service}: the path of a page begins with '/', not {path!r}")
        began = self._mark(None)
        try:
            self.playwright.goto(self._visit.url + path, wait_until="load")
        except Error as problem:
            raise BrowserFailure(f"{self._service}: the page {path} does not open: {_why(problem)}") from None
        sent = self._finish(began)
        self._load = began, sent, self._observed(began, next(iter(sent), ""), None)

    @cached_property
    def load_capture(self) -> Capture:
        """Everything that arrived for the trace of the page load; from then on it is judged like any capture.

        Raises:
            BrowserFailure: the page load is not one trace.
        """
        __tracebackhide__ = True
        if self._load is None:
            raise BrowserFailure(f"{self._service}: no page was loaded")
        began, sent, observation = self._load
        if len(sent) != 1:
            raise BrowserFailure(not_one_trace(f"{self._service}: the page load", sent))
        capture = self._deliver(observation)
        self._explain(began, [capture], None, until=began.entries + len(observation.view.console))
        return capture

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
        except Error:
            raise BrowserFailure(f"{self._service}: no button {name!r}; there are: {self._buttons()}") from None
        if (count := button.count()) > 1:
            raise BrowserFailure(f"{self._service}: {count} buttons have the name {name!r}; it must be one alone")
        with self.action(f'press "{name}"', status=status, exit_code=exit_code) as action:
            try:
                button.click(timeout=FIND_TIMEOUT * 1000)
            except Error as problem:
                raise BrowserFailure(f"{self._service}: {name!r} cannot be pressed: {_why(problem)}") from None
        return action.capture

    @contextmanager
    def action(self, title: str, *, status: int | None = None, exit_code: int | None = None) -> Iterator[Action]:
        """Do something on the page; what the page does by it is captured as one trace.

        Args:
            title: what is done, in words.
            status: as for `press`.
            exit_code: as for `press`.

        Raises:
            BrowserFailure: the answer is another one.
            ValueError: a service cannot be ended that others use as well.
        """
        __tracebackhide__ = True
        if exit_code is not None and not self._visit.isolated:
            raise ValueError(
                f"{title}: a service that ends its process must be one of its own: browser.open(..., isolated=(...))"
            )
        began = self._mark(secrets.token_hex(16))
        action = Action(f"{self._service}: {title}")
        yield action
        sent = self._finish(began)
        # What the page did in no trace of its own is beside the point, unless it is an error or all there is.
        rest = sent.get(began.trace_id or "", ())
        if len(sent) > 1 and not any(held == "request" or held.startswith("event") for held in rest):
            sent = {trace_id: held for trace_id, held in sent.items() if trace_id != began.trace_id}
        observed = self._observed(began, "", title)
        captures = []
        for trace_id in sent:
            of_trace = replace(observed, trace_id=trace_id)
            if of_trace.first is not None:
                of_trace = replace(of_trace, status=status, exit_code=exit_code)
            captures.append(self._deliver(of_trace))
        self._explain(began, captures, status, may_fail=exit_code is not None)
        action.conclude(sent, captures)
        if status is not None or exit_code is not None:
            self._hold_answer(action, status, exit_code)

    def _hold_answer(self, action: Action, status: int | None, exit_code: int | None) -> None:
        __tracebackhide__ = True
        answered = [held for held in action.captures if held.evidence.response or held.evidence.problem]
        capture = answered[0] if answered else action.capture
        if not answered:
            raise BrowserFailure(
                f"{capture.evidence.title}: the page made no request that could be answered {status}"
            )
        if problem := status_problem(capture, status, exit_code, capture.evidence.target):
            raise BrowserFailure(problem)

    def _mark(self, trace_id: str | None) -> _Beginning:
        if trace_id is not None:
            self._settle()
            begin_trace(self.playwright, trace_id)
        return _Beginning(self._scenarios.moment(), len(self._network), len(self._diary), trace_id)

    def _finish(self, began: _Beginning) -> Mapping[str, tuple[str, ...]]:
        """Wait until the page has done and sent all that was set going; gives what it sent of each new trace."""
        __tracebackhide__ = True
        self._settle()
        flushed = flush(self.playwright)
        self._settle()
        if self._network.sent(began.requests).replayed:
            flushed = flush(self.playwright, replayed=True) and flushed
            self._settle()
        if not flushed:
            raise BrowserFailure(f"{self._service}: the page's SDK could not send everything that it has captured")
        traces = self._network.sent(began.requests).traces
        self._network.know(traces)
        self._scenarios.adopt(tuple(traces))
        return traces

    def _settle(self) -> None:
        __tracebackhide__ = True
        try:
            self._network.wait_until_quiet(self.playwright)
        except NotQuiet as problem:
            raise BrowserFailure(f"{self._service}: {problem}") from problem

    def _observed(self, began: _Beginning, trace_id: str, title: str | None) -> Observation:
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
        )

    def _explain(
        self,
        began: _Beginning,
        captures: Iterable[Capture],
        status: int | None,
        *,
        may_fail: bool = False,
        until: int | None = None,
    ) -> None:
        reported = [
            event
            for capture in captures
            for event in (*capture.errors, *capture.messages)
            if event.service == self._service
        ]
        until = len(self._diary) if until is None else until
        self._diary.expect(began.entries, until, status=status, reported=reported, may_fail=may_fail)

    def _buttons(self) -> str:
        settle_turns(self.playwright)
        names = [
            button.get_attribute("aria-label") or button.inner_text()
            for button in self.playwright.get_by_role("button").all()
        ]
        return ", ".join(map(repr, names)) or "none at all"


def _why(problem: Error) -> str:
    """Playwright's reason without its log, but for what it saw last of an element that it could not use."""
    first, *log = problem.message.splitlines()
    seen = [line.strip(" -") for line in log if "element is " in line or "intercepts pointer" in line]
    return f"{first} {seen[-1]}" if seen else first

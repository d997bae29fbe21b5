"""The browser of one test: pages of services, and what in them must not go unnoticed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from playwright.sync_api import BrowserContext

from harness.browser.chromium import Chromium
from harness.browser.diary import Diary
from harness.browser.network import Network, settle_turns
from harness.browser.page import Page
from harness.run.observing import Observation, Visit

if TYPE_CHECKING:
    from harness.run.sharing import Scenarios
    from harness.verify.capture import Capture


class Browser:
    """A browser with a profile of its own.

    Args:
        chromium: the program.
        scenarios: the execution.
        deliver: gives the capture of an observation.
    """

    def __init__(self, chromium: Chromium, scenarios: Scenarios, deliver: Callable[[Observation], Capture]) -> None:
        self._scenarios = scenarios
        self._deliver = deliver
        self._visits: list[Visit] = []
        self._patterns: list[re.Pattern[str]] = []
        self.context: BrowserContext = chromium.new_context()
        self._network = Network(self.context, chromium.bell)
        self._diary = Diary(self.context)

    def open(self, service: str, path: str = "/", *, isolated: str | Sequence[str] = ()) -> Page:
        """Open a page of a service and wait until it is there and quiet.

        Args:
            service: a service of ``harness.toml``.
            path: the page, with its query if any.
            isolated: services that an action on this page ends, blocks or changes: fresh instances are started of
                them, of the entry service and of the page's own, which know each other, for this page alone.

        Raises:
            BrowserFailure: the page cannot be opened.
            FleetFailure: the fleet did not start.
            InvalidScenario: there is no such service.
        """
        __tracebackhide__ = True
        visit = self._scenarios.visit(service, (isolated,) if isinstance(isolated, str) else tuple(isolated))
        self._visits.append(visit)
        page = Page(
            self.context.new_page(), service, visit, self._scenarios, self._network, self._diary, self._deliver
        )
        page.load(path)
        return page

    def expect_console(self, pattern: str) -> None:
        """Expect errors in the console, uncaught errors or requests that go wrong, which otherwise fail the test.

        Args:
            pattern: a regular expression, looked for in the line by which the failure would tell it.
        """
        self._patterns.append(re.compile(pattern))

    @property
    def console(self) -> tuple[str, ...]:
        """Everything that the pages said until now, line by line."""
        return self._diary.lines()

    def troubles(self) -> tuple[str, ...]:
        """What went wrong in the pages and nobody expected."""
        for page in self.context.pages:
            settle_turns(page)
        return self._diary.troubles(self._patterns)

    def close(self) -> None:
        """Close all pages, and end what was started for them."""
        try:
            self.context.close()
        finally:
            for visit in self._visits:
                self._scenarios.leave(visit.key)

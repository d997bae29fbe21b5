"""What a page says of itself: its console, uncaught errors, and requests that went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

from harness.browser.network import GIVEN_UP
from harness.telemetry.events import ErrorEvent

# Chromium says so in the console of every request that goes wrong, which is noted as what it is.
_OF_A_REQUEST = "Failed to load resource:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Args:
        kind: ``console``, an error that was ``uncaught``, a request that was ``refused`` by a status, or ``failed``.
        text: it, as a line for people.
        is_trouble: whether it fails a test that does not expect it.
        message: the text of the message or error alone.
        status: HTTP status of what was refused.
    """

    kind: Literal["console", "uncaught", "refused", "failed"]
    text: str
    is_trouble: bool
    message: str = ""
    status: int | None = None


class Diary:
    """Notes what happens in a browser context.

    Args:
        context: the pages that are meant.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._entries: list[Entry] = []
        self._expected: set[int] = set()
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("response", self._on_response)
        context.on("requestfailed", self._on_failure)

    def __len__(self) -> int:
        return len(self._entries)

    def lines(self, since: int = 0) -> tuple[str, ...]:
        """What happened, line by line.

        Args:
            since: how many entries there had been.
        """
        return tuple(entry.text for entry in self._entries[since:])

    def expect(
        self, since: int, until: int, *, status: int | None, reported: Iterable[ErrorEvent], may_fail: bool
    ) -> None:
        """Take what happened during an action for expected, as far as it is explained.

        Args:
            since: how many entries there had been when it began.
            until: how many when it was over.
            status: the answer that the test expects.
            reported: what the page reported to Sentry during the action: it is not overlooked.
            may_fail: whether requests may get no answer.
        """
        told = [event.value or "" for event in reported]
        for number in range(since, until):
            entry = self._entries[number]
            if entry.kind == "refused":
                explained = entry.status == status
            elif entry.kind == "failed":
                explained = may_fail or bool(told)
            else:
                explained = any(value and (value in entry.message or entry.message in value) for value in told)
            if explained:
                self._expected.add(number)

    def troubles(self, patterns: Iterable[re.Pattern[str]]) -> tuple[str, ...]:
        """What nothing explains.

        Args:
            patterns: what the test expects anywhere in a line.
        """
        patterns = tuple(patterns)
        return tuple(
            entry.text
            for number, entry in enumerate(self._entries)
            if entry.is_trouble
            and number not in self._expected
            and not any(pattern.search(entry.text) for pattern in patterns)
        )

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.text.startswith(_OF_A_REQUEST):
            return
        where = message.location
        place = f" ({where['url']}:{where['lineNumber'] + 1})" if where.get("url") else ""
        text = f"console.{message.type}: {message.text}{place}"
        self._entries.append(Entry("console", text, is_trouble=message.type == "error", message=message.text))

    def _on_error(self, error: WebError) -> None:
        self._entries.append(
            Entry("uncaught", f"uncaught error: {error.error}", is_trouble=True, message=_text(error))
        )

    def _on_response(self, response: Response) -> None:
        # A browser asks any server for its icon.
        if response.status >= HTTPStatus.BAD_REQUEST and urlsplit(response.url).path != "/favicon.ico":
            text = f"{response.request.method} {response.url} answered {response.status}"
            self._entries.append(Entry("refused", text, is_trouble=True, status=response.status))

    def _on_failure(self, request: Request) -> None:
        text = f"{request.method} {request.url} failed: {request.failure}"
        self._entries.append(Entry("failed", text, is_trouble=request.failure != GIVEN_UP))


def _text(error: WebError) -> str:
    return getattr(error.error, "message", str(error.error))

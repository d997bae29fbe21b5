"""Something that is done on a page, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.verify.capture import Capture


class BrowserFailure(AssertionError):
    """What was asked of a page cannot be done, or did not start one trace; the message says what to do."""


class Action:
    """Something that is done on a page; has its captures when it is over.

    Args:
        title: what is done, in words.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._captures: tuple[Capture, ...] | None = None
        self._sent: Mapping[str, tuple[str, ...]] = {}

    @property
    def captures(self) -> tuple[Capture, ...]:
        """Everything that arrived for each trace that the action started, in the order in which they began.

        Raises:
            LookupError: the action is not over.
        """
        if self._captures is None:
            raise LookupError(f"{self._title}: ask for what was captured after the `with` block")
        return self._captures

    @property
    def capture(self) -> Capture:
        """Everything that arrived for the one trace that the action started.

        Raises:
            BrowserFailure: it started none, or several.
            LookupError: the action is not over.
        """
        __tracebackhide__ = True
        if len(self.captures) != 1:
            raise BrowserFailure(not_one_trace(self._title, self._sent))
        return self.captures[0]

    def conclude(self, sent: Mapping[str, tuple[str, ...]], captures: Iterable[Capture]) -> None:
        """Note what came of it.

        Args:
            sent: what the page sent of each trace.
            captures: what was captured of each.
        """
        self._sent = sent
        self._captures = tuple(captures)


def not_one_trace(title: str, sent: Mapping[str, tuple[str, ...]]) -> str:
    """Why what was done is not one trace, in words.

    Args:
        title: what was done.
        sent: what the page sent of each trace.
    """
    if not sent:
        return (
            f"{title}: it started no trace: no request had a sentry-trace header, and the page sent no telemetry. "
            "Is the SDK initialised with the DSN that the fleet gives the service, with "
            "browserTracingIntegration() and with tracePropagationTargets that match the services it calls?"
        )
    listed = "\n".join(f"  {trace_id}: {', '.join(held)}" for trace_id, held in sent.items())
    return (
        f"{title}: it started {len(sent)} traces, one is expected:\n{listed}\n"
        "Start one trace for the whole action, and keep in mind that an error which leaves Sentry.startNewTrace "
        "uncaught is reported outside of it. Or use `with page.action(...) as action` and look at `action.captures`."
    )

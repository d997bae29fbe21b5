"""What a check reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a finding fails the scenario."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with what was captured.

    Args:
        code: stable name, ``check`` or ``check.detail``, by which it is allowed, configured and documented.
        message: what is wrong and what to do about it, for a person.
        severity: an error fails the scenario, a warning is only reported.
        service: who sent the item.
        item: which item, in words.
        path: where in the item's payload, as a JSON path such as ``$.contexts.trace.span_id``.
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    service: str | None = None
    item: str | None = None
    path: str | None = None

    @property
    def check(self) -> str:
        """The check that reports it."""
        return self.code.partition(".")[0]

    def __str__(self) -> str:
        place = " ".join(part for part in (self.item, f"at {self.path}" if self.path else None) if part)
        where = f" ({place})" if place else ""
        who = f"{self.service}: " if self.service else ""
        return f"[{self.code}] {who}{self.message}{where}"


def findings_text(findings: Iterable[Finding]) -> str:
    """What fails a test that passed otherwise, for a person."""
    listed = "\n".join(f"  {finding}" for finding in findings)
    return f"the test passed, but checks over what was captured failed:\n{listed}"

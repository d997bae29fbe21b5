"""What an execution leaves behind, for the record of the run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.run.scenario import Scenario
from harness.verify.evidence import Evidence
from harness.verify.run_subject import RunSubject


@dataclass(frozen=True, slots=True)
class Harvest:
    """Everything that was gathered.

    Args:
        gathered: each scenario that was triggered, with its evidence; also those whose test never looked at it.
        seen: everything that arrived, with what the project configured of the checks.
        withheld: names of secrets that open something: those in the services' environment, and what lets triggers
            in. Their values must not be written anywhere.
    """

    gathered: tuple[tuple[Scenario, Evidence], ...]
    seen: RunSubject
    withheld: frozenset[str] = frozenset()

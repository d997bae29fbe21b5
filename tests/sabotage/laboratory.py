"""Running scenarios against a fleet, sabotaged or not, and noting everything that is found."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.fleet.spec import load_fleet_spec
from harness.run.configuration import load_check_settings
from harness.run.execution import Execution
from harness.run.scenario import Scenario
from harness.run.summary import RunSummary
from harness.verify.capture import Capture
from harness.verify.checks.registry import Allowance, judge
from harness.verify.finding import Finding, Severity
from harness.verify.settings import CheckSettings
from tests.sabotage.configuration import write_configuration
from tests.sabotage.sabotage import Sabotage, Witness

ENTRY = "gateway"


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that was found.

    Args:
        witness: who found it.
        scenario: in which scenario; None over the whole run.
        code: of the finding; empty for a failed expectation.
        text: it in words.
        fails: whether the run fails by it; a warning is only reported.
    """

    witness: Witness
    scenario: str | None
    code: str
    text: str
    fails: bool = True


@dataclass(frozen=True, slots=True)
class Experiment:
    """A scenario of the project with everything that its decorators say.

    Args:
        name: ``test_payment.test_crash``.
        body: its own expectations.
    """

    name: str
    body: Callable[[Capture], None]
    scenario: Scenario
    allowances: tuple[Allowance, ...]

    @property
    def service(self) -> str:
        """The service that has the endpoint."""
        return self.scenario.trigger.service


def experiment(name: str) -> Experiment:
    """The scenario of that name."""
    module, _, function = name.partition(".")
    body = getattr(importlib.import_module(f"scenarios.{module}"), function)
    marks: list[Any] = body.pytestmark
    scenario = next(Scenario(name, **mark.kwargs) for mark in marks if mark.name == "scenario")
    allowances = tuple(Allowance(*mark.args) for mark in marks if mark.name == "allow")
    return Experiment(name, body, scenario, allowances)


def carry_out(sabotage: Sabotage, directory: Path) -> list[Observation]:
    """Sabotage a fleet, run the scenarios and tell everything that is found.

    The scenarios' own expectations are asked only where they are the witness: most fail as well, in their way.

    Args:
        sabotage: what is done.
        directory: for configuration and logs.
    """
    asked = sabotage.scenarios if sabotage.witness is Witness.EXPECTATION else ()
    experiments = [experiment(name) for name in sabotage.scenarios]
    return list(observe(configure(sabotage, directory), experiments, asked, directory))


def configure(sabotage: Sabotage, directory: Path) -> Path:
    """Write the configuration of the sabotaged fleet; of all services, only those that the scenarios need are in it.

    Args:
        sabotage: what is done.
        directory: where to.
    """
    services = {ENTRY, *sabotage.services, *(patch.service for patch in sabotage.patches)}
    services |= {experiment(name).service for name in sabotage.scenarios}
    return write_configuration(directory / "harness.toml", sorted(services), sabotage.patches, sabotage.checks)


def observe(
    configuration: Path, experiments: Collection[Experiment], asked: Collection[str], directory: Path
) -> Iterator[Observation]:
    """Run scenarios at once and give everything that checks and expectations find.

    Args:
        configuration: the fleet's.
        experiments: the scenarios.
        asked: names of those whose own expectations are to be met.
        directory: for logs.
    """
    settings = load_check_settings(configuration)
    execution = Execution(load_fleet_spec(configuration), directory, settings)
    try:
        execution.begin([each.scenario for each in experiments], complete=False)
        for each in experiments:
            yield from _of_scenario(each, execution, settings, with_expectations=each.name in asked)
    finally:
        summary = execution.stop()
    yield from _of_run(summary)


def _of_scenario(
    tried: Experiment, execution: Execution, settings: CheckSettings, *, with_expectations: bool
) -> Iterator[Observation]:
    capture = Capture(execution.evidence(tried.name), refresh=partial(execution.refresh, tried.name))
    for finding in judge(capture, settings, tried.allowances).findings:
        yield _observation(Witness.CHECK, tried.name, finding)
    if with_expectations:
        try:
            tried.body(capture)
        except AssertionError as failure:
            yield Observation(Witness.EXPECTATION, tried.name, "", str(failure))


def _of_run(summary: RunSummary) -> Iterator[Observation]:
    for finding in summary.findings:
        yield _observation(Witness.RUN_CHECK, None, finding)


def _observation(witness: Witness, scenario: str | None, finding: Finding) -> Observation:
    return Observation(witness, scenario, finding.code, str(finding), finding.severity is Severity.ERROR)

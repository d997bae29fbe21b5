from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.verify.checks.registry import check_names
from tests.sabotage.catalogue import SABOTAGES
from tests.sabotage.configuration import ROOT, write_configuration
from tests.sabotage.conftest import NoteResult
from tests.sabotage.laboratory import ENTRY, Observation, carry_out, configure, experiment, observe
from tests.sabotage.sabotage import Sabotage, Witness
from tests.sabotage.table import document, finding_in_words

PAGE = ROOT / "docs" / "sabotage.md"


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_sabotage_is_noticed(sabotage: Sabotage, tmp_path: Path, note_result: NoteResult) -> None:
    observations = carry_out(sabotage, tmp_path)
    seen = [observation for observation in observations if _is_expected(observation, sabotage)]
    others = [observation for observation in observations if observation not in seen]
    note_result(sabotage.name, finding_in_words(sabotage) if seen else "NOT NOTICED", _where(seen, sabotage))
    assert seen, f"{sabotage.finding} expected, found: {_texts(observations)}"
    assert any(observation.fails for observation in seen), f"the run does not fail: {_texts(seen)}"
    unexplained = [observation for observation in others if observation.code not in sabotage.consequences]
    assert not unexplained, f"besides {sabotage.finding}: {_texts(unexplained)}"
    assert {observation.code for observation in others} == set(sabotage.consequences)


def test_nothing_is_found_in_the_untouched_fleet(tmp_path: Path) -> None:
    experiments = [experiment(name) for name in sorted({name for each in SABOTAGES for name in each.scenarios})]
    services = sorted({ENTRY, *(each.service for each in experiments)})
    configuration = write_configuration(tmp_path / "harness.toml", services)
    asked = [name for sabotage in SABOTAGES if sabotage.witness is Witness.EXPECTATION for name in sabotage.scenarios]
    observations = list(observe(configuration, experiments, asked, tmp_path))
    assert not observations, _texts(observations)


@pytest.mark.parametrize("witness", list(Witness))
def test_a_run_of_the_scenario_fails(witness: Witness, tmp_path: Path) -> None:
    sabotage = next(each for each in SABOTAGES if each.witness is witness)
    assert sabotage.finding in _run_scenarios(sabotage, tmp_path)


def test_every_check_notices_something() -> None:
    assert {sabotage.finding.partition(".")[0] for sabotage in SABOTAGES} >= check_names()


def test_every_sabotage_has_a_name_of_its_own() -> None:
    names = [sabotage.name for sabotage in SABOTAGES]
    assert sorted(set(names)) == sorted(names)


def test_the_table_in_the_documentation_is_current(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-sabotage-table", default=False):
        PAGE.write_text(document(SABOTAGES), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == document(SABOTAGES), (
        "run: pytest tests/sabotage --write-sabotage-table"
    )


def _is_expected(observation: Observation, sabotage: Sabotage) -> bool:
    if observation.witness is not sabotage.witness:
        return False
    if sabotage.witness is Witness.EXPECTATION:
        return sabotage.finding in observation.text
    if sabotage.finding.endswith(".*"):
        return observation.code.startswith(sabotage.finding.removesuffix("*"))
    return observation.code == sabotage.finding


def _where(seen: list[Observation], sabotage: Sabotage) -> str:
    if sabotage.witness is Witness.RUN_CHECK:
        return f"{', '.join(sabotage.scenarios)}, as a whole run"
    return ", ".join(sorted({observation.scenario for observation in seen if observation.scenario}))


def _texts(observations: list[Observation]) -> str:
    return (
        "\n".join(f"{observation.scenario or 'run'}: {observation.text}" for observation in observations) or "nothing"
    )


def _run_scenarios(sabotage: Sabotage, directory: Path) -> str:
    """What a user sees who runs the sabotaged scenarios by pytest; the run must fail."""
    tests = [f"scenarios/{name.replace('.', '.py::')}" for name in sabotage.scenarios]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--harness-config", str(configure(sabotage, directory)), "--report", str(directory / "report"), *tests),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    return done.stdout

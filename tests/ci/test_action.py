"""The action as an outside project uses it: its real steps, in their order, on a real project.

Only GitHub itself is played: its runner by `runner.py`, its runs by `gh.py`, its API by a server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.ci.conftest import BLIND, LOST, ROOT, SCENARIO, TAG, Forge
from tests.ci.runner import Outcome, Runner
from tests.fixtures.conftest import CONFIGURATION, SERVICE


class Repository:
    """A repository on GitHub with the shop in `apps/shop`, and the jobs that run for it."""

    def __init__(self, path: Path, forge: Forge) -> None:
        self.path = path
        self.forge = forge
        self.shop = path / "checkout" / "apps" / "shop"
        (self.shop / "scenarios").mkdir(parents=True)
        (self.shop / "pytest.ini").write_text("[pytest]\n")
        (self.shop / "harness.toml").write_text(CONFIGURATION)
        (self.shop / "shop.py").write_text(SERVICE)
        self.scenarios(SCENARIO)
        (path / "bin").mkdir()
        gh = path / "bin" / "gh"
        gh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("gh.py")}" "$@"\n')
        gh.chmod(0o755)

    def scenarios(self, text: str) -> None:
        (self.shop / "scenarios" / "test_shop.py").write_text(text)

    def lose_the_tag(self) -> None:
        assert TAG in SERVICE
        (self.shop / "shop.py").write_text(SERVICE.replace(TAG, "pass"))

    def job(self, number: int, *, event: str, branch: str, base: str = "", **inputs: str) -> Outcome:
        """Run the action in a job; a successful run can be a reference from then on."""
        run = self.path / "runs" / str(number)
        run.mkdir(parents=True)
        payload = run / "event.json"
        payload.write_text(json.dumps({"pull_request": {"number": 5}} if event == "pull_request" else {}))
        runner = Runner(
            action=ROOT,
            workspace=self.path / "checkout",
            temp=run / "temp",
            artifacts=run / "artifacts",
            github={"token": "a-token", "base_ref": base},
            environment={
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_API_URL": self.forge.url,
                "GITHUB_EVENT_PATH": str(payload),
                "GITHUB_REPOSITORY": "acme/shop",
                "GITHUB_RUN_ID": str(number),
                "GITHUB_WORKFLOW_REF": f"acme/shop/.github/workflows/gate.yml@refs/heads/{branch}",
                "GITHUB_WORKSPACE": str(self.path / "checkout"),
                "HOME": str(self.path),
                "PATH": f"{self.path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "RUNS": str(self.path / "runs"),
            },
        )
        outcome = runner.run(**{"working_directory": "apps/shop", "install": "none", **inputs})
        held = {"databaseId": number, "repo": "acme/shop", "workflow": "gate.yml", "branch": branch, "event": event}
        status = "success" if outcome.succeeded else "failure"
        (run / "run.json").write_text(json.dumps({**held, "status": status}))
        return outcome

    def push(self, number: int, **inputs: str) -> Outcome:
        return self.job(number, event="push", branch="main", **inputs)

    def pull_request(self, number: int, **inputs: str) -> Outcome:
        return self.job(number, event="pull_request", branch="change", base="main", **inputs)

    def artifact(self, number: int, name: str = "sentry-report") -> Path:
        return self.path / "runs" / str(number) / "artifacts" / name


@pytest.fixture
def repository(tmp_path: Path, forge: Forge) -> Repository:
    return Repository(tmp_path, forge)


def test_a_good_push_succeeds_and_leaves_its_report(repository: Repository) -> None:
    outcome = repository.push(1, node_version="22", setup='mkdir tools\necho "$PWD/tools" >> "$GITHUB_PATH"\n')
    assert outcome.succeeded, outcome.log
    assert "All 2 tests that ran passed." in outcome.summary
    assert (repository.artifact(1) / "index.html").is_file()
    assert "nothing to comment on" in outcome.log
    assert outcome.used["actions/setup-python@v6"] == {"python-version": "3.12"}
    assert outcome.used["actions/setup-node@v6"] == {"node-version": "22"}
    assert {name for name, became in outcome.steps.items() if became == "skipped"} == {
        "Install", "Fetch the reference", "Compare", "Upload the comparison",
    }  # fmt: skip
    assert "::error" not in outcome.log


def test_a_lost_tag_fails_the_pull_request_and_is_told_everywhere(repository: Repository) -> None:
    repository.lose_the_tag()
    outcome = repository.pull_request(1)
    assert not outcome.succeeded
    assert [name for name, became in outcome.steps.items() if became == "failure"] == ["Judge"]
    assert "KeyError: 'path'" in outcome.summary
    assert "::error file=apps/shop/scenarios/test_shop.py,line=10,title=shop GET /debug/warn::" in outcome.log
    assert json.loads((repository.artifact(1) / "run.json").read_text())["exit_status"] == 1
    (comment,) = repository.forge.comments
    assert comment["body"].startswith("<!-- sentry-harness: sentry-report -->\n## ❌ Sentry verification")
    assert "KeyError: 'path'" in comment["body"]
    assert "No comparison: found no successful run of main with an artifact sentry-report" in outcome.log


def test_what_no_scenario_looks_at_is_found_by_comparing_with_main(repository: Repository) -> None:
    repository.scenarios(BLIND)
    assert repository.push(1).succeeded
    repository.lose_the_tag()
    outcome = repository.pull_request(2)
    assert [name for name, became in outcome.steps.items() if became == "failure"] == ["Judge"], outcome.log
    assert "Comparing with run 1 of main." in outcome.log
    assert "sentry-harness diff ended with exit code 1" in outcome.log
    assert LOST in outcome.summary
    assert LOST in repository.forge.comments[0]["body"]
    assert "::error file=apps/shop/scenarios/test_shop.py,line=10,title=shop GET /debug/warn::" in outcome.log
    assert (repository.artifact(2, "sentry-report-comparison") / "index.html").is_file()
    # A reviewer finds it in one place of the page, not in two.
    assert outcome.summary.count("regressed against the reference run") == 1
    assert not repository.push(3, compare_with="main").succeeded


def test_a_pull_request_that_changes_nothing_is_like_main(repository: Repository) -> None:
    assert repository.push(1).succeeded
    outcome = repository.pull_request(2)
    assert outcome.succeeded, outcome.log
    assert outcome.steps["Upload the comparison"] == "success"


def test_a_fork_cannot_plant_a_reference(repository: Repository) -> None:
    planted = repository.job(1, event="pull_request", branch="main", base="main", comment="false")
    assert planted.succeeded, planted.log
    outcome = repository.pull_request(2, comment="false")
    assert outcome.steps["Compare"] == "skipped"
    assert "No comparison" in outcome.log


def test_no_report_is_a_failure_that_says_so(repository: Repository) -> None:
    repository.scenarios("import nothing_of_this_name")
    outcome = repository.pull_request(1)
    assert not outcome.succeeded
    assert "::error title=Sentry verification::There is no report in report" in outcome.log
    assert not repository.artifact(1).exists()
    assert repository.forge.comments == []


def test_the_report_of_an_earlier_run_is_not_taken_for_this_one(repository: Repository) -> None:
    assert repository.push(1).succeeded
    repository.scenarios("import nothing_of_this_name")
    assert not repository.push(2).succeeded
    assert not repository.artifact(2).exists()


def test_inputs_are_words_and_never_commands(repository: Repository) -> None:
    hostile = "'; touch pwned; $(touch pwned) `touch pwned`"
    outcome = repository.pull_request(
        1, compare_with=hostile, pytest_arguments="scenarios -k 'crash and not $(touch${IFS}pwned)'", comment="false"
    )
    assert list(repository.path.rglob("pwned")) == []
    outcome = repository.pull_request(2, pytest_arguments='scenarios -k "crash or nothing" --co -q', comment="false")
    assert "1/2 tests collected" in outcome.log


def test_a_comment_that_cannot_be_written_fails_nothing(repository: Repository) -> None:
    repository.forge.status = 403
    outcome = repository.pull_request(1, compare_with="none")
    assert outcome.succeeded, outcome.log
    assert "pull-requests: write" in outcome.log
    assert "::warning title=Sentry verification::The pull request has no comment" in outcome.log


def test_a_set_up_that_fails_ends_the_job(repository: Repository) -> None:
    outcome = repository.push(1, setup="false\ntrue\n")
    assert [name for name, became in outcome.steps.items() if became in ("failure", "success")][-1] == (
        "Set up the project"
    )
    assert not outcome.succeeded


def test_this_very_checkout_is_installed_by_default(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    # As pip does it, but beside the environment of these tests and without the network.
    options = 'PIP_TARGET="$PWD/installed" PIP_NO_DEPS=1 PIP_NO_BUILD_ISOLATION=false'
    python = repository.path / "bin" / "python"
    python.write_text(f'#!/bin/sh\n{options} exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    outcome = repository.push(1, install="", pytest_arguments="scenarios --co -q")
    assert outcome.steps["Install"] == "success", outcome.log
    assert (repository.shop / "installed" / "harness" / "plugin.py").is_file()


def test_shellcheck_accepts_every_script(tmp_path: Path) -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) >= 5
    for number, text in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(text)
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert shellcheck is not None
    command = [shellcheck, "--shell=bash", *map(str, sorted(tmp_path.glob("*.sh")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_input_is_documented() -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    text = (ROOT / "docs" / "ci.md").read_text()
    assert [name for name in inputs if f"| `{name}` |" not in text] == []


def test_workflows_in_the_documentation_are_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL)
    workflows = [block for block in blocks if "jobs" in yaml.safe_load(block)]
    assert len(workflows) == 3
    for number, text in enumerate(workflows):
        (tmp_path / f"{number}.yml").write_text(text)
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*checker, *map(str, tmp_path.glob("*.yml"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

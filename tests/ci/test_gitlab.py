"""The job for GitLab CI: its real script, on a real project."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

from tests.ci.conftest import BLIND, LOST, ROOT, SCENARIO, TAG, Forge
from tests.fixtures.conftest import CONFIGURATION, SERVICE

MERGE_REQUEST = {"CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "release/1", "GITLAB_TOKEN": "t"}
ARCHIVE = "/projects/77/jobs/artifacts/release%2F1/download?job=sentry-verification"


def prepare(path: Path, scenarios: str, service: str = SERVICE) -> None:
    (path / "scenarios").mkdir(exist_ok=True)
    (path / "scenarios" / "test_shop.py").write_text(scenarios)
    (path / "pytest.ini").write_text("[pytest]\n")
    (path / "harness.toml").write_text(CONFIGURATION)
    (path / "shop.py").write_text(service)


def run_job(path: Path, forge: Forge, **variables: str) -> subprocess.CompletedProcess[str]:
    install, *script = yaml.safe_load((ROOT / "docs" / "gitlab-ci.yml").read_text())["sentry-verification"]["script"]
    assert install.startswith("pip install sentry-verification-harness ")
    environment = {
        "CI": "true",
        "CI_API_V4_URL": forge.url,
        "CI_JOB_NAME": "sentry-verification",
        "CI_JOB_URL": "https://gitlab.com/job",
        "CI_PROJECT_ID": "77",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **variables,
    }
    # GitLab's runner gives all lines to one shell.
    command = ["bash", "-eo", "pipefail", "-c", "\n".join(script)]
    return subprocess.run(
        command, cwd=path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_good_branch_succeeds_without_a_note(tmp_path: Path, forge: Forge) -> None:
    prepare(tmp_path, SCENARIO)
    done = run_job(tmp_path, forge)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing to comment on" in done.stdout
    assert (tmp_path / "report" / "junit.xml").is_file()


def test_a_lost_tag_fails_the_merge_request_and_is_told_in_a_note(tmp_path: Path, forge: Forge) -> None:
    prepare(tmp_path, SCENARIO, SERVICE.replace(TAG, "pass"))
    done = run_job(tmp_path, forge, **MERGE_REQUEST)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No comparison: no successful job of release/1 has a report." in done.stdout
    assert forge.writing == ["/projects/77/merge_requests/5/notes"]
    assert "KeyError: 'path'" in forge.comments[0]["body"]


def test_without_a_token_the_verdict_is_the_same(tmp_path: Path, forge: Forge) -> None:
    prepare(tmp_path, SCENARIO)
    done = run_job(tmp_path, forge, **{**MERGE_REQUEST, "GITLAB_TOKEN": ""})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GITLAB_TOKEN is not set" in done.stderr
    assert "The merge request has no note" in done.stdout


def test_what_no_scenario_looks_at_is_found_by_comparing_with_the_target(tmp_path: Path, forge: Forge) -> None:
    prepare(tmp_path, BLIND)
    assert run_job(tmp_path, forge).returncode == 0
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for file in (tmp_path / "report").rglob("*"):
            archive.write(file, file.relative_to(tmp_path))
    forge.archives[ARCHIVE] = held.getvalue()
    prepare(tmp_path, BLIND, SERVICE.replace(TAG, "pass"))
    done = run_job(tmp_path, forge, **MERGE_REQUEST)
    assert done.returncode == 1, done.stdout + done.stderr
    assert LOST in forge.comments[0]["body"]

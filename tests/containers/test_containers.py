"""Trying the containers, with a Compose of the test's own; that they work is seen by `dev.py containers`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import responses

from services import containers
from services.containers import Failed, Project, see_an_error_arrive

CRASH = "http://127.0.0.1:32768/api/v1/analytics/debug/crash"
SEEN = "error       ValueError: report rpt_1 cannot be closed: it covers 20 of 24 hours  error unhandled  trace 7a"
COMPOSE = """
import os, sys
from pathlib import Path

here = Path(__file__).parent
words = sys.argv[1:]
with (here / "commands").open("a") as commands:
    commands.write(" ".join(words) + chr(10))
answer = here / words[0]
if answer.exists():
    print(answer.read_text())
if (here / f"{words[0]}.fails").exists():
    print("it does not work", file=sys.stderr)
    sys.exit(1)
"""


class Compose:
    """A program in place of Compose that notes what it is asked for, answers as told, and fails where told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        program = directory / "compose.py"
        program.write_text(COMPOSE)
        self.command = [sys.executable, str(program)]

    def answers(self, command: str, text: str) -> None:
        (self._directory / command).write_text(text)

    def fails(self, command: str) -> None:
        (self._directory / f"{command}.fails").touch()

    @property
    def commands(self) -> list[str]:
        return (self._directory / "commands").read_text().splitlines()


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    program = Compose(tmp_path)
    monkeypatch.setattr(containers, "compose_program", lambda: program.command)
    monkeypatch.setattr(containers, "check", lambda: 0)
    program.answers("port", "127.0.0.1:32768")
    program.answers("logs", f"12:00:00 project 3  envelope  900 bytes\n  {SEEN}")
    return program


@pytest.fixture
def project(compose: Compose) -> Project:
    return Project(compose.command, "trial")


def test_an_error_that_the_collector_shows_has_arrived(project: Project) -> None:
    with responses.RequestsMock() as gateway:
        gateway.get(CRASH, status=500)
        assert see_an_error_arrive(project) == SEEN
        (call,) = gateway.calls
        assert call.request.headers["Authorization"].startswith("Bearer ")


def test_another_answer_is_no_crash(project: Project) -> None:
    with responses.RequestsMock() as gateway:
        gateway.get(CRASH, status=404, body="there is nothing")
        with pytest.raises(Failed, match="answered 404: there is nothing"):
            see_an_error_arrive(project)


def test_an_error_that_does_not_arrive_fails(
    project: Project, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose.answers("logs", "12:00:00 project 3  envelope  900 bytes\n  transaction http.server  /debug/crash")
    monkeypatch.setattr(containers, "ARRIVAL_SECONDS", 0.3)
    with responses.RequestsMock() as gateway:
        gateway.get(CRASH, status=500)
        with pytest.raises(Failed, match="no error of analytics arrived"):
            see_an_error_arrive(project)


def test_everything_is_built_started_asked_and_taken_down(
    compose: Compose, capfd: pytest.CaptureFixture[str]
) -> None:
    with responses.RequestsMock() as gateway:
        gateway.get(CRASH, status=500)
        assert containers.verify() == 0
    assert [command.split()[0] for command in compose.commands] == ["ls", "build", "up", "port", "logs", "down"]
    assert "--wait" in compose.commands[2]
    assert f"The collector has seen: {SEEN}" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("build", "an image cannot be built"),
        ("up", "not every service became healthy"),
        ("port", "'docker compose port"),
    ],
)
def test_whatever_fails_everything_is_taken_down(
    compose: Compose, capfd: pytest.CaptureFixture[str], broken: str, reason: str
) -> None:
    compose.fails(broken)
    assert containers.verify() == 1
    assert compose.commands[-1].startswith("down --volumes --remove-orphans")
    assert f"The containers do not work: {reason}" in capfd.readouterr().err


def test_without_an_engine_it_is_skipped_and_said_why(compose: Compose, capfd: pytest.CaptureFixture[str]) -> None:
    compose.fails("ls")
    assert containers.verify() == 0
    assert compose.commands == ["ls --quiet"]
    assert "SKIPPED: the containers were not tried, because no engine answers" in capfd.readouterr().out


def test_the_real_compose_says_that_no_engine_answers(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if containers.compose_program() is None:
        pytest.skip("there is no Docker Compose")
    monkeypatch.setattr(containers, "check", lambda: 0)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    assert containers.verify() == 0
    assert "no engine answers" in capfd.readouterr().out


def test_what_a_linter_finds_fails(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM debian:latest\n")
    monkeypatch.setattr(containers, "dockerfiles", lambda: [careless])
    if sys.platform != "linux":
        pytest.skip("hadolint comes for Linux only")
    assert containers.check() != 0
    assert "DL3007" in capfd.readouterr().err


def test_what_is_shipped_passes_the_linters() -> None:
    assert containers.check() == 0

"""Trying the containers, with a Compose of the test's own; that they work is seen by `dev.py containers`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import responses

from services import containers
from services.containers import Failed, Project, see_an_error_arrive, see_them_confined

CRASH = "http://127.0.0.1:32768/api/v1/analytics/debug/crash"
SEEN = "error       ValueError: report rpt_1 cannot be closed: it covers 20 of 24 hours  error unhandled  trace 7a"
COMPOSE = """
import json, sys
from pathlib import Path

here, asked = Path(__file__).parent, " ".join(sys.argv[1:])
with (here / "commands").open("a") as commands:
    commands.write(asked + chr(10))
for words, code, answer in json.loads((here / "answers").read_text()):
    if words in asked:
        print(answer)
        sys.exit(code)
"""


class Compose:
    """A program in place of Compose that notes what it is asked for, and answers as told; the latest word counts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._answers: list[tuple[str, int, str]] = []
        program = directory / "compose.py"
        program.write_text(COMPOSE)
        self.command = [sys.executable, str(program)]

    def answers(self, words: str, text: str = "", code: int = 0) -> None:
        self._answers.insert(0, (words, code, text))
        (self._directory / "answers").write_text(json.dumps(self._answers))

    @property
    def commands(self) -> list[str]:
        return (self._directory / "commands").read_text().splitlines()


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    program = Compose(tmp_path)
    monkeypatch.setattr(containers, "compose_program", lambda: program.command)
    monkeypatch.setattr(containers, "check", lambda: 0)
    program.answers("port", "127.0.0.1:32768")
    program.answers("config --services", "gateway\npayment")
    program.answers("id -u", "10001")
    program.answers(">/written", code=1)
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
    asked = [command.split()[0] for command in compose.commands]
    assert list(dict.fromkeys(asked)) == ["ls", "build", "up", "config", "exec", "port", "logs", "down"]
    assert "--wait" in compose.commands[2]
    assert f"The collector has seen: {SEEN}" in capfd.readouterr().out


def test_containers_that_are_confined_pass(project: Project) -> None:
    see_them_confined(project)


@pytest.mark.parametrize(
    ("asked", "answer", "reason"),
    [
        ("payment id -u", "0", "payment runs as root"),
        ("payment sh -c : >/written", "", "payment can write to its image"),
    ],
)
def test_one_that_is_not_confined_fails(
    project: Project, compose: Compose, asked: str, answer: str, reason: str
) -> None:
    compose.answers(asked, answer)
    with pytest.raises(Failed, match=reason):
        see_them_confined(project)


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
    compose.answers(broken, code=1)
    assert containers.verify() == 1
    assert compose.commands[-1].startswith("down --volumes --remove-orphans")
    assert f"The containers do not work: {reason}" in capfd.readouterr().err


def test_without_an_engine_it_is_skipped_and_said_why(compose: Compose, capfd: pytest.CaptureFixture[str]) -> None:
    compose.answers("ls", code=1)
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

"""Check what the fleet's containers are made from, and try them: `check` and `verify`, called by `dev.py`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import requests

from harness.fleet.spec import load_fleet_spec
from harness.run.authenticating import Authenticator

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_FILES = ("docker-compose.yml", "docker-compose.debug.yml")
SCRIPTS = ("services/healthy", "services/database/start")
PROGRAMS = Path(sys.executable).parent
START_SECONDS = 300
ARRIVAL_SECONDS = 30
REQUEST_SECONDS = 15


class Failed(Exception):
    """The containers are not as they should be; the message says why."""


def compose_program() -> list[str] | None:
    """The command that is Docker Compose: the installed package's, else the machine's; None without any."""
    package = find_spec("compose")
    for location in (package.submodule_search_locations or ()) if package else ():
        # Not the script that the package installs: it hides the exit code.
        program = Path(location) / "docker-compose"
        if os.access(program, os.X_OK):
            return [str(program)]
    if shutil.which("docker"):
        found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if found.returncode == 0:
            return ["docker", "compose"]
    return None


def dockerfiles() -> list[Path]:
    """All that an image is built by."""
    return sorted([*ROOT.glob("services/*.Dockerfile"), *ROOT.glob("services/*/Dockerfile")])


def check() -> int:
    """Hold Dockerfiles, Compose files and scripts of images against their linters; needs no engine."""
    compose = compose_program()
    hadolint = shutil.which("hadolint", path=f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}")
    steps: list[Sequence[str | Path]] = [
        [PROGRAMS / "compose-lint", "check", COMPOSE_FILES[0]],
        [PROGRAMS / "shellcheck", *SCRIPTS],
    ]
    if hadolint:
        steps.append([hadolint, *dockerfiles()])
    else:
        print("No hadolint is to be had for this platform, so Dockerfiles are not checked.")
    if compose:
        steps.append([*compose, "-f", COMPOSE_FILES[0], "config", "--quiet"])
        steps.append([*compose, *(word for file in COMPOSE_FILES for word in ("-f", file)), "config", "--quiet"])
    else:
        print("No Docker Compose is to be had for this platform, so 'docker compose config' is not run.")
    return max(_run_quietly(step) for step in steps)


def _run_quietly(command: Sequence[str | Path]) -> int:
    """Run a linter, and show what it says only if it finds fault; gives its exit code."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        print(f"'{Path(words[0]).name} {' '.join(words[1:])}' says:\n{done.stdout}", file=sys.stderr)
    return done.returncode


class Project:
    """A Compose project of its own, beside whatever else runs on the engine.

    Args:
        compose: the command that is Docker Compose.
        name: the project's name.
    """

    def __init__(self, compose: Sequence[str], name: str) -> None:
        self._compose = compose
        # Any free ports, so that it gets along with a fleet that is up.
        ports = {"GATEWAY_PORT": "0", "COLLECTOR_PORT": "0"}
        self._environment = {**os.environ, **ports, "COMPOSE_PROJECT_NAME": name, "COMPOSE_PROFILES": "default"}
        self._environment["COMPOSE_FILE"] = os.pathsep.join(COMPOSE_FILES)

    def show(self, *arguments: str) -> int:
        """Run a command of Compose whose output is to be seen; gives its exit code."""
        return subprocess.run([*self._compose, *arguments], cwd=ROOT, env=self._environment, check=False).returncode

    def ask(self, *arguments: str) -> str:
        """The output of a command of Compose.

        Raises:
            Failed: the command fails; with what it said.
        """
        done = subprocess.run(
            [*self._compose, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"'docker compose {' '.join(arguments)}' failed: {done.stderr.strip()}")
        return done.stdout

    def tries(self, *arguments: str) -> bool:
        """Whether a command of Compose succeeds."""
        done = subprocess.run(
            [*self._compose, *arguments], cwd=ROOT, env=self._environment, capture_output=True, check=False
        )
        return done.returncode == 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Build and start everything, and take everything down again, whatever happens.

        Raises:
            Failed: an image cannot be built, or a service does not become healthy.
        """
        try:
            if self.show("build") != 0:
                raise Failed(
                    "an image cannot be built; its output is above. If a base image cannot be pulled, choose "
                    "others by PYTHON_IMAGE, NODE_IMAGE, POSTGRES_IMAGE and REDIS_IMAGE"
                )
            if self.show("up", "--detach", "--wait", "--wait-timeout", str(START_SECONDS)) != 0:
                self.show("ps", "--all")
                self.show("logs", "--tail", "30")
                raise Failed("not every service became healthy; states and logs are above")
            yield
        finally:
            self.show("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5")


def see_an_error_arrive(project: Project) -> str:
    """Crash analytics through the gateway, and wait until the collector's container has the error.

    Returns:
        What the collector said of it.

    Raises:
        Failed: the answer is another one, or no error arrives.
    """
    access = load_fleet_spec(ROOT / "harness.toml").access
    gateway = project.ask("port", "gateway", "8000").strip()
    answer = requests.get(
        f"http://{gateway}/api/v1/analytics/debug/crash",
        headers=Authenticator(access).headers(),
        timeout=REQUEST_SECONDS,
    )
    if answer.status_code != requests.codes.internal_server_error:
        raise Failed(f"GET /debug/crash of analytics answered {answer.status_code}: {answer.text[:500]}")
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        for line in project.ask("logs", "--no-log-prefix", "--no-color", "collector").splitlines():
            if "ValueError: report" in line and "unhandled" in line:
                return line.strip()
        time.sleep(0.2)
    project.show("logs", "--tail", "50", "collector", "analytics")
    raise Failed(f"no error of analytics arrived at the collector within {ARRIVAL_SECONDS} s; logs are above")


def see_them_confined(project: Project) -> None:
    """Try in every container what must not be possible: to be root, to write to the image.

    Raises:
        Failed: one of them can.
    """
    for service in project.ask("config", "--services").split():
        user = project.ask("exec", "-T", service, "id", "-u").strip()
        if user == "0":
            raise Failed(f"{service} runs as root")
        if project.tries("exec", "-T", service, "sh", "-c", ": >/written"):
            raise Failed(f"{service} can write to its image")


def verify() -> int:
    """Bring the containers up, see them confined and an error arrive; without an engine, say so and be content."""
    checked = check()
    if checked != 0:
        return checked
    compose = compose_program()
    if compose is None:
        print("SKIPPED: the containers were not tried, because there is no Docker Compose.")
        return 0
    project = Project(compose, f"verification-{os.getpid()}")
    try:
        project.ask("ls", "--quiet")
    except Failed as problem:
        print(f"SKIPPED: the containers were not tried, because no engine answers: {problem}")
        print("Start Docker, or set DOCKER_HOST to where one is.")
        return 0
    # A clean end is the same for Ctrl-C and for whoever sends SIGTERM.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with project.running():
            see_them_confined(project)
            arrived = see_an_error_arrive(project)
    except Failed as problem:
        print(f"The containers do not work: {problem}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"The containers work. The collector has seen: {arrived}")
    return 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Run a command; gives its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["check", "verify"])
    return check() if parser.parse_args().command == "check" else verify()


if __name__ == "__main__":
    sys.exit(main())

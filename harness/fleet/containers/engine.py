"""The container engine: whether there is one, what it is asked over its API, and the Compose command line."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import psutil
import requests
from docker.errors import DockerException, NotFound

from harness.fleet.instance import StartFailure
from harness.fleet.readiness import StartCancelled

BRIDGE = "bridge"
ENGINE_PROBLEMS = (DockerException, requests.RequestException)
"""What its API may raise: the engine refuses, or does not answer."""

_API_TIMEOUT = 60
_KNOCK_TIMEOUT = 5.0
_PACE = 0.1
_LAST_WORDS = 10.0


class NoEngine(StartFailure):
    """Nothing here runs containers; the message says what is missing."""


class Engine:
    """An engine that answers.

    Args:
        endpoint: where its API is, as the command line's context has it.
        client: the client of it.
    """

    def __init__(self, endpoint: str, client: docker.DockerClient) -> None:
        self.endpoint = endpoint
        self.api: Any = client.api

    def close(self) -> None:
        """End the connections to it."""
        self.api.close()

    def address(self) -> str:
        """The address of this machine at which containers reach it.

        Raises:
            NoEngine: the engine's bridge is not one of this machine.
        """
        found = [
            held["Gateway"] for held in self.api.inspect_network(BRIDGE)["IPAM"]["Config"] or [] if "Gateway" in held
        ]
        own = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
        if not own.intersection(found[:1]):
            raise NoEngine(
                f"The engine at {self.endpoint} has its bridge ({', '.join(found) or 'no address'}) not on "
                "this machine, so its containers cannot reach the harness there. Say with 'host' under [compose] at "
                "which address of this machine they do."
            )
        return str(found[0])

    def remove(self, label: str) -> None:
        """Remove every container, network and volume with a label, whatever state it is in.

        Args:
            label: ``name=value``.
        """
        labelled = {"label": label}
        # What was asked for may still be under way when whoever asked is gone: look again until there is nothing.
        while containers := self.api.containers(all=True, filters=labelled):
            for held in containers:
                with suppress(NotFound):
                    self.api.remove_container(held["Id"], v=True, force=True)
        for held in self.api.networks(filters=labelled):
            with suppress(NotFound):
                self.api.remove_network(held["Id"])
        for held in self.api.volumes(filters=labelled)["Volumes"] or []:
            with suppress(NotFound):
                self.api.remove_volume(held["Name"], force=True)

    def labels(self, name: str) -> set[str]:
        """The values of a label over all containers, networks and volumes.

        Args:
            name: the label.
        """
        labelled = {"label": name}
        held = [
            *self.api.containers(all=True, filters=labelled),
            *self.api.networks(filters=labelled),
            *(self.api.volumes(filters=labelled)["Volumes"] or []),
        ]
        return {each["Labels"][name] for each in held}

    def image_environment(self, image: str) -> dict[str, str]:
        """The variables that an image sets.

        Args:
            image: its name.
        """
        set_there = self.api.inspect_image(image)["Config"]["Env"] or []
        return dict(variable.partition("=")[::2] for variable in set_there)


def find_engine() -> Engine:
    """The engine that the command line ``docker`` uses: by ``DOCKER_HOST``, else by its current context.

    Raises:
        NoEngine: there is none, or no Compose.
    """
    if shutil.which("docker") is None:
        raise NoEngine("--fleet=compose needs Docker with Compose, but there is no program 'docker' on PATH.")
    said = _said("docker", "compose", "version")
    if said.returncode != 0:
        raise NoEngine(
            "--fleet=compose needs Compose v2 as a plugin of the program 'docker': 'docker compose version' failed: "
            f"{said.stderr.strip()}"
        )
    endpoint = _said("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()
    try:
        _knock(endpoint)
        client = docker.DockerClient(base_url=endpoint, version="auto", timeout=_API_TIMEOUT)
    except (*ENGINE_PROBLEMS, OSError) as problem:
        raise NoEngine(
            f"--fleet=compose needs a container engine, but none answers at {endpoint or 'any address'}: {problem}. "
            "Start it, or point DOCKER_HOST to it."
        ) from problem
    return Engine(endpoint, client)


def _knock(endpoint: str) -> None:
    """See that somebody listens, before the client asks and leaves a socket open if nobody does.

    Raises:
        OSError: nobody does.
    """
    where = urlsplit(endpoint)
    if where.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(where.path)
    elif where.scheme in ("tcp", "http", "https") and where.hostname and where.port:
        socket.create_connection((where.hostname, where.port), timeout=_KNOCK_TIMEOUT).close()


class Compose:
    """The command ``docker compose`` for one project.

    Args:
        project: the project's name.
        files: its files.
        profiles: the active profiles.
        directory: where it is called.
    """

    def __init__(
        self, files: Iterable[Path], *, directory: Path, project: str | None = None, profiles: Iterable[str] = ()
    ) -> None:
        self._command = ["docker", "compose", "--progress", "plain"]
        self._command += ["--project-name", project] if project else []
        self._command += [word for file in files for word in ("--file", str(file))]
        self._command += [word for profile in profiles for word in ("--profile", profile)]
        self._directory = directory

    def run(self, *arguments: str, cancelled: threading.Event | None = None) -> str:
        """Run a command and give its standard output.

        Args:
            arguments: the command and what it takes.
            cancelled: gives it up when set.

        Raises:
            ComposeFailure: it failed; the message has what it said last.
            StartCancelled: it was cancelled.
        """
        command = [*self._command, *arguments]
        with subprocess.Popen(
            command,
            cwd=self._directory,
            env={**os.environ, "COMPOSE_IGNORE_ORPHANS": "1", "BUILDKIT_PROGRESS": "plain"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A session of its own: Ctrl-C is the harness's to act on.
            start_new_session=True,
        ) as process:
            try:
                output, said = _communicate(process, cancelled)
            except BaseException:
                _end(process)
                raise
        if process.returncode != 0:
            raise ComposeFailure(arguments, process.returncode, said)
        return output


class ComposeFailure(RuntimeError):
    """The command ``docker compose`` failed.

    Args:
        arguments: what it was called with.
        code: its exit code.
        said: what it wrote to standard error.
    """

    def __init__(self, arguments: Sequence[str], code: int, said: str) -> None:
        super().__init__(arguments, code, said)
        self.said = said
        self._arguments = arguments
        self._code = code

    def __str__(self) -> str:
        lines = [line for line in self.said.splitlines() if line.strip()][-30:]
        told = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return f"'docker compose {self._arguments[0]}' failed with exit code {self._code}; it said:\n{told}"


def _communicate(process: subprocess.Popen[str], cancelled: threading.Event | None) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=_PACE)
        except subprocess.TimeoutExpired:
            if cancelled is not None and cancelled.is_set():
                raise StartCancelled("docker compose") from None


def _end(process: subprocess.Popen[str]) -> None:
    """End the command: what it is about to create, it creates first."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=_LAST_WORDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _said(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)

"""Services as containers: brought up from a Compose file, under a project of the run's own, and gone afterwards."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from docker.errors import APIError

from harness.fleet.containers.configuration import ComposeSpec
from harness.fleet.containers.document import (
    AGENTS_IN_CONTAINER,
    Definition,
    Mount,
    Wanted,
    fleet_document,
    image_of,
    isolated_document,
    listening_port,
    mounts_of,
    needed_services,
    netloc_inside,
    require_services,
)
from harness.fleet.containers.engine import ENGINE_PROBLEMS, Compose, ComposeFailure, Engine
from harness.fleet.containers.environment import container_environment
from harness.fleet.containers.instance import ContainerInstance
from harness.fleet.containers.passages import Passages
from harness.fleet.containers.remains import LABEL, own_mark, remove_remains
from harness.fleet.containers.watching import Watch
from harness.fleet.control import ControlServer
from harness.fleet.environment import AGENTS
from harness.fleet.instance import Order, ServiceInstance, StartFailure
from harness.fleet.placeholders import expand, placeholder_values
from harness.fleet.ports import reserve_port
from harness.fleet.readiness import wait_until_all_ready, wait_until_ready
from harness.fleet.sampling import Sampler
from harness.fleet.spec import FleetSpec
from harness.telemetry.resources import ResourceSample

_log = logging.getLogger(__name__)

_PORT_ATTEMPTS = 3
_PORT_TAKEN = ("port is already allocated", "address already in use")
_ENDED = ("exited", "dead")
# Not there any more, or being removed already.
_GONE = (404, 409)


class ContainerPlatform:
    """Runs each instance as a container; see `harness.fleet.platform.Platform`.

    Args:
        spec: the fleet's configuration.
        compose: where the fleet is defined for containers.
        engine: what runs them.
        host: the address of this machine that containers reach.
    """

    def __init__(self, spec: FleetSpec, compose: ComposeSpec, engine: Engine, host: str) -> None:
        self._spec = spec
        self._compose = compose
        self._engine = engine
        self._host = host
        self._project = f"sentry-harness-{secrets.token_hex(4)}"
        self._mark = own_mark(self._project)
        self._labels = {LABEL: self._mark}
        self._control = ControlServer(host, awaited=True)
        self._sampler = Sampler()
        self._watch = Watch(engine, f"{LABEL}={self._mark}")
        self._passages = Passages(host)
        self._directory: Path | None = None
        self._resolved: Definition = {}

    def start(self, cancelled: threading.Event) -> None:
        """Clean up after runs that were killed, read the Compose file, build what it builds.

        Raises:
            ConfigurationError: the file lacks a service.
            StartFailure: the file cannot be read, or an image not be built.
            StartCancelled: it was cancelled.
        """
        for mark in remove_remains(self._engine):
            _log.warning("removed what the run %s had left on the engine", mark)
        files = Compose(self._compose.files, directory=self._spec.root, profiles=self._compose.profiles)
        try:
            self._resolved = json.loads(files.run("config", "--format", "json", cancelled=cancelled))
            names = [self._compose.services[name].name for name in self._spec.services]
            require_services(self._resolved, names, ", ".join(map(str, self._compose.files)))
            needed = needed_services(self._resolved, names, self._compose.without)
            if built := [name for name in needed if "build" in self._resolved["services"][name]]:
                files.run("build", "--quiet", *built, cancelled=cancelled)
        except ComposeFailure as problem:
            raise StartFailure(f"The containers cannot be prepared: {problem}") from problem
        self._control.start()
        self._passages.start()
        self._watch.start()
        self._sampler.start()

    def stop(self) -> None:
        """Remove everything that this run has on the engine."""
        self._sampler.stop()
        self._remove()
        self._watch.stop()
        self._control.stop()
        self._passages.stop()
        self._engine.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def abandon(self, instances: Collection[ServiceInstance]) -> None:
        """Remove everything at once, with the logs."""
        del instances
        self._remove()

    def make(self, order: Order) -> ContainerInstance:
        """An instance on a free port of this machine."""
        service = self._compose.services[order.service.name]
        definition = self._resolved["services"][service.name]
        name = service.name
        if order.isolated:
            name = f"{name}-own-{order.name.rpartition('#')[2]}"
        target = listening_port(service.name, definition, service.port)
        inside = netloc_inside(name, target)
        return ContainerInstance(order, self._control, engine=self._engine, port=reserve_port(), inside=inside)

    def bring_up(
        self, instances: Mapping[str, ServiceInstance], names: Collection[str], cancelled: threading.Event
    ) -> None:
        """Create and start containers, and wait until each is ready."""
        known = {name: _container(instance) for name, instance in instances.items()}
        fresh = [known[name] for name in names]
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            document = self._document(known, names)
            path = self._documents() / f"{secrets.token_hex(4)}.json"
            path.write_text(json.dumps(document, indent=1), encoding="utf-8")
            compose = Compose([path], directory=self._spec.root, project=self._project)
            try:
                compose.run("up", "--detach", "--no-build", cancelled=cancelled)
            except ComposeFailure as problem:
                if attempt < _PORT_ATTEMPTS and any(phrase in problem.said for phrase in _PORT_TAKEN):
                    compose.run("rm", "--force", "--stop", cancelled=cancelled)
                    for instance in fresh:
                        instance.published = reserve_port()
                    continue
                self._bind(fresh)
                raise StartFailure(self._explain(problem, document["services"])) from problem
            break
        self._bind(fresh)
        wait_until_all_ready(fresh, self._spec.startup_timeout, cancelled.is_set)

    def revive(self, instance: ServiceInstance, cancelled: threading.Event) -> None:
        """Start a container again that has ended, on the same port."""
        container = _container(instance)
        try:
            container.begin_anew()
            self._engine.api.start(container.id)
            container.learn("start")
            wait_until_ready(container, self._spec.startup_timeout, cancelled.is_set)
        except ENGINE_PROBLEMS as problem:
            raise StartFailure(f"Service '{instance.name}' cannot be started again: {problem}") from problem

    def end(self, instance: ServiceInstance, patience: float) -> None:
        """Flush a container's service, keep its log, and remove it."""
        container = _container(instance)
        if container.id is None:
            return
        try:
            if container.life.status == "paused":
                container.unpause()
            if patience > 0 and container.alive:
                container.flush(patience)
            if patience > 0:
                self._engine.api.stop(container.id, timeout=max(1, round(patience)))
            container.learn()
            with suppress(OSError):
                container.keep_log()
            self._engine.api.remove_container(container.id, v=True, force=True)
        except ENGINE_PROBLEMS as problem:
            if not (isinstance(problem, APIError) and problem.status_code in _GONE):
                _log.warning("container %s of '%s' could not be removed: %s", container.id, instance.name, problem)

    def resources(self, instance: str) -> list[ResourceSample] | None:
        """What the system saw of a container's processes."""
        return self._sampler.samples(instance)

    def _documents(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="sentry-harness-compose-"))
        return self._directory

    def _document(self, known: Mapping[str, ContainerInstance], names: Collection[str]) -> Definition:
        wanted = [self._wanted(name, known) for name in names]
        if any(known[name].order.isolated for name in names):
            return isolated_document(self._resolved, wanted, self._project, self._labels)
        own = [each.name for each in wanted]
        others = [name for name in needed_services(self._resolved, own, self._compose.without) if name not in own]
        return fleet_document(self._resolved, wanted, others, self._labels)

    def _wanted(self, name: str, known: Mapping[str, ContainerInstance]) -> Wanted:
        instance = known[name]
        order, service = instance.order, self._compose.services[name]
        definition = self._resolved["services"][service.name]
        inside = {other: held.addresses[1] for other, held in known.items()}
        public = {other: held.addresses[0] for other, held in known.items()}
        values = placeholder_values(name, inside, {"root": str(self._spec.root)}, public)
        configured = {key: expand(value, values) for key, value in service.environment.items()}
        given = self._passages.lead_through({key: expand(value, values) for key, value in order.variables.items()})
        environment = container_environment(
            self._engine.image_environment(image_of(self._resolved, service.name)),
            _unescaped(definition.get("environment") or {}),
            {**configured, **given},
            dsn=str(instance.dsn),
            sentry_environment=self._spec.sentry_environment,
            release=instance.spec.release,
            agent_address=instance.agent_address,
            collector_host=self._host,
        )
        mounts = (
            Mount(str(AGENTS), AGENTS_IN_CONTAINER),
            *mounts_of(configured, changing=False),
            *mounts_of(given, changing=True),
        )
        return Wanted(
            service=service.name,
            name=instance.compose_name,
            published=instance.published,
            target=int(inside[name].rpartition(":")[2]),
            environment=environment,
            mounts=tuple(dict.fromkeys(mounts)),
            changes=order.definition,
        )

    def _bind(self, instances: Iterable[ContainerInstance]) -> None:
        for instance in instances:
            if found := self._find(instance.compose_name):
                instance.bind(found)
                self._watch.watch(instance)
                self._sampler.watch(instance)

    def _find(self, compose_name: str) -> str | None:
        labels = [
            f"com.docker.compose.project={self._project}",
            f"com.docker.compose.service={compose_name}",
        ]
        found = self._engine.api.containers(all=True, filters={"label": labels})
        return str(found[0]["Id"]) if found else None

    def _explain(self, problem: ComposeFailure, services: Iterable[str]) -> str:
        """What Compose said, and what those containers said that are not as they should be."""
        told = [str(problem)]
        for name in services:
            container = self._find(name)
            if container is None:
                continue
            state = self._engine.api.inspect_container(container)["State"]
            health = (state.get("Health") or {}).get("Status")
            if state["Status"] in _ENDED or health == "unhealthy":
                how = f"exit code {state['ExitCode']}" if state["Status"] in _ENDED else "unhealthy"
                log = self._engine.api.logs(container, tail=30).decode(errors="replace")
                lines = "\n".join(f"    {line}" for line in log.splitlines()) or "    (nothing)"
                told.append(f"The container of '{name}' ({how}) said last:\n{lines}")
        return "The containers did not come up: " + "\n".join(told)

    def _remove(self) -> None:
        try:
            self._engine.remove(f"{LABEL}={self._mark}")
        except ENGINE_PROBLEMS as problem:
            _log.warning("not everything of %s could be removed, the next run does it: %s", self._project, problem)


def container_platform(spec: FleetSpec, compose: ComposeSpec, engine: Engine) -> tuple[ContainerPlatform, str]:
    """The platform, and the address of this machine that its containers reach.

    Raises:
        NoEngine: that address cannot be told.
    """
    host = compose.host or engine.address()
    # Nobody may ever start it; when it is used, it connects anew.
    engine.close()
    return ContainerPlatform(spec, compose, engine, host), host


def _container(instance: ServiceInstance) -> ContainerInstance:
    if not isinstance(instance, ContainerInstance):
        raise TypeError(f"{instance.name} is no container of this platform")
    return instance


def _unescaped(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: None if value is None else str(value).replace("$$", "$") for name, value in variables.items()}

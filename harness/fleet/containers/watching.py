"""Hearing from the engine what happens to a run's containers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from harness.fleet.containers.engine import ENGINE_PROBLEMS, Engine
from harness.fleet.containers.instance import ContainerInstance

_TELLING = frozenset({"start", "restart", "die", "oom", "pause", "unpause", "destroy"})


class Watch:
    """Follows the engine's events in a thread of its own, and lets each instance learn of its.

    Args:
        engine: the engine.
        label: what a run's containers are labelled with, ``name=value``.
    """

    def __init__(self, engine: Engine, label: str) -> None:
        self._engine = engine
        self._label = label
        self._instances: dict[str, ContainerInstance] = {}
        self._events: Any = None
        self._thread = threading.Thread(target=self._follow, name="fleet-containers", daemon=True)

    def start(self) -> None:
        """Begin to listen: what happens from now on is heard."""
        self._events = self._engine.api.events(
            since=int(time.time()), filters={"label": self._label, "type": "container"}, decode=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._events is not None:
            with suppress(*ENGINE_PROBLEMS, OSError):
                self._events.close()

    def watch(self, instance: ContainerInstance) -> None:
        """Let an instance that has become a container learn what happens to it."""
        if instance.id is not None:
            self._instances[instance.id] = instance
            # What was heard before anybody knew whose container it is.
            instance.learn()

    def _follow(self) -> None:
        events: Iterable[Mapping[str, Any]] = self._events
        # The engine has gone, or somebody has closed the stream.
        with suppress(*ENGINE_PROBLEMS, OSError, ValueError):
            for event in events:
                self._tell(event)

    def _tell(self, event: Mapping[str, Any]) -> None:
        action, actor = event.get("Action"), event.get("Actor") or {}
        instance = self._instances.get(str(actor.get("ID")))
        if instance is None or action not in _TELLING:
            return
        code = (actor.get("Attributes") or {}).get("exitCode")
        with suppress(*ENGINE_PROBLEMS, OSError):
            instance.learn(str(action), None if code is None else int(code))

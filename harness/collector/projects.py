"""Who may send: a project and a key of its own for every service."""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass

from harness.collector.messages import Refused


@dataclass(frozen=True, slots=True)
class Project:
    """Where telemetry goes to.

    Attributes:
        project_id: The project's number.
        public_key: The key to send with.
        service: The service that was given both; None if they are the sender's own choice.
    """

    project_id: str
    public_key: str
    service: str | None = None


class Projects:
    """The projects of a collector. Every method may be called from any thread.

    Args:
        open_to_all: Accept any project and any key besides the registered ones.
        key: With this, only this key besides the registered ones.
    """

    def __init__(self, *, open_to_all: bool, key: str | None = None) -> None:
        self._open = open_to_all
        self._key = key
        self._registering = threading.Lock()
        self._by_key: dict[str, Project] = {}
        self._by_service: dict[str, Project] = {}
        self._by_id: dict[str, Project] = {}

    def register(self, service: str, given: tuple[str, str] | None = None) -> Project:
        """Give a service its project, the same one each time.

        Args:
            service: Name of the service.
            given: Project and key that it has already; new ones by default.

        Returns:
            The project.
        """
        with self._registering:
            project = self._by_service.get(service)
            if project is None:
                # Random, so that a process left over from an earlier run is refused and not mistaken for this one's.
                project_id, key = given or (self._free_number(), secrets.token_hex(16))
                project = Project(project_id, key, service)
                self._by_key[project.public_key] = project
                self._by_id[project.project_id] = project
                self._by_service[service] = project
        return project

    def _free_number(self) -> str:
        number = len(self._by_service) + 1
        while str(number) in self._by_id:
            number += 1
        return str(number)

    def service_of(self, project_id: str) -> str | None:
        """Name the service of a project.

        Args:
            project_id: The project's number.

        Returns:
            The service, None if no service was given this project.
        """
        project = self._by_id.get(project_id)
        return None if project is None else project.service

    @property
    def are_secret(self) -> bool:
        """Whether nothing at all is said to somebody without a key."""
        return self._key is not None

    def find(self, project_id: str | None, public_key: str) -> Project:
        """Find the project that a request may write to.

        Args:
            project_id: The project that the request names; None if it names none, as on the legacy store endpoint,
                where the key decides.
            public_key: The key that it carries.

        Returns:
            The project.

        Raises:
            Refused: There is none, with the status that Relay gives to an unknown key or a key of another project.
        """
        project = self._by_key.get(public_key)
        if project is not None and project_id in (None, project.project_id):
            return project
        if self._open and (self._key is None or hmac.compare_digest(public_key.encode(), self._key.encode())):
            # Relay gives the number 0 to what names no project.
            return Project(project_id or "0", public_key)
        if project is None and self._key is not None:
            cause = "this is not the key that the collector was started with"
        elif project is None:
            cause = f"no service was given the key {public_key!r}; is a DSN of another run or another Sentry in use?"
        else:
            cause = (
                f"the key is that of project {project.project_id} ({project.service}), not of project {project_id}"
            )
        raise Refused(403, "event submission rejected with_reason: ProjectId", cause)

"""Ingest: decides over each request. What gets in goes to the inbox, what does not is kept as a refusal."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from contextlib import suppress

from harness.collector import endpoints
from harness.collector.fault_endpoint import answer_about_faults, concerns_faults
from harness.collector.faults import Fault
from harness.collector.inbox import Inbox, Receipt
from harness.collector.injecting import Faults, afflicted, injection_of
from harness.collector.limits import check_item_limits
from harness.collector.messages import PREFLIGHT, Answer, Interruption, Refused, Request
from harness.collector.projects import Project, Projects
from harness.collector.refusals import Refusal, Refusals
from harness.collector.routes import METHODS, Route, find_route
from harness.collector.spool import NoRoom
from harness.wire.auth import AuthError, Credentials, MissingCredentials, find_credentials
from harness.wire.dsn import Dsn, InvalidDsn
from harness.wire.encoding import UnsupportedEncoding
from harness.wire.envelope import Envelope

__all__ = ["Ingest", "Refusal"]

_PROTOCOL_VERSION = 7
_HEALTHY = Answer(200, b'{"is_healthy":true}', "application/json")
_SUPPORTED_ENCODINGS = (("accept-encoding", "gzip,deflate,br,zstd"),)
_PROJECT_ID = re.compile(r"[0-9]{1,20}")


class Ingest:
    """Takes requests the way Relay does.

    Args:
        inbox: Where accepted requests go.
        projects: Who may send.
        faults: What befalls requests that would be taken.
        steerable: Let this machine add and remove faults over HTTP.
    """

    def __init__(self, inbox: Inbox, projects: Projects, faults: Faults, *, steerable: bool) -> None:
        self._inbox = inbox
        self._projects = projects
        self._refusals = Refusals()
        self._faults = faults
        self._steerable = steerable

    @property
    def refusals(self) -> list[Refusal]:
        """What was refused so far, in order."""
        return self._refusals.listed()

    def answer(self, request: Request) -> Answer:
        """Record a request and answer it.

        Args:
            request: The request.

        Returns:
            The answer, never an exception.
        """
        try:
            return self._accept(request)
        except Refused as refused:
            return self.refuse(request, refused)
        except NoRoom as full:
            # What Relay answers when it cannot queue.
            return self.refuse(request, Refused(503, "failed to queue envelope", str(full)))
        except Exception:  # noqa: BLE001 - a defect of the collector must not lose the request that shows it
            return self.refuse(request, Refused(500, "the collector failed", traceback.format_exc()))

    def refuse(self, request: Request, refused: Refused) -> Answer:
        """Record a request that is not accepted, and wake who waits in vain for what it carried.

        Args:
            request: The request, as far as it was read.
            refused: Why it is not accepted.

        Returns:
            The answer.
        """
        refusal = Refusal(
            request.received_at,
            request.method,
            request.path,
            request.query,
            request.headers,
            request.body,
            refused.status,
            str(refused),
            self._sender(request),
        )
        self._refusals.add(refusal)
        self._inbox.wake()
        return refused.answer()

    def interruption(self, head: Callable[[], Request]) -> Interruption | None:
        """Decide whether a fault cuts a request off while it comes.

        Args:
            head: Gives the request as far as it has come.

        Returns:
            After how many bytes of its body, and what records that; None if it is to be read.
        """
        if not self._faults.rules:
            return None
        request = head()
        route = find_route(request.path)
        if route is None or request.method not in METHODS[route.endpoint]:
            return None
        service = self._sender(request)
        fault = self._faults.take_interruption(service, route.project_id)
        if fault is None or fault.after is None:
            return None

        def record(cut_off: Request) -> None:
            self._faults.record(injection_of(fault, cut_off, service, route.project_id or "", None))
            self._inbox.wake()

        return fault.after, record

    def _accept(self, request: Request) -> Answer:
        route = find_route(request.path)
        if self._projects.are_secret and (route is None or route.endpoint == "health"):
            self._require_key(request)
        if route is None and self._steerable and concerns_faults(request):
            return answer_about_faults(request, self._faults)
        if route is None:
            raise Refused(404, "no such endpoint", f"Sentry has nothing at {request.path!r}")
        methods = METHODS[route.endpoint]
        if request.method == "OPTIONS":
            return PREFLIGHT
        if request.method not in methods:
            allowed = ", ".join(methods)
            raise Refused(405, "method not allowed", f"allowed: {allowed}", headers=(("allow", allowed),))
        if route.endpoint == "health":
            return _HEALTHY
        return self._ingest(request, route)

    def _ingest(self, request: Request, route: Route) -> Answer:
        media_types = endpoints.MEDIA_TYPES.get(route.endpoint)
        if media_types is not None and request.media_type not in media_types:
            raise Refused(
                415,
                "unsupported media type",
                f"{request.media_type or 'no content type'}; allowed: {', '.join(sorted(media_types))}",
            )
        if route.project_id is not None and not _PROJECT_ID.fullmatch(route.project_id):
            raise Refused(400, "bad project path parameter", f"{route.project_id!r} is not the number of a project")
        credentials = _credentials(request, route)
        project = None if credentials is None else self._projects.find(route.project_id, credentials.public_key)
        try:
            reading = endpoints.read(request, route)
        except UnsupportedEncoding as error:
            raise Refused(415, "unsupported media type", str(error), headers=_SUPPORTED_ENCODINGS) from None
        project = self._confirm(project, route, reading.envelope)
        if reading.envelope is not None:
            check_item_limits(reading.envelope)
        fault = self._befall(request, project, reading.envelope) if self._faults.rules else None
        if fault is None or fault.keeps:
            self._keep(request, route, project, reading.envelope)
        return reading.answer if fault is None else afflicted(reading.answer, fault)

    def _befall(self, request: Request, project: Project, envelope: Envelope | None) -> Fault | None:
        fault = self._faults.take(project.service, project.project_id, envelope)
        if fault is not None:
            self._faults.record(injection_of(fault, request, project.service, project.project_id, envelope))
            self._inbox.wake()
        return fault

    def _keep(self, request: Request, route: Route, project: Project, envelope: Envelope | None) -> None:
        is_envelope = route.endpoint in ("envelope", "tunnel")
        self._inbox.add(
            Receipt(
                request.received_at,
                project.project_id,
                project.public_key,
                "envelope" if is_envelope else route.endpoint,
                request.headers,
                request.query,
                request.header("content-encoding"),
                request.body,
                None if is_envelope else envelope,
            )
        )

    def _confirm(self, project: Project | None, route: Route, envelope: Envelope | None) -> Project:
        """Hold the envelope's own DSN against the project of the request, or take the project from it."""
        if envelope is None or envelope.headers.get("dsn") is None:
            if project is None:
                raise _missing_auth("neither the request nor the envelope's dsn header names a key")
            return project
        try:
            dsn = Dsn.parse(envelope.dsn or "")
        except InvalidDsn as error:
            raise Refused(400, "invalid event envelope", f"dsn header: {error}") from None
        if project is None:
            if route.project_id not in (None, dsn.project_id):
                raise _header_mismatch("project id", dsn.project_id, route.project_id)
            return self._projects.find(dsn.project_id, dsn.public_key)
        if route.project_id is not None and dsn.project_id != project.project_id:
            raise _header_mismatch("project id", dsn.project_id, project.project_id)
        if dsn.public_key != project.public_key:
            raise _header_mismatch("public key", dsn.public_key, project.public_key)
        return project

    def _require_key(self, request: Request) -> None:
        """Let nobody in without the key, where Sentry itself would ask for none."""
        try:
            credentials = find_credentials(request.headers, request.query)
        except AuthError as error:
            raise _missing_auth(str(error)) from None
        self._projects.find(None, credentials.public_key)

    def _sender(self, request: Request) -> str | None:
        """Name the service behind a refused request, as far as it can be told."""
        route = find_route(request.path)
        service = None
        with suppress(AuthError, Refused):
            key = find_credentials(request.headers, request.query, route.public_key if route else None).public_key
            service = self._projects.find(None, key).service
        if service is None and route is not None and route.project_id is not None:
            service = self._projects.service_of(route.project_id)
        return service


def _credentials(request: Request, route: Route) -> Credentials | None:
    """Find the sender's key; None where the envelope's own DSN has to name it."""
    if route.endpoint == "tunnel":
        return None
    try:
        credentials = find_credentials(request.headers, request.query, route.public_key)
    except MissingCredentials as error:
        # As in Relay's `endpoints/envelope.rs`, an envelope may bring its own.
        if route.endpoint == "envelope":
            return None
        raise _missing_auth(str(error)) from None
    except AuthError as error:
        raise Refused(401, "multiple or bad authorization payloads detected", str(error)) from None
    if credentials.version is not None and credentials.version > _PROTOCOL_VERSION:
        raise Refused(400, f"unsupported protocol version ({credentials.version})")
    return credentials


def _missing_auth(cause: str) -> Refused:
    return Refused(401, "missing authorization information", cause)


def _header_mismatch(what: str, inner: str, outer: str | None) -> Refused:
    cause = f"{what} header mismatch between envelope and request: {inner} in the envelope, {outer} in the request"
    return Refused(400, "invalid event envelope", cause)

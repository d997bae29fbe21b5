"""What the debug endpoints share: registration, parameters, and the scope of the request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar

import sentry_sdk
from tornado.httputil import HTTPServerRequest
from tornado.routing import PathMatches, Rule
from tornado.web import OutputTransform, stream_request_body

from game_engine import GAME, SERVICE
from game_engine.handlers import Engine, JsonHandler
from observability.guard import DebugGuard, Guarded, Trigger, record
from observability.guard.target import MANIFEST
from observability.manifest import DebugRegistry
from observability.parameters import BadParameter, IntParameter
from observability.request_scope import DEBUG_USER_HEADER, begin_debug_request, new_identifier


@stream_request_body
class GuardedHandler(JsonHandler):
    """Lets pass only what may, before the request's body is read."""

    def initialize(self, engine: Engine, guard: DebugGuard, target: Guarded) -> None:  # type: ignore[override]
        """Take what the route was configured with."""
        super().initialize(engine)
        self.guard = guard
        self.target = target
        self.trigger: Trigger | None = None

    async def prepare(self) -> None:
        """Decide over the request, and answer it if it is refused."""
        ruling = await self.guard.decide(self.target, self.request.headers.get_list("Authorization"))
        self.trigger = Trigger(
            method=str(self.request.method),
            target=self.target,
            address=self.guard.address_of(
                str(self.request.remote_ip), self.request.headers.get_list("X-Forwarded-For")
            ),
            request_id=self.request_id,
            ruling=ruling,
        )
        if ruling.refusal is not None:
            self.answer_unread(*ruling.refusal)

    def answer_unread(self, status: int, error: str) -> None:
        """Finish with an error before the body has been read, after which Tornado closes the connection.

        It does not say so by itself, and a client that keeps connections would send its next request on this one.
        """
        self.set_header("Connection", "close")
        self.answer_error(status, error)

    def data_received(self, chunk: bytes) -> None:
        """Drop the body: no debug endpoint of this service has any use for it."""

    async def _execute(self, transforms: list[OutputTransform], *args: bytes, **kwargs: bytes) -> None:
        await super()._execute(transforms, *args, **kwargs)
        if not self._finished:
            # Tornado leaves this out for a caller that goes away before its body has come.
            self.on_finish()

    def answer(self, body: dict[str, Any], status: int = HTTPStatus.OK) -> None:
        """Finish with a JSON body and the headers of the ruling."""
        if self.trigger is not None:
            for name, value in self.trigger.ruling.headers.items():
                self.set_header(name, value)
        super().answer(body, status)

    def on_finish(self) -> None:
        """Record what was decided, and give a place back."""
        super().on_finish()
        if self.trigger is not None:
            if self.trigger.ruling.refusal is None:
                self.guard.leave(self.target)
            record(self.trigger, self.get_status() if self._finished else 0)


class DebugHandler(GuardedHandler):
    """One debug endpoint; a subclass says which parameters it takes and what it does."""

    PARAMETERS: ClassVar[tuple[IntParameter, ...]] = ()

    async def prepare(self) -> None:
        """Set user and tags and read the parameters, or answer 400."""
        await super().prepare()
        if self._finished:
            return
        self.round_id = new_identifier("rnd")
        query = {name: values[-1].decode("utf-8", "replace") for name, values in self.request.query_arguments.items()}
        try:
            self.user_id = begin_debug_request(
                SERVICE,
                debug.find(self.request.path).scenario,
                request_id=self.request_id,
                debug_user=self.request.headers.get(DEBUG_USER_HEADER),
                tags={"game": GAME},
            )
            self.values = {parameter.name: parameter.read(query) for parameter in self.PARAMETERS}
        except BadParameter as problem:
            self.answer_unread(HTTPStatus.BAD_REQUEST, str(problem))

    def enter_round(self) -> None:
        """Leave the breadcrumbs with which every round begins."""
        sentry_sdk.add_breadcrumb(
            category="lobby.enter",
            message=f"Player entered {GAME}",
            level="info",
            data={"user_id": self.user_id, "request_id": self.request_id, "game": GAME},
        )
        sentry_sdk.add_breadcrumb(
            category="round.open",
            message=f"Round {self.round_id} opened",
            level="info",
            data={"round_id": self.round_id},
        )

    async def hold(self, milliseconds: int) -> None:
        """Let other requests run between the breadcrumbs and what follows."""
        await asyncio.sleep(milliseconds / 1000)


debug = DebugRegistry[type[DebugHandler]](SERVICE)


class ManifestHandler(GuardedHandler):
    """`GET /debug`."""

    def get(self) -> None:
        """List the debug endpoints."""
        self.answer(self.guard.manifest(debug))


class _WhileSwitchedOn(PathMatches):
    """Matches a path, and nothing while what is there is switched off."""

    def __init__(self, target: Guarded, guard: DebugGuard) -> None:
        super().__init__(f"{re.escape(target.path)}$")
        self._target = target
        self._guard = guard

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        matched = super().match(request)
        return matched if matched is not None and self._guard.exists(self._target) else None


def debug_rules(engine: Engine, guard: DebugGuard) -> Iterator[Rule]:
    """The routes of the debug endpoints and of their manifest."""
    targets: list[tuple[Guarded, type[GuardedHandler]]] = [(MANIFEST, ManifestHandler)]
    targets += [(Guarded.of(SERVICE, endpoint), handler) for endpoint, handler in debug]
    for target, handler in targets:
        shared = {"engine": engine, "guard": guard, "target": target}
        yield Rule(_WhileSwitchedOn(target, guard), handler, shared)

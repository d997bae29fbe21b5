"""What the debug endpoints share: registration, parameters, and the scope of the request."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import ClassVar

import sentry_sdk

from game_engine import GAME, SERVICE
from game_engine.handlers import JsonHandler
from observability.manifest import DebugRegistry
from observability.parameters import BadParameter, IntParameter
from observability.request_scope import DEBUG_USER_HEADER, begin_debug_request, new_identifier


class DebugHandler(JsonHandler):
    """One debug endpoint; a subclass says which parameters it takes and what it does."""

    PARAMETERS: ClassVar[tuple[IntParameter, ...]] = ()

    def prepare(self) -> None:
        """Set user and tags and read the parameters, or answer 400."""
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
            self.answer_error(HTTPStatus.BAD_REQUEST, str(problem))

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


class ManifestHandler(JsonHandler):
    """`GET /debug`."""

    def get(self) -> None:
        """List the debug endpoints."""
        self.answer(debug.manifest())

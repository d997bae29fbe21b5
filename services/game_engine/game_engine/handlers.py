"""The routes of business: health and spin, and what all handlers share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import sentry_sdk
from tornado.web import RequestHandler

from game_engine import GAME, SERVICE
from game_engine.in_flight import InFlight
from game_engine.peers import BetRefused, PeerUnavailable
from game_engine.rounds import BadBet, Bet, Table
from observability.request_scope import (
    EVENT_ID_HEADER,
    REQUEST_ID_HEADER,
    begin_business_request,
    choose_request_id,
)


@dataclass(frozen=True, slots=True)
class Engine:
    """What the handlers work with."""

    table: Table
    in_flight: InFlight


class JsonHandler(RequestHandler):
    """Answers in JSON, errors included, names the request, and the event when one was captured."""

    def initialize(self, engine: Engine) -> None:
        """Take what the route was configured with."""
        self.engine = engine
        self.request_id = choose_request_id(self.request.headers.get(REQUEST_ID_HEADER))
        engine.in_flight.begin()

    def on_finish(self) -> None:
        """The answer is on its way; the transaction learns its status, which the SDK leaves out for Tornado."""
        transaction = sentry_sdk.get_current_scope().transaction
        if transaction is not None:
            transaction.set_http_status(self.get_status())
        self.engine.in_flight.end()

    def answer(self, body: dict[str, Any], status: int = HTTPStatus.OK) -> None:
        """Finish with a JSON body."""
        event_id = sentry_sdk.last_event_id()
        if event_id is not None:
            self.set_header(EVENT_ID_HEADER, event_id)
        self.set_header(REQUEST_ID_HEADER, self.request_id)
        self.set_header("Content-Type", "application/json")
        self.set_status(status)
        self.finish(json.dumps(body))

    def answer_error(self, status: int, message: str) -> None:
        """Finish with an error; the message is for the caller."""
        self.answer({"error": message, "request_id": self.request_id}, status)

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """Answer an exception that nobody handled, without telling its text."""
        self.answer_error(status_code, HTTPStatus(status_code).phrase.lower())


class NotFoundHandler(JsonHandler):
    """Whatever is not routed."""

    def prepare(self) -> None:
        """Answer 404 to every method."""
        self.answer_error(HTTPStatus.NOT_FOUND, f"nothing is at {self.request.path}")


class HealthHandler(JsonHandler):
    """`GET /health`."""

    def get(self) -> None:
        """The process serves requests."""
        self.answer({"status": "ok", "service": SERVICE})


class SpinHandler(JsonHandler):
    """`POST /spin`."""

    async def post(self) -> None:
        """Play one round for a player."""
        try:
            bet = Bet.from_json(json.loads(self.request.body))
        except BadBet as problem:
            self.answer_error(HTTPStatus.BAD_REQUEST, str(problem))
            return
        except (ValueError, RecursionError):
            self.answer_error(HTTPStatus.BAD_REQUEST, "the body must be JSON")
            return
        tags = {"game": GAME, "currency": bet.currency}
        begin_business_request(bet.player_id, request_id=self.request_id, tags=tags)
        try:
            result = await self.engine.table.play(bet, self.request_id)
        except BetRefused as problem:
            self.answer_error(problem.status, str(problem))
        except PeerUnavailable as problem:
            sentry_sdk.get_isolation_scope().set_tag("peer", problem.peer)
            sentry_sdk.capture_exception(problem)
            self.answer_error(HTTPStatus.BAD_GATEWAY, f"{problem.peer} is not available")
        else:
            self.answer(result.as_json())

"""The services that the game engine calls: the wallet of payment, and the event store of analytics.

Tornado's HTTP client is not instrumented by the SDK, so the client span and the trace headers are made here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import sentry_sdk
from sentry_sdk import logger as sentry_logger
from sentry_sdk.consts import OP, SPANDATA
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse

from observability.request_scope import REQUEST_ID_HEADER

CONNECT_SECONDS = 2.0
REQUEST_SECONDS = 5.0
SPAN_ORIGIN = "manual.http.tornado_client"


class PeerUnavailable(Exception):
    """A peer that cannot be reached, or answers what it never should."""

    def __init__(self, peer: str, problem: str) -> None:
        super().__init__(f"{peer} {problem}")
        self.peer = peer


class BetRefused(Exception):
    """Payment does not take the bet, for a reason that is the player's.

    Attributes:
        status: 402 when the balance does not cover it, 422 when the wallet is of another kind.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Peer:
    """One service to call, with its base URL."""

    name: str
    url: str
    http: AsyncHTTPClient

    async def post(self, path: str, body: dict[str, Any], *, purpose: str, request_id: str) -> HTTPResponse:
        """Send JSON inside an `http.client` span and with that span as the peer's parent.

        Args:
            path: path under the base URL.
            body: what to send.
            purpose: what the call is for; it ends up in the message when the peer cannot be reached.
            request_id: id of the request that this call serves.

        Raises:
            PeerUnavailable: no answer came.
        """
        url = f"{self.url}{path}"
        with sentry_sdk.start_span(op=OP.HTTP_CLIENT, name=f"POST {url}", origin=SPAN_ORIGIN) as span:
            span.set_data(SPANDATA.HTTP_REQUEST_METHOD, "POST")
            span.set_data(SPANDATA.URL_FULL, url)
            trace_headers = dict(sentry_sdk.get_current_scope().iter_trace_propagation_headers(span=span))
            try:
                response = await self.http.fetch(
                    url,
                    method="POST",
                    headers={"Content-Type": "application/json", REQUEST_ID_HEADER: request_id, **trace_headers},
                    body=json.dumps(body),
                    connect_timeout=CONNECT_SECONDS,
                    request_timeout=REQUEST_SECONDS,
                    raise_error=False,
                )
            except (HTTPClientError, OSError) as problem:
                span.set_status("unavailable")
                _leave_breadcrumb(url, "error", reason=str(problem))
                raise PeerUnavailable(self.name, f"at {self.url} did not answer {purpose}") from problem
            span.set_http_status(response.code)
        _leave_breadcrumb(url, "info", **{SPANDATA.HTTP_STATUS_CODE: response.code})
        return response


def _leave_breadcrumb(url: str, level: str, **data: Any) -> None:
    sentry_sdk.add_breadcrumb(
        type="http", category="httplib", level=level, data={"url": url, SPANDATA.HTTP_METHOD: "POST", **data}
    )


@dataclass(frozen=True, slots=True)
class Cause:
    """Why money moves: the player's request, and the round that it belongs to."""

    request_id: str
    round_id: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """The player's balance, kept by payment."""

    payment: Peer

    async def move(self, kind: str, player_id: str, amount_cents: int, currency: str, cause: Cause) -> int:
        """Debit or credit; payment applies a reference once, however often it is sent.

        Args:
            kind: `debit` or `credit`.
            player_id: whose balance.
            amount_cents: how much.
            currency: of the amount.
            cause: why; the round and `kind` are the reference.

        Returns:
            The balance afterwards, in cents.

        Raises:
            BetRefused: a debit that the player's wallet does not allow; nothing was booked.
            PeerUnavailable: payment cannot be reached or fails.
        """
        body = {
            "player_id": player_id,
            "type": kind,
            "amount_cents": amount_cents,
            "currency": currency,
            "reference": f"{cause.round_id}-{kind}",
        }
        purpose = f"the {kind} of round {cause.round_id}"
        response = await self.payment.post("/process", body, purpose=purpose, request_id=cause.request_id)
        if kind == "debit" and response.code == HTTPStatus.PAYMENT_REQUIRED:
            raise BetRefused(f"the balance does not cover a bet of {amount_cents} cents", response.code)
        try:
            answer = json.loads(response.body)
            if kind == "debit" and response.code == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise BetRefused(f"payment refused the bet: {answer['error']}", response.code)
            if response.code != HTTPStatus.OK:
                raise PeerUnavailable(self.payment.name, f"answered {purpose} with status {response.code}")
            return int(answer["balance_cents"])
        except (ValueError, KeyError, TypeError) as problem:
            raise PeerUnavailable(self.payment.name, f"answered {purpose} with nothing usable") from problem


@dataclass(frozen=True, slots=True)
class EventFeed:
    """What analytics gets to know."""

    analytics: Peer

    async def publish(
        self, event_type: str, player_id: str, amount_cents: int, payload: dict[str, Any], request_id: str
    ) -> bool:
        """Tell analytics; a player's round never fails because of it.

        Args:
            event_type: what happened.
            player_id: who did it.
            amount_cents: the money that was moved.
            payload: what else is worth keeping.
            request_id: id of the request in which it happened.

        Returns:
            Whether analytics stored the event.
        """
        body = {"event_type": event_type, "player_id": player_id, "amount_cents": amount_cents, "payload": payload}
        try:
            response = await self.analytics.post(
                "/events", body, purpose=f"event {event_type}", request_id=request_id
            )
        except PeerUnavailable as problem:
            sentry_logger.warning(
                "Event {event_type} was not stored: {problem}", event_type=event_type, problem=problem
            )
            return False
        if response.code >= HTTPStatus.BAD_REQUEST:
            sentry_logger.warning(
                "Event {event_type} was refused with status {status}", event_type=event_type, status=response.code
            )
            return False
        return True

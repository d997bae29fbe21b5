"""Deciding over a request to a debug endpoint: token, then scope, then rate limit, then the cap on what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from observability.guard.flags import DebugFlags
from observability.guard.limits import Concurrency, LimitsUnavailable, RateLimit, Standing
from observability.guard.noise import tell_refusal
from observability.guard.origin import TrustedProxies
from observability.guard.target import Guarded
from observability.guard.tokens import Identity, TokenCheck
from observability.manifest import DebugRegistry

Decision = Literal["allowed", "unauthorized", "forbidden", "rate-limited", "busy", "unavailable"]

_ANSWERS: Mapping[Decision, tuple[int, str]] = {
    "unauthorized": (HTTPStatus.UNAUTHORIZED, "unauthorized"),
    "forbidden": (HTTPStatus.FORBIDDEN, "forbidden"),
    "rate-limited": (HTTPStatus.TOO_MANY_REQUESTS, "too many requests"),
    "busy": (HTTPStatus.TOO_MANY_REQUESTS, "too many requests"),
    "unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided.

    Attributes:
        decision: `allowed`, or why not.
        identity: who asked, once known.
        headers: what the answer must carry, whatever it is.
    """

    decision: Decision
    identity: Identity | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def refusal(self) -> tuple[int, str] | None:
        """HTTP status and error text of the refusal; None when allowed."""
        return _ANSWERS.get(self.decision)


class DebugGuard:
    """Stands in front of the debug endpoints of one process."""

    def __init__(
        self,
        flags: DebugFlags,
        tokens: TokenCheck,
        limit: RateLimit,
        places: Concurrency,
        proxies: TrustedProxies,
    ) -> None:
        self.address_of = proxies.address_of
        self._flags = flags
        self._tokens = tokens
        self._limit = limit
        self._places = places

    def exists(self, target: Guarded) -> bool:
        """Whether the target is switched on at this moment; one that is not must not even be routed."""
        return self._flags.are_on(target.flags)

    def manifest(self, debug: DebugRegistry[Any]) -> dict[str, Any]:
        """The manifest of what is switched on at this moment."""
        return debug.manifest(lambda endpoint: self.exists(Guarded.of(debug.service, endpoint)))

    async def decide(self, target: Guarded, authorization: Sequence[str]) -> Ruling:
        """Decide over a request, and tell Sentry of a refusal.

        Args:
            target: what is asked for.
            authorization: the values of all its headers `Authorization`.

        Returns:
            The ruling; after one that is `allowed`, `leave` must be called once the target's code has ended.
        """
        ruling = await self._rule(target, authorization)
        if ruling.refusal is not None:
            tell_refusal(ruling.decision, target.path)
        return ruling

    def leave(self, target: Guarded) -> None:
        """The target's code has ended."""
        if target.group == "load":
            self._places.leave(target.path)

    async def _rule(self, target: Guarded, authorization: Sequence[str]) -> Ruling:
        identity = self._tokens.identify(authorization)
        if identity is None:
            return Ruling("unauthorized", headers={"WWW-Authenticate": "Bearer"})
        is_permitted = target.scope in identity.scopes
        ask = self._limit.take if is_permitted else self._limit.look
        standing: Standing | None = None
        headers: dict[str, str] = {}
        try:
            standing = await ask(target.path, identity.sub)
            headers = self._limit.headers(standing)
        except LimitsUnavailable:
            if is_permitted:
                return Ruling("unavailable", identity)
        if not is_permitted:
            return Ruling("forbidden", identity, headers)
        if standing is not None and not standing.is_within:
            return Ruling("rate-limited", identity, {**headers, "Retry-After": str(standing.reset_seconds)})
        if target.group == "load" and not self._places.enter(target.path):
            return Ruling("busy", identity, {**headers, "Retry-After": "1"})
        return Ruling("allowed", identity, headers)

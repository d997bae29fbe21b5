"""The manifest of debug endpoints, generated from the very registration that makes the routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, TypeVar

Group = Literal["crash", "load", "specific"]
HandlerT = TypeVar("HandlerT")

PREFIX = "/debug/"


@dataclass(frozen=True, slots=True)
class DebugEndpoint:
    """One line of the manifest.

    Attributes:
        method: HTTP method.
        path: path in this service, under `/debug/`.
        demonstrates: one sentence: what it does and what Sentry shall get to see.
        status: the HTTP status that it answers with.
        group: `crash` (an error of its own making), `load` (memory, CPU, threads) or `specific` (to this stack).
    """

    method: str
    path: str
    demonstrates: str
    status: int
    group: Group

    @property
    def scenario(self) -> str:
        """The value of the tag `debug.scenario`: `/debug/error/value` is `error.value`."""
        return self.path.removeprefix(PREFIX).replace("/", ".")


class DebugRegistry(Generic[HandlerT]):
    """The debug endpoints of one service with their handlers (classes in Tornado, functions in Starlette).

    Example:
        debug = DebugRegistry[Handler]("analytics")

        @debug.endpoint("/debug/crash", demonstrates="an unhandled error", status=500, group="crash")
        async def crash(request: Request) -> Response: ...

        for endpoint, handler in debug: app.add_route(endpoint.path, handler, methods=[endpoint.method])
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._routes: list[tuple[DebugEndpoint, HandlerT]] = []

    def endpoint(
        self, path: str, *, demonstrates: str, status: int, group: Group, method: str = "GET"
    ) -> Callable[[HandlerT], HandlerT]:
        """Register the decorated handler as a debug endpoint.

        Raises:
            ValueError: the path is not under `/debug/`, or is registered twice for this method.
        """
        if not path.startswith(PREFIX):
            raise ValueError(f"debug endpoint {path} must be under {PREFIX}")
        if any((known.method, known.path) == (method, path) for known, _ in self._routes):
            raise ValueError(f"debug endpoint {method} {path} is registered twice")
        endpoint = DebugEndpoint(method, path, demonstrates, status, group)

        def register(handler: HandlerT) -> HandlerT:
            self._routes.append((endpoint, handler))
            return handler

        return register

    def __iter__(self) -> Iterator[tuple[DebugEndpoint, HandlerT]]:
        return iter(self._routes)

    def find(self, path: str, method: str = "GET") -> DebugEndpoint:
        """The endpoint of a path.

        Raises:
            KeyError: nothing is registered there.
        """
        for endpoint, _ in self._routes:
            if (endpoint.method, endpoint.path) == (method, path):
                return endpoint
        raise KeyError(f"{method} {path}")

    def manifest(self, shown: Callable[[DebugEndpoint], bool] = bool) -> dict[str, Any]:
        """The answer of `GET /debug`.

        Args:
            shown: which endpoints are there; all by default.
        """
        return {
            "service": self.service,
            "endpoints": [asdict(endpoint) for endpoint, _ in self._routes if shown(endpoint)],
        }

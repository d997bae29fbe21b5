"""The HTTP clients of all upstreams, and which of them a request is sent with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio
import httpx

IDLE_CONNECTION_SECONDS = 2.0
MOST_REQUESTS = 500
MOST_UPLOADS = 250
# RFC 9110, section 9.2.2: doing it twice is the same as doing it once.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of all upstreams.

    An upstream may close a connection at any time, also just when a request is sent on it. Whether the request was
    served nobody knows then, so it may be sent again only if that does no harm (RFC 9112, section 9.3.1). All others
    go over connections of their own, which nobody has had a reason to close.

    Who sends a body slowly holds a connection to an upstream for as long as that takes, so those are kept apart: they
    can use up their own connections only. They are not queued, because httpcore looks at its whole queue each time.

    Attributes:
        repeatable: for requests that may be sent again, over connections that are kept.
        single: for those that may not, once they have come as a whole.
        uploads: for those whose body is still on its way.
        room: how many more of these there may be.
    """

    repeatable: httpx.AsyncClient
    single: httpx.AsyncClient
    uploads: httpx.AsyncClient
    room: anyio.Semaphore


@asynccontextmanager
async def open_clients() -> AsyncIterator[Clients]:
    """Open the clients, and close them at the end."""
    # Node and uvicorn close an idle connection after 5 s; a request must not be sent on one just then.
    kept = httpx.Limits(max_connections=MOST_REQUESTS, keepalive_expiry=IDLE_CONNECTION_SECONDS)
    single = httpx.Limits(max_connections=MOST_REQUESTS, max_keepalive_connections=0)
    uploads = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with _make_client(kept) as first, _make_client(single) as second, _make_client(uploads) as third:
        yield Clients(first, second, third, anyio.Semaphore(MOST_UPLOADS))


def _make_client(limits: httpx.Limits) -> httpx.AsyncClient:
    """No proxies from the environment, no cookies of its own, no redirects followed."""
    return httpx.AsyncClient(
        trust_env=False, cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])), limits=limits
    )

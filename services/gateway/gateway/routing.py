"""Which upstream a path leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

PREFIX = b"/api/v1/"


class UnknownService(LookupError):
    """A path that names no service of the route table."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service behind the gateway; `url` has no trailing slash."""

    name: str
    url: str

    @property
    def authority(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The upstreams by the name under which paths mention them."""

    upstreams: Mapping[str, Upstream]

    @classmethod
    def parse(cls, text: str, revision: str) -> RouteTable:
        """Read a table of `name=url` lines.

        Raises:
            ValueError: a line has no URL, or one whose port is not a number.
        """
        lines = [line.partition("=") for line in text.splitlines()]
        return cls({name: parse_route(name, url, revision) for name, _, url in lines})

    def resolve(self, raw_path: bytes) -> tuple[Upstream, bytes]:
        """Split `/api/v1/<service>/<rest>` as it came over the wire, percent-encoding untouched.

        Returns:
            The upstream, and the path to ask it for, `/<rest>`.

        Raises:
            UnknownService: the path is of another form, or names a service that is not there.
        """
        name, _, rest = raw_path.removeprefix(PREFIX).partition(b"/")
        upstream = self.upstreams.get(name.decode("ascii", "replace")) if raw_path.startswith(PREFIX) else None
        if upstream is None:
            known = ", ".join(sorted(self.upstreams))
            raise UnknownService(f"no service is called {name.decode('ascii', 'replace')!r}; there are {known}")
        return upstream, b"/" + rest


def leads_to_debug(path: bytes) -> bool:
    """Whether a path, as an upstream may understand it, is that of a debug endpoint or of their manifest."""
    return unquote_to_bytes(path).lower().lstrip(b"/").startswith(b"debug")


def parse_route(name: str, url: str, revision: str) -> Upstream:
    """Read one route.

    Raises:
        ValueError: the URL has no host, or a port that is not a number.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"route {name} of table {revision} has no host")
    if parts.netloc.rpartition(":")[2].isdigit() or ":" not in parts.netloc:
        return Upstream(name, url.rstrip("/"))
    raise ValueError(f"route {name} of table {revision} has no valid port in {url!r}")

"""What is guarded: a debug endpoint, or the manifest of all of them."""

from __future__ import annotations

from dataclasses import dataclass

from observability.manifest import DebugEndpoint

_SCOPES = {"manifest": "debug:read", "crash": "debug:crash", "specific": "debug:crash", "load": "debug:load"}


@dataclass(frozen=True, slots=True)
class Guarded:
    """Something under `/debug`.

    Attributes:
        path: its path in the service.
        group: its group, `manifest` for the manifest itself.
        flags: keys of the flags that switch it off, besides `debug`, which switches all of them.
    """

    path: str
    group: str
    flags: tuple[str, ...]

    @classmethod
    def of(cls, service: str, endpoint: DebugEndpoint) -> Guarded:
        """The target that an endpoint of a service is."""
        flags = (f"debug.{endpoint.group}", f"debug.{service}.{endpoint.scenario}")
        return cls(endpoint.path, endpoint.group, flags)

    @property
    def scope(self) -> str:
        """The scope that a token must have."""
        return _SCOPES[self.group]


MANIFEST = Guarded("/debug", "manifest", ())

"""What a sabotage is: how teams break their instrumentation, and what must notice it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NODE_SERVICES = frozenset({"payment"})


class Witness(StrEnum):
    """Who sees a sabotage."""

    CHECK = "check"
    RUN_CHECK = "check over the run"
    EXPECTATION = "the scenario's own expectations"


@dataclass(frozen=True, slots=True)
class Patch:
    """A small change to one running service.

    Args:
        service: which one.
        code: what is done in its process: ``module.function`` of `python/sabotage_patches`, or of `node`.
        environment: variables that it is started with.
    """

    service: str
    code: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> str:
        """``Python`` or ``Node``."""
        return "Node" if self.service in NODE_SERVICES else "Python"


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One way in which teams break their instrumentation.

    Args:
        name: unique, in words.
        deed: what the team did, in one sentence.
        patches: how that is done to the services.
        scenarios: the scenarios that are run, as ``test_payment.test_crash``; several are triggered at once.
        witness: who sees it.
        finding: code of the finding, or of all findings if it is followed by ``.*``; of a failed expectation, a text
            in its message.
        consequences: codes of further findings that the same cause has of necessity, each with the reason.
        services: services that the scenarios need besides their own and the entry service.
        checks: what the project would have in its table ``[checks]``.
    """

    name: str
    deed: str
    patches: tuple[Patch, ...]
    scenarios: tuple[str, ...]
    witness: Witness
    finding: str
    consequences: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    checks: Mapping[str, object] = field(default_factory=dict)

    @property
    def runtimes(self) -> str:
        """``Python``, ``Node`` or both."""
        return " and ".join(dict.fromkeys(patch.runtime for patch in self.patches))

    @property
    def service_names(self) -> str:
        """The patched services."""
        return " and ".join(patch.service for patch in self.patches)

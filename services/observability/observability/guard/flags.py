"""Which debug endpoints exist at this moment: feature flags in a file of flagd's format, through OpenFeature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryProvider

from observability.guard.watched_file import WatchedFile, read_json

WHOLE = "debug"


class DebugFlags:
    """The switches of the debug endpoints."""

    def __init__(self, path: Path) -> None:
        domain = f"{WHOLE} {path}"
        api.set_provider_and_wait(_FlagFile(path), domain)
        self._client = api.get_client(domain)

    def are_on(self, flags: Sequence[str]) -> bool:
        """Whether `debug` is on and none of these flags is off; one that the file does not have is on."""
        return self._client.get_boolean_value(WHOLE, False) and all(
            self._client.get_boolean_value(flag, True) for flag in flags
        )


class _FlagFile(InMemoryProvider):
    """Resolves boolean flags from a file, as flagd does without targeting rules, and knows no flags of other types.

    flagd's own provider brings gRPC along, which is many times the rest of this guard.
    """

    def __init__(self, path: Path) -> None:
        super().__init__({})
        self._file = WatchedFile(path, "DEBUG_FLAGS_FILE", parse_flags)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,  # noqa: ARG002 - the interface is OpenFeature's
    ) -> FlagResolutionDetails[bool]:
        """Look the flag up."""
        flags = self._file.read()
        if flags is None:
            # Not as an error, over which the SDK would give the default: that may be "on".
            return FlagResolutionDetails(value=False, reason=Reason.DISABLED)
        if flag_key not in flags:
            return FlagResolutionDetails(value=default_value, reason=Reason.DEFAULT)
        return FlagResolutionDetails(value=flags[flag_key], reason=Reason.STATIC)


def parse_flags(text: str) -> dict[str, bool]:
    """Read the flags that are about debug endpoints, by key.

    One that cannot be understood makes the whole file invalid: to leave it out would switch on what somebody meant to
    switch off.

    Raises:
        ValueError: the text is not in flagd's format.
    """
    match read_json(text):
        case {"flags": dict(flags)}:
            pass
        case _:
            raise ValueError('flags must be an object such as {"flags": {}}')
    ours = {key: flag for key, flag in flags.items() if key == WHOLE or key.startswith(f"{WHOLE}.")}
    return {key: _default_of(key, flag) for key, flag in ours.items()}


def _default_of(key: str, flag: Any) -> bool:
    match flag:
        case {"state": "ENABLED" | "DISABLED" as state, "variants": dict(variants), "defaultVariant": str(chosen)}:
            value = variants.get(chosen)
            if isinstance(value, bool) and flag.get("targeting", {}) == {}:
                return value and state == "ENABLED"
    raise ValueError(
        f"flag {key} must have a state, boolean variants and one of them as defaultVariant, and no targeting"
    )

"""What services said, as it may be written down: without what opens something, even where they have echoed it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from harness.verify.canaries import Canary, canaries
from harness.verify.secret_patterns import find_secrets


def withheld_secrets(secrets: Mapping[str, str], withheld: Collection[str]) -> tuple[Canary, ...]:
    """Those secrets that must not be written.

    Args:
        secrets: values by name.
        withheld: the names of those.
    """
    return canaries((name, value) for name, value in secrets.items() if name in withheld)


def hide(text: str, unspoken: Sequence[Canary]) -> str:
    """A text without secrets, and without tokens: a log that services share has those of other requests too."""
    for secret in unspoken:
        text = secret.hide(text)
    for match in list(find_secrets(text)):
        if match.kind == "json-web-token":
            text = text.replace(match.value, f"[{match.name}]")
    return text


def hide_in_bytes(content: bytes, unspoken: Sequence[Canary]) -> bytes:
    """The same for bytes, whatever they are."""
    return hide(content.decode(errors="surrogateescape"), unspoken).encode(errors="surrogateescape")

"""Known secrets: the forms in which one can reappear, and where it did."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""A shorter secret is found everywhere by chance and is not looked for."""

# Up to so many, one search for each form is the quickest there is.
_FEW = 20
# Of a long text so many places are looked at together, which bounds the memory that takes.
_BLOCK = 1 << 16
_PERCENT_ESCAPE = re.compile("%[0-9A-F]{2}")
_BITS_OF_BYTE, _BITS_OF_DIGIT, _BYTES_OF_GROUP = 8, 6, 3


@dataclass(frozen=True, slots=True)
class Canary:
    """A known secret.

    Args:
        name: what it is, to be shown in its stead.
        forms: it, as it is and in every encoding in which it may travel; the text of each is not to be shown.
    """

    name: str
    forms: tuple[str, ...] = field(repr=False)

    def is_in(self, text: str) -> bool:
        """Whether a text has it in any form."""
        for form in self.forms:  # noqa: SIM110  # twice as fast as any(), and checks do little else
            if form in text:
                return True
        return False

    def is_part_of(self, text: str) -> bool:
        """Whether it and a text are the same secret: one has the other in it."""
        return self.is_in(text) or any(text in form for form in self.forms)

    def hide(self, text: str) -> str:
        """The text with the secret's name in its place."""
        for form in self.forms:
            text = text.replace(form, f"[{self.name}]")
        return text


def canaries(secrets: Iterable[tuple[str, str]]) -> tuple[Canary, ...]:
    """The known secrets that are long enough to be looked for.

    Args:
        secrets: names and values.
    """
    return tuple(
        Canary(name, tuple(dict.fromkeys(_forms(value))))
        for name, value in dict.fromkeys(secrets)
        if len(value) >= SHORTEST
    )


class CanarySearch:
    """Finds known secrets in texts; what a text costs hardly grows with their number.

    Args:
        known: the secrets. A run has some for each of its triggers.
    """

    def __init__(self, known: Sequence[Canary]) -> None:
        self._known = known
        self._forms: dict[str, list[tuple[str, int]]] = {}
        for number, canary in enumerate(known if len(known) > _FEW else ()):
            for form in canary.forms:
                self._forms.setdefault(self._rarest_part(form), []).append((form, number))

    def found_in(self, text: str) -> list[Canary]:
        """Those that a text has in any form, in the order in which they were given."""
        if len(self._known) <= _FEW:
            return [canary for canary in self._known if canary.is_in(text)]
        found: set[int] = set()
        for start in range(0, len(text), _BLOCK):
            parts = {text[at : at + SHORTEST] for at in range(start, min(start + _BLOCK, len(text)))}
            for part in parts & self._forms.keys():
                found.update(number for form, number in self._forms[part] if form in text)
        return [self._known[number] for number in sorted(found)]

    def _rarest_part(self, form: str) -> str:
        # Many secrets are alike in places, such as the domain of an address.
        places = (0, (len(form) - SHORTEST) // 2, len(form) - SHORTEST)
        return min((form[at : at + SHORTEST] for at in places), key=lambda part: len(self._forms.get(part, ())))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    # In JSON that is itself a string of JSON, and in the `repr` of a local variable.
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield _PERCENT_ESCAPE.sub(lambda escape: escape[0].lower(), encoded)
    yield from _base64(secret.encode())


def _base64(secret: bytes) -> Iterator[str]:
    # Base64 turns groups of three bytes into four digits, so a secret inside a longer text has three faces, by its
    # place in the group. Digits that depend on the neighbours are left out.
    for before in range(_BYTES_OF_GROUP):
        first = -(-before * _BITS_OF_BYTE // _BITS_OF_DIGIT)
        last = (before + len(secret)) * _BITS_OF_BYTE // _BITS_OF_DIGIT
        padded = b"\0" * before + secret
        yield base64.b64encode(padded).decode()[first:last]
        yield base64.urlsafe_b64encode(padded).decode()[first:last]

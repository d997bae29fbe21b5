"""What differs from run to run becomes a typed placeholder; the rules are listed in ``docs/baselines.md``."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

_LOOPBACK = re.compile(r"(?:\b127\.0\.0\.1|\blocalhost|\[::1\]):\d+\b")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDENTIFIER = re.compile(
    rf"(?<![0-9A-Za-z])(?<!\d\.)(?:(?P<prefix>[a-z]{{2,8}})[_-])?(?P<id>{_UUID}|[0-9a-f]{{32}}|[0-9a-f]{{16}}|(?<=[_-])[0-9a-f]{{8,40}})(?![0-9A-Za-z])"
)
_MEASURES = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+)?\s?(?:ns|µs|us|ms|s|seconds?|minutes?|hours?)\b"), "<duration>"),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+)?\s?(?:bytes?|[kKMGT]i?B)\b"), "<size>"),
)
_TEMPORARY = re.compile(r"/(?:private/)?(?:tmp|var/folders/\S+?/T)/[^\s/\"']+")
# What none of these rules can match is most of what there is, and known at a glance.
_MAYBE_VOLATILE = re.compile(r"[\d/\\]|[a-f]{8}")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
VERSION = re.compile(r"v?\d+\.\d+(?:[.\-+]\w+)*\s*")


class Placeholders:
    """Replaces volatile parts of text, the same value always by the same placeholder.

    Args:
        services: hosts and ports that each service is called at, by its name.
        known: ids by kind, such as the trace's own under ``trace``; any other id is known by its prefix or form.
        root: the checkout, whose absolute path differs from machine to machine.
    """

    def __init__(
        self,
        services: Mapping[str, Collection[str]],
        known: Mapping[str, Collection[str]],
        root: Path | None = None,
    ) -> None:
        self._addresses = {address: name for name, addresses in services.items() for address in addresses}
        called = [address for address in self._addresses if not _LOOPBACK.fullmatch(address)]
        named = [rf"(?<![\w.-]){re.escape(address)}(?!\w)" for address in called]
        self._address = re.compile("|".join([_LOOPBACK.pattern, *named]))
        self._kinds = {found: kind for kind, ids in known.items() for found in ids}
        self._root = str(root) if root is not None else None
        self._numbers: dict[str, dict[str, int]] = {}

    def numbered(self, value: Any) -> Any:
        """A JSON value with numbered placeholders in its texts, counted in the order in which it is written."""
        return self._replace(value, numbered=True)

    def masked(self, value: Any) -> Any:
        """A JSON value with placeholders without numbers: equal for values that differ in volatile parts only."""
        return self._replace(value, numbered=False)

    def sort_key(self, value: Any) -> str:
        """Text by which values are ordered, whatever their volatile parts are."""
        return json.dumps(self.masked(value), sort_keys=True, default=str)

    def label(self, *words: str | None) -> str:
        """A name for one thing among its like, without anything volatile and without numbers."""
        text = " ".join(" ".join(word.split()) for word in words if word)
        return _NUMBER.sub("#", self._text(text, numbered=False))

    def _replace(self, value: Any, *, numbered: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, numbered=numbered)
        if isinstance(value, dict):
            return {key: self._replace(value[key], numbered=numbered) for key in sorted(value)}
        if isinstance(value, list):
            return [self._replace(entry, numbered=numbered) for entry in value]
        return value

    def _text(self, text: str, *, numbered: bool) -> str:
        if not _MAYBE_VOLATILE.search(text):
            return text
        if self._root:
            text = text.replace(self._root, "<root>")
        text = _TEMPORARY.sub("<temporary>", text)

        def placeholder(kind: str, found: str) -> str:
            return f"<{kind}-{self._number(kind, found)}>" if numbered else f"<{kind}>"

        def address(match: re.Match[str]) -> str:
            name = self._addresses.get(match.group())
            return f"<{name}>" if name else placeholder("address", match.group())

        def identifier(match: re.Match[str]) -> str:
            found, prefix = match["id"], match["prefix"]
            if prefix:
                return placeholder(prefix, match.group())
            return placeholder(self._kinds.get(found) or ("uuid" if "-" in found else "id"), found)

        text = self._address.sub(address, text)
        text = _IDENTIFIER.sub(identifier, text)
        for pattern, replacement in _MEASURES:
            text = pattern.sub(replacement, text)
        return text

    def _number(self, kind: str, found: str) -> int:
        numbers = self._numbers.setdefault(kind, {})
        return numbers.setdefault(found, len(numbers) + 1)


def figure(value: Any) -> Any:
    """A value with every number in it replaced by ``<number>`` and every version by ``<version>``; truth stays."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return "<number>"
    if isinstance(value, str):
        return "<version>" if VERSION.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: figure(held) for key, held in value.items()}
    return [figure(entry) for entry in value]


def type_only(value: Any) -> Any:
    """A value of which only the types stay: ``<text>``, ``<number>``, ``<flag>``; a list is one ``<list>``."""
    if isinstance(value, dict):
        return {key: type_only(held) for key, held in value.items()}
    if isinstance(value, bool):
        return "<flag>"
    if isinstance(value, int | float):
        return "<number>"
    if isinstance(value, list):
        return "<list>"
    return "<text>" if isinstance(value, str) else value

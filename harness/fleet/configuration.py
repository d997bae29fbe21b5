"""Typed reading of the configuration file's tables; whatever is wrong is said with file, key and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any


class ConfigurationError(ValueError):
    """The configuration file says something that cannot be meant; the message tells what and what is allowed."""


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A half sentence for an unknown word: the nearest known one if there is any, else all of them.

    Args:
        word: what was written.
        known: what is allowed.

    Returns:
        Text that begins with a blank, to be put behind the complaint.
    """
    near = difflib.get_close_matches(word, known)
    if near:
        # Two letters in the wrong order are the commonest slip, and the only one that the comparison underrates.
        best = max(near, key=lambda candidate: sorted(candidate) == sorted(word))
        return f" Did you mean '{best}'?"
    return f" Allowed: {', '.join(sorted(known))}." if known else " None is allowed here."


class Table:
    """One TOML table, read key by key.

    Args:
        where: file and table, as messages name them: ``harness.toml, [service.payment]``.
        values: what the TOML parser gave.
        allowed: the keys that may appear.

    Raises:
        ConfigurationError: it is no table, or it holds a key that is not allowed.
    """

    def __init__(self, where: str, values: object, allowed: Collection[str]) -> None:
        self.where = where
        if not isinstance(values, dict):
            raise ConfigurationError(f"{where} must be a table, not {_kind(values)}.")
        self._values: Mapping[str, Any] = values
        for key in values:
            if key not in allowed:
                raise ConfigurationError(f"{where}: unknown key '{key}'.{did_you_mean(key, allowed)}")

    def complain(self, key: str, complaint: str) -> ConfigurationError:
        """An error about one key of this table, to be raised by the caller."""
        return ConfigurationError(f"{self.where}: '{key}' {complaint}")

    def text(self, key: str) -> str | None:
        """A non-empty string, or None when the key is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            raise self.complain(key, f"must be a non-empty string, not {_kind(value)}.")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty when the key is absent."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.complain(key, f'must be a list of strings like ["a", "b"], not {_kind(value)}.')
        return tuple(value)

    def texts(self, key: str) -> dict[str, str]:
        """A table of strings; empty when the key is absent."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            raise self.complain(key, f"must be a table of strings, not {_kind(value)}.")
        for name, entry in value.items():
            if not isinstance(entry, str):
                raise self.complain(f"{key}.{name}", f'must be a string, not {_kind(entry)}: write "{entry}".')
        return dict(value)

    def seconds(self, key: str, default: float) -> float:
        """A duration greater than zero."""
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self.complain(key, f"must be a number of seconds greater than 0, not {value!r}.")
        return float(value)

    def port(self, key: str) -> int | None:
        """A TCP port, or None when the key is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
            raise self.complain(key, f"must be a port number from 1 to 65535, not {value!r}.")
        return value

    def below(self, key: str, allowed: Collection[str]) -> Table:
        """A table inside this one; an empty one when the key is absent.

        Args:
            key: its name.
            allowed: the keys that may appear in it.

        Raises:
            ConfigurationError: it is no table, or it holds a key that is not allowed.
        """
        where = f"{self.where[:-1]}.{key}]" if self.where.endswith("]") else f"{self.where}, [{key}]"
        return Table(where, self.table(key), allowed)

    def table(self, key: str) -> object:
        """The raw value of a nested table; an empty one when the key is absent."""
        return self._values.get(key, {})


def _kind(value: object) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a table"}
    name = names.get(type(value), type(value).__name__)
    return f"{name} ({value!r})" if isinstance(value, str | bool | int | float) else name

"""JSON as Sentry reads it: stricter than Python's own reader."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

# In order: an escaped backslash, a proper surrogate pair, and what remains is a surrogate on its own (group 1).
_SURROGATE_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
# A first look, by far quicker than that: most payloads have no such escape.
_ESCAPE_OF_THAT_RANGE = re.compile(r"\\u[dD]")
# What Rust's serde_json takes at most.
_DEEPEST = 127
# An empty array is two bytes of JSON and 64 bytes of memory, so what is read is bounded in both.
_LARGEST = 64 * 1024 * 1024
_MOST_CONTAINERS = 2_000_000
# Digits that a number must have to be larger than any that a double holds.
_MANY_DIGITS = 309
_STRINGS_AND_CONSTANTS = re.compile(r'"(?:\\.|[^"\\])*"|(-?Infinity|NaN)')


class InvalidJson(ValueError):
    """A text is not JSON that Sentry would read.

    Attributes:
        reason: What is wrong with it.
        position: Where in the text, in characters from its beginning.
    """

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason, position)
        self.reason = reason
        self.position = position

    def __str__(self) -> str:
        return f"{self.reason} at character {self.position}"


class _NonFiniteNumber(ValueError):
    """`NaN` or an infinity was met; the scanner does not say where."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NonFiniteNumber(name)


class _OutOfRange(ValueError):
    """A number is larger than any that a double holds."""


def _read_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _OutOfRange(text[:20])
    return value


def _read_int(text: str) -> int:
    if len(text) >= _MANY_DIGITS:
        _read_float(text)
    return int(text)


_DECODER = json.JSONDecoder(parse_float=_read_float, parse_int=_read_int, parse_constant=_refuse_constant)


def parse_json(text: str) -> Any:
    """Read a JSON text by the rules of Relay's parser (Rust's serde_json).

    Python's reader also takes `NaN`, infinities and halves of surrogate pairs; Relay refuses the whole payload for
    one of them, so a reader that lets them pass would report telemetry as delivered that Sentry throws away. Of a
    repeated key the last value counts.

    Args:
        text: The complete JSON text; whitespace around it is allowed.

    Returns:
        The value.

    Raises:
        InvalidJson: The text is not JSON, nested more deeply than Relay reads it, has a number that is too large for
            it, or is so large that nothing of Sentry's can be meant.
    """
    containers = text.count("[") + text.count("{")
    if len(text) > _LARGEST or containers > _MOST_CONTAINERS:
        raise InvalidJson(f"too large to be read: {len(text)} characters, {containers} arrays and objects", 0)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(error.msg, error.pos) from None
    except _NonFiniteNumber as error:
        place = next(match.start(1) for match in _STRINGS_AND_CONSTANTS.finditer(text) if match[1])
        raise InvalidJson(f"{error} is not a JSON number", place) from None
    except _OutOfRange as error:
        raise InvalidJson(f"the number {error}... is out of range", text.find(str(error))) from None
    except RecursionError:
        raise InvalidJson("nested too deeply", 0) from None
    if containers > _DEEPEST and _is_too_deep(value):
        raise InvalidJson("nested too deeply", 0)
    if _ESCAPE_OF_THAT_RANGE.search(text):
        for match in _SURROGATE_ESCAPES.finditer(text):
            if match[1]:
                raise InvalidJson(f"{match[1]} is half of a surrogate pair", match.start(1))
    return value


def _is_too_deep(value: Any) -> bool:
    # A tuple, because making a union of the types anew for each value takes longer than asking.
    kinds = (dict, list)
    depth = 0
    level: list[Any] = [[value]]
    while level:
        depth += 1
        if depth > _DEEPEST + 1:
            return True
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) in kinds
        ]
    return False

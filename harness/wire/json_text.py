"""JSON as Sentry reads it: stricter than Python's own reader."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

# In order: an escaped backslash, a proper surrogate pair, and what remains is a surrogate on its own (group 1).
_SURROGATE_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
# A first look, by far quicker than that: most payloads have no such escape.
_ESCAPE_OF_THAT_RANGE = re.compile(r"\\u[dD]")
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


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


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
        InvalidJson: The text is not JSON, or nested too deeply to be read.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(error.msg, error.pos) from None
    except _NonFiniteNumber as error:
        place = next(match.start(1) for match in _STRINGS_AND_CONSTANTS.finditer(text) if match[1])
        raise InvalidJson(f"{error} is not a JSON number", place) from None
    except RecursionError:
        raise InvalidJson("nested too deeply", 0) from None
    except ValueError as error:
        # The interpreter's guard against integers of many thousand digits.
        raise InvalidJson(str(error), 0) from None
    if _ESCAPE_OF_THAT_RANGE.search(text):
        for match in _SURROGATE_ESCAPES.finditer(text):
            if match[1]:
                raise InvalidJson(f"{match[1]} is half of a surrogate pair", match.start(1))
    return value

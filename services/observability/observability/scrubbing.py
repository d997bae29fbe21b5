"""Taking secrets out of what is about to be sent, by the names under which they are kept.

Sentry scrubs what it receives, which is too late: by then the secret has left the house. The SDK's own scrubber runs
here, but knows neither the headers of this platform nor what is inside a local variable: the headers of an ASGI scope
are a list of pairs, and whatever is nested deeper than the SDK goes is the text of a `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

from sentry_sdk.types import Event, Hint, Log, Metric

FILTERED = "[Filtered]"
_LONGEST_REMEMBERED = 200

_WORDS = frozenset(
    {
        "apikey",
        "authorization",
        "card",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "cvc",
        "cvv",
        "email",
        "iban",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "secrets",
        "token",
    }
)
_PAIRS_OF_WORDS = frozenset({("access", "key"), ("api", "key"), ("e", "mail"), ("private", "key")})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_NOTHING: tuple[Any, ...] = ("", "''", "None", "True", "False", [], {})

# These say what runs, not what it works on; `_meta` mirrors the event's keys with remarks of the SDK.
_NOT_DATA = frozenset({"_meta", "debug_meta", "modules", "sdk"})
_SOURCE_LINES = frozenset({"context_line", "pre_context", "post_context"})

_NAME = r"[A-Za-z_][\w.-]*"
# A quote inside a text that is itself quoted is escaped. Without a bound, a long run of backslashes would be read
# again from each of them.
_QUOTE = r"\\{0,16}['\"]"
_FLAT = r"[^\[\](){}]*"
_MENTION = re.compile("|".join([*_WORDS, *(".?".join(pair) for pair in _PAIRS_OF_WORDS)]), re.IGNORECASE)
_BEFORE_VALUE = re.compile(
    rf"(?P<quote>{_QUOTE})(?P<of_dict>{_NAME})(?P=quote)\s*:\s*"
    rf"|[(\[]\s*b?(?P<quote_of_pair>{_QUOTE})(?P<of_pair>{_NAME})(?P=quote_of_pair)\s*,\s*"
    rf"|(?<![\w.-])(?P<of_field>{_NAME})="
    r"|(?<![\w-])(?P<of_header>(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]+):[ \t]+",
    re.IGNORECASE,
)
# A quote with more backslashes than the opening one is part of the text, and a text that was cut short has no closing
# quote. What is empty or a mere yes or no is no secret.
_VALUE = re.compile(
    r"(?!(?:None|True|False|null|true|false)\b|\[\]|\(\)|\{\})"
    rf"(?:b?(?P<quote>{_QUOTE}).*?(?:(?<!\\)(?P=quote)|\Z)"
    rf"|[\[({{]{_FLAT}(?:[\[({{]{_FLAT}[\])}}]{_FLAT})*[\])}}]?"
    r"|<[^<>]*>?"
    r"|[^\s,;&)\]}'\"]+)",
    re.DOTALL,
)
# Base64 of `{"`, with which the first part begins and, unless it is encrypted, the second. In an address each
# character may be percent-encoded, and an address inside of another one is encoded again.
_ENCODED = r"%(?:25)*"
_CHARACTER = rf"[\w-]|{_ENCODED}(?i:2d|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])"
_BEGIN = rf"(?:e|{_ENCODED}65)(?:y|{_ENCODED}79)(?:J|{_ENCODED}4[aA])"
_TOKEN = re.compile(rf"{_BEGIN}(?:{_CHARACTER}){{8,}}(?:(?:\.|{_ENCODED}2[eE])(?:{_CHARACTER})*)*", re.ASCII)
_REST_OF_LINE = re.compile(r"(?:(?!\\{1,16}[rn])[^\r\n])+")


def scrub_event(event: Event, _hint: Hint) -> Event:
    """Give an event or a transaction without its secrets; a `before_send` and `before_send_transaction`."""
    kept = {key: value if key in _NOT_DATA else _scrub(key, value) for key, value in event.items()}
    return cast("Event", kept)


def scrub_log(log: Log, _hint: Hint) -> Log:
    """Give a log record without its secrets; a `before_send_log`."""
    return cast("Log", scrub(log))


def scrub_metric(metric: Metric, _hint: Hint) -> Metric:
    """Give a metric without its secrets; a `before_send_metric`."""
    return cast("Metric", scrub(metric))


def scrub(value: Any) -> Any:
    """Give a JSON value with `[Filtered]` in place of everything that has the name of a secret.

    Names are keys of mappings, the first of two in a list, and, inside of texts, what stands before a value in the
    `repr` of a mapping, a pair or a dataclass, in JSON, in a query string and in a header.
    """
    if isinstance(value, str):
        value = hide_tokens(value)
        return _scrub_text(value) if _MENTION.search(value) else value
    if isinstance(value, Mapping):
        is_frame = "lineno" in value
        return {
            key: inner if is_frame and key in _SOURCE_LINES else _scrub(key, inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str):
            return [scrub(value[0]), _scrub(value[0], value[1])]
        return [scrub(inner) for inner in value]
    return value


def hide_tokens(text: str) -> str:
    """A text without JWTs (RFC 7519), whole ones or what is left of one, whatever they are called."""
    return _TOKEN.sub(FILTERED, text) if "eyJ" in text or "%" in text else text


def holds_token(text: str) -> bool:
    """Whether a JWT, or what is left of one, is somewhere in a text."""
    return _TOKEN.search(text) is not None


def names_a_secret(name: str) -> bool:
    """Whether a name, such as `X-Api-Key`, `cardNumber` or `b'cookie'`, is one under which secrets are kept."""
    # Long ones come from clients, and would take up memory for as long as the process lives.
    return _names_a_secret(name) if len(name) <= _LONGEST_REMEMBERED else _find_secret_word(name)


def _find_secret_word(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return not _WORDS.isdisjoint(words) or not _PAIRS_OF_WORDS.isdisjoint(pairwise(words))


_names_a_secret = lru_cache(maxsize=4096)(_find_secret_word)


def _scrub(name: str, value: Any) -> Any:
    says_nothing = value is None or isinstance(value, bool) or value in _NOTHING
    return FILTERED if not says_nothing and names_a_secret(name) else scrub(value)


def _scrub_text(text: str) -> str:
    parts = []
    done = 0
    for match in _BEFORE_VALUE.finditer(text):
        if match.start() < done or not names_a_secret(match[str(match.lastgroup)]):
            continue
        form = _REST_OF_LINE if match.lastgroup == "of_header" else _VALUE
        value = form.match(text, match.end())
        if value is not None:
            quote = value.groupdict().get("quote") or ""
            parts += [text[done : match.end()], quote, FILTERED, quote]
            done = value.end()
    return "".join([*parts, text[done:]])

"""Who sends: the five ways in which an SDK presents its key, under Relay's rules."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

_SCHEME_SENTRY = "sentry "
_SCHEME_BASIC = "basic "
# Relay holds it in 16 bits.
_VERSION_DIGITS = 5


class AuthError(ValueError):
    """A request does not say properly who sends it; Relay answers 401."""


class MissingCredentials(AuthError):
    """A request carries no key."""


class ConflictingCredentials(AuthError):
    """A request carries keys in more than one way."""


class InvalidCredentials(AuthError):
    """A request states a protocol version that is not a number."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request says about its sender.

    Attributes:
        public_key: Public key of the DSN.
        version: Protocol version that the client speaks (7 today), None when it does not say.
        client: Name and version of the SDK, such as `sentry.python/2.75.0`, None when it does not say.
    """

    public_key: str
    version: int | None = None
    client: str | None = None


def find_credentials(
    headers: Mapping[str, str] | Iterable[tuple[str, str]], query: str, path_key: str | None = None
) -> Credentials:
    """Find the one set of credentials that a request carries.

    The rules are those of Relay (`extractors/request_meta.rs`): the headers `X-Sentry-Auth: Sentry ...` and
    `Authorization: Sentry ...`, HTTP Basic with the key as user name, `sentry_key` in the query, and the key as part
    of the path. A header with another scheme is not Sentry's and is passed over; any `sentry_` in the query counts as
    the fourth way.

    Args:
        headers: Names (in any case) and values of the request's headers; of a repeated name the first counts.
        query: The query string, without its `?`.
        path_key: The key that the path contains, on the endpoints that have it there.

    Returns:
        The credentials.

    Raises:
        MissingCredentials: There is no key.
        ConflictingCredentials: More than one way is used, even if the keys agree.
        InvalidCredentials: The version is not a number.
    """
    own, authorization = _auth_headers(headers)
    found: list[tuple[str, dict[str, str]]] = []
    for name, value in (("the X-Sentry-Auth header", own), ("the Authorization header", authorization)):
        if value[: len(_SCHEME_SENTRY)].lower() == _SCHEME_SENTRY:
            found.append((name, _pairs(value[len(_SCHEME_SENTRY) :])))
    user = _basic_user(authorization)
    if user:
        found.append(("the Authorization header", {"sentry_key": user}))
    if "sentry_" in query:
        found.append(("the query", dict(parse_qsl(query, keep_blank_values=True))))
    if path_key is not None:
        found.append(("the path", {"sentry_key": path_key}))
    if len(found) > 1:
        places = " and ".join(place for place, _ in found)
        raise ConflictingCredentials(f"the request carries a Sentry key in more than one way: in {places}")
    if not found:
        raise MissingCredentials(
            "no Sentry key: neither in X-Sentry-Auth nor in Authorization nor as sentry_key in the query"
        )
    return _credentials(*found[0])


def _auth_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Values of `X-Sentry-Auth` and `Authorization`, empty when missing."""
    own: str | None = None
    authorization: str | None = None
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        lowered = name.lower()
        if lowered == "x-sentry-auth" and own is None:
            own = value
        elif lowered == "authorization" and authorization is None:
            authorization = value
    return own or "", authorization or ""


def _pairs(text: str) -> dict[str, str]:
    """Take apart `sentry_key=..., sentry_version=...`."""
    pairs = {}
    for member in text.split(","):
        name, separator, value = member.partition("=")
        if separator:
            pairs[name.strip()] = value.strip()
    return pairs


def _basic_user(authorization: str) -> str | None:
    if authorization[: len(_SCHEME_BASIC)].lower() != _SCHEME_BASIC:
        return None
    try:
        decoded = base64.b64decode(authorization[len(_SCHEME_BASIC) :], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    user, separator, _ = decoded.partition(":")
    return user if separator else None


def _credentials(place: str, pairs: Mapping[str, str]) -> Credentials:
    # Flags may follow the key after a dot, such as `key.no-cache`.
    public_key = pairs.get("sentry_key", "").partition(".")[0]
    if not public_key:
        raise MissingCredentials(f"{place} speaks of Sentry but has no sentry_key")
    version = pairs.get("sentry_version")
    if version is None:
        return Credentials(public_key, None, pairs.get("sentry_client"))
    # Ancient clients send "2.0".
    major = version.partition(".")[0]
    if not (major.isascii() and major.isdigit() and len(major) <= _VERSION_DIGITS):
        raise InvalidCredentials(
            f"{place} has the sentry_version {version[:20]!r}, which is not a number of a version"
        )
    return Credentials(public_key, int(major), pairs.get("sentry_client"))

"""What every request to the fleet carries to be let in: the tables ``[fleet.headers]`` and ``[fleet.token]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.fleet.configuration import Table
from harness.fleet.placeholders import fill_in_environment

DEFAULT_LIFETIME = 300.0
MADE_FOR_EACH = ("iat", "exp", "jti")
"""Claims that every token gets anew."""

# RFC 9110, section 5.6.2.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN_KEYS = ("key", "algorithm", "header", "lifetime", "scopes", "claims")
_ALGORITHMS = ("EdDSA", "ES256", "ES384", "ES512", "PS256", "RS256")


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """How the harness proves who it is: a JWT (RFC 7519) of its own for every request.

    Args:
        key: file with the private key, PEM, not encrypted; absolute.
        algorithm: one of JWA's asymmetric ones.
        header: where the token goes; in ``Authorization`` it follows the word ``Bearer``.
        lifetime: seconds from ``iat`` to ``exp``.
        claims: all further claims.
    """

    key: Path
    algorithm: str
    header: str
    lifetime: float
    claims: Mapping[str, Any]

    def header_value(self, token: str) -> str:
        """A token as its header holds it (RFC 6750, section 2.1, for ``Authorization``)."""
        return f"Bearer {token}" if self.header.lower() == "authorization" else token


@dataclass(frozen=True, slots=True)
class Access:
    """What lets a request in; by default nothing is needed.

    Args:
        headers: fixed headers, variables of the environment filled in; their values are not to be shown.
        token: the token that each request gets, if any.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: TokenSpec | None = None


def read_access(path: Path, fleet: Table) -> Access:
    """Read the two tables of a configuration.

    Args:
        path: the configuration, absolute.
        fleet: its table ``[fleet]``.

    Raises:
        ConfigurationError: one of them is not as it should be, or needs a variable that is not set.
    """
    headers = {
        name: _header(fleet, f"headers.{name}", name, template) for name, template in fleet.texts("headers").items()
    }
    values = fleet.table("token")
    token = None if values == {} else _token(path, Table(f"{path}, [fleet.token]", values, _TOKEN_KEYS))
    if token is not None and token.header.lower() in map(str.lower, headers):
        raise fleet.complain(f"headers.{token.header}", "is also the header of [fleet.token]; leave one of them out.")
    return Access(headers, token)


def _header(fleet: Table, key: str, name: str, template: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise fleet.complain(key, "is no name of a header.")
    value = fill_in_environment(fleet, key, template)
    # http.client would refuse it with every request, and show it in doing so.
    if not value.isprintable() or value != value.strip() or not value.isascii():
        raise fleet.complain(key, "has a value with blanks around it, line breaks or other than ASCII characters.")
    return value


def _token(path: Path, table: Table) -> TokenSpec:
    key = table.text("key")
    if key is None:
        raise table.complain("key", "is missing: name the file with the private key.")
    algorithm = table.text("algorithm") or _ALGORITHMS[0]
    if algorithm not in _ALGORITHMS:
        raise table.complain("algorithm", f"must be one of {', '.join(_ALGORITHMS)}, not '{algorithm}'.")
    header = table.text("header") or "Authorization"
    if not _HEADER_NAME.fullmatch(header):
        raise table.complain("header", f"is no name of a header: {header!r}.")
    claims = table.table("claims")
    if not isinstance(claims, dict):
        raise table.complain("claims", 'must be a table like { sub = "harness", aud = "shop" }.')
    scopes = table.words("scopes")
    for claim, value in claims.items():
        if claim in MADE_FOR_EACH:
            raise table.complain(f"claims.{claim}", "is made anew for every token; see 'lifetime'.")
        if claim == "scope" and scopes:
            raise table.complain("claims.scope", "is what 'scopes' gives; leave one of them out.")
        if not _is_json(value):
            raise table.complain(f"claims.{claim}", "must be text, a number, true or false, or a list of these.")
    if scopes:
        claims = {**claims, "scope": " ".join(scopes)}
    lifetime = table.seconds("lifetime", DEFAULT_LIFETIME)
    return TokenSpec(path.parent / key, algorithm, header, lifetime, claims)


def _is_json(value: object) -> bool:
    # TOML's dates and times have no counterpart in a JWT.
    return all(map(_is_json, value)) if isinstance(value, list) else isinstance(value, str | int | float)

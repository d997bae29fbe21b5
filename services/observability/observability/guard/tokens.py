"""Who asks: short-lived signed tokens (RFC 7519), checked against the public keys of a file (RFC 7517)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from observability.guard.watched_file import WatchedFile, read_json

AUDIENCE = "debug-endpoints"
LONGEST_TOKEN_BYTES = 4096
LONGEST_LIFE_SECONDS = 900
LEEWAY_SECONDS = 5
LONGEST_SUBJECT = 128

_BEARER = re.compile(r"(?i:bearer) +(eyJ[A-Za-z0-9_.-]+)")
_ALGORITHMS = {("OKP", "Ed25519"): "EdDSA", ("EC", "P-256"): "ES256"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks for, and what it allows."""

    sub: str
    jti: str | None
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signs tokens, and the one algorithm it does so with."""

    kid: str | None
    algorithm: str
    key: jwt.PyJWK


class TokenCheck:
    """Tells good tokens from others."""

    def __init__(self, path: Path) -> None:
        """Open the keys.

        Raises:
            ValueError: the file is missing, unreadable, or not a JWKS with public keys of the two kinds.
        """
        self._file = WatchedFile(path, "DEBUG_KEYS_FILE", parse_keys)
        self._file.load()

    def identify(self, authorization: Sequence[str]) -> Identity | None:
        """Check the headers `Authorization` of a request; None for whatever is not exactly one good token."""
        if len(authorization) != 1 or len(authorization[0]) > LONGEST_TOKEN_BYTES + len("Bearer "):
            return None
        bearer = _BEARER.fullmatch(authorization[0])
        if bearer is None:
            return None
        try:
            return self._verify(bearer[1])
        except (jwt.PyJWTError, ValueError, RecursionError):
            # Why a token is refused is nobody's business but its owner's, who has it.
            return None

    def _verify(self, token: str) -> Identity | None:
        header = jwt.get_unverified_header(token)
        # None of these is left to what a version of PyJWT makes of it.
        if "crit" in header or header.get("b64", True) is not True or not isinstance(header.get("kid", ""), str):
            return None
        for candidate in self._file.read() or ():
            if candidate.algorithm != header.get("alg") or header.get("kid", candidate.kid) != candidate.kid:
                continue
            try:
                claims = jwt.decode(
                    token,
                    candidate.key,
                    algorithms=[candidate.algorithm],
                    audience=AUDIENCE,
                    leeway=LEEWAY_SECONDS,
                    options={"require": ["sub", "aud", "iat", "exp"]},
                )
            except jwt.InvalidSignatureError:
                continue
            return _identity_of(claims)
        return None


def _identity_of(claims: Mapping[str, Any]) -> Identity | None:
    """Judge claims whose signature, audience and end are checked."""
    sub, jti, scope = claims["sub"], claims.get("jti"), claims.get("scope", "")
    issued, expires = claims["iat"], claims["exp"]
    is_sound = (
        0 < len(sub) <= LONGEST_SUBJECT
        and sub.isprintable()
        and (jti or "").isprintable()
        and isinstance(scope, str)
        # PyJWT reads a time out of a text or a yes as well.
        and type(issued) in {int, float}
        and type(expires) in {int, float}
        and expires - issued <= LONGEST_LIFE_SECONDS
        and issued <= time.time() + LEEWAY_SECONDS
    )
    return Identity(sub, jti, frozenset(scope.split(" "))) if is_sound else None


def parse_keys(text: str) -> tuple[PublicKey, ...]:
    """Read a JWKS.

    Raises:
        ValueError: it has no keys, or one that is not a public key of Ed25519 or P-256.
    """
    file = read_json(text)
    keys = file.get("keys") if isinstance(file, dict) else None
    if not isinstance(keys, list) or not keys:
        raise ValueError('keys must be a JWKS such as {"keys": [...]} with at least one key')
    return tuple(_key_of(jwk) for jwk in keys)


def _key_of(jwk: Any) -> PublicKey:
    kind = (jwk.get("kty"), jwk.get("crv")) if isinstance(jwk, dict) else None
    algorithm = next((name for known, name in _ALGORITHMS.items() if known == kind), None)
    if algorithm is None:
        raise ValueError("every key must be an Ed25519 (OKP) or a P-256 (EC) key")
    if "d" in jwk:
        raise ValueError(
            "every key must be a public one; this file has the private part of one, which belongs elsewhere"
        )
    kid = jwk.get("kid")
    operations = jwk.get("key_ops", ["verify"])
    is_for_signatures = (
        jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
    if not is_for_signatures or not isinstance(kid, str | None):
        raise ValueError(f"a key of curve {jwk['crv']} must be for signing with {algorithm}, and its kid a text")
    try:
        return PublicKey(kid, algorithm, jwt.PyJWK(jwk, algorithm))
    except (jwt.PyJWTError, TypeError) as problem:
        raise ValueError(f"a key of curve {jwk['crv']} is none: {problem}") from problem

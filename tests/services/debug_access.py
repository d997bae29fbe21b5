"""What a caller of the debug endpoints needs: a key pair, its JWKS, a file of flags, and tokens."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

ALL_SCOPES = ("debug:read", "debug:crash", "debug:load")

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


def p256_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def public_jwk(key: PrivateKey, **more: str) -> dict[str, Any]:
    if isinstance(key, Ed25519PrivateKey):
        return {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), **more}
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), **more}


def write_anew(path: Path, text: str) -> None:
    """Replace a file in one step, as tools that deploy settings do."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)  # noqa: PTH105 - says what it is about


@dataclass
class DebugAccess:
    """The files of one guard, in a directory of their own."""

    directory: Path
    key: PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.flags_file = self.directory / "flags.json"
        self.keys_file = self.directory / "jwks.json"
        self.switch()
        self.publish(self.key)

    @property
    def environment(self) -> dict[str, str]:
        """A limit that is in nobody's way, for tests of something else."""
        return {
            "DEBUG_FLAGS_FILE": str(self.flags_file),
            "DEBUG_KEYS_FILE": str(self.keys_file),
            "DEBUG_RATE_LIMIT": "10000/minute",
        }

    def switch(self, **flags: bool) -> None:
        """Set flags; `debug` itself is on unless given. Dots of a key are written as `__`."""
        states = {"debug": True, **{key.replace("__", "."): on for key, on in flags.items()}}
        variants = {"on": True, "off": False}
        document = {
            key: {"state": "ENABLED", "variants": variants, "defaultVariant": "on" if on else "off"}
            for key, on in states.items()
        }
        write_anew(self.flags_file, json.dumps({"flags": document}))

    def publish(self, *keys: PrivateKey) -> None:
        write_anew(self.keys_file, json.dumps({"keys": [public_jwk(key) for key in keys]}))

    def token(
        self,
        scopes: tuple[str, ...] = ALL_SCOPES,
        *,
        key: PrivateKey | None = None,
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A good token, but for what is given; a claim that is None is left out."""
        signer = key or self.key
        now = int(time.time())
        payload = {
            "sub": "tester",
            "aud": "debug-endpoints",
            "iat": now,
            "exp": now + 300,
            "jti": "token-1",
            "scope": " ".join(scopes),
            **claims,
        }
        known = {name: value for name, value in payload.items() if value is not None}
        algorithm = "EdDSA" if isinstance(signer, Ed25519PrivateKey) else "ES256"
        # PyJWT refuses to sign some of what must be refused.
        return jwt.PyJWS().encode(json.dumps(known).encode(), signer, algorithm, headers)

    def headers(self, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(**claims)}"}

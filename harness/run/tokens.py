"""Signed tokens and their key pair; needs PyJWT, which is installed only where somebody wants tokens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from harness.fleet.access import TokenSpec
from harness.fleet.configuration import ConfigurationError


class Signer:
    """Makes tokens as a configuration describes them.

    Args:
        spec: the configuration.

    Raises:
        ConfigurationError: there is no such key, it does not fit the algorithm, or PyJWT is not installed.
    """

    def __init__(self, spec: TokenSpec) -> None:
        self._spec = spec
        self._jwt = _pyjwt()
        try:
            key = spec.key.read_bytes()
        except FileNotFoundError:
            raise ConfigurationError(
                f"[fleet.token]: the private key {spec.key} does not exist. The project's set-up should make it; "
                f"'sentry-harness keys {spec.key.parent}' makes an Ed25519 one."
            ) from None
        except OSError as problem:
            raise ConfigurationError(f"[fleet.token]: {spec.key} cannot be read: {problem}.") from None
        algorithm = self._jwt.get_algorithm_by_name(spec.algorithm)
        try:
            self._key = algorithm.prepare_key(key)
            self.sign()
        # PyJWT and cryptography have no common ancestor for what they think of a key.
        except Exception as problem:
            raise ConfigurationError(
                f"[fleet.token]: {spec.key} is no unencrypted private key for {spec.algorithm}: {problem}"
            ) from problem

    def sign(self, claims: Mapping[str, Any] | None = None) -> str:
        """A fresh token.

        Args:
            claims: claims that it has beside, or instead of, the configured ones; None leaves one out.
        """
        now = int(time.time())
        made = {"iat": now, "exp": now + int(self._spec.lifetime), "jti": uuid4().hex}
        wanted = {**self._spec.claims, **made, **(claims or {})}
        present = {name: value for name, value in wanted.items() if value is not None}
        token: str = self._jwt.encode(present, self._key, algorithm=self._spec.algorithm)
        return token


def write_key_pair(directory: Path) -> tuple[Path, Path]:
    """Make an Ed25519 key pair: the private key as PEM for ``[fleet.token]``, the public one as a JWKS (RFC 7517).

    Args:
        directory: where ``key.pem`` and ``jwks.json`` are written; made if missing.

    Returns:
        The two files.

    Raises:
        ConfigurationError: there is one already, or PyJWT is not installed.
    """
    jwt = _pyjwt()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    directory.mkdir(parents=True, exist_ok=True)
    private, public = directory / "key.pem", directory / "jwks.json"
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    described = jwt.get_algorithm_by_name("EdDSA").to_jwk(key.public_key(), as_dict=True)
    try:
        # Readable by its owner alone from the first moment on.
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{private} exists already and may be in use; delete it first to get another one."
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    public.write_text(json.dumps({"keys": [{**described, "alg": "EdDSA", "use": "sig"}]}, indent=2) + "\n")
    return private, public


def _pyjwt() -> ModuleType:
    try:
        import cryptography  # noqa: F401 - PyJWT does without it until a key is read
        import jwt
    except ImportError as problem:
        raise ConfigurationError(
            "Tokens need PyJWT with cryptography: pip install 'sentry-verification-harness[token]'."
        ) from problem
    return jwt

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.fleet.access import TokenSpec
from harness.fleet.configuration import ConfigurationError
from harness.run.tokens import Signer, write_key_pair

CLAIMS = {"sub": "me", "aud": "shop"}


def spec(key: Path, algorithm: str = "EdDSA") -> TokenSpec:
    return TokenSpec(key, algorithm, "Authorization", 60.0, CLAIMS)


def test_a_token_is_opened_by_the_public_key(tmp_path: Path) -> None:
    private, public = write_key_pair(tmp_path / "keys")
    key = jwt.PyJWKSet.from_dict(json.loads(public.read_text())).keys[0]
    signer = Signer(spec(private))
    first, second = (
        jwt.decode(signer.sign(), key, algorithms=["EdDSA"], audience="shop", options={"require": ["iat", "exp"]})
        for _ in range(2)
    )
    assert (first["sub"], first["exp"] - first["iat"]) == ("me", 60)
    assert first["jti"] != second["jti"]


def test_the_private_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    private, public = write_key_pair(tmp_path)
    before = private.read_bytes()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert "d" not in json.loads(public.read_text())["keys"][0]
    with pytest.raises(ConfigurationError, match=r"key\.pem exists already"):
        write_key_pair(tmp_path)
    assert private.read_bytes() == before


def test_claims_are_overridden_and_left_out(tmp_path: Path) -> None:
    private, _ = write_key_pair(tmp_path)
    token = Signer(spec(private)).sign({"sub": "you", "aud": None, "iat": 5, "scope": "a"})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "you"
    assert (claims["iat"], claims["scope"]) == (5, "a")
    assert "aud" not in claims


def test_another_algorithm_has_another_kind_of_key(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ec.pem").write_bytes(pem)
    token = Signer(spec(tmp_path / "ec.pem", "ES256")).sign()
    assert jwt.decode(token, key.public_key(), algorithms=["ES256"], audience="shop")["sub"] == "me"
    with pytest.raises(ConfigurationError, match=r"ec\.pem is no unencrypted private key for EdDSA"):
        Signer(spec(tmp_path / "ec.pem", "EdDSA"))


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nope\.pem does not exist.*set-up.*sentry-harness keys"):
        Signer(spec(tmp_path / "nope.pem"))


@pytest.mark.parametrize(
    "content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_something_else_is_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k.pem").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no unencrypted private key for EdDSA"):
        Signer(spec(tmp_path / "k.pem"))


def test_a_public_key_does_not_sign(tmp_path: Path) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "k.pem").write_bytes(pem)
    with pytest.raises(ConfigurationError, match="is no unencrypted private key for ES256"):
        Signer(spec(tmp_path / "k.pem", "ES256"))


def test_without_pyjwt_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ConfigurationError, match=r"sentry-verification-harness\[token\]"):
        Signer(spec(tmp_path / "k.pem"))

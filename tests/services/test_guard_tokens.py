from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from observability.guard.tokens import Identity, TokenCheck, parse_keys
from tests.services.debug_access import DebugAccess, p256_key, public_jwk, write_anew


@pytest.fixture
def access(tmp_path: Path) -> DebugAccess:
    return DebugAccess(tmp_path)


def identify(access: DebugAccess, *authorization: str) -> Identity | None:
    return TokenCheck(access.keys_file).identify(authorization)


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class TestGoodTokens:
    def test_says_who_asks_and_what_for(self, access: DebugAccess) -> None:
        token = access.token(("debug:read", "debug:load"), sub="ada", jti="t-1")
        expected = Identity("ada", "t-1", frozenset({"debug:read", "debug:load"}))
        assert identify(access, f"Bearer {token}") == expected
        assert identify(access, f"bearer {token}") == expected

    def test_both_algorithms_with_and_without_kid(self, access: DebugAccess) -> None:
        edwards, curve = Ed25519PrivateKey.generate(), p256_key()
        keys = [public_jwk(edwards, kid="a"), public_jwk(curve, kid="b"), public_jwk(access.key)]
        write_anew(access.keys_file, json.dumps({"keys": keys}))
        for key, headers in ((edwards, {"kid": "a"}), (curve, {"kid": "b"}), (curve, None), (access.key, None)):
            assert identify(access, f"Bearer {access.token(key=key, headers=headers)}") is not None
        assert identify(access, f"Bearer {access.token(key=edwards, headers={'kid': 'b'})}") is None

    def test_one_of_several_audiences(self, access: DebugAccess) -> None:
        assert identify(access, f"Bearer {access.token(aud=['debug-endpoints', 'other'])}") is not None

    def test_longest_life_and_leeway(self, access: DebugAccess) -> None:
        now = int(time.time())
        assert identify(access, f"Bearer {access.token(iat=now, exp=now + 900)}") is not None
        assert identify(access, f"Bearer {access.token(iat=now + 3, exp=now + 300)}") is not None
        assert identify(access, f"Bearer {access.token(iat=now - 100, exp=now - 2)}") is not None


NOW = int(time.time())


class TestBadTokens:
    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": None},
            {"sub": ""},
            {"sub": "x" * 129},
            {"sub": "line\nbreak"},
            {"sub": "\ud800"},
            {"sub": 7},
            {"aud": None},
            {"aud": "something-else"},
            {"iat": None},
            {"exp": None},
            {"iat": NOW - 1000, "exp": NOW - 100},
            {"iat": NOW, "exp": NOW + 901},
            {"iat": NOW + 3600, "exp": NOW + 4000},
            {"iat": str(NOW)},
            {"iat": True, "exp": 800},
            {"exp": float("inf")},
            {"iat": float("nan")},
            {"nbf": NOW + 3600},
            {"scope": ["debug:read"]},
            {"jti": 7},
            {"jti": "\udc00"},
            {"jti": "a\x1b[31m"},
            {"aud": ["something-else"]},
        ],
    )
    def test_claims(self, access: DebugAccess, claims: dict[str, Any]) -> None:
        assert identify(access, f"Bearer {access.token(**claims)}") is None

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": None},
            {"kid": None},
            {"kid": 7},
            {"crit": []},
            {"crit": None},
            {"crit": ["b64"], "b64": False},
            {"b64": False},
        ],
    )
    def test_headers(self, access: DebugAccess, header: dict[str, Any]) -> None:
        assert isinstance(access.key, Ed25519PrivateKey)
        signed = f"{segment({'alg': 'EdDSA', **header})}.{access.token().split('.')[1]}"
        signature = base64.urlsafe_b64encode(access.key.sign(signed.encode())).rstrip(b"=").decode()
        assert identify(access, f"Bearer {signed}.{signature}") is None

    def test_beginning_by_which_no_scrubber_knows_it(self, access: DebugAccess) -> None:
        assert isinstance(access.key, Ed25519PrivateKey)
        header = base64.urlsafe_b64encode(b'{ "alg": "EdDSA"}').rstrip(b"=").decode()
        signed = f"{header}.{access.token().split('.')[1]}"
        signature = base64.urlsafe_b64encode(access.key.sign(signed.encode())).rstrip(b"=").decode()
        assert identify(access, f"Bearer {signed}.{signature}") is None

    def test_unsigned(self, access: DebugAccess) -> None:
        header, payload, _ = access.token().split(".")
        for algorithm in ("none", "None", "NONE", ""):
            for signature in ("", header):
                forged = f"{segment({'alg': algorithm, 'typ': 'JWT'})}.{payload}.{signature}"
                assert identify(access, f"Bearer {forged}") is None

    def test_signed_with_the_public_key_as_a_secret(self, access: DebugAccess) -> None:
        payload = access.token().split(".")[1]
        public = access.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signed = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
        mac = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
        assert identify(access, f"Bearer {signed}.{mac}") is None

    def test_of_another_key_or_changed_or_with_the_algorithm_of_another_key(self, access: DebugAccess) -> None:
        header, payload, signature = access.token().split(".")
        richer = segment(
            {"sub": "eve", "aud": "debug-endpoints", "iat": NOW, "exp": NOW + 60, "scope": "debug:crash"}
        )
        for token in (
            access.token(key=Ed25519PrivateKey.generate()),
            access.token(key=p256_key()),
            f"{header}.{richer}.{signature}",
            f"{segment({'alg': 'ES256'})}.{payload}.{signature}",
            access.token(headers={"crit": ["exp"]}),
        ):
            assert identify(access, f"Bearer {token}") is None

    def test_malformed(self, access: DebugAccess) -> None:
        good = access.token()
        deep = base64.urlsafe_b64encode(b"[" * 2900).rstrip(b"=").decode()
        for value in (
            "",
            "Bearer",
            "Bearer ",
            f"Basic {good}",
            good,
            f"Bearer {good} x",
            f"Bearer {good}, Bearer {good}",
            f"Bearer\t{good}",
            f"Bearer {good}\u00e9",
            "Bearer ...",
            f"Bearer {deep}.a.b",
            f"Bearer {segment([1])}.{segment({})}.x",
        ):
            assert identify(access, value) is None, value

    def test_none_or_more_than_one_header(self, access: DebugAccess) -> None:
        good = f"Bearer {access.token()}"
        assert identify(access) is None
        assert identify(access, good, good) is None

    def test_the_longest_and_one_that_is_longer(self, access: DebugAccess) -> None:
        padding = "x" * (3072 - 3 * len(access.token(pad="")) // 4)
        fitting = [token for cut in range(40) if len(token := access.token(pad=padding[cut:])) <= 4096]
        assert len(fitting[0]) > 4090
        assert identify(access, f"Bearer {fitting[0]}") is not None
        assert identify(access, f"Bearer {access.token(pad=padding + 'x' * 20)}") is None


class TestKeys:
    def test_count_from_the_next_request_on(self, access: DebugAccess) -> None:
        check, fresh = TokenCheck(access.keys_file), p256_key()
        old, new = access.headers()["Authorization"], access.headers(key=fresh)["Authorization"]
        assert (check.identify([old]) is None, check.identify([new]) is None) == (False, True)
        access.publish(access.key, fresh)
        assert (check.identify([old]) is None, check.identify([new]) is None) == (False, False)
        access.publish(fresh)
        assert (check.identify([old]) is None, check.identify([new]) is None) == (True, False)
        write_anew(access.keys_file, "{")
        assert check.identify([new]) is None
        access.keys_file.unlink()
        assert check.identify([new]) is None
        access.publish(fresh)
        assert check.identify([new]) is not None

    @pytest.mark.parametrize(
        ("jwks", "complaint"),
        [
            ([], "at least one key"),
            ([{"kty": "RSA", "n": "AQAB", "e": "AQAB"}], "Ed25519"),
            ([{"kty": "oct", "k": "c2VjcmV0"}], "Ed25519"),
            ([{"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}], "Ed25519"),
            ([{"kty": ["OKP"], "crv": {}}], "Ed25519"),
            (["key"], "Ed25519"),
            ([{**public_jwk(p256_key()), "d": "AA"}], "public one"),
            ([{**public_jwk(p256_key()), "alg": "EdDSA"}], "ES256"),
            ([{**public_jwk(p256_key()), "use": "enc"}], "ES256"),
            ([{**public_jwk(p256_key()), "key_ops": ["sign"]}], "ES256"),
            ([{**public_jwk(p256_key()), "key_ops": []}], "ES256"),
            ([{**public_jwk(p256_key()), "key_ops": "verify"}], "ES256"),
            ([public_jwk(p256_key()), {**public_jwk(p256_key()), "use": "enc"}], "ES256"),
            ([{**public_jwk(p256_key()), "x": "AA"}], "is none"),
            ([{"kty": "OKP", "crv": "Ed25519", "x": 7}], "is none"),
            ([{"kty": "OKP", "crv": "Ed25519"}], "is none"),
        ],
    )
    def test_others_are_refused(self, jwks: list[Any], complaint: str) -> None:
        with pytest.raises(ValueError, match=complaint):
            parse_keys(json.dumps({"keys": jwks}))

    def test_for_verifying_are_taken(self) -> None:
        assert len(parse_keys(json.dumps({"keys": [{**public_jwk(p256_key()), "key_ops": ["verify"]}]}))) == 1

    def test_that_break_close_all_and_are_named_once(
        self, access: DebugAccess, caplog: pytest.LogCaptureFixture
    ) -> None:
        check, good = TokenCheck(access.keys_file), access.headers()["Authorization"]
        text = access.keys_file.read_bytes()
        for broken in (text.replace(b"]}", b', {"kty": "oct", "k": "AA"}]}'), text + b"\xff", text + b"\0"):
            caplog.clear()
            access.keys_file.write_bytes(broken)
            assert not any(check.identify([good]) for _ in range(3))
            assert len(caplog.records) == 1

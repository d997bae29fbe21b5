"""Everything that must not open a debug endpoint."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from scenarios.raw_http import Header

AUDIENCE = "debug-endpoints"
LONGEST = 4096

MakeToken = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Forger:
    """Makes tokens that are wrong in one way each.

    Args:
        token: makes good ones, with some claims changed.
        private: the key that signs these.
    """

    token: MakeToken
    private: ed25519.Ed25519PrivateKey

    @classmethod
    def of(cls, token: MakeToken, key: Path) -> Forger:
        """One who has the very key of the harness."""
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise TypeError(f"{key} is no Ed25519 key")
        return cls(token, private)

    def stranger(self) -> Forger:
        """One with a key of its own, and the same claims."""
        private = ed25519.Ed25519PrivateKey.generate()

        def token(**claims: Any) -> str:
            good = jwt.decode(self.token(**claims), options={"verify_signature": False})
            return jwt.encode(good, private, "EdDSA")

        return Forger(token, private)

    def wrong_claims(self) -> Iterator[tuple[str, str]]:
        """Rightly signed, but not to be accepted: name and token."""
        now = int(time.time())
        changes: dict[str, dict[str, Any]] = {
            "expired": {"iat": now - 600, "exp": now - 300},
            "issued in the future": {"iat": now + 60, "exp": now + 360},
            "not yet valid": {"nbf": now + 60},
            "too long-lived": {"iat": now, "exp": now + 901},
            "too long-lived, half of it gone": {"iat": now - 600, "exp": now + 600},
            "another audience": {"aud": "payments"},
            "several other audiences": {"aud": ["payments", "debug"]},
            "audience in capitals": {"aud": AUDIENCE.upper()},
            "no audience": {"aud": None},
            "no subject": {"sub": None},
            "no issue time": {"iat": None},
            "no expiry": {"exp": None},
            "empty subject": {"sub": ""},
            "long subject": {"sub": "s" * 129},
            "subject with a line break": {"sub": "a\nb"},
            "subject with a null": {"sub": "a\0b"},
            "subject is a number": {"sub": 7},
            "expiry is text": {"exp": str(now + 60)},
            "issue time is a list": {"iat": [now]},
            "expiry is true": {"exp": True},
            "longer than allowed": {"padding": "x" * LONGEST},
            "far longer than allowed": {"padding": "x" * 12_000},
        }
        for name, claims in changes.items():
            yield name, self.token(**claims)

    def wrong_signatures(self) -> Iterator[tuple[str, str]]:
        """Good claims, but not signed by whom they should be: name and token."""
        good = self.token()
        head, body, signature = good.split(".")
        claims = jwt.decode(good, options={"verify_signature": False})
        more = jwt.decode(self.token(sub="somebody-else"), options={"verify_signature": False})
        stranger = self.stranger().private
        public = self.private.public_key()
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        jwk = jwt.get_algorithm_by_name("EdDSA").to_jwk(stranger.public_key(), as_dict=True)
        yield "other key", jwt.encode(claims, stranger, "EdDSA")
        yield "other key, given along", jwt.encode(claims, stranger, "EdDSA", headers={"jwk": jwk})
        yield "other key of another kind", jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256")
        for algorithm in ("none", "None", "NONE", "nOnE"):
            for end in ("", signature):
                yield (
                    f"algorithm {algorithm} with {end[:1] or 'nothing'}",
                    f"{_part({'alg': algorithm})}.{body}.{end}",
                )
        for name, secret in (("raw", raw), ("PEM", pem), ("empty", b"")):
            yield f"HS256 with the public key: {name}", _hs256(claims, secret)
        yield "signature removed", f"{head}.{body}."
        yield "signature of another token", f"{head}.{_part(more)}.{signature}"
        yield "algorithm renamed", f"{_part({'alg': 'ES256'})}.{body}.{signature}"
        yield "critical extension", self.signed({"alg": "EdDSA", "crit": ["strict"], "strict": True}, claims)
        yield "no algorithm", self.signed({"typ": "JWT"}, claims)
        yield "algorithm is a list", self.signed({"alg": ["EdDSA"]}, claims)
        yield "claims are a list", self.signed({"alg": "EdDSA"}, [claims])
        yield "claims are null", self.signed({"alg": "EdDSA"}, None)
        yield "claims are no JSON", self.signed({"alg": "EdDSA"}, b"{not json")
        yield "claims are no UTF-8", self.signed({"alg": "EdDSA"}, b'{"sub": "\xff"}')
        yield "deeply nested claims", self.signed({"alg": "EdDSA"}, b"[" * 1500)
        yield "two parts", f"{head}.{body}"
        yield "four parts", f"{good}.{signature}"
        yield "five parts", f"{good}.a.b"
        yield "empty parts", ".."
        yield "no token at all", "debug"

    def malformed_headers(self) -> Iterator[tuple[str, list[Header]]]:
        """A good token, but not in one good header: name and headers."""
        good = self.token()
        yield "no header", []
        yield "a sandwich", [("Authorization", f"Bearer {good} {good}")]
        for value in ("", "Bearer", "Bearer ", good, f"Bearer{good}", f"Token {good}", f"Basic {good}"):
            yield f"value {value.replace(good, '<token>')!r}", [("Authorization", value)]
        yield "basic credentials", [("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())]
        yield "two good headers", [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")]
        yield "a bad one first", [("Authorization", "Bearer x"), ("authorization", f"Bearer {good}")]
        yield "a bad one last", [("Authorization", f"Bearer {good}"), ("AUTHORIZATION", "Bearer x")]
        yield "two in one", [("Authorization", f"Bearer {good}, Bearer {good}")]
        yield "quoted", [("Authorization", f'Bearer "{good}"')]
        yield "padded", [("Authorization", f"Bearer {good}==")]
        yield "UTF-8", [("Authorization", "Bearer " + good.replace(".", "\u2024"))]
        yield "Latin-1", [("Authorization", b"Bearer \xe9\xff" + good.encode())]
        yield "a null", [("Authorization", f"Bearer {good}\0".encode())]
        yield "a tab", [("Authorization", f"Bearer {good[:9]}\t{good[9:]}")]
        yield "a folded line", [("Authorization", f"Bearer\r\n {good}")]
        yield "100 kB", [("Authorization", "Bearer " + "a" * 100_000)]
        yield "another header", [("X-Authorization", f"Bearer {good}"), ("Cookie", f"token={good}")]
        yield "a proxy's header", [("Proxy-Authorization", f"Bearer {good}")]

    def signed(self, header: dict[str, Any], claims: object) -> str:
        """A token of any content, signed with the right key."""
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{_digits(self.private.sign(signed.encode()))}"


def _hs256(claims: dict[str, Any], secret: bytes) -> str:
    # PyJWT refuses to make such a token.
    signed = f"{_part({'alg': 'HS256'})}.{_part(claims)}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{signed}.{_digits(algorithm.sign(signed.encode(), secret))}"


def _part(content: object) -> str:
    return _digits(content if isinstance(content, bytes) else json.dumps(content).encode())


def _digits(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

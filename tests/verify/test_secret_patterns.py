from __future__ import annotations

import base64
import json

import pytest

from harness.verify.secret_patterns import find_secrets, passes_luhn

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "Q3EGRZX7PLMN4TQA"
TOKEN = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in (json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": "player-7"}), "signature-bytes")
)
NO_TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps({part: "HS256"}).encode()).decode().rstrip("=") for part in ("a", "b", "c")
)
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAz2bq8mPkV0pZk4w3m3\n-----END RSA PRIVATE KEY-----"


def kinds(text: str) -> list[str]:
    return [match.kind for match in find_secrets(text)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("api-key", f"key={AWS}"),
        ("api-key", "ASIA" + "Q3EGRZX7PLMN4TQA"),
        ("api-key", "AccountKey=" + "a1B2+/" * 14 + "cd==" + ";EndpointSuffix=x"),
        ("api-key", "AIza" + "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"),
        ("api-key", "GOCSPX-" + "a1B2c3D4" * 3 + "e5F6"),
        ("api-key", "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"),
        ("api-key", "github_pat_" + "11ABCDEFG0" * 5),
        ("api-key", "glpat-" + "abcdefghij1234567890"),
        ("api-key", "xoxb-" + "263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"),
        ("api-key", "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("api-key", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
        ("api-key", "rk_test_" + "4eC39HqLyjWDarjtT1zdp7dc"),
        ("api-key", "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789"),
        ("api-key", "pypi-AgE" + "IcHlwaS5vcmc" * 5),
        ("api-key", "sk-proj-" + "a1B2" * 6 + "T3BlbkFJ" + "a1B2" * 6),
        ("api-key", "sk-ant-" + "api03-" + "a1B2" * 6),
        ("api-key", "SG." + "ngeVfQFYQlKU0ufo8x5d1A" + ".TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"),
        ("api-key", "SK" + "0123456789abcdef" * 2),
        ("api-key", "sntrys_" + "eyJpYXQiOjE2ODczMzY1NDMuNjk4NTksInVybCI6bnVsbH0"),
        ("api-key", "hvs." + "CAESIJ1a2b3c4d5e6f7g8h9i0j"),
        ("private-key", KEY),
        ("private-key", repr(KEY)),
        ("json-web-token", f"Bearer {TOKEN}"),
        ("url-password", "postgres://app:s3cr3t!pass@db.internal:5432/app"),
        ("url-password", "redis://:hunter22@cache:6379/0"),
        ("card-number", "card 4111 1111 1111 1111 declined"),
        ("card-number", "4111-1111-1111-1111"),
        ("card-number", "pan=4111111111111111."),
        ("card-number", "/pay/5555555555554444/confirm"),
        ("card-number", "2223003122003222"),
        ("card-number", "3782 822463 10005"),
        ("card-number", "378282246310005"),
        ("card-number", "30569309025904"),
        ("card-number", "6011111111111117"),
        ("card-number", "3530111333300000"),
        ("card-number", "6200000000000005"),
    ],
)
def test_what_has_the_form_of_a_secret(kind: str, text: str) -> None:
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit is wrong
        "0af7651916cd43dd8448eb211c80319c-4111111111111111-1",  # sentry-trace
        "0af7651916cd43dd8448eb211c80319c-4111111111111111",
        "411111111111116",  # no issuer has this length
        "51111111111111",
        "a4111111111111111",  # hexadecimal
        "4111111111111111a",
        "0.4111111111111111",
        "4111111111111111.5",
        "+378282246310005",  # a telephone number
        "4111 1111-1111 1111",  # no card is printed so
        "41111111111111111",
        "1795478567472",  # milliseconds
        "1795478567472000000",  # nanoseconds
        "9111111111111111",  # no issuer
        "postgres://app:[Filtered]@db/app",
        "postgres://app:***@db/app",
        "postgres://{user}:{password}@{host}/app",
        "https://app:%5BFiltered%5D@db/app",
        "https://public@sentry.invalid/42",
        "http://localhost:3000/@vite/client",
        "file:///app/node_modules/.pnpm/next@15.0:1/x.js",
        "webpack-internal:///(rsc)/./a.js:1:2@x",
        "-----BEGIN PRIVATE KEY-----",  # only the marker, as in the source of a library
        'b"-----BEGIN OPENSSH PRIVATE KEY-----" in data',
        NO_TOKEN,
        f"x{AWS}",
        AWS[:-1],
        "task-ant-colony-optimisation-of-the-year",
        "4f2a" * 10,
    ],
)
def test_what_has_not(text: str) -> None:
    assert kinds(text) == []


def test_a_hint_shows_too_little_to_use_it() -> None:
    shown = {match.kind: match.hint for match in find_secrets(f"{AWS} 4111111111111111 amqp://app:s3cr3t@mq/")}
    assert shown == {"api-key": "AKIA…", "card-number": "…1111", "url-password": "…"}


@pytest.mark.parametrize(("digits", "valid"), [("79927398713", True), ("79927398710", False), ("0", True)])
def test_luhn(digits: str, valid: bool) -> None:
    assert passes_luhn(digits) is valid

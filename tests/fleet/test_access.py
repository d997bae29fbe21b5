"""What lets requests in, as `harness.toml` says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.fleet.access import Access, TokenSpec
from harness.fleet.spec import ConfigurationError, load_fleet_spec

SERVICE = '\n[service.shop]\ncommand = ["x"]\n'


def read(tmp_path: Path, text: str) -> Access:
    (tmp_path / "harness.toml").write_text(text + SERVICE)
    return load_fleet_spec(tmp_path / "harness.toml").access


def test_nothing_is_needed_by_default(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Access({}, None)


def test_headers_take_variables_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "k-{1}")
    access = read(tmp_path, '[fleet.headers]\nX-Team = "checkout"\nX-Key = "v1:{env.SHOP_KEY}"\nX-Brace = "{{}}"')
    assert access.headers == {"X-Team": "checkout", "X-Key": "v1:k-{1}", "X-Brace": "{}"}
    assert "k-{1}" not in repr(access)


def test_a_token_needs_no_more_than_a_key(tmp_path: Path) -> None:
    token = read(tmp_path, '[fleet.token]\nkey = "k.pem"').token
    assert token == TokenSpec(tmp_path / "k.pem", "EdDSA", "Authorization", 300.0, {})
    assert token.header_value("t") == "Bearer t"


def test_everything_about_a_token_can_be_said(tmp_path: Path) -> None:
    token = read(
        tmp_path,
        '[fleet.token]\nkey = "/keys/k.pem"\nalgorithm = "ES256"\nheader = "X-Token"\nlifetime = 60\n'
        'scopes = ["a", "b"]\nclaims = { sub = "me", aud = ["x", "y"], admin = false, level = 3 }',
    ).token
    claims = {"sub": "me", "aud": ["x", "y"], "admin": False, "level": 3, "scope": "a b"}
    assert token == TokenSpec(Path("/keys/k.pem"), "ES256", "X-Token", 60.0, claims)
    assert token.header_value("t") == "t"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[fleet]\nheaders = 3", r"\[fleet\]: 'headers' must be a table of strings, not a number"),
        ("[fleet.headers]\nX-A = 3", "'headers.X-A' must be a string"),
        ('[fleet.headers]\n"X A" = "b"', "'headers.X A' is no name of a header"),
        ('[fleet.headers]\nX-A = "{env.NOT_THERE}"', "needs the environment variable NOT_THERE, which is not set"),
        ('[fleet.headers]\nX-A = "{NOT_THERE}"', r"unknown placeholder '\{NOT_THERE\}'.*written \{env.NAME\}"),
        ('[fleet.headers]\nX-A = "a\\nb"', "'headers.X-A' has a value with"),
        ('[fleet.headers]\nX-A = " a"', "'headers.X-A' has a value with"),
        ('[fleet.headers]\nX-A = "ü"', "'headers.X-A' has a value with"),
        ("[fleet]\ntoken = 3", r"\[fleet.token\] must be a table"),
        ('[fleet.token]\nkye = "a"', "unknown key 'kye'. Did you mean 'key'"),
        ("[fleet.token]\nlifetime = 3", "'key' is missing: name the file"),
        ('[fleet.token]\nkey = "a"\nalgorithm = "HS256"', "'algorithm' must be one of EdDSA, .* not 'HS256'"),
        ('[fleet.token]\nkey = "a"\nheader = "a b"', "'header' is no name of a header"),
        ('[fleet.token]\nkey = "a"\nlifetime = 0', "'lifetime' must be a number of seconds"),
        ('[fleet.token]\nkey = "a"\nscopes = "a"', "'scopes' must be a list of strings"),
        ('[fleet.token]\nkey = "a"\nclaims = "a"', "'claims' must be a table"),
        ('[fleet.token]\nkey = "a"\nclaims = { exp = 3 }', "'claims.exp' is made anew for every token"),
        ('[fleet.token]\nkey = "a"\nclaims = { at = 2026-01-01 }', "'claims.at' must be text"),
        ('[fleet.token]\nkey = "a"\nscopes = ["a"]\nclaims = { scope = "b" }', "leave one of them out"),
        ('[fleet.token]\nkey = "a"\n[fleet.headers]\nauthorization = "b"', "also the header of"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "harness.toml") in str(caught.value)

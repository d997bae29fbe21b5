from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from harness.fleet.access import Access, TokenSpec
from harness.run.authenticating import SHOWN_AS, Authenticator
from harness.run.marking import new_marks
from harness.run.scenario import InvalidScenario, make_trigger
from harness.run.tokens import write_key_pair

MARKS = new_marks(with_canaries=True)


def authenticator(tmp_path: Path, header: str = "Authorization") -> Authenticator:
    private, _ = write_key_pair(tmp_path)
    return Authenticator(Access({}, TokenSpec(private, "EdDSA", header, 60.0, {"sub": "me"})))


def test_without_access_a_request_is_as_it_was() -> None:
    free = Authenticator(Access())
    assert free.let_in(make_trigger("shop", "GET /x"), MARKS) == MARKS
    assert free.headers() == {}
    assert free.secrets == {}


def test_every_trigger_has_a_token_of_its_own_and_its_value_is_a_secret(tmp_path: Path) -> None:
    signing = authenticator(tmp_path)
    first, second = (signing.let_in(make_trigger("shop", "GET /x"), MARKS) for _ in range(2))
    assert first.headers["Authorization"] == f"Bearer {first.secrets[SHOWN_AS]}"
    assert first.secrets[SHOWN_AS] != second.secrets[SHOWN_AS]
    assert first.headers["Cookie"] == MARKS.headers["Cookie"]
    assert signing.headers()["Authorization"].startswith("Bearer ey")


def test_a_header_of_its_own_takes_the_bare_token(tmp_path: Path) -> None:
    marks = authenticator(tmp_path, "X-Token").let_in(make_trigger("shop", "GET /x"), MARKS)
    assert marks.headers["X-Token"] == marks.secrets[SHOWN_AS]
    assert marks.headers["Authorization"] == MARKS.headers["Authorization"]


def test_a_trigger_with_claims_has_them(tmp_path: Path) -> None:
    marks = authenticator(tmp_path).let_in(make_trigger("shop", "GET /x", claims={"sub": None, "scope": "a"}), MARKS)
    claims = jwt.decode(marks.secrets[SHOWN_AS], options={"verify_signature": False})
    assert claims["scope"] == "a"
    assert "sub" not in claims


@pytest.mark.parametrize("value", ["Bearer mine", None])
def test_no_token_is_made_for_a_trigger_that_brings_its_own_header(tmp_path: Path, value: str | None) -> None:
    marks = authenticator(tmp_path).let_in(make_trigger("shop", "GET /x", headers={"authorization": value}), MARKS)
    assert SHOWN_AS not in marks.secrets


def test_claims_without_tokens_are_a_mistake() -> None:
    with pytest.raises(InvalidScenario, match=r"shop GET /x: 'claims' need a \[fleet.token\]"):
        Authenticator(Access()).let_in(make_trigger("shop", "GET /x", claims={"a": 1}), MARKS)
    with pytest.raises(InvalidScenario, match=r"no \[fleet.token\]"):
        Authenticator(Access()).token({})


def test_fixed_headers_win_over_marks_and_what_opens_something_is_secret() -> None:
    fixed = Authenticator(Access({"Authorization": "Bearer abcdefgh", "X-Api-Key": "k-123456", "X-Team": "checkout"}))
    marks = fixed.let_in(make_trigger("shop", "GET /x"), MARKS)
    assert (marks.headers["Authorization"], marks.headers["X-Team"]) == ("Bearer abcdefgh", "checkout")
    assert fixed.secrets == {"the header Authorization": "abcdefgh", "the header X-Api-Key": "k-123456"}

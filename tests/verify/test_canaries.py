from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verify.canaries import SHORTEST, CanarySearch, canaries

SECRETS = st.text(min_size=SHORTEST, max_size=40).filter(lambda text: text.isprintable())


@given(secret=SECRETS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_every_form_is_recognised_inside_other_text(secret: str, before: bytes, after: bytes) -> None:
    (canary,) = canaries({"token": secret}.items())
    packed = before + secret.encode() + after
    for form in (
        secret,
        json.dumps({"body": secret}),
        json.dumps({"body": secret}, ensure_ascii=False),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret.islower() else quote(secret),
        quote_plus(secret),
        base64.b64encode(packed).decode(),
        base64.urlsafe_b64encode(packed).decode(),
    ):
        assert canary.is_in(f"<{form}>"), form


@pytest.mark.parametrize("text", ["", "hunter", "aHVudGVy", "hunter3"])
def test_other_text_is_not_recognised(text: str) -> None:
    (canary,) = canaries({"password": "hunter2!"}.items())
    assert not canary.is_in(text)


def test_a_secret_too_short_to_be_told_from_chance_is_not_looked_for() -> None:
    assert canaries({"cvv": "737", "empty": ""}.items()) == ()


def test_a_hidden_secret_is_replaced_by_its_name_in_every_form() -> None:
    (canary,) = canaries({"session cookie": "s3cr3t/value"}.items())
    hidden = canary.hide("a s3cr3t/value b s3cr3t%2Fvalue c s3cr3t%2fvalue")
    assert hidden == "a [session cookie] b [session cookie] c [session cookie]"


def test_a_canary_does_not_show_itself() -> None:
    (canary,) = canaries({"session cookie": "s3cr3t/value"}.items())
    assert "s3cr3t" not in repr(canary)


@given(chosen=st.sets(st.integers(0, 199), max_size=5), padding=st.integers(0, 1 << 17))
def test_among_many_secrets_those_of_a_text_are_found_in_any_form(chosen: set[int], padding: int) -> None:
    known = canaries((f"key {number}", f"canary.{number * 7919:06x}@example.com") for number in range(200))
    forms = [known[number].forms[number % len(known[number].forms)] for number in sorted(chosen)]
    text = " ".join(["canary.@example.com", *forms[:1], "x" * padding, *forms[1:]])
    assert CanarySearch(known).found_in(text) == [known[number] for number in sorted(chosen)]


def test_the_same_secret_of_many_triggers_is_one() -> None:
    assert len(canaries([("card", "4000 0000"), ("card", "4000 0000"), ("key", "4000 0000")])) == 2

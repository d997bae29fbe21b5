"""Credentials: five ways to present a key, and exactly one of them a request."""

from __future__ import annotations

import base64
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.utils import Dsn as SdkDsn

from harness.wire import (
    AuthError,
    ConflictingCredentials,
    Credentials,
    InvalidCredentials,
    MissingCredentials,
    find_credentials,
)

SENTRY = "Sentry sentry_key=abc, sentry_version=7, sentry_client=sentry.python/2.75.0"
BASIC = "Basic " + base64.b64encode(b"abc:").decode()
QUERY = "sentry_version=7&sentry_key=abc&sentry_client=sentry.javascript.node%2F11.12.0"

FORMS: list[tuple[list[tuple[str, str]], str, str | None]] = [
    ([("x-sentry-auth", SENTRY)], "", None),
    ([("authorization", SENTRY)], "", None),
    ([("authorization", BASIC)], "", None),
    ([], QUERY, None),
    ([], "", "abc"),
]


@pytest.mark.parametrize(("headers", "query", "path_key"), FORMS)
def test_each_form_alone_gives_the_key(headers: list[tuple[str, str]], query: str, path_key: str | None) -> None:
    assert find_credentials(headers, query, path_key).public_key == "abc"
    assert find_credentials(dict(headers), query, path_key).public_key == "abc"


# A request has one Authorization header, so these two forms cannot meet.
NEVER_TOGETHER = (FORMS[1], FORMS[2])


@pytest.mark.parametrize(("one", "other"), [pair for pair in combinations(FORMS, 2) if pair != NEVER_TOGETHER])
def test_two_forms_conflict_even_when_they_agree(
    one: tuple[list[tuple[str, str]], str, str | None], other: tuple[list[tuple[str, str]], str, str | None]
) -> None:
    with pytest.raises(ConflictingCredentials, match=r"in more than one way: in .+ and "):
        find_credentials([*one[0], *other[0]], one[1] or other[1], one[2] or other[2])


@pytest.mark.parametrize(("query", "path_key"), [("sentry_version=7", None), ("", "")])
def test_a_form_without_its_key_conflicts_too(query: str, path_key: str | None) -> None:
    with pytest.raises(ConflictingCredentials):
        find_credentials([("x-sentry-auth", SENTRY)], query, path_key)


@pytest.mark.parametrize("name", ["X-Sentry-Auth", "Authorization"])
def test_the_first_of_a_repeated_header_counts(name: str) -> None:
    headers = [(name, "Sentry sentry_key=first"), (name, "Sentry sentry_key=second")]
    assert find_credentials(headers, "").public_key == "first"


def test_version_and_client() -> None:
    assert find_credentials([("X-Sentry-Auth", SENTRY)], "") == Credentials("abc", 7, "sentry.python/2.75.0")
    assert find_credentials([], QUERY) == Credentials("abc", 7, "sentry.javascript.node/11.12.0")
    assert find_credentials([("Authorization", BASIC)], "") == Credentials("abc", None, None)


def test_the_real_sdks_header_is_read() -> None:
    header = SdkDsn("http://abc@localhost/1").to_auth("sentry.python/2.75.0").to_header()
    assert find_credentials([("x-sentry-auth", header)], "") == Credentials("abc", 7, "sentry.python/2.75.0")


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        ("sentry sentry_key=abc", Credentials("abc")),
        ("SENTRY sentry_version=2.0,sentry_key=abc,", Credentials("abc", 2)),
        ("Sentry sentry_key = abc , nonsense, sentry_secret=s", Credentials("abc")),
        ("Sentry sentry_key=abc.no-cache", Credentials("abc")),
    ],
)
def test_spellings_of_the_sentry_header(header: str, credentials: Credentials) -> None:
    assert find_credentials([("x-sentry-auth", header)], "") == credentials


@pytest.mark.parametrize(
    ("headers", "query", "path_key"),
    [
        ([], "", None),
        ([], "key=abc", None),
        ([], "sentry_version=7", None),
        ([], "sentry_key=", None),
        ([], "", ""),
        ([("x-sentry-auth", "Bearer abc")], "", None),
        ([("x-sentry-auth", "Sentry")], "", None),
        ([("x-sentry-auth", "Sentry sentry_version=7")], "", None),
        ([("authorization", "Bearer abc")], "", None),
        ([("authorization", "Basic not-base64!")], "", None),
        ([("authorization", "Basic YWJj!Og==")], "", None),
        ([("authorization", "Basic ÄÖÜ")], "", None),
        ([("authorization", "Basic " + base64.b64encode(b"no colon").decode())], "", None),
        ([("authorization", "Basic " + base64.b64encode(b":password").decode())], "", None),
        ([("authorization", "Basic " + base64.b64encode(b"\xff:").decode())], "", None),
    ],
)
def test_no_key_is_missing(headers: list[tuple[str, str]], query: str, path_key: str | None) -> None:
    with pytest.raises(MissingCredentials, match=r"no (Sentry key|sentry_key)"):
        find_credentials(headers, query, path_key)


def test_the_header_of_another_scheme_is_passed_over() -> None:
    assert find_credentials([("authorization", "Bearer application-token")], QUERY).public_key == "abc"


@pytest.mark.parametrize("version", ["seven", "", "-7", ".5"])
def test_a_version_must_be_a_number(version: str) -> None:
    with pytest.raises(InvalidCredentials, match="which is not a number"):
        find_credentials([], f"sentry_key=abc&sentry_version={version}")


@pytest.mark.parametrize("version", ["9" * 6, "9" * 5000])
def test_a_version_that_relay_cannot_hold_is_none(version: str) -> None:
    with pytest.raises(InvalidCredentials, match="which is not a number") as refused:
        find_credentials([], f"sentry_key=abc&sentry_version={version}")
    assert len(str(refused.value)) < 200


@given(
    key=st.text("abcdef0123456789", min_size=1),
    version=st.none() | st.integers(0, 99999),
    client=st.none() | st.text("abc./-0123", min_size=1),
    way=st.sampled_from(["x-sentry-auth", "authorization", "query"]),
)
def test_credentials_are_read_as_they_were_written(
    key: str, version: int | None, client: str | None, way: str
) -> None:
    values = {"sentry_key": key, "sentry_version": version, "sentry_client": client}
    pairs = [f"{name}={value}" for name, value in values.items() if value is not None]
    headers = [] if way == "query" else [(way, "Sentry " + ", ".join(pairs))]
    assert find_credentials(headers, "&".join(pairs) if way == "query" else "") == Credentials(key, version, client)


@given(st.text(max_size=200), st.text(max_size=200))
def test_arbitrary_texts_never_do_more_than_be_refused(value: str, query: str) -> None:
    for name in ("x-sentry-auth", "authorization"):
        try:
            assert find_credentials([(name, value)], query).public_key
        except AuthError as error:
            assert str(error)  # noqa: PT017 - any of them will do


def test_all_errors_can_be_caught_as_one() -> None:
    assert all(
        issubclass(error, AuthError) for error in (MissingCredentials, ConflictingCredentials, InvalidCredentials)
    )

"""DSNs: taken apart and put together as SDKs do it."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.consts import EndpointType
from sentry_sdk.utils import Dsn as SdkDsn

from harness.wire import Dsn, InvalidDsn

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
DSNS = st.builds(
    Dsn,
    scheme=st.sampled_from(["http", "https"]),
    public_key=WORDS,
    secret_key=st.none() | WORDS,
    host=st.sampled_from(["localhost", "127.0.0.1", "::1", "o42.ingest.sentry.io", "relay.example.com"]),
    port=st.none() | st.integers(min_value=1, max_value=65535),
    path=st.lists(WORDS, max_size=2).map("/".join),
    project_id=st.integers(min_value=0, max_value=2**63).map(str),
)


@given(DSNS)
def test_parsing_what_was_written_gives_the_same(dsn: Dsn) -> None:
    assert Dsn.parse(str(dsn)) == dsn


@given(DSNS.filter(lambda dsn: ":" not in dsn.host and dsn.port not in (80, 443)))
def test_the_real_sdk_reads_it_alike(dsn: Dsn) -> None:
    auth = SdkDsn(str(dsn)).to_auth("test/1")
    assert auth.get_api_url(EndpointType.ENVELOPE) == dsn.envelope_url
    assert SdkDsn(str(dsn)).org_id == dsn.org_id
    assert auth.public_key == dsn.public_key


def test_parts() -> None:
    dsn = Dsn.parse("https://public:secret@O42.ingest.sentry.io:8443/behind/proxy/17")
    assert dsn == Dsn("https", "public", "secret", "o42.ingest.sentry.io", 8443, "/behind/proxy/", "17")
    assert dsn.netloc == "o42.ingest.sentry.io:8443"
    assert dsn.envelope_url == "https://o42.ingest.sentry.io:8443/behind/proxy/api/17/envelope/"
    assert dsn.org_id == "42"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("http://key@localhost/1", "http://key@localhost/1"),
        ("http://key:@localhost/1", "http://key@localhost/1"),
        ("http://key@localhost:80/1/", "http://key@localhost:80/1"),
        ("http://key@[::1]:9000/1", "http://key@[::1]:9000/1"),
        (" http://key@localhost/1 \n", "http://key@localhost/1"),
        ("http://key@localhost/1?timeout=2", "http://key@localhost/1"),
    ],
)
def test_spellings(text: str, canonical: str) -> None:
    assert str(Dsn.parse(text)) == canonical
    assert Dsn.parse(text) == Dsn.parse(canonical)


@pytest.mark.parametrize("host", ["localhost", "o.ingest.sentry.io", "org42.sentry.io", "x.o42.sentry.io", "o42"])
def test_hosts_that_name_no_organization(host: str) -> None:
    assert Dsn.parse(f"https://key@{host}/1").org_id is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the scheme must be http or https"),
        ("ftp://key@host/1", "the scheme must be http or https"),
        ("key@host/1", "the scheme must be http or https"),
        ("http://host/1", "the public key is missing"),
        ("http://:secret@host/1", "the public key is missing"),
        ("http://key@/1", "the host is missing"),
        ("http://key@:80/1", "the host is missing"),
        ("http://key@host", "the path must end in the number of a project"),
        ("http://key@host/", "the path must end in the number of a project"),
        ("http://key@host/name", "the path must end in the number of a project"),
        ("http://key@host/1/name", "the path must end in the number of a project"),
        ("http://key@host/-1", "the path must end in the number of a project"),
        ("http://key@host/\N{SUPERSCRIPT TWO}", "the path must end in the number of a project"),
        ("http://key@host:port/1", "Port could not be cast"),
        ("http://key@host:99999/1", "Port out of range"),
        ("http://key@[::1/1", "Invalid IPv6 URL"),
    ],
)
def test_what_is_not_a_dsn_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidDsn) as refused:
        Dsn.parse(text)
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"{text!r} is not a DSN (scheme://key@host/project): ")
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)

"""What must hold for any request: an answer that Relay might give, never a failure of the collector."""

from __future__ import annotations

from http import HTTPStatus

from harness.collector.inbox import Inbox
from harness.collector.ingest import Ingest
from harness.collector.injecting import Faults
from harness.collector.messages import Request
from harness.collector.projects import Projects
from tests.fuzz.choices import Choices
from tests.fuzz.envelopes import varied

KEY = "0123456789abcdef"
_METHODS = ("POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE")
_PATHS = (
    "/api/1/envelope/",
    "/",
    "/api/1/store/",
    "/api/store/",
    "/api/1/security/",
    "/api/1/nel/",
    "/api/1/cron/a/",
    f"/api/1/cron/a/{KEY}/",
    "/api/1/minidump/",
    "/api/1/events/x/attachments/",
    "/api/1/unreal/k/",
    "/health",
    "/api/1/integration/otlp/v1/traces",
    "/api/%31/envelope",
    "//api///1//envelope",
    "/api/\xff/store/",
    "/api/%ff/nel/",
    f"/api/{'9' * 5000}/envelope/",
    "/%00",
    "/..",
    "",
)
_QUERIES = (
    "",
    f"sentry_key={KEY}",
    f"sentry_key={KEY}&sentry_version=7",
    "sentry_key=",
    "sentry_version=x",
    "sentry_key=%ff",
    f"sentry_key={KEY}&sentry_version={'9' * 5000}",
    f"sentry_key={KEY}&status=ok&duration=1e999",
    "sentry_data=eJw",
    f"sentry_key={KEY}&status=ok&duration={'9' * 5000}&check_in_id=x",
    "&" * 1000,
    "sentry_data=e30=&sentry_key=a",
)
_HEADERS = (
    ("x-sentry-auth", f"Sentry sentry_key={KEY}"),
    ("x-sentry-auth", "Sentry "),
    ("x-sentry-auth", "\xff\xfe"),
    ("authorization", f"Sentry sentry_key={KEY}, sentry_version=8"),
    ("authorization", "Basic ####"),
    ("authorization", "Basic " + "QQ==" * 100),
    ("content-type", "application/json"),
    ("content-type", ";;;"),
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "gzip"),
    ("content-encoding", "zstd, br"),
    ("content-encoding", "br"),
    ("content-encoding", "\xff"),
    ("content-encoding", ""),
    ("content-length", "x"),
)
_BODIES = (
    b"",
    b"{}",
    b"[]",
    b"[1,{}]",
    b"null",
    b"1e400",
    b"\xff",
    b"{" * 5000,
    b'{"event_id":7}',
    b"eJwDAAAAAAE=",
    b"e30=",
    b'{"status":"ok","check_in_id":[]}',
    b'{"status":{}}',
    b'{"event_id":"","type":[]}',
    b'{"a":' + b"9" * 5000 + b"}",
    b'{"dsn":"http://key@x/1"}\n',
    b'{"dsn":"http://[/1"}\n',
    b'{"dsn":7}\n',
    b'{"event_id":[]}\n{"type":"event"}\n{}',
)


def request(data: bytes) -> None:
    """Every request has its answer, and what was accepted can be read."""
    choices = Choices(data)
    key = KEY if choices.below(2) else None
    inbox = Inbox()
    ingest = Ingest(inbox, Projects(open_to_all=choices.below(2) == 0, key=key), Faults(), steerable=True)
    body = varied(choices).serialize() if choices.below(3) == 0 else choices.of((*_BODIES, data))
    headers = tuple(choices.of(_HEADERS) for _ in range(choices.below(4)))
    made = Request(1.0, choices.of(_METHODS), choices.of(_PATHS), choices.of(_QUERIES), headers, body)
    answer = ingest.answer(made)
    assert HTTPStatus(answer.status)
    assert answer.status != HTTPStatus.INTERNAL_SERVER_ERROR, ingest.refusals[0].detail
    assert len(inbox) <= 1
    if len(ingest.refusals) == 0 and answer.status in (200, 201, 202) and made.method in ("POST", "PUT"):
        assert len(inbox) == 1
    for arrival in inbox.arrivals():
        assert arrival.envelope is None or arrival.envelope.serialize()
        assert arrival.body is not None
    for refusal in ingest.refusals:
        assert str(refusal)

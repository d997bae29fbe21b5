from __future__ import annotations

import base64
import logging
import zlib
from typing import Any
from urllib.parse import quote

import pytest
import sentry_sdk
from sentry_sdk import logger

from harness.verify.checks.secrets import secrets, secrets_outside_traces
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from harness.wire.envelope import Envelope, Item
from tests.samples import (
    LOG_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    arrival,
    child_span,
    container,
    envelope,
    error,
    json_item,
    streamed_span,
    transaction,
)
from tests.verify.checks.capturing import codes, findings, of_sdk

PASSWORD = 'hunter2!"&x'
KNOWN = {"api password": PASSWORD}
# Put together, because the source lines around a stack frame are sent as well.
CARD = " ".join(["4111", *["1111"] * 3])


def fail(headers: list[tuple[str, str]]) -> None:
    raise LookupError(len(headers))


def found(*items: Item, known: dict[str, str] | None = None, **options: Any) -> list[Finding]:
    return findings(secrets, envelope(*items), secrets=KNOWN if known is None else known, **options)


def test_an_ordinary_trace_has_no_secrets() -> None:
    spans = [child_span("b" * 16, "a" * 16, "GET http://127.0.0.1:8080/spin?round=7")]
    assert found(error(), transaction(span_id="a" * 16, spans=spans)) == []


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (error(value=f"refused {PASSWORD}"), "$.exception.values[0].value"),
        (error(breadcrumbs={"values": [{"message": PASSWORD}]}), "$.breadcrumbs.values[0].message"),
        (error(request={"headers": {"Cookie": PASSWORD}}), "$.request.headers.Cookie"),
        (error(request={"data": {"note": PASSWORD}}), "$.request.data.note"),
        (error(tags={"tenant": PASSWORD}), "$.tags.tenant"),
        (error(contexts={"wallet": {PASSWORD: 1}}), "$.contexts.wallet['[api password]']"),
        (
            transaction(span_id="a" * 16, spans=[child_span("b" * 16, "a" * 16, "x", data={"db.user": PASSWORD})]),
            "$.spans[0].data['db.user']",
        ),
        (
            container(
                "span",
                SPAN_CONTENT,
                streamed_span("x", span_id="a" * 16, parent=None, attributes={"token": PASSWORD}),
            ),
            "$.items[0].attributes.token.value",
        ),
        (container("log", LOG_CONTENT, {"trace_id": TRACE, "body": PASSWORD}), "$.items[0].body"),
        (Item(headers={"type": "attachment", "filename": "x.log"}, payload=PASSWORD.encode()), "payload"),
    ],
)
def test_a_known_secret_is_found_wherever_it_leaves(item: Item, path: str) -> None:
    (finding,) = found(item)
    assert (finding.code, finding.path) == ("secrets.known.api-password", path)
    assert PASSWORD not in str(finding)
    assert "'api password' reaches Sentry" in finding.message


@pytest.mark.parametrize(
    "form",
    [
        f'{{"note": {PASSWORD!r}}}',
        '{"note": "hunter2!\\"&x"}',
        quote(PASSWORD),
        base64.b64encode(f"app:{PASSWORD}".encode()).decode(),
    ],
)
def test_a_known_secret_is_found_in_other_forms_and_never_shown(form: str) -> None:
    (finding,) = found(error(value=f"body was {form}"))
    assert finding.code == "secrets.known.api-password"
    assert form not in str(finding)
    assert PASSWORD not in str(finding)


def test_a_known_secret_in_a_replay_recording() -> None:
    recording = Item(
        headers={"type": "replay_recording"}, payload=b'{"segment_id":0}\n' + zlib.compress(b'[{"x":"hunter2!long"}]')
    )
    (finding,) = found(recording, known={"typed": "hunter2!long"})
    assert (finding.code, finding.path) == ("secrets.known.typed", "$[0].x")


def test_all_places_of_an_item_make_one_finding() -> None:
    crumbs = {"values": [{"message": PASSWORD} for _ in range(5)]}
    (finding,) = found(error(breadcrumbs=crumbs))
    assert finding.path == "$.breadcrumbs.values[0].message"
    assert "also at $.breadcrumbs.values[1].message, $.breadcrumbs.values[2].message and 2 more" in finding.message


def test_a_secret_inside_a_local_variable_of_the_real_sdk() -> None:
    def act() -> None:
        # The names `headers` and `x-note` tell the SDK's scrubber nothing.
        headers = [("x-note", CARD)]
        try:
            fail(headers)
        except LookupError:
            sentry_sdk.capture_exception()

    (finding,) = of_sdk(secrets, act)
    assert finding.code == "secrets.card-number"
    assert str(finding.path).endswith(".vars.headers[0][1]")
    assert "include_local_variables" in finding.message


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("secrets.card-number", f"card {CARD} declined"),
        ("secrets.api-key", "AKIA" + "Q3EGRZX7PLMN4TQA"),
        ("secrets.url-password", "cannot reach postgres://app:s3cr3t@db:5432/app"),
        ("secrets.private-key", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6\n"),
        ("secrets.json-web-token", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJwbGF5ZXItNyJ9.c2lnbmF0dXJl"),
    ],
)
def test_what_has_the_form_of_a_secret_is_found_and_not_shown(code: str, text: str) -> None:
    (finding,) = found(error(extra={"note": text}, value=f"quoting {text}"), known={})
    assert finding.code == code
    assert finding.path == "$.exception.values[0].value"
    assert "also at $.extra.note" in finding.message
    for word in text.split():
        assert len(word) < 16 or word not in str(finding)


def test_a_secret_is_reported_by_its_name_when_it_is_known() -> None:
    assert codes(found(error(value=CARD), known={"card number": CARD})) == ["secrets.known.card-number"]
    url = "postgres://app:s3cr3t@db:5432/app"
    assert codes(found(error(value=url), known={"DATABASE_URL": url})) == ["secrets.known.database-url"]


def test_another_url_with_a_known_password_is_found_by_its_form() -> None:
    known = {"DATABASE_URL": "postgres://app:s3cr3t@db:5432/app"}
    assert codes(found(error(value="amqp://app:s3cr3t@mq/"), known=known)) == ["secrets.url-password"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"contexts": {"wallet": {"card_number": 4111111111111111}}}, ["secrets.card-number"]),
        ({"contexts": {"clock": {"uptime": 4111111111111111}}}, []),
        ({"contexts": {"link": {"span_id": "4111111111111111"}}}, []),
        ({"tags": {"customer": "4111111111111111"}}, ["secrets.card-number"]),
        ({"user": {"id": "4111111111111111"}}, ["secrets.card-number"]),
    ],
)
def test_digits_that_are_ids_or_counters_are_no_card(payload: dict[str, Any], expected: list[str]) -> None:
    assert codes(found(error(**payload))) == expected


def test_a_span_id_of_digits_is_no_card_in_the_trace_header_that_names_it() -> None:
    span = "3530111333300000"
    request = {"headers": {"sentry-trace": f"{TRACE}-{span}-1"}}
    assert found(transaction(span_id="a" * 16, parent_span_id=span, request=request)) == []


def test_what_belongs_to_another_trace_is_left_to_its_own_scenario() -> None:
    logs = [{"trace_id": OTHER_TRACE, "body": PASSWORD}, {"trace_id": TRACE, "body": "nothing"}]
    assert found(container("log", LOG_CONTENT, *logs)) == []


def in_run(*sent: Envelope) -> list[Finding]:
    arrivals = tuple(arrival(number, held) for number, held in enumerate(sent))
    subject = RunSubject(
        arrivals,
        CheckSettings(),
        services_by_project={"1": "game"},
        traces=frozenset({TRACE}),
        secrets=tuple(KNOWN.items()),
    )
    return list(secrets_outside_traces.run(subject))


def test_the_run_looks_at_what_belongs_to_no_scenario() -> None:
    session = json_item("session", {"sid": "1", "did": PASSWORD})
    lost = error(trace_id=OTHER_TRACE, value=PASSWORD)
    inside = error(value=PASSWORD)
    found_in_run = in_run(envelope(session, trace_id=None), envelope(lost, trace_id=OTHER_TRACE), envelope(inside))
    assert [(finding.service, finding.path) for finding in found_in_run] == [
        ("game", "$.did"),
        ("game", "$.exception.values[0].value"),
    ]


def test_the_real_sdk_keeps_its_own_promises() -> None:
    def act() -> None:
        password = CARD
        logger.warning("spun {count} times", count=len(password))
        logging.getLogger("wallet").error("no funds")
        try:
            fail([])
        except LookupError:
            sentry_sdk.capture_exception()

    assert of_sdk(secrets, act, default_integrations=True, traces_sample_rate=1.0) == []


def test_the_real_sdk_sends_what_its_scrubber_does_not_know() -> None:
    def act() -> None:
        logger.warning("paid with " + CARD)
        with sentry_sdk.start_transaction(name="pay") as span:
            span.set_data("note", CARD)
        sentry_sdk.add_breadcrumb(message=CARD)
        sentry_sdk.capture_message("paid")

    found_places = {finding.path for finding in of_sdk(secrets, act, traces_sample_rate=1.0)}
    assert found_places == {"$.items[0].body", "$.contexts.trace.data.note", "$.breadcrumbs.values[0].message"}

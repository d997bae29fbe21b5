"""Debug endpoints are safe to ship: who may not use one learns nothing, changes nothing, and makes no noise.

See docs/production-safety.md for what each rule protects against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jwt
import pytest
from dirty_equals import IsStr

from harness.fixtures.capture import TriggerFixture
from harness.fixtures.fleet import RunningFleet
from harness.fleet.instance import StartFailure
from scenarios.bad_credentials import Forger
from scenarios.guarded import LOADS, SERVICES, WAYS, Guarded, guarded_fleet, service_of
from scenarios.raw_http import Answer, Header

# A server may refuse to read such a request at all, and then says 400 or 431, or hangs up.
UNREADABLE = {0, 400, 431}
TRICKS = [
    *("//debug/crash", "/%64ebug/crash", "/debug%2fcrash", "/debug%2Fcrash", "/DEBUG/CRASH", "/Debug/crash"),
    *("/debug/crash/", "/debug//crash", "/debug/./crash", "/debug/x/../crash", "/x/../debug/crash", "/./debug/crash"),
    *("/debug/crash;a=b", "/debug;a=b/crash", "/debug/crash%00", "/debug/crash%20", "/debug/crash.json"),
    *("/debug/crash?token=x", "/debug/crash#x", "/debug\\crash", "/%2e/debug/crash", "/debug/%2e%2e/debug/crash"),
    *("/debug", "/debug/", "//debug", "/%64ebug", "/DEBUG", "/debug?", "/debug%3f", "/debug/../debug"),
]
UNKNOWN = {"/debug/crash": "/debug/crasy", "/debug": "/debuk", "/debug/crash/": "/debug/crasy/"}
METHODS = ("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "GETT", "PROPFIND")
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL")

on_every_way = pytest.mark.parametrize("way", WAYS)
on_every_service = pytest.mark.parametrize("service", SERVICES)


def bearer(token: str) -> Header:
    return ("Authorization", f"Bearer {token}")


def assert_unauthorized(guarded: Guarded, way: str, cases: Iterable[tuple[str, list[Header]]]) -> None:
    """No case is let in, every answer is the same and tells nothing, and no error is reported."""
    since = guarded.mark()
    tried = 0
    let_in: dict[str, Answer] = {}
    for name, headers in cases:
        answer = guarded.ask(way, "/debug/crash", *headers)
        tried += 1
        if answer.status in UNREADABLE and b"Traceback" not in answer.body:
            continue
        expected = {"error": "unauthorized", "request_id": IsStr()}
        if (answer.status, answer.headers.get("www-authenticate")) != (401, "Bearer") or answer.json() != expected:
            let_in[name] = answer
    assert let_in == {}
    assert tried > 5
    assert "event" not in {kind for kind, _ in guarded.items(since)}


@on_every_way
def test_a_good_token_opens_an_endpoint(guarded: Guarded, way: str) -> None:
    assert guarded.call(way).status == 500
    manifest = guarded.call(way, "/debug", scope="debug:read").json()
    assert manifest["service"] == service_of(way)


@on_every_way
def test_a_malformed_header_is_refused(guarded: Guarded, forger: Forger, way: str) -> None:
    assert_unauthorized(guarded, way, forger.malformed_headers())


@on_every_way
def test_a_token_with_wrong_claims_is_refused(guarded: Guarded, forger: Forger, way: str) -> None:
    assert_unauthorized(guarded, way, ((name, [bearer(token)]) for name, token in forger.wrong_claims()))


@on_every_way
def test_a_token_that_is_not_rightly_signed_is_refused(guarded: Guarded, forger: Forger, way: str) -> None:
    assert_unauthorized(guarded, way, ((name, [bearer(token)]) for name, token in forger.wrong_signatures()))


@on_every_way
@pytest.mark.parametrize(
    ("target", "scope"),
    [
        ("/debug", "debug:crash debug:load"),
        ("/debug", ""),
        ("/debug", None),
        ("/debug/crash", "debug:read debug:load"),
        ("/debug/crash", "debug:crashes xdebug:crash debug:* * debug"),
        ("/debug/crash", "DEBUG:CRASH"),
        ("/debug/crash", "debug:read,debug:crash"),
        ("<load>", "debug:read debug:crash"),
    ],
)
def test_a_scope_opens_its_own_group_alone(guarded: Guarded, way: str, target: str, scope: str | None) -> None:
    if target == "<load>" and service_of(way) not in LOADS:
        pytest.skip("the gateway has no endpoint that is a load")
    answer = guarded.call(way, LOADS[service_of(way)] if target == "<load>" else target, scope=scope)
    assert (answer.status, answer.json()) == (403, {"error": "forbidden", "request_id": IsStr()})


@on_every_way
def test_no_way_of_writing_the_path_goes_round_the_guard(guarded: Guarded, way: str) -> None:
    since = guarded.mark()
    reached = {
        (target, prove): answer.status
        for target in TRICKS
        for prove in (False, True)
        for answer in [guarded.ask(way, target, *([bearer(guarded.fleet.token(scope="other"))] if prove else []))]
        if not (300 <= answer.status < 500 or answer.status in UNREADABLE)
    }
    assert reached == {}
    assert "event" not in {kind for kind, _ in guarded.items(since)}


@on_every_way
def test_no_other_method_goes_round_the_guard(guarded: Guarded, way: str) -> None:
    since = guarded.mark()
    statuses = {(method, ""): guarded.ask(way, "/debug/crash", method=method).status for method in METHODS}
    for name in OVERRIDES:
        value = "/debug/crash" if "URL" in name else "GET"
        statuses["POST", name] = guarded.ask(way, "/debug/crash", (name, value), method="POST").status
        statuses["GET", name] = guarded.ask(way, "/health", (name, value)).status if "URL" in name else 404
    harmless = {200, 204} | {status for status in statuses.values() if 400 <= status < 500 or status in UNREADABLE}
    assert {case: status for case, status in statuses.items() if status not in harmless} == {}
    assert "event" not in {kind for kind, _ in guarded.items(since)}


def flags(**states: bool) -> str:
    """A file of flagd's format; a double underscore stands for a dot."""
    return json.dumps(
        {
            "flags": {
                key.replace("__", "."): {
                    "state": "ENABLED",
                    "variants": {"on": True, "off": False},
                    "defaultVariant": "on" if on else "off",
                }
                for key, on in states.items()
            }
        }
    )


def wait_for(status: int, ask: Callable[[], Answer]) -> None:
    """Ask until the answer has a status; a service may take a moment to see that a file has changed."""
    for _ in range(2000):
        answer = ask()
        if answer.status == status:
            return
    raise AssertionError(f"still {answer.status}, not {status}: {answer.body!r}")


def without(answer: Answer, *texts: str) -> tuple[int, dict[str, str], str]:
    """An answer without what belongs to one request: ids, the time, and some texts."""
    body = re.sub(r'"request_id": ?"[^"]*"', "", answer.body.decode())
    for text in texts:
        body = body.replace(text, "<path>")
    own = ("date", "x-request-id", "etag")
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    return answer.status, {**headers, "content-length": ""}, body


@on_every_service
def test_flags_are_obeyed_without_a_restart(fleet: RunningFleet, service: str, tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(flags(debug=True))
    with guarded_fleet(fleet, {service: {"DEBUG_FLAGS_FILE": str(file)}}) as own:

        def ask() -> Answer:
            return own.ask(service, "/debug/crash")

        wait_for(401, ask)
        for content in [
            flags(debug=False),
            flags(),
            flags(debug=True, debug__crash=False),
            flags(debug=True, **{f"debug__{service}__crash": False}),
            '{"flags": {"debug": ',
            "[]",
            "null",
            "",
            flags(debug=True).replace("true", '"true"'),
            "\ufeff\0",
        ]:
            file.write_text(content)
            wait_for(404, ask)
            file.write_text(flags(debug=True))
            wait_for(401, ask)
        file.unlink()
        wait_for(404, ask)
        file.write_text(flags(debug=True, debug__load=False, **{f"debug__{service}__nothing": False}))
        wait_for(401, ask)
        assert own.fleet.log(service).count("debug endpoint") < 20


@on_every_service
def test_the_manifest_lists_what_is_switched_on(fleet: RunningFleet, service: str, tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(flags(debug=True, debug__crash=False))
    with guarded_fleet(fleet, {service: {"DEBUG_FLAGS_FILE": str(file)}}) as own:
        listed = own.call(service, "/debug", scope="debug:read").json()["endpoints"]
        assert listed
        assert "crash" not in {endpoint["group"] for endpoint in listed}
        path = next(endpoint["path"] for endpoint in listed if endpoint["method"] == "GET")
        assert own.call(service, path, scope="debug:read").status == 403


@on_every_service
def test_what_is_switched_off_is_like_what_never_was(fleet: RunningFleet, service: str, tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(flags(debug=False))
    with guarded_fleet(fleet, {service: {"DEBUG_FLAGS_FILE": str(file)}}) as own:
        headers: list[list[Header]] = [[], [bearer(fleet.token())], [("Authorization", "Bearer x")]]
        for path, unknown in UNKNOWN.items():
            requests = [(method, sent) for method in ("GET", "HEAD", "POST", "OPTIONS") for sent in headers]
            seen: list[list[object]] = []
            for asked in (path, unknown):
                since = own.mark()
                answers = [own.ask(service, asked, *sent, method=method) for method, sent in requests]
                assert {answer.status for answer in answers} <= {404, 405}
                seen.append([*(without(answer, asked) for answer in answers), *_shapes(own.items(since), asked)])
            assert seen[0] == seen[1]
        assert own.audit(service) == []


def _shapes(items: Iterable[tuple[str, bytes]], path: str) -> list[object]:
    """What was sent, without what differs between any two requests."""
    return [*sorted([kind, *_names(json.loads(payload), path)] for kind, payload in items if "session" not in kind)]


def _names(payload: dict[str, Any], path: str) -> list[str]:
    spans = [payload, *payload.get("spans", []), *payload.get("items", [])]
    named = [span.get("transaction") or span.get("name") or span.get("description") for span in spans]
    known = [*payload, *payload.get("tags", {}), *payload.get("contexts", {}).get("trace", {})]
    return [str(name).replace(path, "<path>") for name in [*named, *known]]


@on_every_service
def test_flags_without_keys_start_no_service(fleet: RunningFleet, service: str) -> None:
    with (
        pytest.raises(StartFailure, match=r"DEBUG_KEYS_FILE"),
        fleet.isolated(service, environment={service: {"DEBUG_KEYS_FILE": ""}}),
    ):
        pass


@on_every_service
@pytest.mark.parametrize("rate", ["60/day", "0/minute"])
def test_a_limit_that_cannot_be_meant_starts_no_service(fleet: RunningFleet, service: str, rate: str) -> None:
    with (
        pytest.raises(StartFailure, match=r"DEBUG_RATE_LIMIT"),
        fleet.isolated(service, environment={service: {"DEBUG_RATE_LIMIT": rate}}),
    ):
        pass


@on_every_service
def test_without_any_of_the_variables_there_are_no_debug_endpoints(fleet: RunningFleet, service: str) -> None:
    with guarded_fleet(fleet, {service: {"DEBUG_FLAGS_FILE": "", "DEBUG_KEYS_FILE": ""}}) as own:
        assert own.call(service, "/debug/crash").status == 404
        assert own.call(service, "/debug").status == 404
        assert own.ask(service, "/health").status == 200


@on_every_service
def test_another_key_counts_without_a_restart(
    fleet: RunningFleet, forger: Forger, service: str, tmp_path: Path
) -> None:
    keys = tmp_path / "jwks.json"
    to_jwk = jwt.get_algorithm_by_name("EdDSA").to_jwk
    known = {"keys": [to_jwk(forger.private.public_key(), as_dict=True)]}
    stranger = forger.stranger()
    keys.write_text(json.dumps(known))
    with guarded_fleet(fleet, {service: {"DEBUG_KEYS_FILE": str(keys)}}) as own:
        mine, theirs = bearer(fleet.token()), bearer(stranger.token())
        assert own.ask(service, "/debug", mine).status == 200
        assert own.ask(service, "/debug", theirs).status == 401
        keys.write_text(json.dumps({"keys": [to_jwk(stranger.private.public_key(), as_dict=True)]}))
        wait_for(401, lambda: own.ask(service, "/debug", mine))
        assert own.ask(service, "/debug", theirs).status == 200
        for broken in ("", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}'):
            keys.write_text(broken)
            wait_for(401, lambda: own.ask(service, "/debug", theirs))


@on_every_service
def test_a_token_is_nowhere_in_telemetry_or_log(guarded: Guarded, service: str) -> None:
    secrets = [guarded.fleet.token() for _ in range(3)]
    assert guarded.ask(service, "/debug/crash", bearer(secrets[0])).status == 500
    assert guarded.ask(service, "/debug", bearer(secrets[1]), ("X-Copy", "1")).status == 200
    assert guarded.ask(service, "/debug/crash", bearer(secrets[2] + "x")).status == 401
    seen = [(kind, payload.decode(errors="replace")) for kind, payload in guarded.items()]
    seen += [("line in the log", line) for line in guarded.fleet.log(service).splitlines()]
    assert [kind for kind, text in seen if "debug.trigger" in text]
    parts = [part for token in secrets for part in token.split(".")]
    # Nor may any be there that the other scenarios of this module were refused with: every token begins like this.
    found = [
        (kind, text[max(0, text.find(part) - 300) :][:400])
        for part in [*parts, "eyJ"]
        for kind, text in seen
        if part in text
    ]
    assert found == []


@on_every_service
def test_the_audit_says_who_did_what_and_what_came_of_it(trigger: TriggerFixture, service: str) -> None:
    capture = trigger(service, "GET /debug/crash", claims={"sub": "alice@example.com", "jti": "j-1"})
    log = capture.find_log(body="debug.trigger", service=service)
    told = {name: log.attributes.get(name) for name in ("sub", "jti", "endpoint", "group", "decision")}
    assert told == {
        "sub": "alice@example.com",
        "jti": "j-1",
        "endpoint": "/debug/crash",
        "group": "crash",
        "decision": "allowed",
    }
    assert log.attributes["event_id"] == capture.error().event_id
    assert log.attributes["request_id"] == capture.evidence.marker
    assert log.trace_id == capture.trace_id

"""The slot machine: its errors, its load, and a spin through four services."""

from __future__ import annotations

import pytest
from dirty_equals import IsInt, IsNumber, IsPartialDict, IsPositive, IsStr

from harness import loosen, scenario
from harness.fixtures.capture import TriggerFixture
from harness.verify.capture import Capture
from scenarios.expectations import check_breadcrumbs, check_memory, check_sender, milliseconds, runtime_contexts

GAME = {"game": "triple-cherry"}


@scenario("game-engine", "GET /debug/crash", status=500)
def test_crash(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json() == {"error": "internal server error", "request_id": capture.evidence.marker}
    assert error.type == "RuntimeError"
    assert error.value == IsStr(regex=r"round rnd_\w+ was paid out before and would be paid twice")
    assert (error.mechanism.type, error.handled, error.level) == ("tornado", False, "error")
    assert error.contexts == runtime_contexts("tornado")
    assert error.sdk["name"] == "sentry.python.tornado"
    assert [frame.in_app for frame in error.frames].count(True) >= 2
    check_sender(capture, error, "game-engine", "crash", **GAME)
    check_breadcrumbs(error, "lobby.enter", "round.open", "slot.spin")
    check_memory(capture, error)


@pytest.mark.parametrize(
    ("kind", "exception", "value", "last_breadcrumb"),
    [
        ("value", "ValueError", r'bet "ten" of round rnd_\w+ is not a number', "bet.place"),
        ("type", "TypeError", r"(?s)unsupported operand type.*during round rnd_\w+", "promotion.apply"),
        ("index", "IndexError", r"(?s)tuple index out of range.*during round rnd_\w+", "slot.spin"),
        ("key", "KeyError", r"'rnd_\w+'", "round.settle"),
        ("zero-division", "ZeroDivisionError", r"(?s)integer division.*during round rnd_\w+", "jackpot.due"),
        ("custom", "BetLimitExceeded", r"bet of 50000 cents in round rnd_\w+ is outside the limits.*", "bet.place"),
    ],
)
@scenario("game-engine", "GET /debug/error/{kind}", status=500)
def test_error(capture: Capture, kind: str, exception: str, value: str, last_breadcrumb: str) -> None:
    error = capture.error()
    assert error.type == exception
    assert error.value == IsStr(regex=value)
    assert (error.mechanism.type, error.handled, error.level) == ("tornado", False, "error")
    assert error.contexts == runtime_contexts("tornado")
    check_sender(capture, error, "game-engine", f"error.{kind}", **GAME)
    check_breadcrumbs(error, "lobby.enter", "round.open", last_breadcrumb)


@scenario("game-engine", "GET /debug/memory-leak")
def test_memory_leak(capture: Capture) -> None:
    message = capture.message()
    capture.no_error()
    assert message.level == "warning"
    assert message.message == IsStr(regex=r"Replay history grew by 4 MB in round rnd_\w+ .*")
    leak = message.contexts["memory_leak"]
    assert leak == {
        "before_mb": IsPositive,
        "after_mb": IsPositive,
        "growth_mb": IsNumber(ge=0, le=16),
        "retained_mb": IsInt(ge=4, le=64),
    }
    assert capture.response.json() == IsPartialDict(leak)
    check_sender(capture, message, "game-engine", "memory-leak", **GAME)
    check_breadcrumbs(message, "lobby.enter", "round.open", "history.retain")
    assert capture.metric(name="replay_history.retained").value == leak["retained_mb"]


@loosen("$.events[0].breadcrumbs[2].message", reason="how many rounds fit into the time is the machine's speed")
@scenario("game-engine", "GET /debug/cpu-spike")
def test_cpu_spike(capture: Capture) -> None:
    message = capture.message()
    capture.no_error()
    assert message.level == "warning"
    assert message.contexts["cpu_spike"] == IsPartialDict(requested_ms=250, wall_ms=milliseconds(249))
    assert message.contexts == runtime_contexts("tornado")
    check_sender(capture, message, "game-engine", "cpu-spike", **GAME)
    check_breadcrumbs(message, "lobby.enter", "round.open", "slot.simulate")
    assert capture.span(op="slot.simulate").duration_ms == milliseconds(240)
    profile = capture.profile()
    assert profile.service == "game-engine"
    assert profile.sample_count > 5
    assert any("simulate" in function for function in profile.functions)


@scenario("game-engine", "GET /debug/async-error", status=500)
def test_async_error(capture: Capture) -> None:
    error = capture.error()
    assert (error.mechanism.type, error.handled, error.level) == ("tornado", False, "error")
    check_sender(capture, error, "game-engine", "async-error", **GAME)
    assert [exception.type for exception in error.exceptions] == ["ValueError", "JackpotQuoteFailed"]
    check_breadcrumbs(error, "lobby.enter", "round.open", "jackpot.quote", "jackpot.quote", "jackpot.quote")
    assert [(crumb.data["feed"], crumb.level) for crumb in error.breadcrumbs[2:]] == [
        ("house", "info"),
        ("regional", "error"),
        ("progressive", "warning"),
    ]
    quotes = [span for span in capture.spans if span.op == "jackpot.quote"]
    assert sorted(span.name for span in quotes) == ["house", "progressive", "regional"]
    assert {span.parent_span_id for span in quotes} == {capture.trace.segment("game-engine").span_id}


@scenario("game-engine", "GET /debug/threading-error", status=500)
def test_threading_error(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json()["error"] == "the leaderboard could not be updated"
    assert error.type == "TypeError"
    assert (error.mechanism.type, error.handled, error.level) == ("threading", False, "error")
    check_sender(capture, error, "game-engine", "threading-error", worker="leaderboard", **GAME)
    check_breadcrumbs(error, "lobby.enter", "round.open", "leaderboard.update", "leaderboard.rank")


@loosen("$.logs['game-engine info Round *'].body", reason="the reels decide what the round pays")
@loosen("$.logs['payment info booked credit *']", reason="a round that pays nothing books no credit")
@loosen("$.metrics['payment *'].times", reason="a round that pays nothing books no credit")
@loosen("$..['payment http.server POST /process'].times", reason="a round that pays nothing books no credit")
@loosen(
    "$..['game-engine http.client POST http://<payment>/process'].times",
    reason="a round that pays nothing books no credit",
)
@scenario("game-engine", "POST /spin", json={"player_id": "player-spin", "bet_cents": 100})
def test_spin_is_one_trace_through_four_services(capture: Capture) -> None:
    outcome = capture.response.json()
    assert outcome == IsPartialDict(
        game="triple-cherry", bet_cents=100, payout_cents=IsInt(ge=0), balance_cents=IsInt
    )
    capture.no_error()
    capture.no_message()
    trace = capture.trace
    assert set(trace.services) == {"gateway", "game-engine", "payment", "analytics"}
    assert trace.unlinked == []
    for segment in trace.segments:
        ways = {
            "gateway": ["gateway"],
            "game-engine": ["gateway", "game-engine"],
            "payment": ["gateway", "game-engine", "payment"],
            "analytics": ["gateway", "game-engine", "analytics"],
        }
        assert trace.path_to(segment) == ways[segment.service or ""]
        assert segment.release == capture.facts(segment.service or "").release
        named = segment.tags.get("request_id") or segment.attributes["http.request.header.x-request-id"][0]
        assert named == capture.evidence.marker
    assert {span.op for span in capture.spans} >= {"slot.spin", "ledger.book", "db"}
    bookings = 1 if outcome["payout_cents"] == 0 else 2
    assert len([segment for segment in trace.segments if segment.service == "payment"]) == bookings
    played = capture.log(service="game-engine")
    assert played.level == "info"
    assert played.body == IsStr(regex=rf"Round rnd_\w+ paid {outcome['payout_cents']} cents on a bet of 100")
    assert trace.path_to(played) == ["gateway", "game-engine"]
    assert capture.metric(service="game-engine", name="slot.spins").value == 1
    assert capture.metric(service="game-engine", name="slot.payout").value == outcome["payout_cents"]


def test_spin_without_money_is_no_error(trigger: TriggerFixture) -> None:
    rent = {
        "player_id": "player-poor",
        "type": "debit",
        "amount_cents": 99_500,
        "currency": "EUR",
        "reference": "rent",
    }
    assert trigger("payment", "POST /process", json=rent).response.status == 200
    capture = trigger("game-engine", "POST /spin", json={"player_id": "player-poor", "bet_cents": 1000})
    assert capture.response.status == 402
    capture.no_error()
    capture.no_message()
    assert capture.log(service="payment").level == "warn"

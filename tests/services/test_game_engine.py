from __future__ import annotations

import asyncio
import itertools
import json
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from game_engine import settlement
from game_engine.history import ReplayHistory
from game_engine.jackpot import JackpotFeed, JackpotQuoteFailed, quote_jackpots
from game_engine.leaderboard import LeaderboardUpdate
from game_engine.rounds import BadBet, Bet
from game_engine.settlement import BetLimitExceeded, OpenRounds, during_round
from game_engine.slot import (
    HIGHEST_RTP,
    LOOSE_STRIP,
    LOWEST_RTP,
    TIGHT_STRIP,
    SlotMachine,
    UnreachableRtp,
    multiplier_of,
)
from tests.services.conversation import Listener, ServiceProcess, StartService


class ScriptedRandom(random.Random):
    """Gives the draws it was told to, and notes out of how many each was asked."""

    def __init__(self, draws: list[int]) -> None:
        super().__init__()
        self._draws = iter(draws)
        self.ranges: list[int] = []

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        assert (stop, step) == (None, 1)
        self.ranges.append(start)
        return next(self._draws)


class TestReturnToPlayer:
    @pytest.mark.parametrize(("strip", "rtp"), [(TIGHT_STRIP, LOWEST_RTP), (LOOSE_STRIP, HIGHEST_RTP)])
    def test_of_a_strip_is_the_mean_over_all_stops(self, strip: tuple[str, ...], rtp: Fraction) -> None:
        paid = sum(multiplier_of(line) for line in itertools.product(strip, strip, strip))
        assert rtp == Fraction(paid, len(strip) ** 3)

    @pytest.mark.parametrize("percent", ["88.8625", "90", "94.5", "96", "97.31", "98.975"])
    def test_is_exactly_what_was_configured(self, percent: str) -> None:
        assert SlotMachine.with_rtp_percent(Decimal(percent)).rtp == Fraction(percent) / 100

    @pytest.mark.parametrize("percent", ["88.86", "98.98", "0", "-96", "NaN", "Infinity"])
    def test_out_of_reach_is_refused(self, percent: str) -> None:
        with pytest.raises(UnreachableRtp, match=r"88\.8625 to 98\.9750 %"):
            SlotMachine.with_rtp_percent(Decimal(percent))

    def test_holds_over_every_draw_that_a_spin_can_make(self) -> None:
        machine = SlotMachine.with_rtp_percent(Decimal(96))
        share = machine.loose_share
        for share_draw, strip, rtp in (
            (share.numerator - 1, LOOSE_STRIP, HIGHEST_RTP),
            (share.numerator, TIGHT_STRIP, LOWEST_RTP),
        ):
            paid = 0
            for stops in itertools.product(range(len(strip)), repeat=3):
                rng = ScriptedRandom([share_draw, *stops])
                paid += machine.spin(rng).multiplier
                assert rng.ranges == [share.denominator, *[len(strip)] * 3]
            assert Fraction(paid, len(strip) ** 3) == rtp

    def test_same_seed_same_game(self) -> None:
        machine = SlotMachine.with_rtp_percent(Decimal(96))
        first, second = random.Random(3), random.Random(3)
        assert [machine.spin(first) for _ in range(50)] == [machine.spin(second) for _ in range(50)]


@pytest.mark.parametrize(
    ("line", "multiplier"),
    [
        (("seven", "seven", "seven"), 200),
        (("cherry", "cherry", "cherry"), 5),
        (("cherry", "cherry", "bell"), 2),
        (("bell", "cherry", "cherry"), 0),
        (("bar", "bar", "bell"), 0),
    ],
)
def test_paytable(line: tuple[str, str, str], multiplier: int) -> None:
    assert multiplier_of(line) == multiplier


class TestBet:
    def test_is_read(self) -> None:
        assert Bet.from_json({"player_id": "anna", "bet_cents": 100}) == Bet("anna", 100, "EUR")

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([], "JSON object"),
            ({"bet_cents": 100}, "player_id"),
            ({"player_id": "a b", "bet_cents": 100}, "player_id"),
            ({"player_id": "anna"}, "bet_cents"),
            ({"player_id": "anna", "bet_cents": True}, "bet_cents"),
            ({"player_id": "anna", "bet_cents": 0}, "bet_cents"),
            ({"player_id": "anna", "bet_cents": 10_001}, "bet_cents"),
            ({"player_id": "anna", "bet_cents": 100, "currency": "BTC"}, "currency"),
            ({"player_id": "anna", "bet_cents": 100, "currency": ["EUR"]}, "currency"),
        ],
    )
    def test_is_refused(self, body: Any, message: str) -> None:
        with pytest.raises(BadBet, match=message):
            Bet.from_json(body)


class TestSettlement:
    def test_a_round_is_paid_once(self) -> None:
        rounds = OpenRounds()
        rounds.open("rnd_1", 100)
        rounds.open("rnd_2", 50)
        assert rounds.settle_batch([("rnd_1", 20), ("rnd_2", 0)]) == 2000
        with pytest.raises(RuntimeError, match="rnd_1 was paid out before"):
            rounds.settle("rnd_1", 20)

    def test_a_round_that_nobody_opened(self) -> None:
        with pytest.raises(KeyError, match="rnd_9"):
            OpenRounds().settle("rnd_9", 5)

    def test_errors_of_python_name_the_round(self) -> None:
        with pytest.raises(ZeroDivisionError) as caught, during_round("rnd_5"):
            settlement.jackpot_share(100, winners=())
        assert caught.value.__notes__ == ["during round rnd_5"]

    def test_bets(self) -> None:
        assert settlement.parse_bet("100", "rnd_1") == 100
        assert settlement.check_limit(10_000, "rnd_1") == 10_000
        with pytest.raises(ValueError, match='bet "ten" of round rnd_1'):
            settlement.parse_bet("ten", "rnd_1")
        with pytest.raises(BetLimitExceeded, match="10001 cents in round rnd_1"):
            settlement.check_limit(10_001, "rnd_1")

    def test_what_works_works(self) -> None:
        assert settlement.add_promotion(100, '{"bonus_cents": 250}') == 350
        assert settlement.symbols_at(("a", "b"), (1, 0)) == ["b", "a"]
        assert settlement.jackpot_share(100, ("anna", "ben", "cleo")) == 33


class TestJackpots:
    @staticmethod
    async def quote(text: str) -> str:
        return text

    @staticmethod
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    def test_highest_wins_and_slow_feeds_are_left_out(self) -> None:
        feeds = [
            JackpotFeed("house", lambda: self.quote("300")),
            JackpotFeed("slow", self.never),
            JackpotFeed("regional", lambda: self.quote("500")),
        ]
        assert asyncio.run(quote_jackpots(feeds, timeout_ms=10, round_id="rnd_1")) == 500

    def test_nonsense_fails_with_its_cause(self) -> None:
        feeds = [JackpotFeed("slow", self.never), JackpotFeed("regional", lambda: self.quote("5OO"))]
        with pytest.raises(JackpotQuoteFailed, match="round rnd_1 has no amount from feed regional") as caught:
            asyncio.run(quote_jackpots(feeds, timeout_ms=10, round_id="rnd_1"))
        assert isinstance(caught.value.__cause__, ValueError)


def test_replay_history_stays_below_its_ceiling() -> None:
    history = ReplayHistory(ceiling_mb=4)
    retained = []
    for _ in range(3):
        history.make_room(2)
        history.retain(2)
        retained.append(history.retained_mb)
    assert retained == [2, 4, 2]


def test_leaderboard_ranks_on_its_own_thread() -> None:
    update = LeaderboardUpdate({"anna": 10, "ben": 30, "cleo": 20}, "rnd_1")
    update.start()
    update.join()
    assert update.ranking == ["ben", "cleo", "anna"]


TRACE_ID = "0123456789abcdef0123456789abcdef"
SPAN_ID = "1111222233334444"
TRACE = {
    "sentry-trace": f"{TRACE_ID}-{SPAN_ID}-1",
    "baggage": f"sentry-trace_id={TRACE_ID},sentry-public_key=front,sentry-sampled=true,sentry-sample_rate=1.0",
}
BET = json.dumps({"player_id": "anna", "bet_cents": 100, "currency": "GBP"}).encode()
# The first spin of this seed wins.
WINNING_SEED = "11"


class TestSpin:
    @pytest.fixture
    def analytics(self) -> Any:
        with Listener() as listener:
            yield listener

    @pytest.fixture
    def engine(self, start_service: StartService, upstream: Listener, analytics: Listener) -> ServiceProcess:
        return start_service(
            "game_engine", PAYMENT_URL=upstream.url, ANALYTICS_URL=analytics.url, GAME_SEED=WINNING_SEED
        )

    def test_debits_credits_and_tells(self, engine: ServiceProcess, upstream: Listener, analytics: Listener) -> None:
        with engine.request("POST", "/spin", {**TRACE, "X-Request-Id": "req-7"}, BET) as client:
            with upstream.accept() as payment:
                first, debit_headers, debit = payment.read_message()
                payment.answer_json("200 OK", {"transaction_id": "t1", "balance_cents": 900})
            with upstream.accept() as payment:
                _, credit_headers, credit = payment.read_message()
                payment.answer_json("200 OK", {"transaction_id": "t2", "balance_cents": 1100})
            with analytics.accept() as store:
                _, event_headers, event = store.read_message()
                store.answer_json("201 Created", {})
            status, _, result = client.read_message()
        round_id = result["round_id"]
        assert first == "POST /process HTTP/1.1"
        assert debit == {
            "player_id": "anna",
            "type": "debit",
            "amount_cents": 100,
            "currency": "GBP",
            "reference": f"{round_id}-debit",
        }
        assert credit == {
            **debit,
            "type": "credit",
            "amount_cents": result["payout_cents"],
            "reference": f"{round_id}-credit",
        }
        assert (event["event_type"], event["player_id"], event["amount_cents"]) == ("spin", "anna", 100)
        assert status == "HTTP/1.1 200 OK"
        assert result["payout_cents"] == 100 * multiplier_of(tuple(result["line"])) > 0
        assert (result["balance_cents"], result["event_stored"]) == (1100, True)
        trace_id, span_id, sampled = debit_headers["sentry-trace"].split("-")
        assert (trace_id, sampled) == (TRACE_ID, "1")
        assert span_id != SPAN_ID
        assert f"sentry-trace_id={TRACE_ID}" in debit_headers["baggage"]
        assert {headers["x-request-id"] for headers in (debit_headers, credit_headers, event_headers)} == {"req-7"}

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            ("402 Payment Required", "the balance does not cover a bet of 100 cents"),
            ("422 Unprocessable Entity", "payment refused the bet: the wallet is in EUR"),
        ],
    )
    def test_a_bet_that_the_wallet_does_not_allow_is_no_event(
        self, engine: ServiceProcess, upstream: Listener, status: str, reason: str
    ) -> None:
        with engine.request("POST", "/spin", TRACE, BET) as client:
            with upstream.accept() as payment:
                payment.read_message()
                payment.answer_json(status, {"error": "the wallet is in EUR"})
            first, headers, body = client.read_message()
        assert first == f"HTTP/1.1 {status}"
        assert body["error"] == reason
        assert "x-sentry-event-id" not in headers

    @pytest.mark.parametrize("answer", [("500 Internal Server Error", {}), ("200 OK", {}), ("200 OK", [])])
    def test_payment_that_fails_is_502_with_an_event(
        self, engine: ServiceProcess, upstream: Listener, answer: tuple[str, Any]
    ) -> None:
        with engine.request("POST", "/spin", TRACE, BET) as client:
            with upstream.accept() as payment:
                payment.read_message()
                payment.answer_json(*answer)
            status, headers, body = client.read_message()
        assert status == "HTTP/1.1 502 Bad Gateway"
        assert body["error"] == "payment is not available"
        assert len(headers["x-sentry-event-id"]) == 32

    def test_analytics_that_is_down_costs_the_player_nothing(
        self, start_service: StartService, upstream: Listener
    ) -> None:
        engine = start_service(
            "game_engine", PAYMENT_URL=upstream.url, ANALYTICS_URL="http://127.0.0.1:9", GAME_SEED=WINNING_SEED
        )
        with engine.request("POST", "/spin", TRACE, BET) as client:
            for _ in range(2):
                with upstream.accept() as payment:
                    kind = payment.read_json()["type"]
                    payment.answer_json("200 OK", {"transaction_id": "t", "balance_cents": 5})
                    assert kind in {"debit", "credit"}
            status, _, result = client.read_message()
        assert status == "HTTP/1.1 200 OK"
        assert result["event_stored"] is False

    @pytest.mark.parametrize(("body", "message"), [(b"{", "must be JSON"), (b"[]", "JSON object")])
    def test_bad_body_is_400(self, engine: ServiceProcess, body: bytes, message: str) -> None:
        with engine.request("POST", "/spin", body=body) as client:
            status, _, answer = client.read_message()
        assert status == "HTTP/1.1 400 Bad Request"
        assert message in answer["error"]

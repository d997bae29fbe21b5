"""Containers in trouble: what Sentry hears of it, what is lost, and how that is told. Only with --fleet=compose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from dirty_equals import IsPartialDict

from harness.fixtures.capture import TriggerFixture
from harness.fixtures.fleet import RunningFleet
from harness.telemetry.events import ErrorEvent
from harness.verify.capture import Capture

BOOKING = {"player_id": "player-lost", "type": "debit", "amount_cents": 100, "currency": "EUR", "reference": "lost-1"}
# Asks payment from inside of its own container, where it is reached whatever happens to the network.
ASK_ITSELF = """
const headers = { authorization: `Bearer ${process.argv[1]}` };
const { status } = await fetch("http://127.0.0.1:8003/debug/crash", { headers });
console.log(status);
"""


@pytest.fixture
def own(fleet: RunningFleet) -> Iterator[RunningFleet]:
    """A gateway without much patience, and a payment that is brought back when it dies."""
    with fleet.isolated(
        "gateway",
        "payment",
        # Without its network it has no Redis to count requests in either, and would let nobody in.
        environment={"gateway": {"UPSTREAM_TIMEOUT_MS": "3000"}, "payment": {"DEBUG_LIMITS_URL": ""}},
        definition={"payment": {"restart": "always"}},
    ) as own:
        yield own


def ask(own: RunningFleet, service: str, path: str, **params: str) -> int:
    """Ask a service through the gateway; gives the status of the answer."""
    return requests.get(
        f"{own['gateway'].url}/api/v1/{service}{path}",
        params=params,
        headers={"Authorization": f"Bearer {own.token()}"},
        timeout=60,
    ).status_code


def errors_of(capture: Capture, service: str) -> list[ErrorEvent]:
    return [error for error in capture.errors if error.service == service]


def test_what_a_paused_service_is_asked_it_reports_when_it_goes_on(own: RunningFleet) -> None:
    payment = own.container("payment")
    payment.pause()
    assert ask(own, "payment", "/debug/crash") == 504
    paused = own.captured()
    (timeout,) = errors_of(paused, "gateway")
    assert timeout.type == "UpstreamTimeout"
    assert errors_of(paused, "payment") == []
    # Silence of a service that stands still proves nothing, and that is said.
    assert paused.facts("payment").state == "timed-out"
    assert paused.facts("payment").fate == "it is paused: its processes stand still"
    payment.unpause()
    gone_on = own.captured()
    assert (gone_on.facts("payment").state, gone_on.facts("payment").fate) == ("flushed", None)
    (late,) = errors_of(gone_on, "payment")
    assert (late.type, late.trace_id) == ("LedgerImbalance", timeout.trace_id)


def test_what_a_killed_service_had_not_sent_is_lost(own: RunningFleet, trigger: TriggerFixture) -> None:
    payment = own.container("payment")
    # Answered, and its log waits to be sent with others.
    answer = requests.post(f"{own['payment'].url}/process", json=BOOKING, timeout=60)
    assert answer.status_code == 200
    payment.kill()
    payment.wait_restarted()
    killed = own.captured()
    assert [log for log in killed.logs if log.service == "payment" and "booked debit" in str(log.body)] == []
    fate = "it was ended by SIGKILL (exit code 137); its restart policy has started it again once"
    assert (killed.facts("payment").fate, killed.facts("payment").exit_code) == (fate, None)
    after = trigger("payment", "GET /debug/crash", on=own)
    assert after.error().type == "LedgerImbalance"
    assert after.trace.path_to(after.error()) == ["gateway", "payment"]


def test_a_service_that_dies_by_itself_tells_so_and_is_brought_back(
    own: RunningFleet, trigger: TriggerFixture
) -> None:
    assert ask(own, "payment", "/debug/uncaught-exception") == 202
    own.container("payment").wait_restarted()
    died = own.captured()
    (fatal,) = errors_of(died, "payment")
    assert (fatal.type, fatal.level) == ("SettlementNotOpen", "fatal")
    fate = "it ended with exit code 1; its restart policy has started it again once"
    assert died.facts("payment").fate == fate
    assert trigger("payment", "GET /debug/crash", on=own).error(service="payment").type == "LedgerImbalance"


def test_what_fails_while_the_network_is_gone_is_lost_and_counted(own: RunningFleet, trigger: TriggerFixture) -> None:
    payment = own.container("payment")
    payment.disconnect()
    assert payment.run("node", "--input-type=module", "--eval", ASK_ITSELF, own.token()).strip() == "500"
    assert ask(own, "payment", "/debug/crash") in (502, 504)
    cut_off = own.captured()
    assert [error.type for error in errors_of(cut_off, "gateway")] == ["UpstreamUnreachable"]
    assert (cut_off.facts("payment").state, cut_off.facts("payment").fate) == (
        "timed-out",
        "it is cut off from all networks",
    )
    assert [str(fault) for fault in cut_off.faults] == ["payment: cut off from all networks"]
    payment.reconnect()
    back = own.captured()
    assert errors_of(back, "payment") == []
    # Of what could not be sent, the SDK tells at least how much it was.
    lost = [held for report in back.client_reports for held in report.discarded if held.reason == "network_error"]
    assert [held.quantity for held in lost if held.category == "error"] == [1]
    assert back.facts("payment").fate is None
    after = trigger("payment", "GET /debug/crash", on=own)
    assert after.trace.path_to(after.error()) == ["gateway", "payment"]


def test_who_hits_the_memory_limit_can_tell_nothing(fleet: RunningFleet) -> None:
    limit = {"mem_limit": "150m", "memswap_limit": "150m"}
    with fleet.isolated("gateway", "analytics", definition={"analytics": limit}) as own:
        assert ask(own, "analytics", "/debug/memory-spike", size_mb="128") == 502
        assert own.container("analytics").wait_exit() == 137
        starved = own.captured()
        (broken,) = errors_of(starved, "gateway")
        assert broken.type in ("UpstreamBroke", "UpstreamUnreachable")
        assert [message for message in starved.messages if message.service == "analytics"] == []
        facts = starved.facts("analytics")
        assert (facts.state, facts.exit_code) == ("exited", 137)
        assert facts.fate == (
            "the kernel killed it because its memory limit of 150 MiB was reached (exit code 137, OOM)"
        )
        with pytest.raises(AssertionError, match="analytics could not send all it had: the kernel killed it"):
            starved.message(service="analytics")
        assert broken.tags == IsPartialDict(upstream="analytics")

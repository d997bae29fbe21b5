"""An outage of Sentry is Sentry's alone: services go on, end in time, and it is known what was lost.

See docs/sentry-outages.md, whose table this module holds against what it measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.collector.server import Collector
from harness.fixtures.fleet import RunningFleet
from scenarios.expectations import MEGABYTE
from scenarios.outage_account import COUNTED, SENT_AT_ONCE, account_of, times
from scenarios.outage_callers import AT_ONCE, Caller, callers
from scenarios.outages import (
    EXIT_PATIENCE,
    OUTAGES,
    SERVICES,
    GoodTimes,
    Measured,
    Outage,
    ask_again,
    end,
    failing,
    measure,
    processes_of,
    reporting_to,
)

TABLE = Path(__file__).parents[1] / "docs" / "sentry-outages.md"
# A busy machine is so for healthy and failing instances alike; who waited for a slow Sentry would need a second.
SLOWER, NOISE = 3, 0.3
SDK_TIMEOUT, EXIT_NOISE = 2.0, 2.0
# Multiples of AT_ONCE.
WARM_UP, FLOOD = 24, 160
# V8 collects garbage when it likes to.
QUEUE_BYTES = {"analytics": 16 * MEGABYTE, "payment": 64 * MEGABYTE}
NAMES = {
    "error": "errors",
    "transaction": "transactions",
    "span": "spans",
    "log_item": "logs",
    "trace_metric": "metrics",
}


@pytest.fixture(scope="module")
def good_times(fleet: RunningFleet, pytestconfig: pytest.Config) -> Iterator[GoodTimes]:
    """What outages are compared with.

    Every test that needs services uses it, so where these are no processes of this machine it is the place to skip.
    """
    if pytestconfig.getoption("--fleet") != "process":
        pytest.skip("it signals and measures processes, at addresses of their own: --fleet=process")
    with Collector() as sentry, reporting_to(sentry, fleet) as own:
        asking = callers(own)
        for caller in asking.values():
            caller.ask_all()
            caller.ask_all()
            assert caller.unexpected == {}
        own.flush()
        per_round = {}
        for name in own:
            account = account_of(sentry, name)
            assert account.reported == {}
            per_round[name] = Counter({held: number // 2 for held, number in account.arrived.items()})
            assert times(per_round[name], 2) == account.arrived, f"{name}: two equal rounds produce different things"
            assert set(per_round[name]) == set(COUNTED[name])
        yield GoodTimes(asking, per_round, _exit_in_good_times(fleet, per_round))


def _exit_in_good_times(fleet: RunningFleet, per_round: Mapping[str, Counter[str]]) -> dict[str, float]:
    with Collector() as sentry, reporting_to(sentry, fleet) as own:
        processes = processes_of(own)
        for caller in callers(own).values():
            caller.ask_all()
        exits = end(processes, EXIT_PATIENCE)
        # All that the SDKs still held is sent at the end, without being asked for.
        sent = {name: account_of(sentry, name).arrived for name in own}
        assert sent == per_round, "a service loses at its end what its SDK holds"
    return exits


def row(outage: Outage, measured: Mapping[str, Measured]) -> str:
    """The row of the table that says what was measured."""
    cells = [outage.title]
    for service in SERVICES.values():
        held = measured[service]
        cells += [_loss(outage, service, held), _words(held), _resumption(outage, held)]
    return f"| {' | '.join(cells)} |"


def _loss(outage: Outage, service: str, measured: Measured) -> str:
    missing, meanwhile = measured.missing, measured.meanwhile
    if not missing:
        return "nothing"
    if not outage.flushes and not outage.is_of_address:
        # What was still under way when the outage was over has arrived.
        most = all(missing[name] > meanwhile[name] / 2 for name in SENT_AT_ONCE[service])
        return "what it sends at once" if most else "a part"
    # With a limit that a 200 announces, what that answered has arrived.
    may_arrive = 2 if outage.fault is not None and outage.fault.is_rate_limit else 1
    whole = {name for name in COUNTED[service] if missing[name] * may_arrive >= meanwhile[name]}
    if whole == set(COUNTED[service]):
        return "everything"
    return ", ".join(NAMES[name] for name in NAMES if name in whole) if whole == set(missing) else "a part"


def _words(measured: Measured) -> str:
    account, missing = measured.account, measured.missing
    if not account.reported:
        return "nothing"
    reasons = ", ".join(f"`{reason}`" for reason in sorted(account.reported))
    if not missing:
        return f"{reasons}, although nothing is lost"
    if account.kept_back + account.failed == missing:
        return reasons
    is_rest = account.kept_back + account.lost == missing and not account.failed
    return f"{reasons}, but not of what was refused" if is_rest else f"{reasons}, of a part"


def _resumption(outage: Outage, measured: Measured) -> str:
    if outage.is_of_address:
        return "with another address"
    if not measured.resumed:
        return f"not within {outage.watched:g} s"
    return "when the limit is over" if measured.account.kept_back else "at once"


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.title)
def test_an_outage_is_sentrys_alone(fleet: RunningFleet, good_times: GoodTimes, outage: Outage) -> None:
    measured = measure(fleet, good_times, outage)
    for name, held in measured.items():
        assert held.caller.unexpected == {}, f"{name} answers other than in good times"
        seconds, healthy_seconds = held.latency
        assert seconds <= SLOWER * healthy_seconds + NOISE, f"{name} answers later than in good times"
        check_account(name, outage, held, good_times.per_round[name])
        assert held.exit_code == 0, f"{name} does not end as in good times:\n{held.log}"
        longest = SLOWER * good_times.exits[name] + SDK_TIMEOUT + EXIT_NOISE + outage.lookup
        assert held.exit_seconds <= longest, f"{name} ends later than the SDK's time-out allows:\n{held.log}"
    assert rows()[outage.title] == row(outage, measured), f"{TABLE.name} says something else"


def check_account(name: str, outage: Outage, measured: Measured, per_round: Counter[str]) -> None:
    """What was produced has arrived, is reported as lost, or is known by the collector to be lost."""
    account = measured.account
    if outage.is_of_address:
        assert account.arrived == Counter(), f"{name} sends somewhere else than to its DSN"
    elif measured.resumed or account.reported:
        # What was in requests that nobody could look into is known from the SDK alone.
        lost = account.lost if outage.fault is not None and not account.cut_off else account.failed
        accounted = account.arrived + account.kept_back + lost
        assert accounted == measured.produced, f"{name}: what became of the rest?"
    else:
        # Not even its reports are sent, but nothing else is either: all is missing but what was under way.
        assert measured.missing >= times(per_round, measured.caller.rounds - 2), f"{name} sends, but reports nothing"


def rows() -> dict[str, str]:
    """The rows of the table in the documentation, by the outage that each is about."""
    table = TABLE.read_text(encoding="utf-8").partition("| Sentry |")[2].partition("\n\n")[0]
    return {line.split("|")[1].strip(): line for line in table.splitlines()[2:]}


def test_a_flood_under_a_hanging_sentry_fills_no_memory_and_is_over_with_it(
    fleet: RunningFleet, good_times: GoodTimes
) -> None:
    (hang,) = [outage for outage in OUTAGES if outage.title == "hang"]
    with (
        Collector() as sentry,
        Collector() as sound,
        reporting_to(sentry, fleet) as own,
        reporting_to(sound, fleet) as healthy,
    ):
        asking, asking_healthy = callers(own), callers(healthy)
        flood(asking_healthy, healthy, AT_ONCE)
        healthy.flush()
        of_some = {name: account_of(sound, name).arrived for name in healthy}
        flood(asking, own, AT_ONCE + WARM_UP)
        flood(asking_healthy, healthy, WARM_UP)
        with failing(sentry, hang):
            grown = flood(asking, own, FLOOD)
        grown_healthy = flood(asking_healthy, healthy, FLOOD)
        # Although nothing answers what is under way by then.
        resumed = ask_again(sentry, asking, hang.watched)
        assert resumed == dict.fromkeys(own, True), "silent after the outage"
        # Twice, because what an SDK gives up while it flushes is in its next report.
        own.flush()
        own.flush()
        healthy.flush()
        healthy.flush()
        for name, caller in asking.items():
            assert caller.unexpected == {}
            assert asking_healthy[name].unexpected == {}
            account, healthy_account = account_of(sentry, name), account_of(sound, name)
            assert account.reported.get("queue_overflow"), f"{name}: its SDK holds more than {FLOOD} errors"
            assert grown[name] <= grown_healthy[name] + QUEUE_BYTES[name], f"{name} takes more and more memory"
            of_errors = times(of_some[name], (AT_ONCE + WARM_UP + FLOOD) // AT_ONCE)
            # Even a Sentry that works is not fast enough for all of a flood.
            assert healthy_account.arrived + healthy_account.kept_back == of_errors
            produced = of_errors + times(good_times.per_round[name], caller.rounds)
            accounted = account.arrived + account.kept_back + account.lost
            assert accounted == produced, f"{name}: what became of the rest?"


def flood(asking: Mapping[str, Caller], own: RunningFleet, errors: int) -> dict[str, int]:
    """Have services report errors, and measure by how many bytes their memory grows by that."""
    processes = processes_of(own)
    before = {name: process.memory_info().rss for name, process in processes.items()}
    for caller in asking.values():
        caller.cause_errors(errors)
    return {name: process.memory_info().rss - before[name] for name, process in processes.items()}


def test_the_table_is_about_these_outages() -> None:
    assert list(rows()) == [outage.title for outage in OUTAGES]

"""The ways in which Sentry fails, and what each of them does to a Python and a Node service."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from urllib.parse import urlsplit

import psutil

from harness import faults
from harness.collector.faults import Fault
from harness.collector.server import Collector
from harness.fixtures.fleet import RunningFleet
from scenarios.outage_account import Account, account_of, has_error_of, times
from scenarios.outage_callers import Caller, callers, interleave

SERVICES = {"Python": "analytics", "Node": "payment"}
"""A service by what its SDK is for."""
ROUNDS = 6
SLOW = 1.0
EXIT_PATIENCE = 25.0
_ANSWER_PATIENCE = 0.5
_LOOK_EVERY = 0.02
_LIMIT = 2
_LIMITED_ERRORS = f"{_LIMIT}:error:project"


@dataclass(frozen=True, slots=True)
class Outage:
    """A way in which Sentry fails.

    Args:
        title: its row in the table.
        fault: what befalls requests or the address; None for a Sentry that is stopped and started again.
        flushes: whether SDKs are made to send all they hold while it lasts. Not where that takes them too long, nor
            where what they say of their losses would be lost in a way that nobody can look into.
        watched: seconds after it is over within which reporting should have resumed.
        lookup: seconds that the system may look for Sentry's address, for which Node's process waits at its end.
    """

    title: str
    fault: Fault | None
    flushes: bool = True
    watched: float = 15.0
    lookup: float = 0.0

    @property
    def is_of_address(self) -> bool:
        """Whether the instances start with it, and have it until their end."""
        return self.fault is not None and self.fault.is_of_address


OUTAGES = [
    Outage("429, errors limited", faults.rate_limited(_LIMITED_ERRORS, category="error")),
    Outage("200, errors limited", faults.rate_limited(_LIMITED_ERRORS, status=200, category="error")),
    Outage(
        "429, several limits",
        faults.rate_limited(f"{_LIMIT}:transaction;span:organization:quota, {_LIMIT}:error:key", category="error"),
    ),
    Outage("429, `Retry-After` alone", faults.rate_limited(retry_after=_LIMIT, category="error"), flushes=False),
    Outage("429, an endless limit", faults.rate_limited(f"{10**9}:error:project", category="error"), watched=2),
    Outage("429, an absurd limit", faults.rate_limited(f"{10**14}:error:project", category="error"), watched=2),
    Outage("429, malformed limits", faults.rate_limited("soon:::,;", category="error"), flushes=False, watched=2),
    Outage("400", faults.answer(400)),
    Outage("413", faults.answer(413)),
    Outage("500", faults.answer(500)),
    Outage("503", faults.answer(503)),
    Outage("slow first byte", faults.slow_first_byte(SLOW), flushes=False),
    Outage("slow body", faults.slow_body(SLOW), flushes=False),
    Outage("hang", faults.hang(), flushes=False),
    Outage("closed", faults.closed()),
    Outage("reset", faults.reset()),
    Outage("reset in the middle of a request", faults.reset(after=1), flushes=False),
    Outage("answer cut short", faults.truncated()),
    Outage("a proxy's HTML page", faults.answer(200, content_type="text/html", body="<h1>Welcome</h1>")),
    Outage("stopped and started again", None, flushes=False),
    Outage("connection refused", faults.connection_refused(), flushes=False),
    Outage("wrong certificate", faults.wrong_certificate(), flushes=False),
    # A resolver that gets no answer asks twice, and waits 5 s each time.
    Outage("no such host", faults.dns_failure(), flushes=False, lookup=10.0),
]


@dataclass(frozen=True, slots=True)
class GoodTimes:
    """The services with a Sentry that works.

    Args:
        asking: callers of running instances.
        per_round: what a round of requests produces, by service and data category.
        exits: seconds until the end of other instances after SIGTERM.
    """

    asking: dict[str, Caller]
    per_round: dict[str, Counter[str]]
    exits: dict[str, float]


@contextmanager
def reporting_to(sentry: Collector, fleet: RunningFleet, fault: Fault | None = None) -> Iterator[RunningFleet]:
    """Instances of the services that report to a fake Sentry of their own, maybe at an address that fails."""
    environment = {
        name: {
            "SENTRY_DSN": str(sentry.misdirect(name, fault) if fault else sentry.register(name)),
            "DEBUG_RATE_LIMIT": "1000000/hour",
        }
        for name in SERVICES.values()
    }
    with fleet.isolated(*SERVICES.values(), environment=environment) as own:
        yield own


@contextmanager
def failing(sentry: Collector, outage: Outage) -> Iterator[None]:
    """Sentry fails for the length of a ``with`` block; at an address that fails it does so before and after, too."""
    if outage.fault is None:
        sentry.stop()
        try:
            yield
        finally:
            sentry.start()
    elif outage.is_of_address:
        yield
    else:
        with sentry.faults.injected(outage.fault):
            yield


@dataclass(frozen=True, slots=True)
class Measured:
    """What an outage did to one service.

    Args:
        caller: what the service answered.
        account: what became of what it had to tell.
        produced: what that was, by data category, in all.
        meanwhile: the part of it that it produced while the outage lasted.
        resumed: whether an error arrived after it.
        latency: median seconds of an answer while it lasted, and of the healthy instance at the same time.
        exit_seconds: from SIGTERM, in another such outage, to the end of the process.
        exit_code: what it ended with; None if it had to be killed.
        log: the last lines that it wrote.
    """

    caller: Caller
    account: Account
    produced: Counter[str]
    meanwhile: Counter[str]
    resumed: bool
    latency: tuple[float, float]
    exit_seconds: float
    exit_code: int | None
    log: str = field(repr=False)

    @property
    def missing(self) -> Counter[str]:
        """What Sentry does not have of all that was produced."""
        return self.produced - self.account.arrived


def measure(fleet: RunningFleet, good_times: GoodTimes, outage: Outage) -> dict[str, Measured]:
    """Put services through an outage, and see them end in another one of the same kind."""
    with (
        Collector() as sentry,
        reporting_to(sentry, fleet, outage.fault if outage.is_of_address else None) as own,
    ):
        asking = callers(own)
        if not outage.is_of_address:
            interleave(good_times.asking, asking, 1)
            own.flush()
        with failing(sentry, outage):
            answers, healthy_answers = interleave(good_times.asking, asking, ROUNDS)
            if outage.flushes:
                own.flush()
        resumed: dict[str, bool] = {}
        if not outage.is_of_address:
            resumed = ask_again(sentry, asking, outage.watched)
            # Twice, because what an SDK gives up while it flushes is in its next report.
            own.flush()
            own.flush()
        accounts = {name: account_of(sentry, name) for name in own}
        rounds = {name: caller.rounds for name, caller in asking.items()}
        processes = processes_of(own)
        with failing(sentry, outage):
            for caller in asking.values():
                caller.ask_all()
            exits = end(processes, EXIT_PATIENCE)
            facts = own.captured().evidence.services
    return {
        name: Measured(
            caller=asking[name],
            account=accounts[name],
            produced=times(good_times.per_round[name], rounds[name]),
            meanwhile=times(good_times.per_round[name], ROUNDS),
            resumed=resumed.get(name, False),
            latency=(median(answers[name]), median(healthy_answers[name])),
            exit_seconds=exits[name],
            exit_code=facts[name].exit_code,
            log=facts[name].log_tail,
        )
        for name in own
    }


def ask_again(sentry: Collector, asking: Mapping[str, Caller], watched: float) -> dict[str, bool]:
    """Let each service report errors until one of them arrives, and say of which service one did."""
    deadline = time.monotonic() + watched
    seen = len(sentry.inbox)
    asked: dict[str, list[str]] = {name: [] for name in asking}
    resumed = dict.fromkeys(asking, False)
    while time.monotonic() < deadline and not all(resumed.values()):
        for name in asking:
            if not resumed[name]:
                asking[name].ask_all()
                asked[name].append(asking[name].last_request_id)
                has_one = partial(_has_error_of, sentry, asked[name], seen)
                resumed[name] = bool(sentry.inbox.wait_for(has_one, _ANSWER_PATIENCE))
    return resumed


def _has_error_of(sentry: Collector, request_ids: list[str], since: int) -> bool | None:
    return has_error_of(sentry, request_ids, since) or None


def processes_of(own: RunningFleet) -> dict[str, psutil.Process]:
    """The processes of services, by name; here alone is said that they are processes of this machine.

    Raises:
        LookupError: one of them is none that this user may look at.
    """
    return {name: _process_at(own[name].url) for name in own}


def _process_at(url: str) -> psutil.Process:
    port = urlsplit(url).port
    # What has started lately comes first.
    for pid in reversed(psutil.pids()):
        try:
            process = psutil.Process(pid)
            # In a container somebody else may have the same port.
            if process.environ().get("PORT") != str(port):
                continue
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        if any(held.status == psutil.CONN_LISTEN and held.laddr.port == port for held in connections):
            return process
    raise LookupError(f"no process on this machine listens at {url}")


def end(processes: Mapping[str, psutil.Process], patience: float) -> dict[str, float]:
    """Ask processes to end, all at the same time.

    Args:
        processes: by name.
        patience: seconds to wait at most.

    Returns:
        Seconds until the end of each; infinity for one that did not end.
    """
    began = time.monotonic()
    for process in processes.values():
        process.terminate()
    ended = dict.fromkeys(processes, math.inf)
    while math.inf in ended.values() and time.monotonic() < began + patience:
        for name, process in processes.items():
            if ended[name] == math.inf and _is_over(process):
                ended[name] = time.monotonic() - began
        time.sleep(_LOOK_EVERY)
    return ended


def _is_over(process: psutil.Process) -> bool:
    # Whoever started it, maybe this very process, wants to know its exit code: it must not be waited for here.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

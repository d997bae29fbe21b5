"""Injecting faults: which of them are in force, whom they befall, and what they did."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.collector.faults import Fault, InvalidFault
from harness.collector.messages import Answer, Delivery, Request
from harness.wire.categories import category_of, quantities
from harness.wire.envelope import Envelope

_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault that befell something: what a service was put through is evidence like what it sent.

    Attributes:
        at: When, in Unix seconds.
        fault: The fault.
        service: The service that it befell, as the collector knows it; None if it does not know the sender.
        project_id: Project of the request or of the DSN.
        request: The request that it befell; None for a fault of the address, which no request gets past.
        event_id: Id of the envelope in the request, by which one that is sent again is known.
        items: Types of the items in it, in order.
        quantities: What they are by data category, as SDKs count what they discard; empty for one that was cut off.
        kept: Whether Sentry has them all the same.
    """

    at: float
    fault: Fault
    service: str | None
    project_id: str
    request: Request | None = field(default=None, repr=False)
    event_id: str | None = None
    items: tuple[str, ...] = ()
    quantities: Mapping[str, int] = field(default_factory=dict)
    kept: bool = False

    @property
    def costs_telemetry(self) -> bool:
        """Whether something of the service may be missing in Sentry by it."""
        return not self.kept or self.fault.costs_telemetry

    def may_cost(self, categories: Collection[str]) -> bool:
        """Whether something of these data categories may be missing in Sentry by it.

        Args:
            categories: such as ``error``.
        """
        if self.request is None or self.fault.kind == "hang":
            # Nothing gets past the one, and all that comes later waits for the other.
            return True
        is_lost = not self.kept and (not self.quantities or not self.quantities.keys().isdisjoint(categories))
        return is_lost or self.fault.limits(categories)

    def __str__(self) -> str:
        who = self.service or f"project {self.project_id}"
        if self.request is None:
            return f"{who}: {self.fault}{', by its DSN' if self.fault.is_of_address else ''}"
        what = ", ".join(f"{count} {kind}" for kind, count in Counter(self.items).items()) or "unread"
        return f"{who}: {self.fault}: {what}, {'kept' if self.kept else 'lost'}"


@dataclass(slots=True)
class _Rule:
    """A fault that is in force."""

    number: int
    fault: Fault
    left: int | None
    ends_at: float


@dataclass(frozen=True, slots=True)
class FaultInForce:
    """A fault that is in force.

    Attributes:
        number: By which it is taken away.
        fault: The fault.
        requests: How many requests it will still befall; None for any number.
        seconds: For how long it will still be in force; None for ever.
    """

    number: int
    fault: Fault
    requests: int | None
    seconds: float | None


class Faults:
    """The faults of a collector, in the order in which they were added: the first that fits befalls a request.

    A fault whose time is over, or that befell as many requests as it should, is gone. Every method may be called from
    any thread.
    """

    def __init__(self) -> None:
        self.rules: tuple[_Rule, ...] = ()
        """What is in force or over; empty while nothing is injected, which is all that a request then costs."""
        self._changing = threading.Lock()
        self._numbers = itertools.count(1)
        self._injections: list[Injection] = []

    @property
    def in_force(self) -> list[FaultInForce]:
        """Every fault that still befalls requests, in order."""
        now = time.monotonic()
        with self._changing:
            self._forget_what_is_over(now)
            return [
                FaultInForce(
                    rule.number, rule.fault, rule.left, None if rule.fault.seconds is None else rule.ends_at - now
                )
                for rule in self.rules
            ]

    @property
    def injections(self) -> list[Injection]:
        """Everything that faults did so far, in order."""
        with self._changing:
            return list(self._injections)

    def add(self, fault: Fault) -> int:
        """Have a fault befall requests from now on.

        Args:
            fault: The fault.

        Returns:
            A number by which it can be taken away.

        Raises:
            InvalidFault: It is one of an address, which a service gets at its start.
        """
        if fault.is_of_address:
            raise InvalidFault(
                f"{fault}: this belongs to the DSN that a service starts with, not to a request; give it to "
                "@scenario(..., faults=[...]) or fleet.isolated(..., faults=[...])"
            )
        now = time.monotonic()
        ends_at = float("inf") if fault.seconds is None else now + fault.seconds
        with self._changing:
            self._forget_what_is_over(now)
            rule = _Rule(next(self._numbers), fault, fault.requests, ends_at)
            self.rules = (*self.rules, rule)
        return rule.number

    def remove(self, number: int) -> bool:
        """Take a fault away; what it has begun, such as a slow answer, goes on.

        Args:
            number: Its number.

        Returns:
            Whether it was there.
        """
        with self._changing:
            before = self.rules
            self.rules = tuple(rule for rule in before if rule.number != number)
            return len(self.rules) < len(before)

    def clear(self) -> None:
        """Take all faults away."""
        with self._changing:
            self.rules = ()

    @contextmanager
    def injected(self, *faults: Fault) -> Iterator[None]:
        """Have faults befall requests for the length of a ``with`` block.

        Args:
            faults: The faults.

        Raises:
            InvalidFault: One of them is one of an address; then none is in force.
        """
        numbers: list[int] = []
        try:
            for fault in faults:
                numbers.append(self.add(fault))  # noqa: PERF401 - what was added before one is refused is taken away
            yield
        finally:
            for number in numbers:
                self.remove(number)

    def take(self, service: str | None, project_id: str, envelope: Envelope | None) -> Fault | None:
        """Find the fault of a request that is complete, and count it.

        Args:
            service: The sender, if it is known.
            project_id: Its project.
            envelope: What it sent, if it is one.

        Returns:
            The fault, None when none befalls it.
        """
        categories = {category_of(item) for item in envelope.items} if envelope else set()
        with self._changing:
            self._forget_what_is_over(time.monotonic())
            for rule in self.rules:
                if _is_meant(rule.fault, service, project_id) and rule.fault.category in (None, *categories):
                    return self._use(rule)
        return None

    def take_interruption(self, service: str | None, project_id: str | None) -> Fault | None:
        """Find the fault by which a request is cut off whose head has come, and count it.

        Args:
            service: The sender, if it is known.
            project_id: Its project, if it is known.

        Returns:
            The fault, None when the request is to be read to its end.
        """
        if service is None and project_id is None:
            return None
        with self._changing:
            self._forget_what_is_over(time.monotonic())
            for rule in self.rules:
                if not _is_meant(rule.fault, service, project_id):
                    continue
                # By what the request carries, an earlier fault may befall it; that is seen when it is complete.
                return self._use(rule) if rule.fault.after is not None else None
        return None

    def record(self, injection: Injection) -> None:
        """Keep what a fault did.

        Args:
            injection: What it did.
        """
        with self._changing:
            self._injections.append(injection)

    def _use(self, rule: _Rule) -> Fault:
        if rule.left is not None:
            rule.left -= 1
            if rule.left == 0:
                self.rules = tuple(held for held in self.rules if held is not rule)
        return rule.fault

    def _forget_what_is_over(self, now: float) -> None:
        if any(rule.ends_at <= now for rule in self.rules):
            self.rules = tuple(rule for rule in self.rules if rule.ends_at > now)


def injection_of(
    fault: Fault, request: Request, service: str | None, project_id: str, envelope: Envelope | None
) -> Injection:
    """What a fault does to a request.

    Args:
        fault: The fault.
        request: The request.
        service: Its sender, if it is known.
        project_id: Its project.
        envelope: What it carries, as far as that could be read.
    """
    return Injection(
        at=request.received_at,
        fault=fault,
        service=service,
        project_id=project_id,
        request=request,
        event_id=None if envelope is None else envelope.event_id,
        items=() if envelope is None else tuple(item.type for item in envelope.items),
        quantities={} if envelope is None else dict(quantities(envelope)),
        kept=fault.keeps,
    )


def afflicted(answer: Answer, fault: Fault) -> Answer:
    """The answer as it goes out under a fault.

    Args:
        answer: As it would have been.
        fault: The fault.
    """
    status = answer.status if fault.status is None else fault.status
    own = answer if fault.keeps else Answer()
    body = own.body if fault.body is None else fault.body.encode()
    if status in _WITHOUT_BODY:
        body = b""
    delivery: Delivery | None = None
    match fault.kind:
        case "slow-first-byte":
            delivery = Delivery(before=fault.delay)
        case "slow-body":
            delivery = Delivery(during=fault.delay)
        case "truncated":
            delivery = Delivery(bytes_of_body=len(body) // 2, ending="close")
        case "hang":
            delivery = Delivery(ending="hang")
        case "reset":
            delivery = Delivery(ending="reset")
        case "closed":
            delivery = Delivery(ending="close")
    return Answer(status, body, fault.content_type or own.content_type, own.headers + fault.headers, delivery)


def _is_meant(fault: Fault, service: str | None, project_id: str | None) -> bool:
    return fault.service is None or fault.service in (service, project_id)

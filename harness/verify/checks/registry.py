"""The registered checks: plain functions, the built-in ones and those of other distributions."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.metadata import entry_points

from harness.verify.capture import Capture
from harness.verify.egress import Parcel, parcels
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings

ENTRY_POINT_GROUP = "sentry_harness.checks"


@dataclass(frozen=True)
class Subject:
    """What a check looks at: one scenario's capture, with what the project configured."""

    capture: Capture
    settings: CheckSettings

    @cached_property
    def parcels(self) -> tuple[Parcel, ...]:
        """Every text that left the services in this scenario's trace; in any trace if the capture has none."""
        evidence = self.capture.evidence
        return tuple(
            parcel
            for parcel in parcels(evidence.arrivals, evidence.services_by_project)
            if self.capture.trace_id in (None, parcel.trace_id)
        )


CheckFunction = Callable[[Subject], Iterable[Finding]]
RunCheckFunction = Callable[[RunSubject], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check; its documentation is the function's docstring and ``docs/checks/<name>.md``."""

    name: str
    run: CheckFunction
    options: Mapping[str, type] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """One line that says what the check demands."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


@dataclass(frozen=True, slots=True)
class RunCheck:
    """A registered check over the whole run; it may have the name of a check over captures, as its other half."""

    name: str
    run: RunCheckFunction
    options: Mapping[str, type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowance:
    """An exception that a scenario makes: findings of this code are accepted, for a reason that a reader accepts."""

    code: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether it accepts this finding: its very code, or its whole check."""
        return _matches(self.code, finding.code)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of all checks over one capture.

    Args:
        findings: what is wrong.
        allowed: what would be wrong but is allowed, each with the reason.
        unused: allowances that nothing needed.
    """

    findings: tuple[Finding, ...]
    allowed: tuple[tuple[Finding, str], ...]
    unused: tuple[Allowance, ...]


def check(name: str, **options: type) -> Callable[[CheckFunction], Check]:
    """Register a function as a check: ``@check("volume", items=float)``.

    Args:
        name: the check's name, by which it is configured and documented.
        options: what its table ``[checks.<name>]`` may hold: the type of each value; ``float`` for any number.
    """

    def register(run: CheckFunction) -> Check:
        return Check(name, run, options)

    return register


def run_check(name: str, **options: type) -> Callable[[RunCheckFunction], RunCheck]:
    """Register a function as a check over the whole run: ``@run_check("nothing-dropped", expected=list)``.

    Args:
        name: the check's name; it may be that of a check over captures, as its other half.
        options: what its table ``[checks.<name>]`` may hold, as for `check`.
    """

    def register(run: RunCheckFunction) -> RunCheck:
        return RunCheck(name, run, options)

    return register


def registered_checks() -> tuple[Check, ...]:
    """All checks over captures by name: those of this package, and those that other distributions announce.

    A distribution announces a check with an entry point in the group ``sentry_harness.checks``.

    Raises:
        TypeError: an entry point is no check.
    """
    return tuple(found for found in _registered() if isinstance(found, Check))


def registered_run_checks() -> tuple[RunCheck, ...]:
    """All checks over runs by name, of the same origins.

    Raises:
        TypeError: an entry point is no check.
    """
    return tuple(found for found in _registered() if isinstance(found, RunCheck))


def check_names() -> frozenset[str]:
    """Names of all checks, over captures and over runs: what ``[checks]`` may name.

    Raises:
        TypeError: an entry point is no check.
    """
    return frozenset(check_options())


def check_options() -> dict[str, dict[str, type]]:
    """What the table of each check may hold, by the check's name.

    Raises:
        TypeError: an entry point is no check.
    """
    options: dict[str, dict[str, type]] = {}
    for registered in _registered():
        options.setdefault(registered.name, {}).update(registered.options)
    return options


@cache
def _registered() -> tuple[Check | RunCheck, ...]:
    found: dict[tuple[str, type], Check | RunCheck] = {}
    package = importlib.import_module("harness.verify.checks")
    for module in pkgutil.iter_modules(package.__path__):
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(value, Check | RunCheck):
                found[value.name, type(value)] = value
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        announced = entry.load()
        if not isinstance(announced, Check | RunCheck):
            raise TypeError(
                f"the entry point {entry.value!r} in {ENTRY_POINT_GROUP!r} is no check; decorate it with @check"
            )
        found[announced.name, type(announced)] = announced
    return tuple(sorted(found.values(), key=lambda registered: registered.name))


def judge(capture: Capture, settings: CheckSettings, allowances: Sequence[Allowance] = ()) -> Verdict:
    """Run all checks that are on over one capture.

    Args:
        capture: what was captured.
        settings: what the project configured.
        allowances: what the scenario allows.
    """
    subject = Subject(capture, settings)
    found = (
        finding
        for registered in registered_checks()
        if registered.name not in settings.disable
        for finding in registered.run(subject)
    )
    return _sift(found, settings, allowances)


def judge_run(subject: RunSubject, allowances: Sequence[Allowance] = ()) -> Verdict:
    """Run all run checks that are on over a whole run.

    Args:
        subject: what arrived during the run, with what the project configured.
        allowances: what the run allows.
    """
    found = (
        finding
        for registered in registered_run_checks()
        if registered.name not in subject.settings.disable
        for finding in registered.run(subject)
    )
    return _sift(found, subject.settings, allowances)


def _sift(found: Iterable[Finding], settings: CheckSettings, allowances: Sequence[Allowance]) -> Verdict:
    findings: list[Finding] = []
    allowed: list[tuple[Finding, str]] = []
    used: set[Allowance] = set()
    for finding in found:
        if any(_matches(code, finding.code) for code in settings.disable):
            continue
        allowance = next((held for held in allowances if held.covers(finding)), None)
        if allowance is None:
            findings.append(_with_severity(finding, settings))
        else:
            used.add(allowance)
            allowed.append((finding, allowance.reason))
    return Verdict(tuple(findings), tuple(allowed), tuple(held for held in allowances if held not in used))


def _with_severity(finding: Finding, settings: CheckSettings) -> Finding:
    severity = settings.severity.get(finding.code) or settings.severity.get(finding.check)
    return finding if severity is None else replace(finding, severity=severity)


def _matches(code: str, of_finding: str) -> bool:
    return of_finding == code or of_finding.startswith(code + ".")

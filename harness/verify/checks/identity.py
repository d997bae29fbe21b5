"""Check: every item says which release of which service sent it, from where, with which SDK."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from harness.telemetry.events import ErrorEvent
from harness.telemetry.records import Session
from harness.telemetry.shape import attributes, mapping, text
from harness.telemetry.spans import Span
from harness.verify.checks.registry import Subject, check, run_check
from harness.verify.evidence import ServiceFacts
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject
from harness.verify.sent import SentEntry, SentItem, sent_entries, sent_items

# Platforms whose SDKs know the host's name. In a browser or on a phone there is none to tell.
_WITH_HOST = frozenset({"python", "node", "ruby", "php", "go", "elixir"})
# A watchdog reports from another thread, without much of what the SDK usually adds.
_WATCHDOG = "ANR"


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an item says about its sender in one respect.

    Args:
        aspect: detail of the finding's code.
        value: what it says; None for nothing.
        path: where it says so.
    """

    aspect: str
    value: str | None
    path: str


@check("identity")
def identity(subject: Subject) -> Iterator[Finding]:
    """Release, environment, server name, platform and SDK are there, and as the fleet configured them."""
    found: dict[tuple[str | None, str], list[Finding]] = defaultdict(list)
    for sender, claims in _senders(subject):
        service = sender.service if isinstance(sender, SentItem) else sender.sent.service
        facts = subject.capture.evidence.services.get(service or "", ServiceFacts(service or ""))
        for claim in claims:
            if problem := _problem(claim, facts):
                finding = Finding(
                    f"identity.{claim.aspect}", problem, service=service, item=str(sender), path=claim.path
                )
                found[service, problem].append(finding)
    # A wrong configuration shows in every item of a service: it is said once.
    for first, *others in found.values():
        yield replace(first, message=f"{first.message} ({len(others)} more items alike)") if others else first


@run_check("identity")
def identity_of_run(subject: RunSubject) -> Iterator[Finding]:
    """All that a service sends during a run is of one release and one environment, sessions included."""
    releases: dict[str, set[str]] = defaultdict(set)
    environments: dict[str, set[str]] = defaultdict(set)
    for view in subject.views("event", "transaction", "span", "session", "sessions"):
        if not isinstance(view, ErrorEvent | Span | Session):
            continue
        if view.service is not None:
            releases[view.service].update(filter(None, [view.release]))
            environments[view.service].update(filter(None, [view.environment]))
        if isinstance(view, Session) and view.release is None:
            yield Finding(
                code="identity.release",
                message="a session without a release is dropped by Sentry: set SENTRY_RELEASE or the option release",
                service=view.service,
                item=f"{view.service}: session in envelope {view.origin.number}",
                path="$.attrs.release",
            )
    for what, of_service in (("release", releases), ("environment", environments)):
        for service, values in of_service.items():
            if len(values) > 1:
                yield Finding(
                    code=f"identity.several-{what}s",
                    message=f"in one run it reports as {what} {_listed(values)}: Sentry would take it for several "
                    f"deployments; set the {what} once, in the environment of all its processes",
                    service=service,
                )


def _listed(values: set[str]) -> str:
    return " and ".join(repr(value) for value in sorted(values))


def _senders(subject: Subject) -> Iterator[tuple[SentItem | SentEntry, list[_Claim]]]:
    for sent in sent_items(subject.capture, "event", "transaction", "profile", "profile_chunk"):
        yield sent, list(_of_item(sent))
    for entry in sent_entries(subject.capture, "span", "log", "trace_metric"):
        yield entry, list(_of_entry(entry))


def _of_item(sent: SentItem) -> Iterator[_Claim]:
    payload = sent.payload
    for name in ("release", "environment", "platform"):
        yield _Claim(name, text(payload.get(name)), f"$.{name}")
    if sent.item.type in ("event", "transaction"):
        yield _Claim("sdk", _sdk(mapping(payload.get("sdk")), "name", "version"), "$.sdk")
    if sent.item.type == "event" and _has_host(ErrorEvent(payload, sent.origin)):
        yield _Claim("server-name", text(payload.get("server_name")), "$.server_name")


def _of_entry(entry: SentEntry) -> Iterator[_Claim]:
    held = attributes(entry.payload.get("attributes"))
    place = f"{entry.path}.attributes"
    for name in ("release", "environment"):
        yield _Claim(name, text(held.get(f"sentry.{name}")), f"{place}['sentry.{name}']")
    yield _Claim("sdk", _sdk(held, "sentry.sdk.name", "sentry.sdk.version"), f"{place}['sentry.sdk.name']")


def _sdk(held: dict[str, Any], name: str, version: str) -> str | None:
    named, numbered = text(held.get(name)), text(held.get(version))
    return f"{named}/{numbered}" if named and numbered else None


def _has_host(event: ErrorEvent) -> bool:
    return event.platform in _WITH_HOST and event.mechanism.type != _WATCHDOG


def _problem(claim: _Claim, facts: ServiceFacts) -> str | None:
    """What is wrong with a claim, in words; None when nothing is."""
    match claim.aspect:
        case "release":
            return _differs("release", claim.value, facts.release, "SENTRY_RELEASE")
        case "environment":
            return _differs("environment", claim.value, facts.environment, "SENTRY_ENVIRONMENT")
        case "sdk" if claim.value and facts.sdk and _kind(claim.value) != _kind(facts.sdk):
            return (
                f"it says it was sent by {claim.value}, but in the service runs {facts.sdk}: are two SDKs installed, "
                "or does something rewrite `sdk`?"
            )
        case "platform" | "sdk" if not claim.value:
            return f"it has no {claim.aspect}: Sentry cannot tell how to read it; keep what the SDK sets"
        case "server-name" if not claim.value:
            return "it has no server_name: nobody can tell which host failed; do not remove it in before_send"
        case _:
            return None


def _differs(name: str, value: str | None, configured: str | None, variable: str) -> str | None:
    if configured is None or value == configured:
        return None
    actual = f"has the {name} {value!r}" if value else f"has no {name}"
    return (
        f"it {actual}, the service was started with {configured!r}: let the SDK take it from {variable}, and pass no "
        f"other {name} to it"
    )


def _kind(sdk: str) -> tuple[str, str]:
    """Family and version: the name's end names frameworks (``sentry.python.fastapi``) and may differ."""
    name, _, version = sdk.partition("/")
    return ".".join(name.split(".")[:2]), version

"""Check: attributes of spans, logs and metrics have the names that Sentry knows (package ``sentry-conventions``)."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from harness.telemetry.shape import attributes as plain
from harness.telemetry.shape import mapping, sequence, text
from harness.verify.checks.registry import Subject, check
from harness.verify.finding import Finding, Severity
from harness.verify.json_path import member
from harness.verify.sent import sent_entries, sent_items

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentry_conventions.attributes import AttributeMetadata

# Of two names of usual length, one differing letter leaves this much in common.
_SIMILARITY = 0.92
_SHORTEST = 7
_SEPARATORS = re.compile(r"[._\- ]")
_DIGITS = re.compile(r"\d+")
# Attributes of this namespace are the SDK's own affair.
_OF_SDK = "sentry."


@dataclass(frozen=True, slots=True)
class _Holder:
    """Attributes of one span, log or metric.

    Args:
        names: names of the attributes.
        by_sdk: whether an integration of the SDK wrote them, so that nobody but the SDK can rename them.
        path: where they are.
    """

    service: str | None
    item: str
    names: tuple[str, ...]
    by_sdk: bool
    path: str


@check("attributes")
def attributes(subject: Subject) -> Iterator[Finding]:
    """No attribute has a deprecated name that was replaced by another, or a name that is nearly a known one."""
    found: dict[tuple[str | None, str], list[Finding]] = defaultdict(list)
    for holder in _holders(subject):
        for name in holder.names:
            if name.startswith(_OF_SDK):
                continue
            if verdict := _judge(name, holder.by_sdk):
                code, message = verdict
                path = member(holder.path, name)
                finding = Finding(code, message, Severity.WARNING, holder.service, holder.item, path)
                found[holder.service, name].append(finding)
    for first, *others in found.values():
        yield replace(first, message=f"{first.message} ({len(others)} more items alike)") if others else first


def _holders(subject: Subject) -> Iterator[_Holder]:
    for sent in sent_items(subject.capture, "transaction"):
        trace = mapping(mapping(sent.payload.get("contexts")).get("trace"))
        data = mapping(trace.get("data"))
        by_sdk = _by_sdk(trace.get("origin"))
        yield _Holder(sent.service, str(sent), tuple(data), by_sdk, "$.contexts.trace.data")
        for index, raw in enumerate(sequence(sent.payload.get("spans"))):
            span = mapping(raw)
            item = f"{sent.service}: span {text(span.get('description'))!r} ({text(span.get('span_id'))})"
            names = tuple(mapping(span.get("data")))
            yield _Holder(sent.service, item, names, _by_sdk(span.get("origin")), f"$.spans[{index}].data")
    for entry in sent_entries(subject.capture, "span", "log", "trace_metric"):
        held = plain(entry.payload.get("attributes"))
        # A log's integration passes on what the application attached to it.
        by_sdk = entry.sent.item.type == "span" and _by_sdk(held.get("sentry.origin"))
        yield _Holder(entry.sent.service, str(entry), tuple(held), by_sdk, f"{entry.path}.attributes")


def _by_sdk(origin: object) -> bool:
    # develop.sentry.dev, "Trace Origin": "auto." for what the SDK recorded, "manual" for the application.
    return isinstance(origin, str) and origin.startswith("auto.")


@cache
def _judge(name: str, by_sdk: bool) -> tuple[str, str] | None:
    """Code and message for a name; None for one that is known, or a name of the application's own."""
    known = _conventions()
    metadata = known.get(name)
    if metadata is None:
        likely = _likely(name)
        if likely is None:
            return None
        return "attributes.misspelled", f"{name!r} is nearly {likely!r}, the name that Sentry knows: rename it"
    if by_sdk or metadata.deprecation is None or metadata.deprecation.replacement is None:
        return None
    instead = f"{name!r} is deprecated in Sentry's conventions, use {metadata.deprecation.replacement!r}"
    return "attributes.deprecated", instead + (
        f" ({metadata.deprecation.reason})" if metadata.deprecation.reason else ""
    )


def _likely(name: str) -> str | None:
    """The known name that this one was probably meant to be."""
    if len(name) < _SHORTEST or _has_known_prefix(name):
        return None
    exact = _by_letters().get(_letters(name))
    # "user_id" is a name that many choose for themselves, "http_request_method" is nobody's own idea.
    if exact is not None and ("." in name or exact.count(".") > 1):
        return exact
    namespace = name.partition(".")[0]
    for candidate in difflib.get_close_matches(name, _namespace(namespace), n=3, cutoff=_SIMILARITY):
        # Numbered and plural names are names of their own.
        if _DIGITS.sub("", candidate) != _DIGITS.sub("", name) and candidate.rstrip("s") != name.rstrip("s"):
            return candidate
    return None


def _has_known_prefix(name: str) -> bool:
    """Whether it is one of the names that end as the application likes, such as ``http.request.header.<key>``."""
    return any(name.startswith(prefix) for prefix in _open_prefixes())


@cache
def _conventions() -> Mapping[str, AttributeMetadata]:
    from sentry_conventions.attributes import ATTRIBUTE_METADATA

    return ATTRIBUTE_METADATA


@cache
def _open_prefixes() -> tuple[str, ...]:
    return tuple(
        name.partition("<")[0]
        for name, metadata in _conventions().items()
        if metadata.has_dynamic_suffix and "<" in name
    )


@cache
def _by_letters() -> dict[str, str]:
    return {_letters(name): name for name, metadata in _conventions().items() if metadata.deprecation is None}


def _letters(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


@cache
def _namespace(namespace: str) -> list[str]:
    return [
        name
        for name, metadata in _conventions().items()
        if metadata.deprecation is None and name.partition(".")[0] == namespace
    ]

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk

from harness.verify.checks.stacktrace_usable import stacktrace_usable, stacktrace_usable_of_run
from harness.verify.finding import Finding
from harness.wire.envelope import Envelope
from tests.samples import envelope, error
from tests.verify.checks.capturing import codes, findings, of_sdk, run_findings

OWN = {"function": "spin", "filename": "slots.py", "lineno": 7, "in_app": True, "context_line": "raise ValueError"}
LIBRARY = {
    "function": "_execute",
    "filename": "tornado/web.py",
    "lineno": 9,
    "in_app": False,
    "context_line": "await",
}
MINIFIED = {"function": "n", "filename": "https://game/main.js", "lineno": 1, "colno": 43878, "in_app": True}


def of_frames(
    *frames: dict[str, Any], platform: str = "python", mechanism: str = "tornado", **payload: Any
) -> list[Finding]:
    exception: dict[str, Any] = {
        "type": "ValueError",
        "value": "boom",
        "mechanism": {"type": mechanism, "handled": False},
    }
    if frames:
        exception["stacktrace"] = {"frames": list(frames)}
    chain = {"values": [{"type": "KeyError", "value": "cause"}, exception]}
    return findings(stacktrace_usable, envelope(error(platform=platform, exception=chain, **payload)))


@pytest.mark.parametrize(
    ("frames", "platform", "mechanism"),
    [
        ((LIBRARY, OWN), "python", "tornado"),
        ((OWN, LIBRARY), "node", "auto.http.express"),
        ((LIBRARY, {**OWN, "context_line": ""}), "python", "tornado"),
        (({**OWN, "filename": "<string>", "context_line": None},), "python", "excepthook"),
        (({**OWN, "in_app": None}, OWN), "python", "threading"),
        (({**OWN, "context_line": None},), "ruby", "rack"),
        ((LIBRARY,), "node", "ANR"),
        (({**OWN, "context_line": None},), "node", "auto.http.express"),
        (({**OWN, "function": "spinTheReels", "colno": 43878, "context_line": None},), "javascript", "onerror"),
        (({**OWN, "function": "e", "colno": 12, "context_line": None},), "javascript", "onerror"),
        ((MINIFIED, {**OWN, "colno": 3}), "javascript", "onerror"),
    ],
)
def test_a_usable_stack_passes(frames: tuple[dict[str, Any], ...], platform: str, mechanism: str) -> None:
    assert of_frames(*frames, platform=platform, mechanism=mechanism) == []


@pytest.mark.parametrize(
    ("detail", "path", "frames", "platform"),
    [
        ("no-frames", "", (), "python"),
        ("unmarked", "", ({**OWN, "in_app": None}, {**LIBRARY, "in_app": None}), "python"),
        ("no-in-app", "", (LIBRARY, LIBRARY), "python"),
        ("no-source", ".frames[1].context_line", (OWN, {**OWN, "context_line": None}, LIBRARY), "python"),
        ("minified", "", (MINIFIED, {**MINIFIED, "function": "e.t"}), "javascript"),
        ("minified", "", ({**MINIFIED, "function": None, "colno": 3, "filename": "/app.min.js?v=2"},), "javascript"),
    ],
)
def test_an_unusable_stack_is_the_one_finding(
    detail: str, path: str, frames: tuple[dict[str, Any], ...], platform: str
) -> None:
    (found,) = of_frames(*frames, platform=platform)

    assert found.code == f"stacktrace-usable.{detail}"
    assert found.path == f"$.exception.values[1].stacktrace{path}"
    assert found.service == "game"


def of_node(**frame: Any) -> Envelope:
    chain = {"values": [{"type": "Error", "stacktrace": {"frames": [LIBRARY, {**OWN, **frame}]}}]}
    return envelope(error(platform="node", exception=chain))


def test_a_node_service_that_never_sends_source_is_found_over_the_run() -> None:
    (found,) = run_findings(stacktrace_usable_of_run, of_node(context_line=None), of_node(context_line=None))

    assert (found.code, found.service) == ("stacktrace-usable.no-source", "game")
    assert "none of its 2 frames" in found.message


def test_frames_without_source_among_others_are_the_node_sdks_way() -> None:
    assert run_findings(stacktrace_usable_of_run, of_node(context_line=None), of_node()) == []
    assert run_findings(stacktrace_usable_of_run, of_node(context_line=None, in_app=False)) == []
    assert run_findings(stacktrace_usable_of_run, envelope(error(platform="python"))) == []


def test_source_maps_with_debug_ids_make_minified_frames_readable() -> None:
    images = [{"type": "sourcemap", "code_file": "https://game/main.js", "debug_id": "1"}]

    assert of_frames(MINIFIED, platform="javascript", debug_meta={"images": images}) == []
    assert codes(of_frames(MINIFIED, platform="javascript", debug_meta={"images": [{"type": "wasm"}]})) == [
        "stacktrace-usable.minified"
    ]


def test_the_path_fits_an_exception_sent_as_a_list() -> None:
    held = envelope(error(platform="python", exception=[{"type": "ValueError", "value": "boom"}]))

    assert findings(stacktrace_usable, held)[0].path == "$.exception[0].stacktrace"


def test_messages_need_no_stack() -> None:
    synthetic = {"values": [{"value": "spun", "mechanism": {"type": "generic", "synthetic": True}}]}

    assert findings(stacktrace_usable, envelope(error(exception=synthetic, message="spun"))) == []
    assert findings(stacktrace_usable, envelope(error(exception=None, message="spun"))) == []


def raised() -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError as problem:
        sentry_sdk.capture_exception(problem)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, []),
        ({"include_source_context": False}, ["stacktrace-usable.no-source"]),
        ({"in_app_exclude": ["tests", "test_stacktrace_usable"]}, ["stacktrace-usable.no-in-app"]),
    ],
)
def test_the_real_sdk(options: dict[str, Any], found: list[str]) -> None:
    assert codes(of_sdk(stacktrace_usable, raised, **options)) == found


def test_the_real_sdk_with_an_exception_that_was_never_raised() -> None:
    found = of_sdk(stacktrace_usable, lambda: sentry_sdk.capture_exception(ValueError("boom")))

    assert codes(found) == ["stacktrace-usable.no-frames"]

"""Lost, changed, gained: what differs is told as what it is, at its place, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from harness.verify.baseline.differences import Difference, compare, without_loosened
from harness.verify.baseline.paths import Loosening

EVENT: dict[str, Any] = {
    "service": "shop",
    "kind": "error",
    "level": "error",
    "exceptions": [{"type": "ValueError", "value": "boom", "mechanism": "wsgi", "handled": False}],
    "tags": {"shop": "a", "debug.scenario": "crash"},
    "contexts": {"memory": {"rss_mb": "<number>"}},
    "breadcrumbs": [
        {"category": "open", "message": "opened"},
        {"category": "pay", "message": "paid"},
        {"category": "close", "message": "closed"},
    ],
    "fingerprint": ["shop", "crash"],
    "integrations": ["argv", "logging", "stdlib"],
}
SHAPE: dict[str, Any] = {
    "events": [EVENT],
    "trace": {
        "web http.server /": {
            "spans": {"shop http.server /pay": {"status": "ok", "spans": {"shop db SELECT": {"status": "ok"}}}}
        }
    },
}


def event(**members: Any) -> dict[str, Any]:
    return {**SHAPE, "events": [{key: held for key, held in {**EVENT, **members}.items() if held is not None}]}


def told(expected: dict[str, Any], actual: dict[str, Any], *loosened: str) -> list[tuple[str, str]]:
    found = compare(expected, actual, [Loosening(path, "a test") for path in loosened])
    return [(difference.kind, difference.path) for difference in found]


def test_equal_shapes_differ_in_nothing() -> None:
    assert compare(SHAPE, event()) == []


@pytest.mark.parametrize(
    ("actual", "difference"),
    [
        (event(tags={"shop": "a"}), ("lost", "$.events[0].tags['debug.scenario']")),
        (event(tags={"shop": "b", "debug.scenario": "crash"}), ("changed", "$.events[0].tags.shop")),
        (event(tags={**EVENT["tags"], "new": "x"}), ("gained", "$.events[0].tags.new")),
        (event(contexts=None), ("lost", "$.events[0].contexts")),
        (event(level="warning"), ("changed", "$.events[0].level")),
        (event(fingerprint=["shop", "other"]), ("changed", "$.events[0].fingerprint[1]")),
        (event(breadcrumbs=EVENT["breadcrumbs"][1:]), ("lost", "$.events[0].breadcrumbs[0]")),
        (event(integrations=["argv", "stdlib"]), ("lost", "$.events[0].integrations.logging")),
        (
            event(exceptions=[{**EVENT["exceptions"][0], "mechanism": "asgi"}]),
            ("changed", "$.events[0].exceptions[0].mechanism"),
        ),
        (
            event(exceptions=[{**EVENT["exceptions"][0], "type": "KeyError"}]),
            ("changed", "$.events[0].exceptions[0].type"),
        ),
        (
            event(exceptions=[{**EVENT["exceptions"][0], "handled": 0}]),
            ("changed", "$.events[0].exceptions[0].handled"),
        ),
        ({**SHAPE, "events": []}, ("lost", "$.events[0]")),
        ({**SHAPE, "events": [EVENT, EVENT]}, ("gained", "$.events[1]")),
    ],
)
def test_a_difference_is_told_as_what_it_is(actual: dict[str, Any], difference: tuple[str, str]) -> None:
    assert told(SHAPE, actual) == [difference]


def test_a_lost_breadcrumb_does_not_shift_those_behind_it() -> None:
    first, _, last = EVENT["breadcrumbs"]
    actual = event(breadcrumbs=[{**first, "message": "opened again"}, last])
    assert told(SHAPE, actual) == [
        ("changed", "$.events[0].breadcrumbs[0].message"),
        ("lost", "$.events[0].breadcrumbs[1]"),
    ]


def test_breadcrumbs_in_another_order_are_a_difference() -> None:
    assert told(SHAPE, event(breadcrumbs=EVENT["breadcrumbs"][::-1])) != []


def test_a_span_below_another_parent_has_changed() -> None:
    below = {"status": "error", "spans": {"shop db SELECT": {"status": "ok"}}}
    found = compare(SHAPE, {**SHAPE, "trace": {"web http.server /": {}, "shop http.server /pay": below}})
    assert [difference.words for difference in found] == [
        'changed  $.trace[\'shop http.server /pay\'].parent: it was "web http.server /", it is "<none>"',
        'changed  $.trace[\'shop http.server /pay\'].status: it was "ok", it is "error"',
    ]


def test_a_lost_span_is_told_even_when_it_was_the_only_one() -> None:
    assert told(SHAPE, {**SHAPE, "trace": {"web http.server /": {}}}) == [
        ("lost", "$.trace['web http.server /'].spans['shop http.server /pay']")
    ]
    assert told({"events": [EVENT]}, {}) == [("lost", "$.events[0]")]
    assert told({}, SHAPE, "$.trace") == [("gained", "$.events[0]")]


def test_numbers_of_placeholders_are_names() -> None:
    assert compare({"a": "<rnd-1>", "b": "<rnd-1>"}, {"a": "<rnd-2>", "b": "<rnd-2>"}) == []
    assert told({"a": "<rnd-1>", "b": "<rnd-1>"}, {"a": "<rnd-1>", "b": "<rnd-2>"}) == [("changed", "$.b")]
    assert told({"a": "<rnd-1>", "b": "<rnd-2>"}, {"a": "<rnd-1>", "b": "<rnd-1>"}) == [("changed", "$.b")]
    assert told({"a": "<rnd-1>"}, {"a": "<txn-1>"}) == [("changed", "$.a")]


def test_what_is_loosened_is_not_compared() -> None:
    actual = event(tags={"shop": "b"}, level="fatal")
    assert told(SHAPE, actual, "$.events[0].tags") == [("changed", "$.events[0].level")]
    assert told(SHAPE, actual, "$.events[*].level", "$..shop") == [("lost", "$.events[0].tags['debug.scenario']")]


def test_what_is_loosened_is_named_so_in_the_file() -> None:
    written = without_loosened(SHAPE, [Loosening("$.events[0].tags", "a test")])
    assert written == event(tags="<loosened>")


@pytest.mark.parametrize("key", ["fingerprint", "level", "status", "handled", "mechanism"])
def test_a_value_where_a_default_held_is_a_change(key: str) -> None:
    (found,) = compare({"events": [{"type": "E"}]}, {"events": [{"type": "E", key: "own"}]})
    assert (found.kind, found.path, found.actual) == ("changed", f"$.events[0].{key}", "own")


def test_words_tell_both_values() -> None:
    (difference,) = compare(SHAPE, event(level="warning"))
    assert difference.words == 'changed  $.events[0].level: it was "error", it is "warning"'
    (difference,) = compare(SHAPE, event(tags={"shop": "a"}))
    assert difference.words == "lost     $.events[0].tags['debug.scenario']: it was \"crash\""
    (difference,) = compare(event(tags={"shop": "a"}), SHAPE)
    assert difference.words == "gained   $.events[0].tags['debug.scenario']: it is \"crash\""


def test_a_lost_event_is_told_by_what_it_is() -> None:
    raised = {"kind": "error", "service": "payment", "exceptions": [{"type": "E", "value": "x"}], "tags": {"a": "b"}}
    assert Difference("lost", "$.events[0]", raised, None).words.endswith("it was the error 'E: x' of payment")
    message = {"kind": "message", "service": "payment", "message": "careful"}
    assert Difference("lost", "$.events[0]", message, None).words.endswith("it was the message 'careful' of payment")

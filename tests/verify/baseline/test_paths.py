"""JSON paths of differences and of loosened places."""

from __future__ import annotations

import pytest

from harness.verify.baseline.paths import InvalidPath, Loosening, Step, render


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$.events[0].message", ("events", 0, "message")),
        ("$.events[*].message", ("events", 3, "message")),
        ("$.trace.*.times", ("trace", "shop http.server /", "times")),
        ("$.tags['debug.scenario']", ("tags", "debug.scenario")),
        ("$.logs['shop info *'].body", ("logs", "shop info paid\n# cents", "body")),
        ("$..times", ("trace", "a", "spans", "b", "times")),
        ("$..['a b'].times", ("trace", "a b", "times")),
    ],
)
def test_a_path_names_its_place(path: str, place: tuple[Step, ...]) -> None:
    assert Loosening(path, "a test").names(place)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$.events[0].message", ("events", 1, "message")),
        ("$.events[0].message", ("events", 0)),
        ("$.events[0]", ("events", 0, "message")),
        ("$.events[*]", ("logs", 0)),
        ("$..times", ("trace", "a", "timespan")),
        ("$.logs['shop info *']", ("logs", "shop warn paid")),
    ],
)
def test_and_nothing_else(path: str, place: tuple[Step, ...]) -> None:
    assert not Loosening(path, "a test").names(place)


@pytest.mark.parametrize("path", ["events", "$", "$.events[", "$.events[x]", "$events", "$.['a"])
def test_a_path_that_cannot_be_read_is_said(path: str) -> None:
    with pytest.raises(InvalidPath, match="the path"):
        Loosening(path, "a test")


@pytest.mark.parametrize("place", [("events", 0, "message"), ("tags", "debug.scenario"), ("trace", "a b", "x-y")])
def test_a_rendered_place_is_a_path_to_it(place: tuple[Step, ...]) -> None:
    assert Loosening(render(place), "a test").names(place)


@pytest.mark.parametrize(
    ("path", "place", "inside"),
    [
        ("$.events[0].tags.x", ("events", 0, "tags"), True),
        ("$.events[0].tags.x", ("events", 0), False),
        ("$.events[0].tags.x", ("events", 0, "tags", "x"), False),
        ("$.message", (), True),
        ("$..times", ("spans", "x"), True),
        ("$..['a b'].times", ("spans", "a b"), True),
        ("$..['a b'].times", ("spans", "c"), False),
    ],
)
def test_where_a_loosened_place_would_be(path: str, place: tuple[str | int, ...], inside: bool) -> None:
    assert Loosening(path, "a test").belongs_into(place) is inside

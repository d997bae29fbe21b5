"""What a capture has lost, changed or gained against its baseline.

Lists are aligned by `difflib` on what their entries are rather than on all that they say: a breadcrumb is known by
its category, so one that was lost and one whose text changed are told as exactly that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from harness.telemetry.shape import one_line
from harness.verify.baseline.paths import Loosening, Step, render

Kind = Literal["lost", "changed", "gained"]
Place = tuple[Step, ...]

# What an entry of a list is, from its most telling member to the least.
_IDENTITY = ("service", "type", "category", "transaction", "filename", "monitor", "kind")
# Lists of names without an order or repetitions; an entry's place is its name.
SETS = frozenset({"attributes", "contexts", "headers", "integrations", "measurements"})
# Absent where Sentry's own default holds: a value of one's own is another one.
DEFAULTED = frozenset({"fingerprint", "handled", "level", "mechanism", "status"})
# Absent when they are empty; what they held is told one by one.
COLLECTIONS = frozenset({"events", "logs", "metrics", "spans", "trace"})
_MOST_LINES = 40
_NUMBERED = re.compile(r"<([a-z]+)-(\d+)>")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Args:
        kind: ``lost`` and ``changed`` are regressions, ``gained`` is news.
        path: where, as a JSON path: in the baseline for what was lost, in the capture otherwise.
        expected: what the baseline has there; None for what was gained.
        actual: what was captured there; None for what was lost.
    """

    kind: Kind
    path: str
    expected: Any
    actual: Any

    @property
    def words(self) -> str:
        """The difference for a person."""
        match self.kind:
            case "lost":
                return f"lost     {self.path}: it was {short_text(self.expected)}"
            case "gained":
                return f"gained   {self.path}: it is {short_text(self.actual)}"
            case "changed":
                return f"changed  {self.path}: it was {short_text(self.expected)}, it is {short_text(self.actual)}"


_Found = tuple[Place, Difference]


def compare(
    expected: Mapping[str, Any], actual: Mapping[str, Any], loosened: Sequence[Loosening] = ()
) -> list[Difference]:
    """Every difference between a baseline and a shape, in the order of their paths.

    Numbers of placeholders are names, not values: ``<trace-1>`` here may be ``<trace-2>`` there, as long as whatever
    was equal is still equal.

    Args:
        expected: the baseline.
        actual: the shape of the capture.
        loosened: places whose differences do not count.
    """
    # What Python calls equal is not yet the same: True is 1, and 1 is 1.0.
    if expected == actual and json.dumps(expected, sort_keys=True) == json.dumps(actual, sort_keys=True):
        return []
    comparison = _Comparison(loosened)
    found = list(comparison.of(dict(expected), dict(actual), (), ()))
    return [difference for _, difference in comparison.with_moves(found)]


def differences_text(what: str, differences: Sequence[Difference], advice: str) -> str:
    """What fails a test, for a person.

    Args:
        what: what differs from what, as a heading.
        differences: those that fail it.
        advice: what to do about them.
    """
    lines = [f"  {difference.words}" for difference in differences[:_MOST_LINES]]
    if (more := len(differences) - _MOST_LINES) > 0:
        lines.append(f"  ... and {more} more")
    return "\n".join([what, *lines, advice])


def unused_loosenings(loosened: Sequence[Loosening], *shapes: Any) -> list[Loosening]:
    """Those that name no place in any of the shapes, nor one that might be there another time.

    Args:
        loosened: what a scenario loosens.
        shapes: its baseline and what was captured, as `compare` takes them.
    """
    places = [place for shape in shapes for place in _places(shape, ())]
    return [loosening for loosening in loosened if not any(map(loosening.belongs_into, places))]


def _places(shape: Any, place: Place) -> Iterator[Place]:
    yield place
    if isinstance(shape, dict):
        for key, held in shape.items():
            yield from _places(held, (*place, key))
    elif isinstance(shape, list):
        for index, held in enumerate(shape):
            yield from _places(held, (*place, held if place and place[-1] in SETS else index))


def without_loosened(shape: Any, loosened: Sequence[Loosening], place: Place = ()) -> Any:
    """The shape as it is written: what is loosened is named so instead of some run's value."""
    if any(loosening.names(place) for loosening in loosened):
        return "<loosened>"
    if isinstance(shape, dict):
        return {key: without_loosened(held, loosened, (*place, key)) for key, held in shape.items()}
    if isinstance(shape, list):
        return [without_loosened(held, loosened, (*place, index)) for index, held in enumerate(shape)]
    return shape


class _Comparison:
    def __init__(self, loosened: Sequence[Loosening]) -> None:
        self._loosened = loosened
        self._there: dict[str, str] = {}
        self._here: dict[str, str] = {}

    def of(self, expected: Any, actual: Any, there: Place, here: Place) -> Iterator[_Found]:
        """Differences between two values, which stand at these places in the baseline and in the capture."""
        # What these places are inside of was asked on the way here.
        if any(loosening.names(there) or loosening.names(here) for loosening in self._loosened):
            return
        if isinstance(expected, dict) and isinstance(actual, dict):
            yield from self._of_objects(expected, actual, there, here)
        elif isinstance(expected, list) and isinstance(actual, list):
            yield from self._of_lists(expected, actual, there, here)
        elif not self._same(expected, actual):
            yield here, Difference("changed", render(here), expected, actual)

    def with_moves(self, found: list[_Found]) -> Iterator[_Found]:
        """The same differences, but a span that is only below another parent has changed and is not lost."""
        gained = {
            place[-1]: (place, difference)
            for place, difference in found
            if difference.kind == "gained" and _is_span(place)
        }
        lost = {place: place[-1] for place, difference in found if difference.kind == "lost" and _is_span(place)}
        moves = {place: gained.pop(label) for place, label in lost.items() if label in gained}
        arrived = {place for place, _ in moves.values()}
        for place, difference in found:
            if place in moves and difference.kind == "lost":
                new_place, other = moves[place]
                yield (
                    new_place,
                    Difference("changed", f"{render(new_place)}.parent", _parent(place), _parent(new_place)),
                )
                yield from self.of(difference.expected, other.actual, place, new_place)
            elif place not in arrived or difference.kind != "gained":
                yield place, difference

    def _of_objects(
        self, expected: dict[str, Any], actual: dict[str, Any], there: Place, here: Place
    ) -> Iterator[_Found]:
        for key in sorted(expected.keys() | actual.keys()):
            if key in COLLECTIONS:
                held: Any = expected[key] if key in expected else actual[key]
                was, now = expected.get(key, type(held)()), actual.get(key, type(held)())
                yield from self.of(was, now, (*there, key), (*here, key))
            elif key not in actual:
                yield from self._lost(expected[key], (*there, key))
            elif key not in expected and key in DEFAULTED:
                yield from self.of(None, actual[key], (*there, key), (*here, key))
            elif key not in expected:
                yield from self._gained(actual[key], (*here, key))
            else:
                yield from self.of(expected[key], actual[key], (*there, key), (*here, key))

    def _of_lists(self, expected: list[Any], actual: list[Any], there: Place, here: Place) -> Iterator[_Found]:
        if there[-1] in SETS:
            yield from self._of_objects(
                {name: name for name in expected}, {name: name for name in actual}, there, here
            )
            return
        were, are = [_identity(entry) for entry in expected], [_identity(entry) for entry in actual]
        for how, start, end, new_start, new_end in SequenceMatcher(None, were, are, autojunk=False).get_opcodes():
            if how == "equal" or end - start == new_end - new_start:
                for at, now in zip(range(start, end), range(new_start, new_end), strict=True):
                    yield from self.of(expected[at], actual[now], (*there, at), (*here, now))
                continue
            for at in range(start, end):
                yield from self._lost(expected[at], (*there, at))
            for now in range(new_start, new_end):
                yield from self._gained(actual[now], (*here, now))

    def _lost(self, value: Any, place: Place) -> Iterator[_Found]:
        if not any(loosening.names(place) for loosening in self._loosened):
            yield place, Difference("lost", render(place), value, None)

    def _gained(self, value: Any, place: Place) -> Iterator[_Found]:
        if not any(loosening.names(place) for loosening in self._loosened):
            yield place, Difference("gained", render(place), None, value)

    def _same(self, expected: Any, actual: Any) -> bool:
        if not (isinstance(expected, str) and isinstance(actual, str)):
            return type(expected) is type(actual) and bool(expected == actual)
        if _NUMBERED.sub(r"<\1>", expected) != _NUMBERED.sub(r"<\1>", actual):
            return False
        pairs = zip(_NUMBERED.finditer(expected), _NUMBERED.finditer(actual), strict=True)
        return all(
            self._there.setdefault(one.group(), other.group()) == other.group()
            and self._here.setdefault(other.group(), one.group()) == one.group()
            for one, other in pairs
        )


def _is_span(place: Place) -> bool:
    return "trace" in place[:-1] and place[-2] in ("trace", "spans")


def _parent(place: Place) -> Step:
    return "<none>" if place[-2] == "trace" else place[-3]


def _identity(entry: Any) -> str:
    if isinstance(entry, dict):
        told = {key: entry[key] for key in _IDENTITY if key in entry}
        return _NUMBERED.sub(r"<\1>", json.dumps(told or entry, sort_keys=True))
    return _NUMBERED.sub(r"<\1>", json.dumps(entry, sort_keys=True))


def short_text(value: Any, limit: int = 200) -> str:
    """A value of a shape on one line: an event by what it is rather than by all that it holds.

    Args:
        value: anything in a shape.
        limit: the most characters.
    """
    if isinstance(value, dict) and "kind" in value and "service" in value:
        raised = value.get("exceptions") or [{"type": "", "value": value.get("message")}]
        what = ": ".join(str(raised[-1][name]) for name in ("type", "value") if raised[-1].get(name))
        return one_line(f"the {value['kind']} {what!r} of {value['service']}", limit)
    return one_line(json.dumps(value, ensure_ascii=False, default=str), limit)

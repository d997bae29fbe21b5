"""JSON paths: how a difference names its place, and how a scenario names the places that it loosens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

Step = str | int

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(
    r"""\.(?P<descend>\.)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*|\*) | \[(?P<index>\d+)\] | \[(?P<any>\*)\]
    | \['(?P<quoted>[^']*)'\] | (?P<deep>\.\.)(?=\[)""",
    re.VERBOSE,
)
_ANY = object()
_DESCEND = object()


class InvalidPath(ValueError):
    """A JSON path cannot be read; the message says where."""


@dataclass(frozen=True, slots=True)
class Loosening:
    """A place whose value is not compared.

    Args:
        path: a JSON path: names, ``['quoted names']``, ``[0]``, ``[*]`` or ``.*`` for any one step, ``..name`` for
            a name at any depth. In a quoted name ``*`` stands for any text.
        reason: why it cannot be compared, for whoever reads the scenario.
    """

    path: str
    reason: str

    def __post_init__(self) -> None:
        _steps(self.path)

    def names(self, place: Sequence[Step]) -> bool:
        """Whether a place is the loosened one itself."""
        return _matches(_steps(self.path), place)

    def belongs_into(self, place: Sequence[Step]) -> bool:
        """Whether the loosened place, there or not, is directly inside this one."""
        parent = _steps(self.path)[:-1]
        return parent[-1:] == (_DESCEND,) or _matches(parent, place)


def render(place: Sequence[Step]) -> str:
    """A place as a JSON path.

    Args:
        place: keys and indices from the root.
    """
    rendered = "$"
    for step in place:
        if isinstance(step, int):
            rendered += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            rendered += f".{step}"
        else:
            rendered += f"['{step}']"
    return rendered


@cache
def _steps(path: str) -> tuple[object, ...]:
    if not path.startswith("$") or path == "$":
        raise InvalidPath(f"the path {path!r} must begin with '$' and name something below it")
    steps: list[object] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise InvalidPath(f"the path {path!r} cannot be read from {path[at:]!r} on")
        at = match.end()
        if match["descend"] or match["deep"]:
            steps.append(_DESCEND)
        if match["deep"]:
            continue
        if match["index"] is not None:
            steps.append(int(match["index"]))
        elif match["any"] or match["name"] == "*":
            steps.append(_ANY)
        elif match["quoted"] is not None:
            steps.append(_quoted(match["quoted"]))
        else:
            steps.append(match["name"])
    return tuple(steps)


def _quoted(name: str) -> str | re.Pattern[str]:
    if "*" not in name:
        return name
    return re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)


def _matches(steps: Sequence[object], place: Sequence[Step]) -> bool:
    if not steps:
        return not place
    if steps[0] is _DESCEND:
        return any(_matches(steps[1:], place[start:]) for start in range(len(place)))
    if not place or not _fits(steps[0], place[0]):
        return False
    return _matches(steps[1:], place[1:])


def _fits(wanted: object, step: Step) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(step, str) and wanted.fullmatch(step) is not None
    return wanted is _ANY or wanted == step

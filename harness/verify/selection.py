"""Choosing items of a capture by their attributes: exactly one, the first, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

T = TypeVar("T")


class CaptureError(AssertionError):
    """What a scenario looked for is not what was captured; the message is the diagnosis."""


class Searchable(Protocol):
    """What the query methods need of a capture."""

    def items(self, kind: str) -> Sequence[Any]:
        """All captured items of a kind."""

    def settle(self) -> bool:
        """Wait until nothing more can come; tells whether anything may have changed."""

    def explain(self, kind: str, criteria: Mapping[str, Any], found: Sequence[Any]) -> str:
        """Why the items found are not what was asked for."""


def select(items: Sequence[T], criteria: Mapping[str, Any]) -> list[T]:
    """Items whose attributes equal all criteria; a criterion can be any matcher that compares by ``==``.

    Raises:
        TypeError: the items have no attribute of that name.
    """
    for item in items[:1]:
        for name in criteria:
            if not hasattr(type(item), name):
                known = ", ".join(sorted(field for field in dir(type(item)) if not field.startswith("_")))
                raise TypeError(f"{type(item).__name__} has no {name!r} to select by; it has: {known}")
    return [item for item in items if all(getattr(item, name) == wanted for name, wanted in criteria.items())]


def select_settled(capture: Searchable, kind: str, criteria: Mapping[str, Any]) -> list[Any]:
    """Like `select`, but an empty result is believed only once nothing more can come."""
    found = select(capture.items(kind), criteria)
    if not found and capture.settle():
        found = select(capture.items(kind), criteria)
    return found


@dataclass(frozen=True)
class ExactlyOne(Generic[T]):
    """Declares a method that returns the one item matching its keyword criteria.

    Raises:
        CaptureError: none or several match.
    """

    kind: str

    @overload
    def __get__(self, instance: None, owner: type) -> ExactlyOne[T]: ...
    @overload
    def __get__(self, instance: Searchable, owner: type) -> Callable[..., T]: ...
    def __get__(self, instance: Searchable | None, owner: type) -> ExactlyOne[T] | Callable[..., T]:
        if instance is None:
            return self

        def exactly_one(**criteria: Any) -> T:
            __tracebackhide__ = True
            found = select_settled(instance, self.kind, criteria)
            if len(found) != 1:
                raise CaptureError(instance.explain(self.kind, criteria, found))
            one: T = found[0]
            return one

        return exactly_one


@dataclass(frozen=True)
class First(Generic[T]):
    """Declares a method that returns the first item matching its keyword criteria.

    Raises:
        CaptureError: none matches.
    """

    kind: str

    @overload
    def __get__(self, instance: None, owner: type) -> First[T]: ...
    @overload
    def __get__(self, instance: Searchable, owner: type) -> Callable[..., T]: ...
    def __get__(self, instance: Searchable | None, owner: type) -> First[T] | Callable[..., T]:
        if instance is None:
            return self

        def first(**criteria: Any) -> T:
            __tracebackhide__ = True
            found = select_settled(instance, self.kind, criteria)
            if not found:
                raise CaptureError(instance.explain(self.kind, criteria, found))
            one: T = found[0]
            return one

        return first


@dataclass(frozen=True)
class Nothing:
    """Declares a method that asserts that no item matches its keyword criteria, once nothing more can come.

    Raises:
        CaptureError: some do.
    """

    kind: str

    @overload
    def __get__(self, instance: None, owner: type) -> Nothing: ...
    @overload
    def __get__(self, instance: Searchable, owner: type) -> Callable[..., None]: ...
    def __get__(self, instance: Searchable | None, owner: type) -> Nothing | Callable[..., None]:
        if instance is None:
            return self

        def nothing(**criteria: Any) -> None:
            __tracebackhide__ = True
            if found := select_settled(instance, self.kind, criteria):
                raise CaptureError(instance.explain("no " + self.kind, criteria, found))

        return nothing

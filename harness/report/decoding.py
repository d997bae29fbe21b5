"""From decoded JSON to the record's dataclasses, as strictly as they are declared."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def decoded(kind: Any, value: Any) -> Any:
    """What JSON holds, as the type that is declared for it.

    Args:
        kind: a dataclass, or what is declared inside one.
        value: as `json.loads` gives it.

    Raises:
        KeyError: a field is missing that has no default.
        TypeError: a value is of another type than declared.
        ValueError: a tuple has another length, or an enumeration or a literal no such value.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return __decoded_union(arguments, value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        repeated = arguments[-1] is Ellipsis
        kinds = [arguments[0]] * len(value) if repeated else arguments
        return tuple(decoded(each, held) for each, held in zip(kinds, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {key: decoded(arguments[1], held) for key, held in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        # What has a default came later than the first records of this version.
        held = [of for of in fields(kind) if of.init and (of.name in value or not _has_default(of))]
        return kind(**{of.name: decoded(hints[of.name], value[of.name]) for of in held})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is not Any and not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _has_default(of: Field[Any]) -> bool:
    return of.default is not MISSING or of.default_factory is not MISSING


def __decoded_union(kinds: Sequence[Any], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    problem: Exception | None = None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return decoded(kind, value)
        except TypeError as found:
            problem = found
    raise TypeError(str(problem))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)

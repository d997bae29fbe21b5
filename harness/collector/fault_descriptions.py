"""Faults as somebody describes them who is not a Python program: in JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from harness.collector import faults
from harness.collector.faults import Fault, InvalidFault, Selection

_MADE_BY: dict[str, Callable[..., Fault]] = {
    "answer": faults.answer,
    "rate-limited": faults.rate_limited,
    "slow-first-byte": faults.slow_first_byte,
    "slow-body": faults.slow_body,
    "hang": faults.hang,
    "reset": faults.reset,
    "truncated": faults.truncated,
    "closed": faults.closed,
}


def read_fault(described: object) -> Fault:
    """Make a fault of a request from its description in JSON.

    Args:
        described: An object with `kind`, which is the function's name with hyphens (`rate-limited`), and the
            function's arguments by their names.

    Returns:
        The fault.

    Raises:
        InvalidFault: It does not describe one; the message says why.
    """
    if not isinstance(described, dict):
        raise InvalidFault('a fault is a JSON object such as {"kind": "hang", "requests": 1}')
    given = dict(described)
    kind = given.pop("kind", None)
    make = _MADE_BY.get(kind) if isinstance(kind, str) else None
    if make is None:
        raise InvalidFault(f"there is no fault {kind!r}; kinds are: {', '.join(sorted(_MADE_BY))}")
    own = [name for name in inspect.signature(make).parameters if name != "selection"]
    allowed = [*own, *Selection.__annotations__]
    if unknown := sorted(set(given) - set(allowed)):
        raise InvalidFault(f"fault {kind!r} has no {unknown[0]!r}; it takes: {', '.join(allowed)}")
    try:
        return make(**given)
    except InvalidFault:
        raise
    except TypeError as problem:
        raise InvalidFault(f"fault {kind!r}: {str(problem).removeprefix(make.__name__ + '() ')}") from None

"""The ways in which patches change things."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sentry_sdk

Options = dict[str, Any]
Event = dict[str, Any]
Function = Callable[..., Any]


def instead_of(owner: Any, name: str) -> Callable[[Function], Function]:
    """Let the decorated function stand in for an attribute; its first argument is what was there before.

    Args:
        owner: a module or class.
        name: of one of its functions.
    """

    def replace(new: Function) -> Function:
        original: Function = getattr(owner, name)

        @functools.wraps(original)
        def standing_in(*arguments: Any, **options: Any) -> Any:
            return new(original, *arguments, **options)

        setattr(owner, name, standing_in)
        return new

    return replace


def change_options(change: Callable[[Options], Options]) -> None:
    """Let ``sentry_sdk.init`` get other options.

    Args:
        change: gives what differs, from what the service passes.
    """

    @instead_of(sentry_sdk, "init")
    def init(original: Function, **options: Any) -> Any:
        return original(**{**options, **change(options)})


def change_events(change: Callable[[Event], Event | None]) -> None:
    """Do something to events in ``before_send``, after what the service itself does there.

    Args:
        change: gives what is sent.
    """

    def with_change(options: Options) -> Options:
        own = options["before_send"]

        def before_send(event: Event, hint: Any) -> Event | None:
            return change(own(event, hint))

        return {"before_send": before_send}

    change_options(with_change)


def leave_out(identifier: str, *instead: Any) -> None:
    """Start the SDK without one of the service's integrations.

    Args:
        identifier: of the integration.
        instead: integrations that take its place.
    """
    change_options(
        lambda options: {
            "integrations": [
                *(each for each in options["integrations"] if each.identifier != identifier),
                *instead,
            ]
        }
    )


def count_as_own_code() -> None:
    """Let stack frames of the patches count as the service's, as the code that they stand for would."""
    change_options(lambda _: {"in_app_include": [__package__]})

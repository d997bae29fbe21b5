"""What becomes of an event before it is sent."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo
from typing import Self

from .changing import Event, change_events

AHEAD = timedelta(hours=3)


def user_removed() -> None:
    def change(event: Event) -> Event:
        return {key: value for key, value in event.items() if key != "user"}

    change_events(change)


def tag_removed() -> None:
    def change(event: Event) -> Event:
        del event["tags"]["debug.scenario"]
        return event

    change_events(change)


def contexts_replaced() -> None:
    def change(event: Event) -> Event:
        return {**event, "contexts": {"trace": event["contexts"]["trace"], "build": {"number": "4711"}}}

    change_events(change)


def server_name_removed() -> None:
    def change(event: Event) -> Event:
        return {key: value for key, value in event.items() if key != "server_name"}

    change_events(change)


def oversized_context() -> None:
    def change(event: Event) -> Event:
        rounds = [{"round": number, "line": "bell-bell-bell"} for number in range(2000)]
        return {**event, "contexts": {**event["contexts"], "table": {"rounds": rounds}}}

    change_events(change)


def unknown_level() -> None:
    def change(event: Event) -> Event:
        return {**event, "level": "severe"}

    change_events(change)


def clock_wrong() -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + AHEAD

    for name, module in list(sys.modules.items()):
        if name.startswith("sentry_sdk") and getattr(module, "datetime", None) is datetime:
            module.datetime = Ahead  # type: ignore[attr-defined]

"""Breadcrumbs: the steps that Sentry shows when something goes wrong later in the same request."""

from __future__ import annotations

from typing import Literal

import sentry_sdk

Level = Literal["debug", "info", "warning", "error"]


def leave_breadcrumb(category: str, message: str, *, level: Level = "info", **data: str | float) -> None:
    """Note a step of the current request.

    Args:
        category: what kind of step, such as `event.received`.
        message: the step in words.
        level: how worrying it is.
        data: the facts of the step.
    """
    sentry_sdk.add_breadcrumb(category=category, message=message, level=level, data=data)

"""What stands in front of a debug endpoint, so that it may be shipped: switch, token, scope, limits and audit."""

from __future__ import annotations

from observability.guard.audit import Trigger, record
from observability.guard.decision import DebugGuard, Ruling
from observability.guard.opening import open_guard
from observability.guard.target import Guarded

__all__ = ["DebugGuard", "Guarded", "Ruling", "Trigger", "open_guard", "record"]

"""Debug endpoints: real errors and real load, on demand and within bounds."""

from __future__ import annotations

from game_engine.debug import concurrency, errors, load
from game_engine.debug.endpoint import debug_rules

__all__ = ["concurrency", "debug_rules", "errors", "load"]

"""Verifies that services really report to Sentry: start them, trigger their errors, assert on what they send."""

from harness.collector import faults
from harness.fixtures.baseline import loosen
from harness.fixtures.checking import allow
from harness.fixtures.scenario import scenario

__all__ = ["allow", "faults", "loosen", "scenario"]

"""Typed, read-only views over what Sentry SDKs send, and the trace tree over all services. Pure: no I/O."""

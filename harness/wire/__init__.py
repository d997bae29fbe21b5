"""Sentry's wire protocol: envelopes, encodings, DSNs, authentication, trace headers, rate limits. Pure: no I/O."""

from harness.wire.auth import (
    AuthError,
    ConflictingCredentials,
    Credentials,
    InvalidCredentials,
    MissingCredentials,
    find_credentials,
)
from harness.wire.dsn import Dsn, InvalidDsn
from harness.wire.encoding import BodyTooLarge, CorruptBody, UnsupportedEncoding, decode_body, encode_body
from harness.wire.envelope import Envelope, Item, MalformedEnvelope, MalformedPayload, OversizedEnvelope
from harness.wire.rate_limits import RateLimit, format_rate_limits, parse_rate_limits, parse_retry_after
from harness.wire.trace import (
    Baggage,
    BaggageMember,
    DynamicSamplingContext,
    InvalidSamplingContext,
    InvalidSentryTrace,
    SentryTrace,
)

__all__ = [
    "AuthError",
    "Baggage",
    "BaggageMember",
    "BodyTooLarge",
    "ConflictingCredentials",
    "CorruptBody",
    "Credentials",
    "Dsn",
    "DynamicSamplingContext",
    "Envelope",
    "InvalidCredentials",
    "InvalidDsn",
    "InvalidSamplingContext",
    "InvalidSentryTrace",
    "Item",
    "MalformedEnvelope",
    "MalformedPayload",
    "MissingCredentials",
    "OversizedEnvelope",
    "RateLimit",
    "SentryTrace",
    "UnsupportedEncoding",
    "decode_body",
    "encode_body",
    "find_credentials",
    "format_rate_limits",
    "parse_rate_limits",
    "parse_retry_after",
]

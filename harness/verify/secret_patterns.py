"""Secrets that give themselves away by their form: keys with a prefix, tokens, private keys, card numbers.

Only forms that nothing else has: what telemetry is full of (ids, hashes, timestamps, addresses) must not look like a
secret, so there is no rule here that counts entropy or guesses by the name of a field.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SecretMatch:
    """Something that has the form of a secret.

    Args:
        kind: ``card-number``, ``json-web-token``, ``api-key``, ``private-key`` or ``url-password``.
        name: what it is, in words.
        value: it. Not to be shown.
    """

    kind: str
    name: str
    value: str

    @property
    def hint(self) -> str:
        """As much of it as one may show: enough to find it, nothing to use it."""
        digits = re.sub(r"\D", "", self.value)
        if self.kind == "card-number":
            # PCI DSS lets the last four digits be shown (requirement 3.4.1).
            return f"…{digits[-4:]}"
        return "…" if self.kind == "url-password" else f"{self.value[:4]}…"


@dataclass(frozen=True, slots=True)
class _Key:
    """A key that its issuer made recognisable.

    Args:
        name: what it is.
        mark: a text that every such key has, to look for first.
        form: the whole key; begins with a literal text, which the search is fast for.
    """

    name: str
    mark: str
    form: re.Pattern[str]


_KEYS = tuple(
    _Key(name, mark, re.compile(form, re.ASCII))
    for name, mark, form in (
        ("an AWS access key id", "AKIA", r"AKIA[A-Z2-7]{16}(?!\w)"),
        ("a temporary AWS access key id", "ASIA", r"ASIA[A-Z2-7]{16}(?!\w)"),
        ("an Azure storage account key", "AccountKey=", r"AccountKey=[A-Za-z0-9+/]{86}=="),
        ("a Google API key", "AIza", r"AIza[\w-]{35}(?![\w-])"),
        ("a Google OAuth client secret", "GOCSPX-", r"GOCSPX-[\w-]{28}(?![\w-])"),
        ("a GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{36,}"),
        ("a GitHub token", "github_pat_", r"github_pat_\w{36,}"),
        ("a GitLab token", "glpat-", r"glpat-[\w-]{20,}"),
        ("a Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("a Slack webhook", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}"),
        ("a Stripe key", "k_live_", r"[rs]k_live_[A-Za-z0-9]{16,}"),
        ("a Stripe test key", "k_test_", r"[rs]k_test_[A-Za-z0-9]{16,}"),
        ("an npm token", "npm_", r"npm_[A-Za-z0-9]{36}(?!\w)"),
        ("a PyPI token", "pypi-AgE", r"pypi-AgE[\w-]{50,}"),
        ("an OpenAI key", "T3BlbkFJ", r"sk-[\w-]*T3BlbkFJ[\w-]{20,}"),
        ("an Anthropic key", "sk-ant-", r"sk-ant-[\w-]{20,}"),
        ("a SendGrid key", "SG.", r"SG\.[\w-]{22}\.[\w-]{43}(?![\w-])"),
        ("a Twilio key", "SK", r"SK[0-9a-f]{32}(?!\w)"),
        ("a Sentry auth token", "sntry", r"sntry[su]_[\w=+/-]{40,}"),
        ("a HashiCorp Vault token", "hvs.", r"hvs\.[\w-]{24,}"),
    )
)

# A key's own bytes must follow: the mere marker is in the source of every cryptography library.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|\s)*(?:[A-Za-z-]+: [^\\\n]+(?:\\r|\\n|\s)+)*"
    r"[A-Za-z0-9+/]{16,}"
)
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*", re.ASCII)
_URL_PASSWORD = re.compile(r"""://[^\s/?#:@"'<>\\]*:([^\s/?#@"'<>\\]+)@(?=[\w\[])""")
# What stands for a password that was taken out or is yet to be put in.
_PLACEHOLDER = re.compile(
    r"\[.*\]|%5b.*%5d|\*+|x{3,}|•+|\.{3}|…|<.*>|%3c.*%3e|\{.*\}|%7b.*%7d|\$.*|%s|%\(.*|redacted|filtered|masked|hidden",
    re.IGNORECASE,
)
# Whole digits, or the groups that are printed on a card. Part of a longer number, of hexadecimal digits, of a
# fraction, of a telephone number, or the span id in a sentry-trace header is no card number.
_CARD = re.compile(
    r"(?<![0-9A-Za-z.+])(?<![0-9a-f]{32}-)(?:[2-6]\d{13,15}"
    r"|(?<!-)[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{4}"
    r"|(?<!-)3\d{3}([ -])\d{6}\2\d{4,5})(?![0-9A-Za-z_]|[.,-]\d)",
    re.ASCII,
)
# Issuers by the first digits, with the number of digits (ISO/IEC 7812). Longer ones exist, but are too rare among
# the many other numbers of that length.
_ISSUERS = (
    ("a Visa card number", 16, re.compile(r"4")),
    ("a Mastercard card number", 16, re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")),
    ("an American Express card number", 15, re.compile(r"3[47]")),
    ("a Discover card number", 16, re.compile(r"6011|64[4-9]|65")),
    ("a JCB card number", 16, re.compile(r"352[89]|35[3-8]")),
    ("a UnionPay card number", 16, re.compile(r"62")),
    ("a Diners Club card number", 14, re.compile(r"30[0-5]|3095|36|3[89]")),
)


def find_secrets(text: str) -> Iterator[SecretMatch]:
    """Everything in a text that has the form of a secret."""
    yield from _keys(text)
    if "PRIVATE KEY" in text:
        for match in _PRIVATE_KEY.finditer(text):
            yield SecretMatch("private-key", "a private key", match[0])
    if ".eyJ" in text:
        for match in _TOKEN.finditer(text):
            if _stands_alone(match) and _is_token_header(match[0].partition(".")[0]):
                yield SecretMatch("json-web-token", "a JSON web token", match[0])
    if "@" in text:
        for match in _URL_PASSWORD.finditer(text):
            if not _PLACEHOLDER.fullmatch(match[1]):
                yield SecretMatch("url-password", "a password in a URL", match[1])
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if (issuer := _issuer(digits)) is not None and passes_luhn(digits):
            yield SecretMatch("card-number", issuer, match[0])


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _keys(text: str) -> Iterator[SecretMatch]:
    for key in _KEYS:
        if key.mark in text:
            for match in key.form.finditer(text):
                if _stands_alone(match):
                    yield SecretMatch("api-key", key.name, match[0])


def _stands_alone(match: re.Match[str]) -> bool:
    before = match.string[match.start() - 1 : match.start()]
    return not before.isalnum()


def _is_token_header(encoded: str) -> bool:
    # RFC 7515, section 4.1: every token names its algorithm.
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header


def _issuer(digits: str) -> str | None:
    for name, length, prefix in _ISSUERS:
        if len(digits) == length and prefix.match(digits):
            return name
    return None

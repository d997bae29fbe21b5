"""Marks that a request carries, so that its parts are recognised wherever they turn up."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from harness.fleet.spec import FleetSpec

_SECRET_NAME = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|(?:^|_)KEY$", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#:@]*:([^/?#@]+)@", re.IGNORECASE)
_SHORTEST_INHERITED = 8
# A number that card networks reserve for tests: it passes the Luhn check and belongs to nobody.
_CARD_NUMBER = "4242 4242 4242 4242"


@dataclass(frozen=True, slots=True)
class Marks:
    """What one request carries beside its trace.

    Args:
        marker: an id of the scenario alone; services that log or tag a request id carry it on.
        headers: all headers to send.
        secrets: the parts of them that must not reach Sentry, by a name for each.
    """

    marker: str
    headers: Mapping[str, str]
    secrets: Mapping[str, str]


def new_marks(*, with_canaries: bool) -> Marks:
    """Marks for one request.

    Args:
        with_canaries: also send credentials, a cookie, a card number and an e-mail address that look real and belong
            to nobody. A service that checks credentials refuses them, so they can be switched off.
    """
    marker = f"scn-{secrets.token_hex(8)}"
    headers = {"X-Request-Id": marker}
    if not with_canaries:
        return Marks(marker, headers, {})
    token, session, key = (secrets.token_hex(16) for _ in range(3))
    email = f"canary.{secrets.token_hex(6)}@example.com"
    headers |= {
        "Authorization": f"Bearer {token}",
        "Cookie": f"session={session}",
        "X-Api-Key": key,
        "X-Card-Number": _CARD_NUMBER,
        "X-Customer-Email": email,
    }
    hidden = {
        "the trigger's bearer token": token,
        "the trigger's session cookie": session,
        "the trigger's API key": key,
        "the trigger's card number": _CARD_NUMBER,
        "the trigger's e-mail address": email,
    }
    return Marks(marker, headers, hidden)


def environment_secrets(spec: FleetSpec) -> dict[str, str]:
    """Secrets that the services have in their environment, by a name for each.

    They are recognised by the variable's name; and the password in a URL, whatever its variable is called.

    Args:
        spec: the fleet.
    """
    # What a machine merely happens to have, such as TOKEN_TYPE=bearer, must not make a word into a secret.
    inherited = {name: value for name, value in os.environ.items() if len(value) >= _SHORTEST_INHERITED}
    found = dict(_secrets(inherited, "the environment"))
    for service in spec.services.values():
        found |= _secrets(service.environment, service.name)
    return found


def _secrets(environment: Mapping[str, str], owner: str) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if name.startswith("SENTRY_"):
            continue
        if _SECRET_NAME.search(name):
            yield f"{name} of {owner}", value
        elif password := _URL_PASSWORD.match(value):
            yield f"the password in {name} of {owner}", unquote(password[1])

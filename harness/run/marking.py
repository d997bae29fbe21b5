"""Marks that a request carries, so that its parts are recognised wherever they turn up."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from harness.fleet.spec import FleetSpec

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
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
    """Secrets that the services have in their environment, by a name for each; recognised by the variable's name.

    Args:
        spec: the fleet.
    """
    found = {f"{name} of the environment": value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    for service in spec.services.values():
        found |= {
            f"{name} of {service.name}": value
            for name, value in service.environment.items()
            if _SECRET_NAME.search(name)
        }
    return found

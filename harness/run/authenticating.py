"""What a trigger carries so that it is let in, and which of that must never be seen again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.fleet.access import Access
from harness.run.marking import Marks
from harness.run.scenario import InvalidScenario, Trigger
from harness.run.tokens import Signer

SHOWN_AS = "the trigger's token"
"""How findings name a trigger's token."""

_SENSITIVE = re.compile(r"auth|cookie|credential|key|passw|secret|session|token", re.IGNORECASE)
_SCHEME = re.compile(r"(?:Basic|Bearer|Digest|Token) +", re.IGNORECASE)


class Authenticator:
    """Lets requests in, as the fleet's configuration says.

    Args:
        access: the configuration.

    Raises:
        ConfigurationError: there is no usable key for the tokens.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._signer = None if access.token is None else Signer(access.token)
        self.secrets: Mapping[str, str] = {
            f"the header {name}": _SCHEME.sub("", value, count=1)
            for name, value in access.headers.items()
            if _SENSITIVE.search(name)
        }
        """What is the same in every request and must not reach Sentry, by a name for each."""

    def headers(self) -> dict[str, str]:
        """The headers of a request that is no scenario's."""
        headers = dict(self._access.headers)
        if self._access.token is not None and self._signer is not None:
            headers[self._access.token.header] = self._access.token.header_value(self._signer.sign())
        return headers

    def token(self, claims: Mapping[str, Any]) -> str:
        """A token by itself.

        Args:
            claims: those in which it differs from what is configured; None leaves one out.

        Raises:
            InvalidScenario: the fleet has no ``[fleet.token]``.
        """
        if self._signer is None:
            raise InvalidScenario("there is no [fleet.token] in the configuration by which a token could be made")
        return self._signer.sign(claims)

    def let_in(self, trigger: Trigger, marks: Marks) -> Marks:
        """The marks of a request, with what lets it in.

        A token is a secret of this request alone. None is made for a trigger that brings its own header for it.

        Args:
            trigger: the request.
            marks: what it carries otherwise; headers that let it in take the place of those.

        Raises:
            InvalidScenario: the trigger wants claims in a token that nobody makes.
        """
        headers = {**marks.headers, **self._access.headers}
        if self._access.token is None or self._signer is None:
            if trigger.claims:
                raise InvalidScenario(f"{trigger.title}: 'claims' need a [fleet.token], and the fleet has none")
            return replace(marks, headers=headers)
        if self._access.token.header.lower() in map(str.lower, trigger.headers):
            return replace(marks, headers=headers)
        token = self._signer.sign(trigger.claims)
        headers[self._access.token.header] = self._access.token.header_value(token)
        return replace(marks, headers=headers, secrets={**marks.secrets, SHOWN_AS: token})

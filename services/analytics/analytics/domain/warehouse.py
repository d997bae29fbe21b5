"""The data warehouse, in which closed reports are kept."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The account under which this service hands reports in.

    Attributes:
        account: name of the account.
        password: the warehouse takes only what is sealed with it. It is no part of the `repr`, because that is what
            Sentry shows of a local variable.
    """

    account: str
    password: str = field(repr=False)

    def seal(self, report_id: str, turnover_cents: int) -> str:
        """Seal a report, so that the warehouse knows whose it is and that nobody changed it on the way."""
        report = f"{self.account}\n{report_id}\n{turnover_cents}"
        return hmac.digest(self.password.encode(), report.encode(), "sha256").hex()

"""Every sabotage that is tried."""

from __future__ import annotations

from tests.sabotage.entries.leaking import LEAKING
from tests.sabotage.entries.reporting import REPORTING
from tests.sabotage.entries.sending import SENDING
from tests.sabotage.entries.starting import STARTING
from tests.sabotage.entries.tracing import TRACING

SABOTAGES = (*STARTING, *TRACING, *REPORTING, *SENDING, *LEAKING)

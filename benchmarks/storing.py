"""How much memory a stored envelope takes: resident memory of a process before and after it has kept so many.

The peers keep the same events as the decoded bodies alone, which is the least there can be, and as the SDK's own
envelopes.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import time
from typing import Any

import psutil
from sentry_sdk.envelope import Envelope as SdkEnvelope

from benchmarks.ingest_load import error_event
from benchmarks.measurement import Row, Section
from harness.collector.inbox import Inbox, Receipt

_ENVELOPES = 4000
_INBOX, _SDK, _BODIES = "inbox", "sentry_sdk envelopes", "bodies alone"


def measure(rounds: int) -> Section:
    """Let a process of each kind keep the same number of events.

    Args:
        rounds: how often.
    """
    results: dict[str, list[float]] = {name: [] for name in (_INBOX, _SDK, _BODIES)}
    for _ in range(rounds):
        for name, values in results.items():
            command = [sys.executable, "-m", "benchmarks.storing", name]
            values.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return Section(
        "memory of a stored envelope",
        tuple(Row(name, "kB/envelope", tuple(values)) for name, values in results.items()),
        peers=(_BODIES, _SDK),
        notes=(f"{_ENVELOPES:,} error events of {len(error_event()):,} bytes",),
    )


def _keep(name: str) -> float:
    # Each event is another one, as it would be: equal bytes would be the same object only here.
    event, key = error_event(), b"player-4711"
    inbox, kept = Inbox(), list[Any]()
    before = psutil.Process().memory_info().rss
    for number in range(_ENVELOPES):
        body = event.replace(key, b"player-%d" % (1000 + number))
        if name == _INBOX:
            inbox.add(Receipt(time.time(), "1", "key", "envelope", (), "", "gzip", gzip.compress(body, 1)))
        else:
            kept.append(SdkEnvelope.deserialize_from(io.BytesIO(body)) if name == _SDK else body)
    return float(psutil.Process().memory_info().rss - before) / _ENVELOPES / 1e3


if __name__ == "__main__":
    print(_keep(sys.argv[1]))

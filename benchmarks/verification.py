"""How long the verification of the whole fleet takes, against the ways in which it is done without the harness.

The peer is what everybody writes first: start the services, call one endpoint after the other, sleep until the SDKs
will have sent what they have, look. How long the endpoints by themselves take comes from the same run. The services
are started by the same code and ask the same collector; neither start is counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from benchmarks.measurement import Goal, Row, Section
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec
from harness.run.authenticating import Authenticator
from harness.run.manifest import fetch_manifest

SLEEP_SECONDS = 5.5
"""SDKs keep logs and metrics back for 5 s; whoever sleeps for less does not see them."""

_ROOT = Path(__file__).parent.parent
SCENARIOS = tuple(f"scenarios/test_{name}.py" for name in ("analytics", "game_engine", "gateway", "payment"))
# It ends its service, after which a script has nothing to call.
_DEADLY = "/debug/uncaught-exception"


def run_scenarios(report: Path) -> float:
    """Run the scenarios of the fleet's endpoints.

    Args:
        report: where the report is written.

    Returns:
        Seconds from the first trigger to the last verdict.
    """
    command = [sys.executable, "-m", "pytest", "-q", *SCENARIOS, "--report", str(report)]
    finished = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"the scenarios failed:\n{finished.stdout[-4000:]}")
    return float(json.loads((report / "run.json").read_text())["timing"]["all_scenarios"])


def measure(rounds: int) -> Section:
    """Run scenarios and script in turn.

    Args:
        rounds: how often the scenarios run; the script runs once, its sleeps are always the same.
    """
    with tempfile.TemporaryDirectory(prefix="sentry-benchmark-") as directory:
        harness = tuple(run_scenarios(Path(directory) / str(number)) for number in range(rounds))
        endpoints = _endpoints_one_by_one(Path(directory) / "logs")
    script = sum(endpoints) + SLEEP_SECONDS * len(endpoints)
    rows = (
        Row("harness", "s", harness),
        Row("endpoints one by one", "s", (sum(endpoints),)),
        Row("script that sleeps", "s", (script,)),
    )
    return Section(
        "verification of the whole fleet",
        rows,
        peers=("endpoints one by one", "script that sleeps"),
        goals=(Goal("verification: at least 10 x faster than a script that sleeps", rows[0].median * 10 <= script),),
        notes=(
            f"{len(endpoints)} endpoints; the harness also judges, compares with baselines and writes its report",
            f"the script sleeps {SLEEP_SECONDS:g} s after each request, the time is added, not slept",
        ),
    )


def _endpoints_one_by_one(directory: Path) -> list[float]:
    """Seconds that each endpoint takes when nothing else is going on."""
    spec = load_fleet_spec(_ROOT / "harness.toml")
    taken = []
    with Collector() as collector:
        fleet = Fleet(spec, dsn_for=lambda name: str(collector.register(name)), directory=directory)
        with fleet, requests.Session() as session:
            authenticator = Authenticator(spec.access)
            for service in spec.services.values():
                if service.manifest is None:
                    continue
                url = fleet.instances[service.name].url
                for method, path in fetch_manifest(service.name, url + service.manifest, authenticator.headers()):
                    if path == _DEADLY:
                        continue
                    started = time.monotonic()
                    session.request(method, url + path, headers=authenticator.headers(), timeout=60)
                    taken.append(time.monotonic() - started)
    return taken

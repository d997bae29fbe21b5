"""What the process looked like when something happened: the `runtime_*` family of contexts."""

from __future__ import annotations

import platform
import threading
from typing import Any

import psutil
from sentry_sdk.consts import VERSION as SENTRY_SDK_VERSION

MEGABYTE = 1024 * 1024
MOST_THREAD_NAMES = 20

# Never to be used with `oneshot()`: while one thread is in it, all threads are given the figures of that moment.
_process = psutil.Process()


def resident_mb() -> float:
    """Resident memory of this process in MiB, as the operating system counts it."""
    return float(_process.memory_info().rss) / MEGABYTE


def cpu_seconds() -> float:
    """CPU time that this process has used so far, user and system, all threads."""
    times = _process.cpu_times()
    return float(times.user + times.system)


def runtime_contexts(framework: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Measure this process (well under 1 ms).

    The names keep clear of Sentry's own `runtime` context, which names the interpreter.

    Args:
        framework: name and version of the web framework.

    Returns:
        Contexts by name: `runtime_memory` (MiB), `runtime_cpu` (seconds), `runtime_threads`, `runtime_versions`.
    """
    memory = _process.memory_info()
    times = _process.cpu_times()
    name, version = framework
    return {
        "runtime_memory": {
            "rss_mb": round(memory.rss / MEGABYTE, 2),
            "vms_mb": round(memory.vms / MEGABYTE, 2),
            "percent": round(_process.memory_percent(), 3),
        },
        "runtime_cpu": {
            "user_s": times.user,
            "system_s": times.system,
            "system_count": psutil.cpu_count() or 1,
        },
        "runtime_threads": {
            "count": _process.num_threads(),
            "names": sorted(thread.name for thread in threading.enumerate())[:MOST_THREAD_NAMES],
        },
        "runtime_versions": {
            "python": platform.python_version(),
            name: version,
            "sentry_sdk": SENTRY_SDK_VERSION,
        },
    }

"""Preloads the harness's agent into a Python service, then steps aside for the service's own `sitecustomize`.

Python imports the first `sitecustomize` on its path when it starts; the harness puts this directory there through
``PYTHONPATH``. The service finds `sys.path` and `sys.modules` as they would be without it.
"""

import os
import sys

_here = __file__.rpartition(os.sep)[0]

try:
    import sentry_harness_agent  # type: ignore[import-not-found]  # beside this file, whatever the type checker's path

    sentry_harness_agent.start()
except Exception as problem:  # noqa: BLE001 - whatever is wrong with the agent, the service must start
    if os.environ.get("SENTRY_HARNESS_DEBUG"):
        print("sentry-harness agent:", repr(problem), file=sys.stderr)  # noqa: T201 - there is no other channel yet

sys.path[:] = [entry for entry in sys.path if entry != _here]
sys.path_importer_cache.pop(_here, None)

_this = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401 - the service's own
except ImportError as missing:
    if missing.name != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = _this

"""Loaded into a Python service before its own code (PYTHONPATH): carries out the sabotage that SABOTAGE names.

``starting.tracing_off`` is the function of that name in ``sabotage_patches/starting.py``. A patch imports what it
breaks and replaces attributes of it, so the service's own files stay as they are.
"""

import importlib
import os
import sys
import traceback

if sabotage := os.environ.get("SABOTAGE"):
    module, _, function = sabotage.partition(".")
    try:
        getattr(importlib.import_module(f"sabotage_patches.{module}"), function)()
    except Exception:  # noqa: BLE001 - whatever it is, Python would go on without the sabotage
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)

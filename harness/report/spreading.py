"""The same work for many items, spread over the processors of the machine."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# Starting processes takes longer than what fewer items cost.
_FEWEST = 200
_CHUNKS_PER_PROCESS = 16
_LARGEST_CHUNK = 32
_shared: dict[str, Any] = {}


def spread(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """What `work` makes of each item, in the order of the items.

    The processes are copies of this one, so `work` and all that it reads need no way from one process to another;
    only results do. Where such copies cannot be had or are not safe, everything is done here: on systems without
    `fork`, and while other threads run, which may hold locks that the copies would wait for.

    Args:
        work: it must not change anything that matters afterwards.
        items: neighbours are mostly done in one process.

    Raises:
        Exception: whatever `work` raises.
    """
    processes = min(_processors(), len(items) // _FEWEST + 1)
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods() or threading.active_count() > 1:
        yield from map(work, items)
        return
    _shared.update(work=work, items=items)
    # Else each copy looks through everything there is for garbage, and makes it its own by that.
    gc.freeze()
    try:
        # The processes begin with the first chunk that they are given, and have what is shared from then on.
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
            size = max(1, min(_LARGEST_CHUNK, len(items) // (processes * _CHUNKS_PER_PROCESS)))
            yield from pool.map(_do, range(len(items)), chunksize=size)
    finally:
        gc.unfreeze()
        _shared.clear()


def _do(index: int) -> Any:
    return _shared["work"](_shared["items"][index])


@cache
def _processors() -> int:
    # Those that this process may use, where the system tells.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from harness.report.spreading import spread

MANY = 1000
# Test runners have threads, so the processes are only to be had outside of them.
SPREADING = f"""
import os
from harness.report import spreading
spreading._processors = lambda: 4
of = list(spreading.spread(lambda item: (item, os.getpid()), range({MANY})))
assert [item for item, _ in of] == list(range({MANY})), of
print(len({{pid for _, pid in of}}), os.getpid() in {{pid for _, pid in of}})
def fail(item):
    if item == 700:
        raise LookupError("item 700")
    return item
try:
    print(list(spreading.spread(fail, range({MANY}))))
except LookupError as problem:
    print(problem)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_results_come_in_order_from_several_processes_and_so_does_a_failure() -> None:
    ended = subprocess.run([sys.executable, "-c", SPREADING], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    (processes, is_among_them), problem = (line.split(maxsplit=1) for line in ended.stdout.splitlines())
    assert int(processes) > 1
    assert is_among_them == "False"
    assert problem == ["item", "700"]


def test_few_items_are_done_here() -> None:
    assert set(spread(lambda _: os.getpid(), range(20))) == {os.getpid()}


def test_nothing_is_copied_while_other_threads_run() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert set(spread(lambda _: os.getpid(), range(MANY))) == {os.getpid()}
    finally:
        done.set()
        thread.join()

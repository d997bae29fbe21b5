"""Resource samples: what the operating system sees of every service, over the whole run."""

from __future__ import annotations

import threading
import time
from collections import deque

import psutil

from harness.fleet.instance import ServiceInstance
from harness.telemetry.resources import ResourceSample

INTERVAL = 0.1
# Finding new child processes reads the whole process table, so it is not done at every sample.
_FAMILY_EVERY = 5
# An hour; a run is shorter, a fleet that is up for trying things by hand may not be.
_KEPT = 36_000


class _Course:
    """The samples of one instance so far, and the CPU time its processes had used by the last one."""

    def __init__(self, instance: ServiceInstance) -> None:
        self.instance = instance
        self.samples: deque[ResourceSample] = deque(maxlen=_KEPT)
        self._age = 0
        self._family: list[psutil.Process] = []
        self._cpu_seconds: dict[psutil.Process, float] = {}
        self._looked_at = 0.0

    def look(self) -> None:
        """Take a sample, unless the service is not running."""
        if not self.instance.alive:
            self._family = []
            return
        leader = self.instance.pid
        if self._age % _FAMILY_EVERY == 0 or not self._family or self._family[0].pid != leader:
            self._family = self.instance.processes()
        self._age += 1
        rss, threads = 0, 0
        used: dict[psutil.Process, float] = {}
        for process in self._family:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    threads += process.num_threads()
                    rss += process.memory_info().rss
            except psutil.Error:
                continue
            used[process] = times.user + times.system
        now = time.monotonic()
        if used:
            # A process that was not there before counts from zero: it used what it used since the last look.
            spent = sum(seconds - self._cpu_seconds.get(process, 0.0) for process, seconds in used.items())
            elapsed = now - self._looked_at
            percent = 100.0 * spent / elapsed if self._looked_at else 0.0
            self.samples.append(ResourceSample(time.time(), rss, percent, threads))
        self._cpu_seconds, self._looked_at = used, now


class Sampler:
    """Looks at every watched instance ten times a second, in a thread of its own."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._changing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-sampler", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Sample no more; what was sampled stays."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def watch(self, instance: ServiceInstance) -> None:
        """Sample this instance from now on, whenever it runs; the first sample is taken at once."""
        with self._changing:
            course = self._courses.setdefault(instance.name, _Course(instance))
            course.look()

    def samples(self, instance_name: str) -> list[ResourceSample] | None:
        """Everything sampled of an instance so far, oldest first; None when it was never watched."""
        with self._changing:
            course = self._courses.get(instance_name)
            return None if course is None else list(course.samples)

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            with self._changing:
                for course in self._courses.values():
                    course.look()

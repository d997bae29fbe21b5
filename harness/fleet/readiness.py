"""Waiting until a service is ready, and noticing at once when it never will be."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import requests

from harness.fleet.instance import ServiceInstance, StartFailure

_PACE = 0.02
_PROBE_TIMEOUT = 2.0


class StartCancelled(RuntimeError):
    """The start was given up because another service failed or the user interrupted it."""


def wait_until_ready(instance: ServiceInstance, timeout: float, cancelled: Callable[[], bool]) -> None:
    """Wait until the service answers its readiness path with 2xx, or accepts connections when it has none.

    Args:
        instance: the service, started.
        timeout: seconds from now.
        cancelled: tells whether to give up.

    Raises:
        StartFailure: it ended, or did not become ready in time; the message has its command and log.
        StartCancelled: it was cancelled.
    """
    deadline = time.monotonic() + timeout
    path = instance.spec.ready
    awaited = (
        f"GET {instance.url}{path}"
        if path is not None
        else f"a connection to {':'.join(map(str, instance.listens_at))}"
    )
    with requests.Session() as session:
        # Neither a proxy nor a .netrc of the developer's has a say in loopback.
        session.trust_env = False
        while True:
            patience = min(_PROBE_TIMEOUT, max(_PACE, deadline - time.monotonic()))
            if path is not None:
                problem = _probe_path(session, f"{instance.url}{path}", patience)
            else:
                problem = _probe_port(instance.listens_at, patience)
            if problem is None and (intruder := instance.intruder()) is not None:
                problem = f"the port is that of {intruder}"
            if instance.wait_exit(0 if problem is None else _PACE) is not None:
                after = time.time() - instance.started_at
                what = f"{instance.ending()} after {after:.1f} s, before it was ready"
                raise StartFailure(instance.describe_failure(what))
            if problem is None:
                return
            if cancelled():
                raise StartCancelled(instance.name)
            if time.monotonic() >= deadline:
                what = f"it was not ready within {timeout:g} s: {awaited}: {problem}"
                raise StartFailure(instance.describe_failure(what))


def wait_until_all_ready(
    instances: Collection[ServiceInstance], timeout: float, cancelled: Callable[[], bool]
) -> None:
    """Wait until services are ready; as soon as one never will be, the others are given up.

    Args:
        instances: the services, started.
        timeout: seconds from now.
        cancelled: tells whether to give up.

    Raises:
        StartFailure: one or several are not ready; the message is about all of them.
        StartCancelled: it was cancelled.
    """
    given_up = threading.Event()

    def wait(instance: ServiceInstance) -> None:
        try:
            wait_until_ready(instance, timeout, lambda: given_up.is_set() or cancelled())
        except StartFailure:
            given_up.set()
            raise

    with ThreadPoolExecutor(max(1, len(instances)), thread_name_prefix="fleet-start") as pool:
        awaited = [pool.submit(wait, instance) for instance in instances]
    problems = [problem for each in awaited if (problem := each.exception()) is not None]
    if failures := [str(problem) for problem in problems if isinstance(problem, StartFailure)]:
        raise StartFailure("\n\n".join(failures))
    if problems:
        raise problems[0]


def _probe_path(session: requests.Session, url: str, timeout: float) -> str | None:
    # Its own trace, marked as not sampled: a readiness probe is no telemetry that anybody wants to see.
    headers = {"sentry-trace": f"{secrets.token_hex(16)}-{secrets.token_hex(8)}-0"}
    try:
        answer = session.get(url, timeout=timeout, allow_redirects=False, headers=headers)
    except requests.Timeout:
        return f"no answer within {timeout:.1f} s"
    except requests.ConnectionError:
        return "connection refused or broken"
    except requests.RequestException as problem:
        return str(problem)
    return None if 200 <= answer.status_code < 300 else f"answered {answer.status_code} {answer.reason}"


def _probe_port(address: tuple[str, int], timeout: float) -> str | None:
    try:
        socket.create_connection(address, timeout=timeout).close()
    except OSError as problem:
        return str(problem)
    return None

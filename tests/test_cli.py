"""The command line as a user runs it: a process, its output, Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import psutil
import pytest
import requests
import sentry_sdk

from harness.wire.dsn import Dsn
from tests.fixtures.conftest import CONFIGURATION, SERVICE

# What does not come in this time never comes: the process is ended, so that its output can be shown.
PATIENCE = 30.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start_command(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "harness.cli", *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start_command
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    assert process.stdout is not None
    patience = threading.Timer(PATIENCE, process.kill)
    patience.start()
    seen = ""
    try:
        for line in process.stdout:
            seen += line
            if found := re.search(pattern, seen):
                return found
    finally:
        patience.cancel()
    raise AssertionError(f"{pattern!r} did not come; the output was:\n{seen}")


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> str:
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_collect_prints_its_dsn_and_what_arrives_and_ends_cleanly(start: Start, number: signal.Signals) -> None:
    process = start("collect")
    dsn = read_until(process, r"DSN: (http://\S+)\n")[1]
    client = sentry_sdk.Client(dsn=dsn, default_integrations=False)
    client.capture_event({"message": "the reels are stuck", "level": "warning"})
    client.close()
    read_until(process, r"message\s+the reels are stuck\s+warning")
    assert "Stopped." in end(process, number)
    assert process.returncode == 0


def test_collect_listens_on_a_network_with_a_key_only(start: Start) -> None:
    refused = start("collect", "--host", "0.0.0.0")
    output, _ = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 2
    assert output.startswith(
        "sentry-harness collect: 0.0.0.0 is reached from the network, so the collector needs a key"
    )
    assert output.count("\n") == 1
    key = "abcdefgh01234567"
    process = start("collect", "--host", "0.0.0.0", "--key", key, "--memory", "64 MiB")
    dsn = read_until(process, r"DSN: (\S+)")[1]
    assert f"//{key}@127.0.0.1:" in dsn
    assert requests.post(dsn.replace(f"{key}@", "") + "/", timeout=10).status_code == 401
    with sentry_sdk.Client(dsn) as client:
        client.capture_event({"message": "with the key"})
    read_until(process, "with the key")


@pytest.mark.parametrize("size", ["much", "12", "1 MB", "-1 MiB"])
def test_collect_asks_for_a_size(start: Start, size: str) -> None:
    process = start("collect", f"--memory={size}")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "such as 256 MiB" in output


def test_collect_shows_what_it_refuses(start: Start) -> None:
    process = start("collect")
    dsn = read_until(process, r"DSN: http://(\w+)@(\S+)/(\d+)\n")
    url = f"http://{dsn[2]}/api/{dsn[3]}/envelope/?sentry_key={dsn[1]}"
    assert requests.post(url, data=b"{broken", timeout=5).status_code == 400
    read_until(process, r"refused: 400 .*")
    end(process)


def test_collect_fails_as_the_line_that_it_prints_says(start: Start) -> None:
    process = start("collect")
    printed = read_until(process, r"DSN: (http://\S+)\n[^$]*?Let it fail: (curl \S+ .*)\n")
    assert subprocess.run(printed[2], shell=True, capture_output=True, check=True).stdout.startswith(b'{"number": 1')
    envelope = b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n{"type":"event"}\n{}\n'
    url, headers = (
        Dsn.parse(printed[1]).envelope_url,
        {"Authorization": f"Sentry sentry_key={Dsn.parse(printed[1]).public_key}"},
    )
    answers = [requests.post(url, data=envelope, headers=headers, timeout=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 200]
    assert answers[0].headers["Retry-After"] == "60"
    read_until(process, r"fault: collect: answered 429, retry-after: 60: 1 event, lost\n")
    end(process)


def test_a_port_in_use_is_one_clear_line(start: Start) -> None:
    first = start("collect")
    port = read_until(first, r"DSN: http://\w+@127\.0\.0\.1:(\d+)/")[1]
    second = start("collect", "--port", port)
    output, _ = second.communicate(timeout=30)
    assert second.returncode == 2
    assert output.startswith("sentry-harness collect: ")
    assert port in output
    assert len(output.strip().splitlines()) == 1


def test_up_runs_the_fleet_and_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SERVICE)
    (tmp_path / "harness.toml").write_text(CONFIGURATION)
    process = start("up")
    url = read_until(process, r"shop\s+(http://\S+)")[1]
    assert requests.get(f"{url}/debug/crash", timeout=5).status_code == 500
    read_until(process, r"error\s+ValueError: the cart is broken")
    (pid,) = (tmp_path / "starts.txt").read_text().split()
    assert psutil.pid_exists(int(pid))
    end(process)
    assert process.returncode == 0
    assert not psutil.pid_exists(int(pid))


def test_up_without_a_configuration_says_what_to_write(start: Start) -> None:
    process = start("up")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "harness.toml does not exist" in output


def test_up_with_a_service_that_dies_shows_its_log(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise SystemExit('no licence key')")
    (tmp_path / "harness.toml").write_text(CONFIGURATION)
    process = start("up")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "no licence key" in output


def test_a_key_pair_is_made_once_and_makes_tokens(start: Start, tmp_path: Path) -> None:
    assert "never commit it" in start("keys", "keys").communicate(timeout=30)[0]
    (tmp_path / "harness.toml").write_text(CONFIGURATION + '[fleet.token]\nkey = "keys/key.pem"\nscopes = ["a", "b"]')
    key = jwt.PyJWKSet.from_dict(json.loads((tmp_path / "keys" / "jwks.json").read_text())).keys[0]
    for options, scope in (((), "a b"), (("--scope", "c", "--scope", "d"), "c d")):
        process = start("token", *options)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert jwt.decode(output.strip(), key, algorithms=["EdDSA"])["scope"] == scope
    again = start("keys", "keys")
    assert "sentry-harness keys: keys/key.pem exists already" in again.communicate(timeout=30)[0]
    assert again.returncode == 2


def test_a_fleet_without_tokens_says_so(start: Start, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(CONFIGURATION)
    process = start("token")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "there is no [fleet.token]" in output

"""What does not fit into memory: on disk, and nevertheless as if it were not."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from harness.collector.arrival import Arrival, Opened, Receipt
from harness.collector.inbox import Inbox
from harness.collector.spool import NoRoom, Spool
from harness.telemetry.events import ErrorEvent
from harness.telemetry.origin import Origin
from harness.telemetry.reading import read_envelope
from harness.wire.encoding import encode_body
from harness.wire.envelope import Envelope, Item
from tests.samples import TRACE, envelope, error, json_item

MEBIBYTE = 1024 * 1024


def receipt(body: bytes, number: int = 0, encoding: str | None = None, made: Envelope | None = None) -> Receipt:
    endpoint = "envelope" if made is None else "store"
    headers = (("user-agent", "test"), ("content-length", str(number)))
    return Receipt(1000.0 + number, str(number % 7), "key", endpoint, headers, f"n={number}", encoding,
                   encode_body(body, encoding), made)  # fmt: skip


def bodies(count: int) -> list[bytes]:
    return [
        envelope(error(message=f"number {number}", padding="x" * (number % 900))).serialize()
        for number in range(count)
    ]


@pytest.mark.parametrize("encoding", [None, "gzip", "zstd"])
def test_arrival_on_disk_is_as_one_in_memory(encoding: str | None) -> None:
    held, spilling = Inbox(), Inbox(memory=0)
    made = envelope(error())
    for inbox in (held, spilling):
        for number, body in enumerate(bodies(5)):
            inbox.add(receipt(body, number, encoding))
        inbox.add(receipt(b'{"message": "old"}', 5, encoding, made))
    assert held.spilled == 0 < spilling.spilled
    assert spilling.arrivals() == held.arrivals()
    assert spilling.arrivals(project_id="3", since=2) == held.arrivals(project_id="3", since=2)
    assert spilling.for_trace(TRACE) == held.for_trace(TRACE)
    arrival = spilling.arrivals()[-1]
    assert (arrival.body, arrival.envelope, arrival.query) == (b'{"message": "old"}', made, "n=5")
    (event,) = read_envelope(spilling.arrivals()[0].envelope or made, Origin())
    assert isinstance(event, ErrorEvent)
    assert event.trace_id == TRACE


def test_arrival_on_disk_can_be_sent_to_another_process() -> None:
    inbox = Inbox(memory=0)
    (body,) = bodies(1)
    inbox.add(receipt(body))
    copy = pickle.loads(pickle.dumps(inbox.arrivals()))[0]
    assert isinstance(copy.content, Opened)
    assert copy == inbox.arrivals()[0]


@pytest.mark.parametrize("memory", [0, MEBIBYTE])
def test_arrival_that_somebody_has_is_there_once(memory: int) -> None:
    inbox = Inbox(memory=memory)
    inbox.add(receipt(envelope(error()).serialize()))
    held = inbox.arrivals()
    assert inbox.for_trace(TRACE)[0] is inbox.arrival(0) is held[0]


def test_what_fits_stays_in_memory_and_the_rest_is_found_among_it() -> None:
    inbox = Inbox(memory=10_000)
    small = envelope(json_item("session", {})).serialize()
    large = envelope(Item({"type": "attachment"}, b"y" * 20_000)).serialize()
    sent = [small, large, small, large, small]
    for number, body in enumerate(sent):
        inbox.add(receipt(body, number))
    assert [arrival.body for arrival in inbox.arrivals()] == sent
    assert 2 * len(large) < inbox.spilled < 2 * len(large) + 2_000


def test_none_is_lost_and_memory_is_bounded() -> None:
    limit, count = 2 * MEBIBYTE, 20_000
    inbox = Inbox(memory=limit)
    digest = hashlib.sha256()
    before = psutil.Process().memory_info().rss
    for number in range(count):
        body = b'{}\n{"type":"x"}\n%d %b\n' % (number, b"z" * 1500)
        digest.update(body)
        inbox.add(receipt(body, number))
    grown = psutil.Process().memory_info().rss - before
    found = hashlib.sha256()
    for number in range(len(inbox)):
        found.update(inbox.arrival(number).body)
    read = psutil.Process().memory_info().rss - before
    assert len(inbox) == count
    assert found.digest() == digest.digest()
    # 30 MiB were sent; 2 stay, and an entry of a list for each.
    assert grown < 12 * MEBIBYTE
    assert read < 20 * MEBIBYTE
    assert inbox.spilled > 25 * MEBIBYTE


def test_threads_add_and_read_at_once() -> None:
    inbox = Inbox(memory=50_000)
    wrong: list[Arrival] = []
    sent = bodies(400)

    def add(part: int) -> None:
        for number in range(part, len(sent), 4):
            inbox.add(receipt(sent[number], number))

    def read() -> None:
        while len(inbox) < len(sent):
            wrong.extend(each for each in inbox.arrivals(since=max(0, len(inbox) - 20))
                         if each.body != sent[int(each.query.removeprefix("n="))])  # fmt: skip

    threads = [threading.Thread(target=add, args=(part,)) for part in range(4)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sorted(each.body for each in inbox.arrivals()) == sorted(sent)


def test_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool(0)
    spool.append(receipt(b"{}\n"))
    assert list(tmp_path.iterdir()) == []
    assert spool.receipt(0)[0].wire_body == b"{}\n"


def test_a_directory_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    inbox = Inbox(memory=5_000)
    inbox.add(receipt(b"{}\n"))
    with pytest.raises(NoRoom, match=r"cannot write more to .*missing: No such file or directory\. Name another dir"):
        inbox.add(receipt(b"{}\n" + b"x" * 5_000))
    inbox.add(receipt(b"{}\n", 1))
    assert [arrival.body for arrival in inbox.arrivals()] == [b"{}\n", b"{}\n"]


def test_a_full_disk_is_told_and_nothing_from_before_is_lost() -> None:
    """With a limit to file sizes, which the kernel enforces like the end of a disk."""
    program = """
        import resource
        from harness.collector.inbox import Inbox
        from harness.collector.server import Collector
        from tests.collector.client import Client, event_envelope

        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        with Collector(inbox=Inbox(memory=5_000)) as collector:
            client = Client(collector.register("shop"))
            answers = [client.envelope(event_envelope(message=f"{n}" + "x" * 3000)) for n in range(20)]
            accepted = answers.index(next(each for each in answers if each.status != 200))
            assert {each.status for each in answers[accepted:]} == {503}, answers
            assert 8 < accepted < 12, accepted
            assert "Free some space there" in answers[-1].json()["causes"][0], answers[-1].json()
            kept = collector.inbox.arrivals()
            assert [each.envelope.items[0].json()["message"][:3].strip("x") for each in kept] == [
                str(n) for n in range(accepted)
            ]
            assert client.envelope(event_envelope(message="small")).status in (200, 503)
            print(collector.refusals[0].detail)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cannot write more to" in done.stdout

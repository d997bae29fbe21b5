"""Input that means harm: refused as by Relay, at a bounded cost, and the next client is served."""

from __future__ import annotations

import base64
import gzip
import json
import os
import resource
import socket
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import psutil
import pytest
import zstandard

from harness.collector import connections as connections_module
from harness.collector.connections import Patience
from harness.collector.limits import LARGEST_BODY
from harness.collector.refusals import LARGEST_EXCERPT, LARGEST_EXCERPTS, MOST_REFUSALS, Refusal, Refusals
from harness.collector.server import Collector
from harness.wire.dsn import Dsn
from tests.collector.client import Client, event_envelope, read_to_end
from tests.collector.test_connection import exchange, head, statuses

MEBIBYTE = 1024 * 1024
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
def served(client: Client) -> Iterator[None]:
    """Whatever was sent, the next client is served."""
    yield
    assert client.envelope(event_envelope()).status == 200


@contextmanager
def peak_below(limit: float) -> Iterator[None]:
    """What happens inside takes at no time more than so many bytes beside what this process has already."""
    before, status = psutil.Process().memory_info().rss, Path("/proc/self/status")
    if status.exists():
        Path("/proc/self/clear_refs").write_text("5")  # begins the record of the peak anew
    yield
    peak = psutil.Process().memory_info().rss
    if status.exists():
        peak = int(next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line)) * 1024
    assert peak - before < limit


def bomb(encoding: str, size: int = 3 * LARGEST_BODY) -> bytes:
    """Zeros, compressed piece by piece so that this process does not hold them."""
    piece = bytes(MEBIBYTE)
    pieces = range(size // len(piece))
    if encoding in ("gzip", "deflate"):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
        return b"".join([*(packer.compress(piece) for _ in pieces), packer.flush()])
    if encoding == "br":
        brotlier = brotli.Compressor(quality=5)
        return b"".join([*(brotlier.process(piece) for _ in pieces), brotlier.finish()])
    zstder = zstandard.ZstdCompressor().compressobj()
    return b"".join([*(zstder.compress(piece) for _ in pieces), zstder.flush()])


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_decompression_bomb(collector: Collector, client: Client, encoding: str) -> None:
    body = bomb(encoding)
    assert len(body) < MEBIBYTE
    with peak_below(2.2 * LARGEST_BODY):
        response = client.envelope(body, {"Content-Encoding": encoding})
    assert (response.status, response.json()["detail"]) == (413, "payload too large")
    assert sum(len(refusal.body) for refusal in collector.refusals) <= LARGEST_EXCERPT


@pytest.mark.usefixtures("served")
def test_nested_bomb(client: Client) -> None:
    """Relay takes one encoding; a bomb within a bomb is not even begun."""
    body = gzip.compress(bomb("gzip"))
    response = client.envelope(body, {"Content-Encoding": "gzip, gzip"})
    assert response.status == 415
    assert client.envelope(body, {"Content-Encoding": ",".join(["gzip"] * 5_000)}).status == 415


@pytest.mark.usefixtures("served")
def test_bomb_in_the_oldest_encoding(client: Client) -> None:
    body = base64.b64encode(zlib.compress(bytes(50 * MEBIBYTE)))
    assert client.post("/store/", body).status == 413


def send_for_ever(client: Client, start: bytes, piece: bytes) -> tuple[int, bytes]:
    """Send a piece again and again until the other side has enough; gives how much was sent, and the answer."""
    sent = 0
    with client.socket() as connection:
        with suppress(ConnectionError):
            connection.sendall(start)
            while sent < 3 * LARGEST_BODY:
                connection.sendall(piece)
                sent += len(piece)
        with suppress(ConnectionError):
            return sent, read_to_end(connection)
    return sent, b""


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("start", "piece", "status", "most"),
    [
        pytest.param(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n", 413, 410 * MEBIBYTE, id="chunks"),
        pytest.param(CHUNKED, b"1;" + b"e" * 65536, 431, 5 * MEBIBYTE, id="chunk extension"),
        pytest.param(f"{CHUNKED}\r\n\r\n0", b"\r\nT: " + b"t" * 60_000, 431, 5 * MEBIBYTE, id="trailers"),
        pytest.param("X: y", b"\r\nH: " + b"h" * 1000, 431, 5 * MEBIBYTE, id="headers"),
        pytest.param("X: y", b"h" * 65536, 431, 5 * MEBIBYTE, id="one header"),
    ],
)  # fmt: skip
def test_endless_request(
    collector: Collector, client: Client, start: str, piece: bytes, status: int, most: int
) -> None:
    before = psutil.Process().memory_info().rss
    whole = head(client, start)
    # The head ends only where the body is what never ends.
    opening = whole if "chunked" in start and "\r\n\r\n" not in start else whole.removesuffix(b"\r\n\r\n")
    sent, received = send_for_ever(client, opening, piece)
    assert sent < most
    refused = collector.inbox.wait_for(lambda: collector.refusals or None, timeout=10)
    assert refused is not None
    assert {refusal.status for refusal in refused} == {status}
    assert statuses(received) in ([], [status])
    assert psutil.Process().memory_info().rss - before < LARGEST_BODY + 60 * MEBIBYTE


def test_body_in_single_bytes_takes_no_more_memory_than_in_one_piece(collector: Collector, client: Client) -> None:
    before = psutil.Process().memory_info().rss
    with client.socket() as connection:
        connection.sendall(head(client, "Transfer-Encoding: chunked"))
        for _ in range(40):
            connection.sendall(b"1\r\nx\r\n" * 25_000)
        connection.sendall(b"zzz")
        assert statuses(read_to_end(connection)) == [400]
    assert len(collector.refusals[0].body) > 1_000_000
    assert psutil.Process().memory_info().rss - before < 20 * MEBIBYTE


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{}\n" + b'{"type":"x"}\n\n' * 2_000_000, 413, id="millions of items"),
        pytest.param(b'{"a":[' + b"[]," * 5_000_000 + b"0]}\n", 413, id="millions of arrays in a header"),
        pytest.param(b'{"a":' * 100_000, 400, id="deep header"),
        pytest.param(b'{"a":' + b"[" * 128 + b"]" * 128 + b"}\n", 400, id="a header deeper than serde_json reads"),
        pytest.param(b'{"a":"\xff"}\n', 400, id="invalid UTF-8"),
        pytest.param(b'{"a":1e400}\n', 400, id="infinite number"),
        pytest.param(b'{"a":' + b"7" * 5000 + b"}\n", 400, id="5000 digits"),
        pytest.param(b'{"a":"\\ud800"}\n', 400, id="half a surrogate pair"),
        pytest.param(b'{}\n{"type":"event","length":4294967295}\n{}', 400, id="length that lies"),
        pytest.param(b'{}\n{"type":"event","length":-1}\n{}', 400, id="negative length"),
        pytest.param(b'{}\n{"type":"event","length":1e2}\n{}', 400, id="length that is no integer"),
        pytest.param(b"\x00" * 1000, 400, id="null bytes"),
    ],
)
def test_hostile_envelope(client: Client, body: bytes, status: int) -> None:
    with peak_below(200 * MEBIBYTE):
        assert client.envelope(gzip.compress(body, 1), {"Content-Encoding": "gzip"}).status == status


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["Content-Length: 4", "Transfer-Encoding: chunked"], 400, id="CL.TE"),
        pytest.param(["Transfer-Encoding: chunked", "Content-Length: 4"], 400, id="TE.CL"),
        pytest.param(["Content-Length: 4", "Content-Length: 5"], 400, id="two lengths"),
        pytest.param(["Content-Length: 4, 5"], 400, id="list of lengths"),
        pytest.param(["Content-Length: +4"], 400, id="signed length"),
        pytest.param(["Content-Length: 99999999999999999999999"], 400, id="length beyond 64 bits"),
        pytest.param(["Transfer-Encoding: xchunked"], 400, id="unknown coding"),
        pytest.param(["Transfer-Encoding: chunked, identity"], 400, id="chunked is not last"),
        pytest.param(["Transfer-Encoding:\x0bchunked"], 400, id="vertical tab"),
        pytest.param(["Transfer-Encoding : chunked"], 400, id="blank before the colon"),
        pytest.param(["X: a", " folded: b"], 400, id="folded header"),
        pytest.param(["X: a\x00b"], 400, id="null byte in a header"),
        pytest.param([f"X{number}: y" for number in range(101)], 431, id="more headers than hyper takes"),
    ],
)
def test_smuggling_and_broken_heads(collector: Collector, client: Client, lines: list[str], expected: int) -> None:
    smuggled = head(client, "Content-Length: 0", path="/api/666/envelope/")
    received = exchange(client, head(client, *lines) + b"0\r\n\r\n" + smuggled)
    assert statuses(received) == [expected]
    assert [refusal.status for refusal in collector.refusals] == [expected]
    assert all("666" not in refusal.path for refusal in collector.refusals)
    assert len(collector.inbox) == 0


@pytest.mark.parametrize(
    "bytes_sent",
    [
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), id="HTTP/2 preface"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), id="TLS hello"),
        pytest.param(b"\x00" * 1000, id="null bytes"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
        pytest.param(b"*1\r\n$4\r\nPING\r\n", id="Redis"),
    ],
)
@pytest.mark.usefixtures("served")
def test_another_protocol(collector: Collector, client: Client, bytes_sent: bytes) -> None:
    assert statuses(exchange(client, bytes_sent)) == [400]
    assert [refusal.status for refusal in collector.refusals] == [400]


def test_thousands_of_requests_in_a_row_without_reading_an_answer(collector: Collector, client: Client) -> None:
    body = event_envelope()
    request = head(client, f"Content-Length: {len(body)}") + body
    last = head(client, f"Content-Length: {len(body)}", "Connection: close") + body
    with client.socket() as connection:
        sender = threading.Thread(target=lambda: connection.sendall(request * 4_999 + last))
        sender.start()
        received = read_to_end(connection)
        sender.join()
    assert statuses(received) == [200] * 5_000
    assert len(collector.inbox) == 5_000


@pytest.fixture
def hasty() -> Iterator[Collector]:
    with Collector(patience=Patience(request=0.2, slowest=1e6, idle=0.2)) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        pytest.param(b"POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nX-", "request timeout", id="head"),
        pytest.param(b"POST /api/1/envelope/ HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", "request timeout", id="body"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\r\n\r\n", None, id="empty lines"),
    ],
)
def test_slow_client(hasty: Collector, sent: bytes, detail: str | None) -> None:
    client = Client(hasty.register("payment"))
    with client.socket() as connection:
        connection.sendall(sent)
        received = read_to_end(connection)
    assert statuses(received) == ([408] if detail else [])
    assert [refusal.detail.partition(":")[0] for refusal in hasty.refusals] == ([detail] if detail else [])


def test_client_that_drips_is_cut_off(hasty: Collector) -> None:
    """Every byte comes in time, but the request never gets complete."""
    client = Client(hasty.register("payment"))
    ended = threading.Event()
    with client.socket() as connection:
        connection.sendall(head(client, "Content-Length: 1000"))

        def drip() -> None:
            with suppress(OSError):
                while not ended.wait(0.02):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        with suppress(ConnectionError):
            assert statuses(read_to_end(connection)) == [408]
        ended.set()
        dripping.join()
    assert [refusal.status for refusal in hasty.refusals] == [408]


def test_client_that_reads_no_answer_is_cut_off(hasty: Collector) -> None:
    client = Client(hasty.register("payment"))
    request = head(client, "Content-Length: 0")
    with client.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        with pytest.raises(ConnectionError):
            connection.sendall(request * 1_000_000)


def test_connection_that_is_used_is_not_cut_off() -> None:
    with Collector(patience=Patience(request=5, idle=5)) as collector:
        client = Client(collector.register("payment"))
        body = event_envelope()
        with client.socket() as connection:
            for _ in range(3):
                connection.sendall(head(client, f"Content-Length: {len(body)}") + body)
                assert statuses(connection.recv(65536)) == [200]


def test_more_connections_than_descriptors() -> None:
    """In a process of its own with few descriptors, most of which slow clients take."""
    program = """
        import os, resource, socket, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        from harness.collector.server import Collector
        with Collector() as collector:
            print(collector.register("shop"), flush=True)
            sys.stdin.read()
            print(len(collector.inbox), sorted({refusal.status for refusal in collector.refusals}), flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout is not None
    client = Client(Dsn.parse(process.stdout.readline().strip()))
    with ExitStack() as opened:
        for _ in range(1000):
            with suppress(OSError):
                connection = socket.create_connection((client.dsn.host, client.dsn.port), timeout=10)
                opened.callback(connection.close)
                connection.sendall(b"POST /api/1/envelope/ HTTP/1.1\r\n")
        assert client.envelope(event_envelope()).status == 200
        assert len(psutil.Process(process.pid).net_connections()) <= 100
    assert client.envelope(event_envelope()).status == 200
    output, _ = process.communicate("")
    assert process.returncode == 0
    assert output.split(maxsplit=1)[0] == "2"
    assert "503" in output


def test_unlimited_descriptors_are_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with Collector() as collector, ExitStack() as opened:
        client = Client(collector.register("shop"))
        body = event_envelope()
        for connection in [opened.enter_context(client.socket()) for _ in range(20)]:
            connection.sendall(head(client, f"Content-Length: {len(body)}") + body)
            assert statuses(connection.recv(65536)) == [200]


def test_large_bodies_at_a_time_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "_LARGEST_HELD", 10 * MEBIBYTE)
    with Collector() as collector, ExitStack() as opened:
        client = Client(collector.register("shop"))
        request = head(client, "Content-Length: 5000000", "Expect: 100-continue")
        several = [opened.enter_context(client.socket()) for _ in range(3)]
        for connection in several:
            connection.sendall(request)
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            with suppress(ConnectionError):
                connection.sendall(b"x" * 4_000_000)
        refused = collector.inbox.wait_for(lambda: collector.refusals or None, timeout=10)
        assert refused is not None
        assert [refusal.status for refusal in refused] == [503]
        # Whichever of them came to be one too many, the two others are read to their end.
        answered = []
        for connection in several:
            with suppress(ConnectionError):
                connection.sendall(b"x" * 1_000_000)
                answered += statuses(connection.recv(65536))
        assert answered.count(413) == 2
        # Their room is free again, also that of those who give up in the middle.
        for number in range(1, 8):
            with client.socket() as connection:
                connection.sendall(head(client, "Content-Length: 5000000") + b"x" * 4_000_000)
            held = collector.inbox.wait_for(
                lambda number=number: len(collector.refusals) == 3 + number or None,  # type: ignore[misc]
                timeout=10,
            )
            assert held, "the end of a connection"
        assert {refusal.status for refusal in collector.refusals[3:]} == {400}
        assert client.envelope(event_envelope(message="y" * 900_000)).status == 200


def test_flood_of_refused_requests_is_bounded_and_counted() -> None:
    refusals = Refusals()
    for number in range(MOST_REFUSALS + 50):
        refusals.add(Refusal(1.0, "POST", "/", "", (), b"x" * 10_000, 401, f"number {number}", None))
    kept = refusals.listed()
    assert len(kept) == MOST_REFUSALS
    assert sum(len(refusal.body) for refusal in kept) == LARGEST_EXCERPTS
    assert kept[-1].detail == "50 more requests were refused and are not listed; the last one: number 10049"


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        ({}, 401),
        ({"X-Sentry-Auth": "Sentry sentry_key=" + "f" * 32}, 403),
        ({"X-Sentry-Auth": "Sentry sentry_key=" + "f" * 60_000}, 403),
        ({"X-Sentry-Auth": "Sentry " + "a=b," * 15_000}, 401),
        ({"Authorization": "Basic \xff\xfe"}, 401),
        ({"X-Sentry-Auth": "Sentry sentry_key=a, sentry_version=" + "9" * 5000}, 401),
    ],
)
@pytest.mark.usefixtures("served")
def test_wrong_auth(collector: Collector, client: Client, auth: dict[str, str], status: int) -> None:
    response = client.request("POST", "/api/1/store/", b'{"message":"x"}', auth)
    assert response.status == status, response.body
    assert json.loads(response.body)["detail"]
    assert len(collector.inbox) == 0

"""Passages from another address of this machine to its loopback."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from harness.fleet.containers.passages import Passages
from harness.fleet.ports import reserve_port

# On Linux all of 127.0.0.0/8 is this machine's.
OTHER = "127.0.0.2"


@pytest.fixture
def passages() -> Iterator[Passages]:
    passages = Passages(OTHER)
    passages.start()
    yield passages
    passages.stop()


def address_in(value: str) -> tuple[str, int]:
    host, _, port = value.partition("//")[2].partition("/")[0].rpartition(":")
    return host.rpartition("@")[2], int(port)


def test_both_directions_are_led_through_until_their_end(passages: Passages) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        led = passages.lead_through({"DSN": f"http://key@127.0.0.1:{port}/1", "OTHER": "text"})
        assert led["OTHER"] == "text"
        host, passage = address_in(led["DSN"])
        assert (host, passage != port) == (OTHER, True)

        def echo() -> None:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        threading.Thread(target=echo, daemon=True).start()
        with socket.create_connection((host, passage), timeout=10) as client:
            sent = b"x" * 1_000_000

            def send() -> None:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            received = b""
            while data := client.recv(65536):
                received += data
            sender.join()
        assert received == sent


def test_one_address_has_one_passage(passages: Passages) -> None:
    port = reserve_port()
    first = passages.lead_through({"A": f"redis://localhost:{port}/0", "B": f"127.0.0.1:{port}"})
    assert address_in(first["A"])[1] == int(first["B"].rpartition(":")[2])
    assert passages.lead_through({"C": f"127.0.0.1:{port}"})["C"] == first["B"]


def test_who_is_not_there_is_not_there_through_a_passage(passages: Passages) -> None:
    address = address_in(passages.lead_through({"A": f"http://127.0.0.1:{reserve_port()}"})["A"])
    with socket.create_connection(address, timeout=10) as client, suppress(ConnectionResetError):
        assert client.recv(1) == b""


@pytest.mark.parametrize("value", ["127.0.0.1", "localhost", "1127.0.0.1:80", "127.0.0.1:abc", "mylocalhost:80"])
def test_what_is_no_loopback_address_with_a_port_stays(passages: Passages, value: str) -> None:
    assert passages.lead_through({"A": value}) == {"A": value}


@pytest.mark.filterwarnings("error")
def test_connections_that_nobody_ends_are_ended_with_the_passages() -> None:
    passages = Passages(OTHER)
    passages.start()
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as open_ones:
        address = address_in(passages.lead_through({"A": f"http://127.0.0.1:{listener.getsockname()[1]}"})["A"])
        for number in range(20):
            client = open_ones.enter_context(socket.create_connection(address, timeout=10))
            server = open_ones.enter_context(listener.accept()[0])
            server.settimeout(10)
            client.sendall(b"x")
            assert server.recv(1) == b"x"
            if number % 2:
                # Half of the way is over, and on the other half nothing happens for long: it is kept all the same.
                client.shutdown(socket.SHUT_WR)
                assert server.recv(1) == b""
                gc.collect()
                server.sendall(b"y")
                assert client.recv(1) == b"y"
        passages.stop()
        gc.collect()

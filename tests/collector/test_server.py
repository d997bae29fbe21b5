from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from harness.collector.inbox import Inbox
from harness.collector.server import Collector, CollectorError
from tests.collector.client import Client, event_envelope, read_to_end


def test_each_service_has_a_dsn_of_its_own(collector: Collector) -> None:
    payment, gateway = collector.register("payment"), collector.register("gateway")
    assert payment != gateway
    assert collector.register("payment") == payment
    assert payment.envelope_url == f"{collector.url}/api/{payment.project_id}/envelope/"
    assert len(payment.public_key) == 32
    assert collector.service_of(payment.project_id) == "payment"
    assert collector.service_of(gateway.project_id) == "gateway"
    assert collector.service_of("999") is None
    Client(gateway).envelope(event_envelope())
    (arrival,) = collector.inbox.arrivals()
    assert collector.service_of(arrival.project_id) == "gateway"
    assert arrival.public_key == gateway.public_key


def test_keys_of_two_collectors_differ() -> None:
    with Collector() as one, Collector() as other:
        assert one.register("payment").public_key != other.register("payment").public_key
        assert one.port != other.port


def test_a_given_inbox_is_used() -> None:
    inbox = Inbox()
    with Collector(inbox=inbox) as collector:
        Client(collector.register("payment")).envelope(event_envelope())
    assert len(inbox) == 1


def test_port_in_use_is_one_clear_error(collector: Collector) -> None:
    with pytest.raises(CollectorError) as error:
        Collector(port=collector.port).start()
    assert str(error.value).startswith(
        f"the collector cannot listen on 127.0.0.1:{collector.port}: Address already in"
    )
    assert "choose another port" in str(error.value)
    assert Client(collector.register("payment")).envelope(event_envelope()).status == 200


def test_foreign_host_is_one_clear_error() -> None:
    with pytest.raises(CollectorError, match=r"cannot listen on 203\.0\.113\.7:0: .* name of this machine"):
        Collector(host="203.0.113.7", key="k" * 16).start()


def test_address_is_not_known_before_the_start() -> None:
    with pytest.raises(CollectorError, match="start it before"):
        Collector().register("payment")


def test_starting_twice_is_an_error(collector: Collector) -> None:
    with pytest.raises(CollectorError, match=f"already running at http://127.0.0.1:{collector.port}"):
        collector.start()


def test_stopping_ends_thread_connections_and_listening() -> None:
    threads = threading.active_count()
    collector = Collector()
    collector.start()
    client = Client(collector.register("payment"))
    with client.socket() as idle:
        client.envelope(event_envelope())
        collector.stop()
        assert idle.recv(1) == b""
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        client.envelope(event_envelope())
    collector.stop()


def send_without_reading(connection: socket.socket) -> None:
    """Send more requests than all buffers of both sides can hold."""
    requests = b"GET /health HTTP/1.1\r\nHost: collector\r\n\r\n" * 1000
    for _ in range(500):
        connection.sendall(requests)


def test_client_that_does_not_read_is_not_read_from_and_not_waited_for() -> None:
    collector = Collector()
    collector.start()
    client = Client(collector.register("payment"))
    with client.socket() as connection:
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            send_without_reading(connection)
        stopper = threading.Thread(target=collector.stop)
        stopper.start()
        stopper.join(10)
        assert not stopper.is_alive()


def test_stopped_collector_starts_again_on_the_same_port() -> None:
    collector = Collector()
    collector.start()
    client = Client(collector.register("payment"))
    collector.stop()
    collector.start()
    try:
        assert client.envelope(event_envelope()).status == 200
    finally:
        collector.stop()
    assert len(collector.inbox) == 1


def test_listens_on_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Collector(host="::1") as collector:
        dsn = collector.register("payment")
        assert str(dsn) == f"http://{dsn.public_key}@[::1]:{collector.port}/1"
        assert Client(dsn).envelope(event_envelope()).status == 200


def test_listening_everywhere_still_gives_a_dsn_that_can_be_reached() -> None:
    with Collector(host="0.0.0.0", key="k" * 16) as collector:
        assert collector.url == f"http://127.0.0.1:{collector.port}"
        assert Client(collector.register("payment")).envelope(event_envelope()).status == 200


def test_process_ends_although_a_collector_was_not_stopped() -> None:
    program = "from harness.collector.server import Collector; c = Collector(); c.start(); print(c.url)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("http://127.0.0.1:")


def test_services_do_not_inherit_the_listening_socket(collector: Collector) -> None:
    script = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, close_fds=False) as child:
        client = Client(collector.register("payment"))
        collector.stop()
        with pytest.raises(ConnectionRefusedError):
            client.envelope(event_envelope())
        assert child.stdin is not None
        child.stdin.close()


def test_open_collector_takes_any_project_and_key() -> None:
    with Collector(open=True) as collector:
        registered = collector.register("payment")
        request = b"POST /api/4711/envelope/?sentry_key=whatever HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (
            len(event_envelope()),
            event_envelope(),
        )
        with Client(registered).socket() as connection:
            connection.sendall(request)
            assert read_to_end(connection).startswith(b"HTTP/1.1 200")
        (arrival,) = collector.inbox.arrivals()
        assert (arrival.project_id, arrival.public_key) == ("4711", "whatever")
        assert collector.service_of("4711") is None
        assert Client(registered).envelope(event_envelope()).status == 200
        assert collector.service_of(collector.inbox.arrivals()[1].project_id) == "payment"

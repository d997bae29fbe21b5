"""The control server, seen from an agent's side of the connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

import pytest

from harness.fleet.control import ControlServer
from harness.fleet.flushing import AgentAnswer, summarise


@pytest.fixture
def control() -> Iterator[ControlServer]:
    control = ControlServer()
    control.start()
    yield control
    control.stop()


class Agent:
    """An agent that answers when the test says so."""

    def __init__(self, address: str, pid: int = 7, hello: dict[str, Any] | None = None) -> None:
        endpoint, _, token = address.partition("/")
        host, _, port = endpoint.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.lines = self.socket.makefile("r")
        self.say(hello or {"op": "hello", "token": token, "pid": pid, "runtime": "test/1"})

    def say(self, message: dict[str, Any]) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def next_request(self) -> dict[str, Any]:
        request: dict[str, Any] = json.loads(self.lines.readline())
        return request

    def answer(self, request: dict[str, Any], **more: Any) -> None:
        self.say({"id": request["id"], "ok": True, "sdk": "x/1", "initialised": True, "flushed": True, **more})

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Agent]]:
    agents: list[Agent] = []

    def connect(*arguments: Any, **more: Any) -> Agent:
        agents.append(Agent(*arguments, **more))
        return agents[-1]

    yield connect
    for agent in agents:
        agent.close()


def test_a_request_during_a_round_waits_for_the_next_one_and_shares_it(
    control: ControlServer, connect: Callable[..., Agent]
) -> None:
    agent = connect(control.enrol("shop"))
    first = control.flush("shop", 5)
    request = agent.next_request()
    assert request == {"id": 1, "op": "flush", "timeout": 5}
    late = [control.flush("shop", 5) for _ in range(3)]
    # The round under way ends; that says nothing about data that came after its beginning.
    agent.answer(request, sdk="x/first")
    assert first.result(5) == (AgentAnswer(7, "test/1", "flushed", "x/first"),)
    request = agent.next_request()
    assert not any(flush.done() for flush in late)
    agent.answer(request, sdk="x/second")
    assert {flush.result(5) for flush in late} == {(AgentAnswer(7, "test/1", "flushed", "x/second"),)}
    again = control.flush("shop", 5)
    agent.answer(agent.next_request())
    assert again.result(5)[0].state == "flushed"
    agent.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        agent.socket.recv(1)


def test_a_process_that_said_hello_before_the_request_is_asked(
    control: ControlServer, connect: Callable[..., Agent]
) -> None:
    address = control.enrol("shop")
    for pid in range(1, 30):
        agent = connect(address, pid)
        flush = control.flush("shop", 5)
        agent.answer(agent.next_request())
        assert [answer.pid for answer in flush.result(5)] == [pid]
        agent.socket.shutdown(socket.SHUT_RDWR)


def test_each_instance_has_agents_of_its_own(control: ControlServer, connect: Callable[..., Agent]) -> None:
    shop, bank = connect(control.enrol("shop"), 1), connect(control.enrol("bank"), 2)
    flush = control.flush("bank", 5)
    bank.answer(bank.next_request())
    assert [answer.pid for answer in flush.result(5)] == [2]
    shop.close()


def test_an_agent_that_vanishes_has_gone_and_one_that_is_silent_has_timed_out(
    control: ControlServer, connect: Callable[..., Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.fleet.control._ANSWER_MARGIN", 0.1)
    address = control.enrol("shop")
    vanishing, silent = connect(address, 1), connect(address, 2)
    flush = control.flush("shop", 0.1)
    silent.next_request()
    vanishing.next_request()
    vanishing.close()
    states = {answer.pid: answer.state for answer in flush.result(5)}
    assert states == {1: "gone", 2: "timed-out"}
    late = control.flush("shop", 0.1)
    # An answer to a request that was given up is no answer to the next one.
    silent.answer({"id": 1})
    assert late.result(5)[0].state == "timed-out"


@pytest.mark.parametrize(
    "said",
    [
        {"op": "hello", "token": "guessed", "pid": 1, "runtime": "x"},
        {"op": "hello", "pid": 1},
        ["no", "object"],
        {"padding": "x" * 100_000},
    ],
)
def test_a_stranger_is_sent_away(control: ControlServer, connect: Callable[..., Agent], said: Any) -> None:
    address = control.enrol("shop")
    stranger = connect(address, hello=said)
    # A connection that is closed with bytes still unread is reset.
    with suppress(ConnectionResetError):
        assert stranger.socket.recv(1) == b""
    assert control.flush("shop", 5).result(5) == ()


def test_who_does_not_say_who_he_is_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, connect: Callable[..., Agent]
) -> None:
    monkeypatch.setattr("harness.fleet.control.GREETING_TIMEOUT", 0.1)
    control = ControlServer()
    control.start()
    address = control.enrol("shop")
    known = connect(address)
    endpoint = address.partition("/")[0].rpartition(":")
    with (
        socket.create_connection((endpoint[0], int(endpoint[2])), timeout=5) as silent,
        suppress(ConnectionResetError),
    ):
        assert silent.recv(1) == b""
    flush = control.flush("shop", 5)
    known.answer(known.next_request())
    assert flush.result(5)[0].state == "flushed"
    control.stop()


def test_agents_that_are_forgotten_have_to_come_again(control: ControlServer, connect: Callable[..., Agent]) -> None:
    address = control.enrol("shop")
    assert not control.wait_for_agents("shop", 0)
    agent = connect(address)
    assert control.wait_for_agents("shop", 5)
    control.forget("shop")
    with suppress(ConnectionResetError):
        assert agent.socket.recv(1) == b""
    assert not control.wait_for_agents("shop", 0)
    assert control.has_had_agents("shop")
    connect(address)
    assert control.wait_for_agents("shop", 5)


def test_a_server_that_may_come_later_says_so_to_its_agents() -> None:
    control = ControlServer("10.0.0.1", 7, awaited=True)
    assert control.enrol("shop", "a-token-that-was-agreed-on") == "10.0.0.1:7/a-token-that-was-agreed-on?retry"


def test_bytes_that_are_no_json_end_the_connection(control: ControlServer, connect: Callable[..., Agent]) -> None:
    agent = connect(control.enrol("shop"))
    agent.socket.sendall(b"\xff\n")
    assert agent.socket.recv(1) == b""


def test_a_server_that_stops_gives_up_what_is_under_way(connect: Callable[..., Agent]) -> None:
    control = ControlServer()
    control.start()
    agent = connect(control.enrol("shop"))
    flush = control.flush("shop", 60)
    agent.next_request()
    control.stop()
    with pytest.raises(CancelledError):
        flush.result(5)
    assert agent.socket.recv(1) == b""
    assert control.flush("shop", 60).result(0) == ()
    control.stop()


def test_an_address_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(OSError, match=r"203\.0\.113\.1"):
        ControlServer(host="203.0.113.1").start()


@pytest.mark.parametrize(
    ("states", "exit_code", "verdict"),
    [
        (["no-sdk", "flushed"], None, "flushed"),
        (["flushed", "timed-out", "no-sdk"], None, "timed-out"),
        (["timed-out", "failed"], None, "failed"),
        (["no-sdk", "not-initialised"], None, "not-initialised"),
        (["no-sdk", "gone"], None, "no-sdk"),
        (["gone"], None, "no-agent"),
        (["gone"], 1, "exited"),
        ([], -9, "exited"),
        (["flushed"], 0, "flushed"),
    ],
)
def test_one_process_decides_for_the_instance(states: list[Any], exit_code: int | None, verdict: str) -> None:
    answers = tuple(AgentAnswer(number, "test/1", state) for number, state in enumerate(states))
    assert summarise("shop", answers, exit_code).state == verdict

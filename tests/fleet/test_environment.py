"""What a service's process sees of the world."""

from __future__ import annotations

from collections.abc import Mapping

from harness.fleet.environment import service_environment


def compose(inherited: Mapping[str, str], own: Mapping[str, str] | None = None) -> dict[str, str]:
    return service_environment(
        inherited,
        own or {},
        port=4000,
        dsn="http://key@127.0.0.1:1/2",
        sentry_environment="verification",
        release="shop@1",
        agent_address="127.0.0.1:5/token",
    )


def test_a_service_learns_its_port_and_where_to_report() -> None:
    environment = compose({"PATH": "/bin", "PORT": "1"})
    assert environment["PATH"] == "/bin"
    assert environment["PORT"] == "4000"
    assert environment["SENTRY_DSN"] == "http://key@127.0.0.1:1/2"
    assert environment["SENTRY_ENVIRONMENT"] == "verification"
    assert environment["SENTRY_RELEASE"] == "shop@1"


def test_its_own_configuration_wins() -> None:
    assert (
        compose({"A": "shell"}, {"A": "own", "SENTRY_RELEASE": "9"}).items()
        >= {"A": "own", "SENTRY_RELEASE": "9"}.items()
    )


def test_a_developers_sentry_settings_do_not_leak_in() -> None:
    environment = compose(
        {"SENTRY_DSN": "https://real@sentry.io/1", "SENTRY_TRACE": "x", "SENTRY_HARNESS_DEBUG": "1"}
    )
    assert environment["SENTRY_DSN"] == "http://key@127.0.0.1:1/2"
    assert "SENTRY_TRACE" not in environment
    assert environment["SENTRY_HARNESS_DEBUG"] == "1"


def test_an_inherited_proxy_does_not_divert_envelopes() -> None:
    environment = compose({"HTTP_PROXY": "http://proxy", "no_proxy": "intranet"})
    assert environment["NO_PROXY"] == environment["no_proxy"] == "intranet,127.0.0.1,localhost,::1"


def test_agents_are_added_to_what_is_there() -> None:
    python = compose({"PYTHONPATH": "/inherited"})["PYTHONPATH"].split(":")
    assert python[0].endswith("/agents/python")
    assert python[1:] == ["/inherited"]
    assert compose({"PYTHONPATH": "/inherited"}, {"PYTHONPATH": "/own"})["PYTHONPATH"].split(":")[1:] == ["/own"]
    assert compose({})["PYTHONPATH"].count(":") == 0
    node = compose({"NODE_OPTIONS": "--enable-source-maps"})["NODE_OPTIONS"]
    assert node.startswith('--enable-source-maps --require "/')
    assert node.endswith('/agents/node/agent.cjs"')

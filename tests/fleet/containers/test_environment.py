"""The variables of a container: the harness's beside and over those of image and file."""

from __future__ import annotations

from harness.fleet.containers.environment import container_environment


def made(**more: dict[str, str]) -> dict[str, str]:
    variables: dict[str, dict[str, str]] = {"image": {}, "file": {}, "own": {}, **more}
    return container_environment(
        variables["image"],
        {**variables["file"]},
        variables["own"],
        dsn="http://k@10.0.0.1:9/1",
        sentry_environment="verification",
        release="shop@1",
        agent_address="10.0.0.1:7/token?retry",
        collector_host="10.0.0.1",
    )


def test_sdk_and_agents_are_told_where_the_harness_is() -> None:
    assert made() == {
        "SENTRY_DSN": "http://k@10.0.0.1:9/1",
        "SENTRY_ENVIRONMENT": "verification",
        "SENTRY_RELEASE": "shop@1",
        "SENTRY_HARNESS_AGENT": "10.0.0.1:7/token?retry",
        "PYTHONPATH": "/opt/sentry-harness/agents/python",
        "NODE_OPTIONS": '--require "/opt/sentry-harness/agents/node/agent.cjs"',
        "NO_PROXY": "10.0.0.1",
        "no_proxy": "10.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }


def test_what_was_preloaded_before_still_is() -> None:
    image = {"PYTHONPATH": "/image", "NODE_OPTIONS": "--a"}
    assert made(image=image)["PYTHONPATH"] == "/opt/sentry-harness/agents/python:/image"
    assert made(image=image, file={"PYTHONPATH": "/file"})["PYTHONPATH"].endswith("python:/file")
    assert made(image=image, own={"NODE_OPTIONS": "--b"})["NODE_OPTIONS"].startswith("--b --require")
    assert made(file={"NO_PROXY": "intranet"})["NO_PROXY"] == "intranet,10.0.0.1"


def test_a_test_wins_over_all_but_the_agents() -> None:
    own = made(own={"SENTRY_DSN": "http://other@h/2", "SENTRY_HARNESS_AGENT": "elsewhere"})
    assert own["SENTRY_DSN"] == "http://other@h/2"
    assert own["SENTRY_HARNESS_AGENT"] == "10.0.0.1:7/token?retry"

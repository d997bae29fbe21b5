"""What docker-compose.yml promises, held against what Compose makes of it; each rule is also seen to fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest

from services.containers import COMPOSE_FILES, ROOT, compose_program, dockerfiles

Configuration = dict[str, Any]

PINNED = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+@sha256:[0-9a-f]{64}")
PUBLISHED = {"gateway": "8000", "collector": "9000"}
# What a person may have set, and a test must not depend on.
OWN_VARIABLES = re.compile(
    r"_IMAGE$|_DSN$|_PORT$|_RELEASE$|^COMPOSE_|^DEBUG_|^SENTRY_|^COLLECTOR_|^PUBLISH_|^PUBLIC_"
)


def configure(*arguments: str, files: Sequence[str] = COMPOSE_FILES[:1], **variables: str) -> Configuration:
    compose = compose_program()
    if compose is None:
        pytest.skip("there is no Docker Compose")
    environment = {name: value for name, value in os.environ.items() if not OWN_VARIABLES.search(name)}
    done = subprocess.run(
        [*compose, *(word for file in files for word in ("-f", file)), *arguments, "config", "--format", "json"],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    configuration: Configuration = json.loads(done.stdout)
    return configuration


@pytest.fixture(scope="module")
def shipped() -> Configuration:
    return configure(files=COMPOSE_FILES)


def violations(configuration: Configuration) -> Iterator[str]:
    """Every way in which the services are not what they should be."""
    services = configuration["services"]
    for name, service in services.items():
        if not service.get("healthcheck", {}).get("test"):
            yield f"{name} has no healthcheck"
        if not service.get("read_only"):
            yield f"the root of {name} can be written to"
        if service.get("user", "").split(":")[0] in {"", "0", "root"}:
            yield f"{name} runs as root"
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
            yield f"{name} has capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} can gain privileges"
        if service.get("privileged") or service.get("network_mode") or service.get("pid"):
            yield f"{name} is not kept apart from the machine"
        if "container_name" in service:
            yield f"{name} has a fixed container name"
        if not {"mem_limit", "cpus", "pids_limit"} <= service.keys():
            yield f"{name} may take all of the machine"
        if any(each.get("condition") != "service_healthy" for each in service.get("depends_on", {}).values()):
            yield f"{name} does not wait for health"
        networks = {"internal", *(["published"] if name in PUBLISHED else [])}
        if set(service.get("networks", {})) != networks:
            yield f"{name} is on the networks {sorted(service.get('networks', {}))}"
        if "image" in service and not PINNED.fullmatch(service["image"]):
            yield f"the image of {name} is not pinned"
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|API_KEY", variable) and not variable.endswith("_FILE") and value:
                yield f"{name} has a secret in {variable}"
            if re.search(r"://[^/@]*:[^/@]+@", value or ""):
                yield f"{name} has a password in {variable}"
    ports = {name: [port["target"] for port in each["ports"]] for name, each in services.items() if "ports" in each}
    if ports != {name: [int(port)] for name, port in PUBLISHED.items()}:
        yield f"published are {ports}"
    if any(port["host_ip"] != "127.0.0.1" for each in services.values() for port in each.get("ports", [])):
        yield "a port is open to the network"
    if not configuration["networks"]["internal"].get("internal"):
        yield "the internal network leads outside"


def test_the_fleet_is_what_it_promises(shipped: Configuration) -> None:
    assert sorted(shipped["services"]) == [
        "analytics",
        "collector",
        "database",
        "frontend",
        "game-engine",
        "gateway",
        "payment",
        "redis",
    ]
    assert list(violations(shipped)) == []


def publish(services: Configuration) -> None:
    services["redis"]["ports"] = [{"target": 6379, "host_ip": "127.0.0.1"}]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda services: services["redis"].pop("healthcheck"), "redis has no healthcheck"),
        (lambda services: services["payment"].pop("read_only"), "the root of payment can be written to"),
        (lambda services: services["payment"].pop("user"), "payment runs as root"),
        (lambda services: services["payment"].update(user="0:0"), "payment runs as root"),
        (lambda services: services["payment"].pop("cap_drop"), "payment has capabilities"),
        (lambda services: services["payment"].update(cap_add=["NET_RAW"]), "payment has capabilities"),
        (lambda services: services["payment"].pop("security_opt"), "payment can gain privileges"),
        (lambda services: services["payment"].update(privileged=True), "payment is not kept apart from the machine"),
        (lambda services: services["payment"].update(container_name="p"), "payment has a fixed container name"),
        (lambda services: services["payment"].pop("pids_limit"), "payment may take all of the machine"),
        (
            lambda services: services["gateway"]["depends_on"]["redis"].update(condition="service_started"),
            "gateway does not wait for health",
        ),
        (
            lambda services: services["payment"]["networks"].update(published=None),
            "payment is on the networks ['internal', 'published']",
        ),
        (lambda services: services["redis"].update(image="redis:8"), "the image of redis is not pinned"),
        (
            lambda services: services["analytics"]["environment"].update(WAREHOUSE_PASSWORD="w"),
            "analytics has a secret in WAREHOUSE_PASSWORD",
        ),
        (
            lambda services: services["analytics"]["environment"].update(DATABASE_URL="postgresql://a:b@database/c"),
            "analytics has a password in DATABASE_URL",
        ),
        (publish, "published are {'collector': [9000], 'gateway': [8000], 'redis': [6379]}"),
        (
            lambda services: services["gateway"]["ports"][0].update(host_ip="0.0.0.0"),
            "a port is open to the network",
        ),
    ],
)
def test_each_promise_can_be_broken(
    shipped: Configuration, harm: Callable[[Configuration], object], said: str
) -> None:
    harmed = deepcopy(shipped)
    harm(harmed["services"])
    assert list(violations(harmed)) == [said]


def test_a_network_that_leads_outside_is_seen(shipped: Configuration) -> None:
    harmed = deepcopy(shipped)
    harmed["networks"]["internal"].pop("internal")
    assert list(violations(harmed)) == ["the internal network leads outside"]


def test_without_the_second_file_no_debug_endpoint_exists() -> None:
    for name, service in configure()["services"].items():
        assert "DEBUG_FLAGS_FILE" not in service.get("environment", {}), name


def test_debug_endpoints_are_switched_on_together_with_their_keys(shipped: Configuration) -> None:
    switched_on = {
        name: {each["source"] for each in service["configs"]}
        for name, service in shipped["services"].items()
        if service.get("environment", {}).get("DEBUG_FLAGS_FILE")
    }
    expected = {"debug-flags", "debug-keys"}
    assert switched_on == dict.fromkeys(["analytics", "game-engine", "gateway", "payment"], expected)


def test_observe_is_the_collector_alone() -> None:
    assert list(configure("--profile", "observe")["services"]) == ["collector"]


def test_limits_and_database_are_those_of_the_project(shipped: Configuration) -> None:
    environments = {name: each.get("environment", {}) for name, each in shipped["services"].items()}
    guarded = {name for name, each in environments.items() if each.get("DEBUG_LIMITS_URL") == "redis://redis:6379/0"}
    assert guarded == {"analytics", "game-engine", "gateway", "payment"}
    assert environments["analytics"]["DATABASE_URL"] == "postgresql://analytics@database/analytics"
    assert environments["analytics"]["DATABASE_PASSWORD_FILE"] == "/run/credentials/password"


def test_what_is_set_reaches_the_services() -> None:
    services = configure(
        GATEWAY_DSN="http://own@sentry.example/7",
        PAYMENT_DSN="",
        SENTRY_ENVIRONMENT="staging",
        GATEWAY_PORT="8123",
        COLLECTOR_PORT="9123",
        COLLECTOR_KEY="0123456789abcdef",
        PYTHON_IMAGE="registry.example/python:3.12",
    )["services"]
    assert services["gateway"]["environment"]["SENTRY_DSN"] == "http://own@sentry.example/7"
    assert services["payment"]["environment"]["SENTRY_DSN"] == ""
    assert services["analytics"]["environment"]["SENTRY_DSN"] == "http://0123456789abcdef@collector:9000/3"
    assert services["frontend"]["environment"]["SENTRY_DSN"] == "http://0123456789abcdef@127.0.0.1:9123/5"
    assert services["frontend"]["environment"]["GATEWAY_URL"] == "http://127.0.0.1:8123"
    assert services["game-engine"]["environment"]["SENTRY_ENVIRONMENT"] == "staging"
    assert services["game-engine"]["build"]["args"]["PYTHON_IMAGE"] == "registry.example/python:3.12"
    assert services["gateway"]["ports"][0]["published"] == "8123"


def test_a_base_image_that_is_not_chosen_is_that_of_the_dockerfile() -> None:
    # An argument that is passed on empty would be an image without a name.
    assert configure()["services"]["gateway"]["build"]["args"] == {"SERVICE": "gateway"}


def test_bases_are_pinned_and_the_same_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for dockerfile in dockerfiles():
        text = dockerfile.read_text()
        for name, image in re.findall(r"^ARG (\w+_IMAGE)=(.*)$", text, re.MULTILINE):
            found.setdefault(name, set()).add(image)
        stages = re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE)
        bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - set(stages)
        assert all(re.fullmatch(r"\$\{\w+_IMAGE\}", base) for base in bases), dockerfile
    assert sorted(found) == ["NODE_IMAGE", "POSTGRES_IMAGE", "PYTHON_IMAGE"]
    for name, images in found.items():
        assert len(images) == 1, name
        assert all(PINNED.fullmatch(image) for image in images), images


def test_images_install_what_was_locked_for_everything() -> None:
    def pins(text: str) -> dict[str, str]:
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
        return {entry.split(" \\")[0]: entry.split("    # via")[0] for entry in entries if "==" in entry}

    everything = pins((ROOT / "requirements.lock").read_text())
    locks = sorted(ROOT.glob("services/*/*.lock"))
    assert len(locks) == 5
    for lock in locks:
        for pin, entry in pins(lock.read_text()).items():
            name = pin.split(" ;")[0]
            assert any(each == name or each.startswith(f"{name} ;") for each in everything), f"{lock}: {pin}"
            hashes = set(re.findall(r"sha256:\w+", entry))
            assert hashes, f"{lock}: {pin} has no hash"


def test_no_package_of_an_image_needs_to_run_a_script() -> None:
    # The images install with --ignore-scripts.
    for lock in ROOT.glob("services/*/package-lock.json"):
        packages = json.loads(lock.read_text())["packages"]
        needing = [
            name for name, each in packages.items() if each.get("hasInstallScript") and not each.get("optional")
        ]
        assert needing == [], lock


def test_what_an_image_is_built_from_holds_no_key() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in allowed
    assert [line for line in allowed if line.startswith("!")] == [
        "!README.md",
        "!pyproject.toml",
        "!harness/",
        "!services/",
    ]

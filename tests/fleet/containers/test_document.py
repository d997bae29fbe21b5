"""What is really brought up, made from what the user's Compose file resolves to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.fleet.configuration import ConfigurationError
from harness.fleet.containers.document import (
    WAY_IN,
    Mount,
    Wanted,
    address_fresh_ones,
    fleet_document,
    image_of,
    isolated_document,
    listening_port,
    mounts_of,
    needed_services,
    require_services,
)

LABELS = {"run": "1"}
HEALTH = {"test": ["CMD", "true"], "interval": "30s"}
RESOLVED: dict[str, Any] = {
    "name": "casino",
    "services": {
        "collector": {"image": "collector"},
        "redis": {"image": "redis:8", "healthcheck": HEALTH, "ports": [{"target": 6379}], "restart": "always"},
        "shop": {
            "build": {"context": "."},
            "profiles": ["default"],
            "container_name": "shop",
            "command": None,
            "environment": {"PORT": "8000", "BANK_URL": "http://bank:8001", "PRICE": "$$5", "UNSET": None},
            "depends_on": {
                "bank": {"condition": "service_healthy", "required": True},
                "redis": {"condition": "service_healthy", "required": True},
                "collector": {"condition": "service_healthy", "required": False},
            },
            "healthcheck": HEALTH,
            "ports": [{"target": 8000, "published": "80"}],
            "networks": {"inner": None},
            "restart": "unless-stopped",
            "read_only": True,
        },
        "bank": {"image": "bank:1", "environment": {"PORT": "8001", "SHOP": "http://shop:8000/x"}},
        "other": {"image": "other"},
    },
    "networks": {"inner": {"name": "casino_inner", "internal": True}, "theirs": {"name": "x", "external": True}},
    "volumes": {"data": {"name": "casino_data"}},
}
SHOP = Wanted("shop", "shop", 41000, 8000, {"SENTRY_DSN": "http://k@h/1", "COST": "$5"}, (Mount("/a", "/b"),))
BANK = Wanted("bank", "bank", 41001, 8001, {})


def test_a_service_is_as_in_the_file_but_for_what_the_harness_sees_to() -> None:
    shop = fleet_document(RESOLVED, [SHOP, BANK], ["redis"], LABELS)["services"]["shop"]
    assert shop == {
        "image": "casino-shop",
        "labels": LABELS,
        "restart": "no",
        "read_only": True,
        "depends_on": {
            "bank": {"condition": "service_started", "required": True},
            "redis": {"condition": "service_healthy", "required": True},
        },
        "environment": {
            **RESOLVED["services"]["shop"]["environment"],
            "SENTRY_DSN": "http://k@h/1",
            "COST": "$$5",
        },
        "ports": [{"mode": "host", "protocol": "tcp", "host_ip": "127.0.0.1", "published": "41000", "target": 8000}],
        "volumes": [{"type": "bind", "source": "/a", "target": "/b", "read_only": True}],
        "networks": {"inner": None, WAY_IN: None},
    }


def test_what_services_need_is_there_without_a_port_of_this_machine() -> None:
    document = fleet_document(RESOLVED, [SHOP, BANK], ["redis"], LABELS)
    assert list(document["services"]) == ["shop", "bank", "redis"]
    assert document["services"]["redis"] == {
        "image": "redis:8",
        "labels": LABELS,
        "restart": "always",
        "depends_on": {},
        "healthcheck": {**HEALTH, "interval": "1s"},
    }
    assert document["services"]["bank"]["networks"] == {"default": None, WAY_IN: None}


def test_networks_and_volumes_are_the_runs_own_unless_somebody_elses() -> None:
    document = fleet_document(RESOLVED, [SHOP], [], LABELS)
    assert document["networks"] == {
        "inner": {"internal": True, "labels": LABELS},
        "theirs": {"name": "x", "external": True},
        WAY_IN: {"labels": LABELS},
    }
    assert document["volumes"] == {"data": {"labels": LABELS}}


def test_isolated_containers_know_one_another_and_share_the_rest() -> None:
    fresh = [
        Wanted("shop", "shop-own-1", 42000, 8000, {}),
        Wanted("bank", "bank-own-1", 42001, 8001, {"DATABASE": "pg://me:pw@shop:5/x"}, changes={"restart": "always"}),
    ]
    document = isolated_document(RESOLVED, fresh, "run-1", LABELS)
    shop, bank = document["services"]["shop-own-1"], document["services"]["bank-own-1"]
    assert (shop["environment"]["BANK_URL"], bank["environment"]["SHOP"]) == (
        "http://bank-own-1:8001",
        "http://shop-own-1:8000/x",
    )
    assert bank["environment"]["DATABASE"] == "pg://me:pw@shop-own-1:5/x"
    assert (shop["depends_on"], shop["restart"], bank["restart"]) == ({}, "no", "always")
    assert document["networks"] == {
        "inner": {"external": True, "name": "run-1_inner"},
        "theirs": {"name": "x", "external": True},
        WAY_IN: {"external": True, "name": f"run-1_{WAY_IN}"},
    }
    alone = isolated_document(RESOLVED, fresh[:1], "run-1", LABELS)["services"]["shop-own-1"]
    assert alone["environment"]["BANK_URL"] == "http://bank:8001"


@pytest.mark.parametrize("value", ["bank:8001", "http://banker:8001", "http://x/bank/", "http://bank.test/", "banks"])
def test_what_is_no_address_of_a_service_stays(value: str) -> None:
    assert address_fresh_ones(value, {"bank": "bank-own-1"}) == value


def test_the_users_own_file_is_not_touched() -> None:
    before = repr(RESOLVED)
    fleet_document(RESOLVED, [SHOP, BANK], ["redis"], LABELS)
    isolated_document(RESOLVED, [SHOP], "run-1", LABELS)
    assert repr(RESOLVED) == before


def test_what_is_needed_is_what_services_depend_on() -> None:
    assert needed_services(RESOLVED, ["shop"], ["collector"]) == ["redis", "shop", "bank"]
    assert needed_services(RESOLVED, ["bank"], []) == ["bank"]


def test_an_unknown_service_is_named_with_the_nearest() -> None:
    require_services(RESOLVED, ["shop"], "docker-compose.yml")
    with pytest.raises(ConfigurationError, match=r"docker-compose.yml has no service 'shpo' .* Did you mean 'shop'"):
        require_services(RESOLVED, ["shpo"], "docker-compose.yml")


@pytest.mark.parametrize(
    ("definition", "configured", "port"),
    [
        ({}, 5, 5),
        ({"environment": {"PORT": "8"}, "ports": [{"target": 9}]}, None, 8),
        ({"environment": {"PORT": None}, "ports": [{"target": 9}]}, None, 9),
        ({"expose": ["7/tcp"]}, None, 7),
    ],
)
def test_where_a_service_listens(definition: dict[str, Any], configured: int | None, port: int) -> None:
    assert listening_port("shop", definition, configured) == port


def test_where_a_service_listens_must_be_told() -> None:
    with pytest.raises(ConfigurationError, match=r"say it with 'port' under \[compose.service.shop\]"):
        listening_port("shop", {}, None)


def test_an_image_that_is_built_has_the_name_that_compose_gives_it() -> None:
    assert (image_of(RESOLVED, "shop"), image_of(RESOLVED, "redis")) == ("casino-shop", "redis:8")


def test_files_that_variables_name_are_mounted(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.touch()
    variables = {"FILE": str(file), "DIRECTORY": str(tmp_path), "NOTHING": "/no/such/file", "TEXT": "flags.json"}
    here = Mount(str(tmp_path), str(tmp_path))
    assert mounts_of(variables, changing=False) == (here, Mount(str(file), str(file)))
    assert mounts_of(variables, changing=True) == (here,)

"""The table [compose]: what may be written, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.fleet.configuration import ConfigurationError
from harness.fleet.containers.configuration import ComposeService, ComposeSpec, read_compose, require_compose

PATH = Path("/somewhere/harness.toml")


def read(values: object) -> ComposeSpec:
    compose = read_compose(PATH, values, ("shop", "bank"))
    assert compose is not None
    return compose


def test_a_file_is_enough() -> None:
    compose = read({"file": ["docker-compose.yml"]})
    assert compose.files == (Path("/somewhere/docker-compose.yml"),)
    assert (compose.profiles, compose.without, compose.host) == ((), (), None)
    assert compose.services == {"shop": ComposeService("shop"), "bank": ComposeService("bank")}


def test_variables_for_all_services_are_those_of_each() -> None:
    compose = read(
        {
            "file": ["a.yml", "b.yml"],
            "environment": {"LIMIT": "1", "MODE": "dark"},
            "service": {"shop": {"name": "web", "port": 80, "environment": {"LIMIT": "2"}}},
        }
    )
    assert compose.services["shop"] == ComposeService("web", 80, {"LIMIT": "2", "MODE": "dark"})
    assert compose.services["bank"] == ComposeService("bank", None, {"LIMIT": "1", "MODE": "dark"})


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"profiles": ["x"]}, r"\[compose\]: 'file' is missing: name the Compose files"),
        ({"file": "docker-compose.yml"}, r"'file' must be a list of strings"),
        ({"fiel": []}, r"unknown key 'fiel'. Did you mean 'file'"),
        ({"file": ["x"], "service": {"shpo": {}}}, r"unknown key 'shpo'. Did you mean 'shop'"),
        ({"file": ["x"], "service": {"shop": {"port": "80"}}}, r"'port' must be a port number"),
        ({"file": ["x"], "service": {"shop": {"name": "bank"}}}, r"'bank.name' is that of 'shop' already|is that of"),
        ({"file": ["x"], "without": ["bank"]}, r"'without' names 'bank', which is a service of the fleet"),
        ({"file": ["x"], "environment": {"LIMIT": 1}}, r"'environment.LIMIT' must be a string"),
        ([], r"must be a table, not a list"),
    ],
)
def test_what_cannot_be_meant_is_said(values: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read(values)


def test_without_the_table_or_its_file_it_is_said_what_to_do(tmp_path: Path) -> None:
    assert read_compose(PATH, {}, ()) is None
    with pytest.raises(ConfigurationError, match=r"has no table \[compose\], which --fleet=compose needs"):
        require_compose(None, PATH)
    compose = read_compose(tmp_path / "harness.toml", {"file": ["docker-compose.yml"]}, ())
    with pytest.raises(ConfigurationError, match=r"'file' names .*/docker-compose.yml, which does not exist"):
        require_compose(compose, PATH)
    (tmp_path / "docker-compose.yml").touch()
    assert require_compose(compose, PATH) is compose

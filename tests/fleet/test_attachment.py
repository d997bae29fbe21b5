"""The table [attach]: what may be written, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.fleet.attachment import (
    Attachment,
    Endpoint,
    attachment_text,
    load_attachment,
    read_attachment,
    require_attachment,
)
from harness.fleet.configuration import ConfigurationError
from harness.fleet.spec import load_fleet_spec

PATH = Path("/somewhere/harness.toml")
DSN = "http://0123456789abcdef@127.0.0.1:9000/4"
SHOP = {"url": "http://127.0.0.1:8000/", "dsn": DSN, "agent": "a" * 32}
WHOLE = {"collector": "127.0.0.1:9000", "control": "127.0.0.1:9001", "service": {"shop": SHOP}}


def read(values: object, services: tuple[str, ...] = ("shop",)) -> Attachment:
    attachment = read_attachment(PATH, values, services)
    assert attachment is not None
    return attachment


def test_a_table_is_read_and_written() -> None:
    attachment = read(WHOLE)
    assert (attachment.collector, attachment.control) == (Endpoint("127.0.0.1", 9000), Endpoint("127.0.0.1", 9001))
    shop = attachment.services["shop"]
    assert (shop.url, str(shop.dsn), shop.agent) == ("http://127.0.0.1:8000", DSN, "a" * 32)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "attach.toml"
    for values in (WHOLE, {"collector": "[::1]:9000", "service": {"shop": {"url": "https://shop.test"}}}):
        file.write_text(attachment_text(read(values)))
        assert load_attachment(file, ["shop"]) == read(values)


def test_variables_of_the_environment_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", DSN)
    service = {"url": "http://shop.test", "dsn": "{env.SHOP_DSN}"}
    assert str(read({"service": {"shop": service}}).services["shop"].dsn) == DSN


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"service": {"shop": {"dsn": DSN}}}, r"\[attach.service.shop\]: 'url' is missing: say where"),
        ({"service": {}}, r"\[attach.service.shop\]: 'url' is missing"),
        ({"service": {"shop": SHOP, "shpo": SHOP}}, r"\[attach.service\]: unknown key 'shpo'. Did you mean 'shop'"),
        ({"service": {"shop": {"url": "shop:8000"}}}, r"'url' must be like \"http://127.0.0.1:8003\""),
        ({"service": {"shop": {"url": "http://shop", "dsn": "http://shop/x"}}}, r"'dsn' is wrong: .* is not a DSN"),
        ({"service": {"shop": {"url": "http://shop", "dns": DSN}}}, r"unknown key 'dns'. Did you mean 'dsn'"),
        ({"service": {"shop": {"url": "http://shop", "agent": "short"}}}, r"'agent' must have 16 to 128 letters"),
        ({"service": {"shop": SHOP}}, r"'control' is missing: 'shop' has an agent"),
        ({**WHOLE, "collector": "9000"}, r"'collector' must be an address to listen on like"),
        ({**WHOLE, "control": "http://127.0.0.1:1"}, r"'control' must be an address to listen on like"),
        ({**WHOLE, "control": "127.0.0.1:99999"}, r"'control' must be an address to listen on like"),
        ({**WHOLE, "collector": "{env.NO_SUCH_VARIABLE}"}, r"needs the environment variable NO_SUCH_VARIABLE"),
        ({"colector": "127.0.0.1:1"}, r"unknown key 'colector'. Did you mean 'collector'"),
        ([], r"must be a table, not a list"),
    ],
)
def test_what_cannot_be_meant_is_said(values: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read(values)


def test_two_services_cannot_share_a_project() -> None:
    both = {"shop": SHOP, "bank": {**SHOP, "url": "http://127.0.0.1:8001"}}
    with pytest.raises(ConfigurationError, match=r"'bank.dsn' has a project or a key of 'shop' as well"):
        read({**WHOLE, "service": both}, ("shop", "bank"))


def test_a_token_that_is_wrong_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read({**WHOLE, "service": {"shop": {**SHOP, "agent": "se cret"}}})
    assert "se cret" not in str(raised.value)


def test_without_the_table_it_is_said_what_to_write() -> None:
    assert read_attachment(PATH, {}, ["shop"]) is None
    with pytest.raises(ConfigurationError, match=r"has no table \[attach\], which --fleet=attach needs"):
        require_attachment(None, PATH)


def test_a_file_of_its_own_holds_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "attach.toml"
    with pytest.raises(ConfigurationError, match=r"attach.toml cannot be read"):
        load_attachment(file, ["shop"])
    file.write_text("")
    with pytest.raises(ConfigurationError, match=r"has no table \[attach\]"):
        load_attachment(file, ["shop"])
    file.write_text("[attach]\n[fleet]\n")
    with pytest.raises(ConfigurationError, match=r"unknown key 'fleet'"):
        load_attachment(file, ["shop"])


def test_a_fleet_that_is_attached_to_needs_no_commands(tmp_path: Path) -> None:
    file = tmp_path / "harness.toml"
    file.write_text('[service.shop]\nready = "/health"\n')
    with pytest.raises(ConfigurationError, match=r"'command' is missing"):
        load_fleet_spec(file)
    file.write_text('[service.shop]\nready = "/health"\n[attach.service.shop]\nurl = "http://127.0.0.1:1"\n')
    assert load_fleet_spec(file).services["shop"].command == ()

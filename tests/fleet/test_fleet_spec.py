"""harness.toml: what it may say, and how it complains."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.fleet.placeholders import expand
from harness.fleet.spec import ConfigurationError, FleetSpec, load_fleet_spec


def load(tmp_path: Path, text: str) -> FleetSpec:
    path = tmp_path / "harness.toml"
    path.write_text(text)
    return load_fleet_spec(path)


def test_one_service_with_a_command_is_enough(tmp_path: Path) -> None:
    spec = load(tmp_path, '[service.shop]\ncommand = ["node", "server.mjs"]')
    shop = spec.services["shop"]
    assert (spec.root, spec.entry, spec.sentry_environment) == (tmp_path, None, "verification")
    assert (spec.startup_timeout, spec.stop_timeout) == (60.0, 5.0)
    assert (shop.name, shop.command, shop.directory) == ("shop", ("node", "server.mjs"), tmp_path)
    assert (shop.ready, shop.port, shop.route, shop.manifest, shop.depends_on) == (None, None, None, None, ())
    assert shop.release == "shop@verification"


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    spec = load(
        tmp_path,
        """
        [fleet]
        entry = "gateway"
        sentry_environment = "staging"
        startup_timeout = 3
        stop_timeout = 0.5
        [service.gateway]
        command = ["{python}", "-m", "gateway", "--port={port}"]
        [service.payment]
        command = ["node", "."]
        directory = "services/payment"
        ready = "/health"
        route = "/api/v1/payment"
        manifest = "/debug"
        depends_on = ["gateway"]
        port = 4000
        release = "payment@7"
        environment = { GATEWAY_URL = "{gateway.url}", SHAPE = "{{}}" }
        """,
    )
    payment = spec.services["payment"]
    assert (spec.entry, spec.sentry_environment, spec.startup_timeout, spec.stop_timeout) == (
        *("gateway", "staging"),
        *(3.0, 0.5),
    )
    assert payment.directory == tmp_path / "services" / "payment"
    assert (payment.ready, payment.route, payment.manifest) == ("/health", "/api/v1/payment", "/debug")
    assert (payment.depends_on, payment.port, payment.release) == (("gateway",), 4000, "payment@7")
    values = spec.placeholders("gateway", {"gateway": 1, "payment": 2})
    assert [expand(word, values) for word in spec.services["gateway"].command] == [
        *(sys.executable, "-m", "gateway", "--port=1"),
    ]
    own = spec.placeholders("payment", {"gateway": 1, "payment": 2})
    assert expand(payment.environment["GATEWAY_URL"], own) == "http://127.0.0.1:1"
    assert expand(payment.environment["SHAPE"], own) == "{}"
    assert expand("{url} {port} {root}", own) == f"http://127.0.0.1:2 2 {tmp_path}"


SHOP = '[service.shop]\ncommand = ["x"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[service.shop\n", "harness.toml cannot be read: Expected ']'"),
        ("", "no service. Add a [service.<name>] table"),
        ("[services.shop]\ncommand = ['x']", "unknown key 'services'. Did you mean 'service'?"),
        ("[service.shop]\ncomand = ['x']", "[service.shop]: unknown key 'comand'. Did you mean 'command'?"),
        (f"[fleet]\nstartup = 3\n{SHOP}", "[fleet]: unknown key 'startup'. Did you mean 'startup_timeout'?"),
        ("[service.shop]\nzzz = 1", "unknown key 'zzz'. Allowed: command, depends_on, directory, environment"),
        ("[service.shop]\n", "[service.shop]: 'command' is missing"),
        ("[service.shop]\ncommand = 'node x'", "'command' must be a list of strings like"),
        ("service.shop = 3", "[service.shop] must be a table, not a number (3)"),
        ("[service.'a.b']\ncommand = ['x']", "a service's name consists of letters"),
        (f"{SHOP}ready = 'health'", "'ready' is a path and begins with '/', not 'health'"),
        (f"{SHOP}ready = ''", "'ready' must be a non-empty string"),
        (f"{SHOP}port = 70000", "'port' must be a port number from 1 to 65535, not 70000"),
        (f"{SHOP}port = '80'", "'port' must be a port number from 1 to 65535, not '80'"),
        (f"{SHOP}environment = {{ A = 1 }}", "'environment.A' must be a string, not a number (1): write \"1\""),
        (f"{SHOP}environment = ['A']", "'environment' must be a table of strings, not a list"),
        (f"[fleet]\nstop_timeout = 0\n{SHOP}", "'stop_timeout' must be a number of seconds greater than 0, not 0"),
        (f"[fleet]\nentry = 'shp'\n{SHOP}", "'entry' names no service: 'shp'. Did you mean 'shop'?"),
        (f"{SHOP}depends_on = ['shpo']", "'depends_on' names no service: 'shpo'. Did you mean 'shop'?"),
        (f"{SHOP}depends_on = ['shop']", "'depends_on' goes round in a circle: shop -> shop"),
        (
            f"{SHOP}depends_on=['bank']\n[service.bank]\ncommand=['x']\ndepends_on=['shop']",
            "goes round in a circle: ",
        ),
        (f"{SHOP}port = 4000\n[service.bank]\ncommand=['x']\nport = 4000", "'port' 4000 is that of 'shop' already"),
        (
            "[service.shop]\ncommand = ['{prot}']",
            "'command[0]' has the unknown placeholder '{prot}'. Did you mean 'port'?",
        ),
        (
            f"{SHOP}environment = {{ A = '{{shp.url}}' }}",
            "'environment.A' has the unknown placeholder '{shp.url}'. Did you mean 'shop.url'?",
        ),
        (f"{SHOP}environment = {{ A = 'x}}' }}", "'environment.A' has a lone '}' in 'x}'; write '}}'"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert complaint in str(caught.value)
    assert str(tmp_path / "harness.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.toml does not exist\. Create it"):
        load_fleet_spec(tmp_path / "absent.toml")

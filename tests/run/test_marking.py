from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.fleet.spec import load_fleet_spec
from harness.run.marking import environment_secrets, new_marks


def test_every_request_has_a_marker_of_its_own() -> None:
    first, second = new_marks(with_canaries=False), new_marks(with_canaries=False)
    assert re.fullmatch(r"scn-[0-9a-f]{16}", first.marker)
    assert first.marker != second.marker
    assert first.headers == {"X-Request-Id": first.marker}
    assert first.secrets == {}


def test_canaries_are_sent_and_known() -> None:
    marks = new_marks(with_canaries=True)
    sent = " ".join(marks.headers.values())
    assert len(marks.secrets) == 5
    assert all(secret in sent for secret in marks.secrets.values())
    card = [int(digit) for digit in marks.headers["X-Card-Number"] if digit.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in card[-2::-2]]
    assert (sum(card[-1::-2]) + sum(doubled)) % 10 == 0


def test_secrets_are_recognised_by_the_name_of_their_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "from-outside")
    monkeypatch.setenv("TOKEN_TYPE", "bearer")
    (tmp_path / "harness.toml").write_text(
        '[service.shop]\ncommand = ["x"]\n'
        'environment = { PROVIDER_API_KEY = "k-1", DB_PASSWORD = "p-1", SIGNING_KEY = "s-1", COLOUR = "red",'
        ' KEYBOARD = "us", DATABASE_URL = "postgresql://shop:p%40ss@db/shop", SENTRY_AUTH_TOKEN = "t" }\n'
    )
    found = environment_secrets(load_fleet_spec(tmp_path / "harness.toml"))
    assert found["PROVIDER_API_KEY of shop"] == "k-1"
    assert found["DB_PASSWORD of shop"] == "p-1"
    assert found["DEPLOY_TOKEN of the environment"] == "from-outside"
    assert found["SIGNING_KEY of shop"] == "s-1"
    assert found["the password in DATABASE_URL of shop"] == "p@ss"
    assert not {"red", "us", "t", "bearer"} & set(found.values())

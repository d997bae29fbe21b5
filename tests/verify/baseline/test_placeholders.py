"""What differs from run to run becomes a placeholder that keeps equality; everything else stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.verify.baseline.placeholders import Placeholders, figure, type_only

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture
def rules() -> Placeholders:
    return Placeholders(
        {"payment": ["127.0.0.1:4001", "payment:8000", "payment-1:8000"]},
        {"trace": [TRACE], "span": [SPAN]},
        Path("/home/someone/checkout"),
    )


@pytest.mark.parametrize(
    ("text", "placeholder"),
    [
        (f"{TRACE}-{SPAN}-1", "<trace-1>-<span-1>-1"),
        ("round rnd_fe52815d was paid", "round <rnd-1> was paid"),
        ("reference rnd_fe52815d-debit", "reference <rnd-1>-debit"),
        ("scn-bb348de0a8746cc9", "<scn-1>"),
        ("8b42d29d49ed467b90e1d2b22ed260ce", "<id-1>"),
        ("2f1f0f3e-7d0a-4c5b-9a42-0c3f0c0d9b11", "<uuid-1>"),
        ("evt_2f1f0f3e-7d0a-4c5b-9a42-0c3f0c0d9b11", "<evt-1>"),
        ("http://127.0.0.1:4001/process?x=1", "http://<payment>/process?x=1"),
        ("http://payment-1:8000/process", "http://<payment>/process"),
        ("http://payment:8000/ and not payment:80001", "http://<payment>/ and not payment:80001"),
        ("http://repayment:8000/", "http://repayment:8000/"),
        ("chance 0.0538284801052468 and 0.53828480105246", "chance 0.0538284801052468 and 0.53828480105246"),
        ("connect to localhost:5123 refused", "connect to <address-1> refused"),
        ("/home/someone/checkout/shop/app.py", "<root>/shop/app.py"),
        ("/tmp/shop-7n57ifl_/db.sqlite3 is locked", "<temporary>/db.sqlite3 is locked"),
        ("blocked for 256 ms, 1.5s at most", "blocked for <duration>, <duration> at most"),
        ("grew by 4 MB", "grew by <size>"),
        ("since 2026-11-24T23:18:23.913392Z", "since <time>"),
    ],
)
def test_what_is_volatile_is_replaced(rules: Placeholders, text: str, placeholder: str) -> None:
    assert rules.numbered(text) == placeholder


@pytest.mark.parametrize(
    "text",
    [
        "paid 200 cents on a bet of 100",
        "GET /debug/crash",
        "report of 2026-01-31",
        "sentry.python.fastapi",
        "unsupported operand type(s) for +: 'int' and 'str'",
        "deadbeef",
        "http://127.0.0.1/without-a-port",
        "level-5 of 24 hourlong shifts",
    ],
)
def test_everything_else_stays(rules: Placeholders, text: str) -> None:
    assert rules.numbered(text) == text


def test_equal_values_get_equal_placeholders(rules: Placeholders) -> None:
    first, second = "rnd_aaaaaaaa", "rnd_bbbbbbbb"
    assert rules.numbered([first, second, f"again {first}"]) == ["<rnd-1>", "<rnd-2>", "again <rnd-1>"]
    assert rules.masked([first, second]) == ["<rnd>", "<rnd>"]


def test_numbers_are_counted_in_the_order_in_which_they_are_written(rules: Placeholders) -> None:
    assert rules.numbered({"b": "rnd_bbbbbbbb", "a": "rnd_aaaaaaaa"}) == {"a": "<rnd-1>", "b": "<rnd-2>"}


def test_labels_hold_nothing_volatile_and_no_numbers(rules: Placeholders) -> None:
    assert rules.label("game", None, "spin\n  rnd_fe52815d paid 200 cents") == "game spin <rnd> paid # cents"
    assert rules.label("SELECT count_1") == "SELECT count_1"


def test_figures_and_types() -> None:
    sent = {"rss_mb": 84.1, "version": "v20.20.2", "handled": True, "name": "node", "held": [1, None]}
    figures = {**sent, "rss_mb": "<number>", "version": "<version>", "held": ["<number>", None]}
    assert figure(sent) == figures
    assert type_only(sent) == {
        "rss_mb": "<number>",
        "version": "<text>",
        "handled": "<flag>",
        "name": "<text>",
        "held": "<list>",
    }

from __future__ import annotations

import pytest

from harness.run.scenario import InvalidScenario, fill_in, make_trigger


def test_an_endpoint_is_method_and_path() -> None:
    trigger = make_trigger("payment", "GET /debug/crash?hold_ms=5", headers={"X-A": "b"})
    assert (trigger.method, trigger.path) == ("GET", "/debug/crash?hold_ms=5")
    assert trigger.title == "payment GET /debug/crash?hold_ms=5"
    assert trigger.endpoint == ("payment", "GET", "/debug/crash")


@pytest.mark.parametrize("endpoint", ["/debug/crash", "get /debug", "GET debug", "GET  ", "", "GET /a b"])
def test_other_forms_are_refused_with_an_example(endpoint: str) -> None:
    with pytest.raises(InvalidScenario, match="such as 'GET /debug/crash'"):
        make_trigger("payment", endpoint)


def test_json_and_body_exclude_each_other() -> None:
    with pytest.raises(InvalidScenario, match="json or body, not both"):
        make_trigger("payment", "POST /x", json={}, body=b"")


def test_parameters_are_filled_in() -> None:
    filled = fill_in(make_trigger("engine", "GET /debug/error/{kind}?n={n}"), {"kind": "key", "n": 3, "other": 1})
    assert filled.path == "/debug/error/key?n=3"
    assert filled.endpoint == ("engine", "GET", "/debug/error/key")
    plain = make_trigger("engine", "GET /debug")
    assert fill_in(plain, {"kind": "x"}) is plain


def test_a_missing_parameter_names_those_that_exist() -> None:
    with pytest.raises(InvalidScenario, match=r"no parameter 'kind'.*are: knd"):
        fill_in(make_trigger("engine", "GET /debug/{kind}"), {"knd": 1})

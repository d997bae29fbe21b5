from __future__ import annotations

from typing import Any

import pytest
import requests
import responses

from harness.run.manifest import UnreadableManifest, fetch_manifest

URL = "http://127.0.0.1:1/debug"
ENTRY = {"method": "get", "path": "/debug/crash", "demonstrates": "a crash"}


@pytest.mark.parametrize("listed", [[ENTRY], {"service": "shop", "endpoints": [ENTRY]}])
@responses.activate
def test_a_list_or_an_object_with_endpoints(listed: Any) -> None:
    responses.get(URL, json=listed)
    assert fetch_manifest("shop", URL) == (("GET", "/debug/crash"),)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 404}, "404"),
        ({"body": "<html>"}, "cannot be read"),
        ({"json": {"paths": []}}, "neither a list nor has a list of `endpoints`"),
        ({"json": [{"path": "/x"}]}, "entry without method and path"),
        ({"json": ["/x"]}, "entry without method and path"),
        ({"body": requests.ConnectionError("refused")}, "refused"),
    ],
)
@responses.activate
def test_anything_else_says_what_is_wrong(answer: dict[str, Any], words: str) -> None:
    responses.get(URL, **answer)
    with pytest.raises(UnreadableManifest, match=words) as caught:
        fetch_manifest("shop", URL)
    assert "shop" in str(caught.value)
    assert URL in str(caught.value)


@responses.activate
def test_it_is_asked_for_with_what_lets_a_request_in() -> None:
    responses.get(URL, json=[], match=[responses.matchers.header_matcher({"Authorization": "Bearer t"})])
    assert fetch_manifest("shop", URL, {"Authorization": "Bearer t"}) == ()


@pytest.mark.parametrize("status", [401, 403])
@responses.activate
def test_one_that_is_locked_says_what_to_configure(status: int) -> None:
    responses.get(URL, status=status)
    with pytest.raises(UnreadableManifest, match=rf"shop did not let the harness in.*{status}.*\[fleet.token\]"):
        fetch_manifest("shop", URL)

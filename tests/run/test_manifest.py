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

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
import tempfile
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.report.page_assembly import embedded_details, page_parts
from harness.report.record import DifferenceRecord, Outcome
from tests.report.conftest import MakeRun, Run, finding
from tests.samples import arrival, envelope, json_item

HOSTILE = (
    "</script><script>document.title='owned'</script></script x><!--<script >"
    "<img src=x onerror=\"document.title='owned'\">{{script}}"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: install the package `chromium`")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=10000", "--dump-dom",
]  # fmt: skip


class Elements(HTMLParser):
    """Every element of a page as a browser's parser would see it, with the text of the scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.scripts:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def page_of(run: Run, exit_status: int = 0) -> str:
    return "".join(page_parts(run.record(exit_status=exit_status), run.arrivals))


def details_in(page: str) -> list[dict[str, Any]]:
    packed = re.findall(r'id="details-\d+">([^<]*)</script>', page)
    return [json.loads(zlib.decompress(base64.b64decode(text))) for text in packed]


def rendered(page: str, address: str = "", *, width: int = 1280) -> str:
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "index.html"
        path.write_text(page)
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={directory}/profile", f"--window-size={width},900"]
        done = subprocess.run(
            [*command, path.as_uri() + address], capture_output=True, text=True, check=True, timeout=120
        )
    return done.stdout.partition('<script type="application/json"')[0]


def test_it_is_one_file_that_asks_for_nothing(make_run: MakeRun) -> None:
    found = Elements(page_of(make_run(2)))
    assert not {"link", "img", "iframe", "object", "base"} & set(found.tags)
    assert [name for name, _ in found.attributes if name in ("src", "href", "srcset")] == []
    policy = next(value for name, value in found.attributes if name == "content" and "default-src" in str(value))
    assert str(policy).startswith("default-src 'none'; ")


def test_hostile_text_stays_inside_of_its_place(make_run: MakeRun) -> None:
    tests = {0: {"message": HOSTILE, "outcome": Outcome.FAILED, "findings": (finding(message=HOSTILE),)}}
    harmless, hostile = make_run(2), make_run(2, message=HOSTILE, tests=tests)
    assert Elements(page_of(hostile)).tags == Elements(page_of(harmless)).tags
    (event,) = details_in(page_of(hostile))[0]["captures"][0]["events"]
    assert event["title"] == f"ValueError: {HOSTILE} 0"


def test_a_trace_is_a_waterfall_with_its_error_on_the_span(make_run: MakeRun) -> None:
    (details,) = details_in(page_of(make_run(1)))
    spans = details["captures"][0]["spans"]
    assert [(span["depth"], span["service"], span["op"]) for span in spans] == [
        (0, "gateway", "http.server"),
        (1, "gateway", "http.client"),
        (2, "payment", "http.server"),
    ]
    assert [span["events"] for span in spans] == [[], [], [0]]
    assert not any(span["unlinked"] for span in spans)


def test_spans_that_are_each_other_s_parents_are_shown_too(make_run: MakeRun) -> None:
    run = make_run(1)
    children = [
        {
            "span_id": a * 16,
            "parent_span_id": b * 16,
            "description": a,
            "op": "x",
            "start_timestamp": 1,
            "timestamp": 2,
        }
        for a, b in ("ab", "ba")
    ]
    circle = json_item(
        "transaction",
        {
            "transaction": "t",
            "contexts": {"trace": {"trace_id": f"{1:032x}", "span_id": "e" * 16}},
            "spans": children,
        },
    )
    first = arrival(0, envelope(circle, trace_id=f"{1:032x}"), "1")
    seen = replace(run.harvest.seen, arrivals=(first, *run.arrivals[1:]))
    run.harvest = replace(run.harvest, seen=seen)
    (details,) = details_in(page_of(run))
    assert sorted(span["name"] for span in details["captures"][0]["spans"]) == ["GET /crash", "a", "b", "t"]


def test_a_batch_shows_each_scenario_its_own_entries(make_run: MakeRun) -> None:
    details = details_in(page_of(make_run(20)))
    batch = details[7]["captures"][0]["envelopes"][-1]["items"][0]
    assert [entry["span_id"] for entry in batch["json"]["items"]] == ["d000000000000007"]
    assert batch["others"] == 19


def test_what_is_nested_too_deeply_is_left_to_its_envelope(make_run: MakeRun) -> None:
    deep: dict[str, Any] = {}
    for _ in range(200_000):
        deep = {"d": deep}
    (details,) = details_in(embedded_details(0, {"message": "why", "captures": [deep]}))
    assert details["message"] == "why"
    assert details["captures"] == []
    assert "nested too deeply" in details["unshown"]


def test_a_payload_nested_deeper_than_json_is_read_costs_nothing_else(make_run: MakeRun) -> None:
    run = make_run(2)
    held = envelope(json_item("event", {}), trace_id=f"{1:032x}")
    item = replace(held.items[0], payload=b'{"d":' * 100_000 + b"1" + b"}" * 100_000)
    run.harvest = replace(
        run.harvest,
        seen=replace(run.harvest.seen, arrivals=(arrival(0, replace(held, items=[item])), *run.arrivals[1:])),
    )
    first, second = details_in(page_of(run))
    assert "json" not in first["captures"][0]["envelopes"][0]["items"][0]
    assert second["captures"][0]["events"]


def test_it_grows_with_the_number_of_scenarios_and_not_faster(make_run: MakeRun) -> None:
    small, large = make_run(100), make_run(1000, orphans=500)
    assert len(page_of(large)) < 11 * len(page_of(small))
    assert len(page_of(large)) < 8_000_000


@pytest.mark.skipif(NODE is None, reason="no node on PATH")
def test_the_script_is_valid_javascript(make_run: MakeRun, tmp_path: Path) -> None:
    attributes, text = Elements(page_of(make_run(1))).scripts[-1]
    assert attributes == {}
    script = tmp_path / "page.js"
    script.write_text(text)
    assert NODE is not None
    done = subprocess.run([NODE, "--check", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@in_chromium
def test_chromium_lists_a_thousand_scenarios(make_run: MakeRun) -> None:
    run = make_run(1000, tests={5: {"outcome": Outcome.FAILED, "message": "E   no tag"}})
    page = rendered(page_of(run, exit_status=1))
    assert page.count('class="row"') == 1000
    assert "1 of 1000 tests failed." in page
    assert "1000 of 1000" in page
    assert "no tag" in page
    assert 'class="event"' not in page


@in_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_chromium_shows_everything_about_a_test(make_run: MakeRun, width: int) -> None:
    lost = DifferenceRecord("lost", "$.errors[0].tags.tenant", "acme-was-here")
    run = make_run(3, tests={1: {"findings": (finding(),), "differences": (lost,), "outcome": Outcome.FAILED}})
    page = rendered(page_of(run, exit_status=1), "#test-1", width=width)
    for shown in (
        "payment GET /debug/1", "a secret leaks", "docs/checks/secrets.md", "acme-was-here", "GET http://payment/crash",
        'class="event-mark"', "spin", "<polyline", "Last lines of its log", "Raw items (3 envelopes)", "unhandled",
        "data:image/jpeg;base64,/9hwaWN0dXJl", "console.error: gone",
    ):  # fmt: skip
        assert shown in page
    assert page.count('class="span') >= 3


USE = """
const changed = () => new Promise((resolve) => {
  const observer = new MutationObserver(() => { observer.disconnect(); resolve(); });
  observer.observe(document.getElementById('page'), {childList: true});
});
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
const shown = () => [...document.querySelectorAll('.row')].filter((row) => !row.hidden).length;
const told = [];
(async () => {
  press('/');
  const search = document.activeElement;
  told.push(search.id);
  search.value = 'debug/2 TEST_0002';
  search.dispatchEvent(new Event('input'));
  told.push(shown());
  search.value = 'nowhere';
  search.dispatchEvent(new Event('input'));
  told.push(shown());
  search.value = '';
  search.dispatchEvent(new Event('input'));
  [...document.querySelectorAll('.chip')].find((chip) => chip.textContent.startsWith('failed')).click();
  told.push(shown());
  press('Escape');
  press('j');
  let change = changed();
  document.activeElement.click();
  await change;
  told.push(document.title);
  change = changed();
  press('j');
  await change;
  told.push(document.title);
  change = changed();
  press('Escape');
  await change;
  told.push(document.title, document.activeElement.getAttribute('href'));
  document.body.dataset.told = JSON.stringify(told);
})();
"""


@in_chromium
def test_chromium_is_used_by_keyboard(make_run: MakeRun) -> None:
    run = make_run(4, tests={1: {"outcome": Outcome.FAILED}, 2: {"outcome": Outcome.FAILED}})
    page = page_of(run, exit_status=1)
    # The policy lets no script run but the page's own, so it has to go for this.
    page = re.sub(r"<meta http-equiv=[^>]*>", "", page).replace("</body>", f"<script>{USE}</script></body>")
    told = re.search(r'data-told="([^"]*)"', rendered(page))
    assert told is not None
    assert json.loads(html.unescape(told[1])) == [
        "search", 1, 0, 2, "payment GET /debug/1 · Sentry verification", "payment GET /debug/2 · Sentry verification",
        "✕ Sentry verification", "#test-2",
    ]  # fmt: skip


@in_chromium
def test_chromium_runs_nothing_that_a_service_sent(make_run: MakeRun) -> None:
    tests = {0: {"message": HOSTILE, "outcome": Outcome.FAILED, "findings": (finding(message=HOSTILE),)}}
    for address in ("", "#test-0"):
        page = rendered(page_of(make_run(1, message=HOSTILE, tests=tests), exit_status=1), address)
        assert "<title>owned" not in page
        assert "<img" not in page
        assert "&lt;/script&gt;&lt;script&gt;document.title='owned'" in page

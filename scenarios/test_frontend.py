"""The front end in a real browser: what breaks in the page, and what its debug panel triggers behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests
from dirty_equals import IsPartialDict, IsStr
from playwright.sync_api import expect

from harness import allow, loosen
from harness.telemetry.events import ErrorEvent
from harness.verify.capture import Capture

if TYPE_CHECKING:
    from harness.browser.browser import Browser
    from harness.browser.page import Page
    from harness.fixtures.fleet import RunningFleet

FRONTEND = "frontend"
PATIENCE_MS = 20_000
WRITTEN = "a button for everything that can go wrong behind it"
# The number that the page itself types into its card field, and the one that a player types here.
CARDS = ("4242424242424242", "5555555555554444")
SERVICES = ("gateway", "game-engine", "analytics", "payment")
# With the exit code of those that end their process.
AFTER_THE_ANSWER = {"payment GET /debug/uncaught-exception": 1, "payment GET /debug/promise-rejection": None}
REFUSALS = {"without-token": 401, "wrong-token": 401, "unknown-endpoint": 404, "malformed-user": 400}
ERRORS = [
    ("uncaught-error", "RangeError", r"payline 4 of round rnd_\w+ does not exist", "onerror", False),
    ("unhandled-rejection", "Error", r"jackpot jkp_\w+ has no amount", "onunhandledrejection", False),
    ("failed-fetch", "LeaderboardUnavailable", r"leaderboard ldb_\w+ could not be loaded: .*", "generic", True),
    ("spin-animation-error", ".*Error", r".*joker.*", "requestAnimationFrame", False),
    ("replay", "Error", r"form frm_\w+ could not be checked: .*", "generic", True),
]
MESSAGES = [
    ("long-task", r".*blocked.*", "warning"),
    ("console-error", r"The shown balance differs from the wallet's by 5 cents in rnd_\w+", "error"),
]
# Before the page and its SDK, for which it is the browser's own `fetch`.
SIGNS_IN_PLACE_OF_THE_SERVER = """(token) => {
  const json = (body) => new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" } });
  const ask = window.fetch;
  window.fetch = async (target, options) => {
    const path = new URL(target.url ?? target, location.href).pathname;
    if (path === "/debug-token") return json({ token, expiresIn: 300 });
    const answer = await ask(target, options);
    return path === "/config.json" ? json({ ...(await answer.json()), signsTokens: true }) : answer;
  };
  // The SDK follows only a `fetch` that is the browser's.
  window.fetch.toString = () => "function fetch() { [native code] }";
}"""
SEEN_BEFORE = "the direct scenario of each endpoint has the baseline; here it is the way from the page that counts"


@pytest.fixture
def browser(browser: Browser, fleet: RunningFleet, pytestconfig: pytest.Config) -> Browser:
    """The browser; away from this machine's loopback no server signs tokens for its page, so the test does."""
    if pytestconfig.getoption("--fleet") == "process":
        return browser

    browser.context.add_init_script(f"({SIGNS_IN_PLACE_OF_THE_SERVER})({json.dumps(fleet.token(sub='debug-panel'))})")
    return browser


def check_page(capture: Capture, event: ErrorEvent, scenario: str) -> None:
    """An event of the page says who sent it, for whom, from which release, and hangs below the click."""
    assert event.service == FRONTEND
    assert (event.release, event.environment) == ("frontend@verification", "verification")
    assert event.tags == IsPartialDict({"service": FRONTEND, "game": "triple-cherry", "debug.scenario": scenario})
    assert event.user == IsPartialDict(id=IsStr(regex=r"player_\w+|debug-\w+"), username="debug-frontend")
    assert event.contexts["display"] == IsPartialDict(width=1280, reduced_motion=False)
    assert [crumb.message for crumb in event.breadcrumbs if crumb.category == "debug.trigger"][-1:] == [
        f"frontend {scenario} triggered"
    ]
    assert capture.trace.path_to(event) == [FRONTEND]
    assert capture.trace.unlinked == []


def check_frames(event: ErrorEvent, function: str, file: str) -> None:
    """Frames read as the source does: nothing is minified."""
    (frame,) = (frame for frame in event.exceptions[-1].frames if frame.function == function)
    assert frame.filename == IsStr(regex=rf".*/assets/{file}")
    assert frame.in_app


def no_card_in(capture: Capture) -> None:
    """No card number in anything that was sent, however it is written."""
    for envelope in capture.envelopes:
        for item in envelope.items:
            digits = item.payload.replace(b" ", b"").replace(b"-", b"")
            assert not [card for card in CARDS if card.encode() in digits], item.type
    assert not [card for card in CARDS if card in recorded(capture).replace(" ", "").replace("-", "")]


def recorded(capture: Capture) -> str:
    """What the replays show, unpacked."""
    return "".join(replay.recorded for replay in capture.replays)


def provoke(page: Page, scenario: str) -> Capture:
    """Press one of the page's own buttons, and wait until the panel says that Sentry has it."""
    seen = page.playwright.locator("#log > li").count()
    with page.action(f"provokes {scenario}") as action:
        page.playwright.get_by_role("button", name=f"frontend {scenario}", exact=True).click()
        expect(page.playwright.locator("#log > li")).to_have_count(seen + 1, timeout=PATIENCE_MS)
    expect(page.playwright.locator("#log > li").first).to_contain_text("reported to Sentry")
    return action.capture


@loosen("$.trace", reason="which resources a browser measures, and how long the page was busy, is the machine's")
def test_page_load(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    segment = page.load_capture.trace.segment(FRONTEND)
    assert segment.op == "pageload"
    page.load_capture.no_error()
    assert page.load_capture.facts(FRONTEND).release == "frontend@verification"


@pytest.mark.parametrize(
    ("scenario", "kind", "value", "mechanism", "handled"),
    ERRORS,
    ids=[error[0] for error in ERRORS],
)
def test_error_in_the_page(
    browser: Browser, scenario: str, kind: str, value: str, mechanism: str, handled: bool
) -> None:
    capture = provoke(browser.open(FRONTEND), scenario)
    error = capture.error()
    assert error.type == IsStr(regex=kind)
    assert error.value == IsStr(regex=value)
    assert error.mechanism.type == IsStr(regex=rf".*{mechanism}.*")
    assert error.handled is handled
    check_page(capture, error, scenario)
    no_card_in(capture)


@pytest.mark.parametrize(
    ("scenario", "message", "level"),
    MESSAGES,
    ids=[message[0] for message in MESSAGES],
)
def test_message_of_the_page(browser: Browser, scenario: str, message: str, level: str) -> None:
    capture = provoke(browser.open(FRONTEND), scenario)
    event = capture.message()
    assert event.message == IsStr(regex=message)
    assert event.level == level
    check_page(capture, event, scenario)


def test_feedback_of_a_player(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    error = provoke(page, "uncaught-error").error()
    capture = provoke(page, "user-feedback")
    (feedback,) = capture.feedback
    assert feedback.message == IsStr(regex=r"The reels stopped and nothing happened .*")
    assert feedback.associated_event_id == error.event_id


def test_a_frame_of_the_page_reads_as_its_source(browser: Browser) -> None:
    error = provoke(browser.open(FRONTEND), "unhandled-rejection").error()
    check_frames(error, "refreshJackpot", r"[\w./-]+\.js")


def test_replay_and_error_are_linked_and_no_card_is_in_either(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    capture = provoke(page, "replay")
    error = capture.error()
    replay = capture.find_replay()
    assert error.tags["replayId"] == replay.replay_id
    assert error.event_id in replay.payload["error_ids"]
    assert capture.trace_id in replay.trace_ids
    no_card_in(capture)
    # The page is in it, and not a word that is written on it.
    assert '"tagName":"button"' in recorded(capture)
    assert WRITTEN not in recorded(capture)


def test_two_clicks_are_two_traces(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    with page.action("clicks twice", status=404) as action:
        for name in ("safety payment unknown-endpoint", "safety analytics unknown-endpoint"):
            page.playwright.get_by_role("button", name=name, exact=True).click()
        expect(page.playwright.locator("#log > li")).to_have_count(2, timeout=PATIENCE_MS)
    assert len(action.captures) == 2
    assert {tuple(capture.trace.services) for capture in action.captures} == {
        (FRONTEND, "gateway", "payment"),
        (FRONTEND, "gateway", "analytics"),
    }


@loosen("$.trace", reason="what is won is random, and so is what the wallet is asked afterwards")
@loosen("$.logs", reason="what is won is random")
@loosen("$.metrics", reason="what is won is random")
def test_spin_is_one_trace_from_the_page_to_the_wallet(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    with page.action("spins") as action:
        page.playwright.get_by_role("button", name="Spin", exact=True).click()
        expect(page.playwright.locator("#rounds > li")).to_have_count(1)
    capture = action.capture
    assert set(capture.trace.services) == {FRONTEND, "gateway", "game-engine", "payment", "analytics"}
    assert capture.trace.unlinked == []
    capture.no_error()


def test_paying_in_shows_the_card_to_nobody(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    page.playwright.get_by_text("Pay in", exact=True).first.click()
    page.playwright.get_by_label("Card number").fill(CARDS[1])
    capture = page.press("Pay in")
    assert set(capture.trace.services) == {FRONTEND, "gateway", "payment"}
    no_card_in(capture)
    # The replay of what follows shows the same page.
    no_card_in(provoke(page, "uncaught-error"))


def buttons(fleet: RunningFleet, service: str) -> dict[str, int]:
    """The buttons that a service must have, and what its endpoints answer, by the manifest that the panel reads."""
    gateway = fleet["gateway"].url
    url = f"{gateway}/debug" if service == "gateway" else f"{gateway}/api/v1/{service}/debug"
    headers = {"Authorization": f"Bearer {fleet.token()}"}
    endpoints = requests.get(url, headers=headers, timeout=10).json()["endpoints"]
    return {f"{service} {held['method']} {held['path']}": held["status"] for held in endpoints}


@loosen("$.captures", reason=SEEN_BEFORE)
@pytest.mark.parametrize("service", SERVICES)
def test_every_button_is_one_trace_through_the_gateway(browser: Browser, fleet: RunningFleet, service: str) -> None:
    page = browser.open(FRONTEND)
    expected = buttons(fleet, service)
    shown = page.playwright.get_by_role("button").evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert {name for name in shown if name and name.startswith(f"{service} ")} == set(expected)
    way = [FRONTEND, "gateway"] if service == "gateway" else [FRONTEND, "gateway", service]
    for name, status in expected.items():
        if name in AFTER_THE_ANSWER:
            continue
        capture = page.press(name, status=status)
        assert set(way) <= set(capture.trace.services), name
        assert capture.trace.unlinked == [], name
        for event in (*capture.errors, *capture.messages):
            if event.service == service:
                assert capture.trace.path_to(event)[: len(way)] == way, name


@allow("response-consistent.error-on-success", reason="the point of these endpoints: they fail after they answered")
@pytest.mark.parametrize(("name", "exit_code"), AFTER_THE_ANSWER.items())
def test_a_failure_after_the_answer_is_seen_from_the_page(browser: Browser, name: str, exit_code: int | None) -> None:
    page = browser.open(FRONTEND, isolated="payment")
    capture = page.press(name, status=202, exit_code=exit_code)
    error = capture.error(service="payment")
    assert error.level == ("error" if exit_code is None else "fatal")
    assert capture.trace.path_to(error) == [FRONTEND, "gateway", "payment"]


def test_the_panel_shows_what_happened(browser: Browser) -> None:
    page = browser.open(FRONTEND)
    capture = page.press("payment GET /debug/crash", status=500)
    entry = page.playwright.locator("#log > li").first
    assert "HTTP 500" in entry.inner_text()
    shown = entry.locator("code[data-id]").evaluate_all("all => all.map((one) => one.dataset.id)")
    assert set(shown) == {capture.error().event_id, capture.trace_id}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("kind", "status"), REFUSALS.items())
def test_a_refused_request_is_no_event(browser: Browser, service: str, kind: str, status: int) -> None:
    capture = browser.open(FRONTEND).press(f"safety {service} {kind}", status=status)
    capture.no_error()
    capture.no_message()

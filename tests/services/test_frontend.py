"""What the page of the front end promises, in a real browser in front of the real fleet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, expect, sync_playwright

from tests.services.browsing import CHROMIUM, FLAGS, FLUSH, PHONE, SECONDS, Casino, Visit, new_visit
from tests.services.conversation import StartService
from tests.services.debug_access import DebugAccess
from tests.services.page_server import ServePage, address_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: install the package `chromium`")

CARD = "5555 5555 5555 4444"
# What the page writes into its own card field.
TYPED_BY_PAGE = "4242 4242 4242 4242"
SECTIONS = {"crash": "Service crashes", "load": "Memory and threading", "specific": "Service-specific errors"}
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def casino(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casino]:
    running = Casino(tmp_path_factory.mktemp("casino"))
    with running.collector, running.fleet:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(casino: Casino, chromium: Browser) -> Iterator[Visit]:
    visit = new_visit(chromium)
    visit.open(casino.url)
    yield visit
    visit.page.context.close()


@pytest.fixture
def access(tmp_path: Path) -> DebugAccess:
    return DebugAccess(tmp_path)


@pytest.fixture
def guarded(
    chromium: Browser, start_service: StartService, serve_page: ServePage, access: DebugAccess
) -> Iterator[Visit]:
    """A page whose server signs nothing, before a gateway that lets in what `access` says."""
    gateway = start_service("gateway", **{**access.environment, "DEBUG_RATE_LIMIT": "3/minute"})
    visit = new_visit(chromium)
    visit.open(address_of(serve_page(GATEWAY_URL=f"http://127.0.0.1:{gateway.port}")))
    yield visit
    visit.page.context.close()


def signed_token(casino: Casino) -> str:
    """A token as the page's server gives it to its page."""
    answer = requests.post(f"{casino.url}/debug-token", headers={"Origin": casino.url}, timeout=10)
    token: str = answer.json()["token"]
    return token


class TestPanel:
    def test_every_endpoint_of_every_manifest_has_a_button_in_its_section(self, casino: Casino, visit: Visit) -> None:
        gateway = f"http://127.0.0.1:{casino.fleet.instances['gateway'].port}"
        headers = {"Authorization": f"Bearer {signed_token(casino)}"}
        own = requests.get(f"{gateway}/debug", headers=headers, timeout=10).json()
        services = {"gateway": own["endpoints"]} | {
            name: requests.get(f"{gateway}/api/v1/{name}/debug", headers=headers, timeout=10).json()["endpoints"]
            for name in own["services"]
        }
        assert set(services) == {"gateway", "game-engine", "analytics", "payment"}
        for title, group in ((title, group) for group, title in SECTIONS.items()):
            section = visit.page.get_by_role("region", name=title)
            shown = section.get_by_role("button").evaluate_all("all => all.map((one) => one.ariaLabel)")
            expected = [
                f"{service} {endpoint['method']} {endpoint['path']}"
                for service, endpoints in services.items()
                for endpoint in endpoints
                if endpoint["group"] == group
            ]
            assert shown == expected
            assert expected

    @pytest.mark.parametrize(
        ("button", "status", "path"),
        [
            ("gateway GET /debug/crash", 500, ["frontend", "gateway"]),
            ("game-engine GET /debug/crash", 500, ["frontend", "gateway", "game-engine"]),
            ("analytics POST /debug/validation-error", 500, ["frontend", "gateway", "analytics"]),
            ("payment GET /debug/database-error", 503, ["frontend", "gateway", "payment"]),
        ],
    )
    def test_a_click_is_one_trace_from_the_page_to_the_error(
        self, casino: Casino, visit: Visit, button: str, status: int, path: list[str]
    ) -> None:
        trace_id = visit.press(button)
        assert f"HTTP {status}" in visit.outcome()
        assert casino.path_to_error(visit, trace_id, path[-1]) == path

    def test_clicks_at_the_same_time_stay_apart(self, casino: Casino, visit: Visit) -> None:
        paths = {
            "payment GET /debug/crash": ["frontend", "gateway", "payment"],
            "frontend unhandled-rejection": ["frontend"],
            "game-engine GET /debug/error/key": ["frontend", "gateway", "game-engine"],
            "frontend uncaught-error": ["frontend"],
        }
        for button in paths:
            visit.button(button).click()
        expect(visit.page.locator("#log > li")).to_have_count(len(paths))
        traces = {button: visit.traces_of(button) for button in paths}
        assert len({trace for (trace,) in traces.values()}) == len(paths)
        for button, path in paths.items():
            assert casino.path_to_error(visit, traces[button][0], path[-1]) == path

    def test_the_event_is_named_and_the_trace_can_be_copied(self, casino: Casino, visit: Visit) -> None:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        trace_id = visit.press("payment GET /debug/crash")
        casino.path_to_error(visit, trace_id, "payment")
        (event,) = casino.telemetry(trace_id).events
        assert f"event {event.payload['event_id'][:8]}" in visit.outcome()
        visit.page.locator("#log").get_by_role("button", name=f"Copy trace id {trace_id[:8]}").click()
        assert visit.page.evaluate("navigator.clipboard.readText()") == trace_id

    def test_the_newest_is_first_in_a_log_that_is_read_out(self, visit: Visit) -> None:
        visit.press("safety payment unknown-endpoint")
        visit.press("safety payment malformed-user")
        log = visit.page.locator("#log")
        assert log.locator("strong").all_inner_texts() == [
            "safety payment malformed-user",
            "safety payment unknown-endpoint",
        ]
        assert log.get_attribute("aria-live") == "polite"

    @pytest.mark.parametrize("service", ["gateway", "game-engine", "analytics", "payment"])
    def test_a_refusal_is_answered_and_no_error(self, casino: Casino, visit: Visit, service: str) -> None:
        traces = {
            visit.press(f"safety {service} without-token"): "HTTP 401",
            visit.press(f"safety {service} wrong-token"): "HTTP 401",
            visit.press(f"safety {service} unknown-endpoint"): "HTTP 404",
            visit.press(f"safety {service} malformed-user"): "HTTP 400",
        }
        casino.fleet.flush()
        for trace_id, outcome in traces.items():
            assert outcome in visit.page.locator("#log").inner_text()
            assert casino.telemetry(trace_id).events == ()

    def test_services_that_do_not_answer_are_said_in_words(
        self, chromium: Browser, start_service: StartService, serve_page: ServePage, access: DebugAccess
    ) -> None:
        gone = dict.fromkeys(("GAME_ENGINE_URL", "ANALYTICS_URL", "PAYMENT_URL"), NOBODY)
        gateway = start_service("gateway", **gone, **access.environment)
        visit = new_visit(chromium)
        visit.open(address_of(serve_page(GATEWAY_URL=f"http://127.0.0.1:{gateway.port}")))
        visit.give_token(access.token())
        crashes = visit.page.get_by_role("region", name="Service crashes")
        expect(crashes).to_contain_text("payment does not answer: payment is not available.")
        expect(crashes.get_by_role("button", name="gateway GET /debug/crash")).to_be_visible()
        expect(visit.page.locator("#result")).to_contain_text("The balance is not known: payment is not available.")
        visit.button("Spin").click()
        expect(visit.page.locator("#result")).to_contain_text("No round was played: game-engine is not available.")
        visit.page.context.close()

    def test_a_gateway_that_is_not_there_is_said_too(self, chromium: Browser, serve_page: ServePage) -> None:
        visit = new_visit(chromium)
        visit.open(address_of(serve_page(GATEWAY_URL=NOBODY)))
        words = f"gateway does not answer: the gateway at {NOBODY} cannot be reached."
        expect(visit.page.get_by_role("region", name="Service crashes")).to_contain_text(words)
        visit.press("frontend console-error")
        assert "no DSN is configured" in visit.outcome()
        visit.page.context.close()

    def test_a_sentry_that_is_not_there_is_said_and_hurts_nothing(
        self, chromium: Browser, serve_page: ServePage
    ) -> None:
        visit = new_visit(chromium)
        visit.open(address_of(serve_page(GATEWAY_URL=NOBODY, SENTRY_DSN=f"{NOBODY.replace('//', '//key@')}/1")))
        visit.press("frontend uncaught-error")
        assert "reported, but Sentry did not take it" in visit.outcome()
        visit.page.context.close()


class TestAccess:
    def test_without_a_token_every_section_says_that_it_is_locked(self, guarded: Visit) -> None:
        for title in (*SECTIONS.values(), "Production safety"):
            section = guarded.page.get_by_role("region", name=title)
            expect(section).to_contain_text("gateway wants an access token. (HTTP 401)")
        expect(guarded.page.get_by_label("Access token")).to_be_visible()

    def test_a_token_opens_the_panel_and_is_not_kept(self, guarded: Visit, access: DebugAccess) -> None:
        guarded.give_token(access.token())
        expect(guarded.page.locator("#token-said")).to_have_text("This token opens the panel.")
        expect(guarded.page.get_by_label("Access token")).to_have_value("")
        guarded.press("gateway GET /debug/crash")
        assert "HTTP 500" in guarded.outcome()
        kept = "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
        assert access.token()[:20] not in guarded.page.evaluate(kept)
        guarded.page.reload()
        expect(guarded.page.locator("#crashes")).to_contain_text("gateway wants an access token.")

    @pytest.mark.parametrize(
        ("claims", "words"),
        [
            ({"exp": 1}, "This token expired at"),
            ({"aud": "something-else"}, "gateway refuses this access token; it wants another one. (HTTP 401)"),
            ({"scopes": ("debug:load",)}, "gateway asks for the scope debug:read. (HTTP 403)"),
        ],
    )
    def test_a_token_that_opens_nothing_is_said(
        self, guarded: Visit, access: DebugAccess, claims: dict[str, Any], words: str
    ) -> None:
        guarded.give_token(access.token(**claims))
        expect(guarded.page.locator("#token-said")).to_contain_text(words)

    def test_what_a_token_may_not_do_is_said_at_the_button(self, guarded: Visit, access: DebugAccess) -> None:
        guarded.give_token(access.token(("debug:read",)))
        guarded.press("gateway GET /debug/crash")
        assert "HTTP 403: This access token is not allowed" in guarded.outcome()
        assert "scope debug:crash" in guarded.outcome()

    def test_too_many_requests_are_said_with_the_time_to_wait(self, guarded: Visit, access: DebugAccess) -> None:
        guarded.give_token(access.token())
        for _ in range(4):
            guarded.press("gateway GET /debug/crash")
        assert re.search(r"HTTP 429: Too many requests for gateway; try again in \d+ seconds?\.", guarded.outcome())

    def test_what_is_switched_off_is_said(self, guarded: Visit, access: DebugAccess) -> None:
        access.switch(debug=False)
        guarded.give_token(access.token())
        words = "gateway has this switched off, or never had it. (HTTP 404)"
        expect(guarded.page.locator("#token-said")).to_have_text(words)

    def test_a_panel_that_is_switched_on_again_comes_back_with_all_services(
        self, guarded: Visit, access: DebugAccess
    ) -> None:
        access.switch(debug=False)
        guarded.give_token(access.token())
        crashes = guarded.page.get_by_role("region", name="Service crashes")
        expect(crashes).to_contain_text("switched off")
        access.switch()
        crashes.get_by_role("button", name="Ask gateway again").click()
        expect(crashes.get_by_role("button", name="gateway GET /debug/crash")).to_be_visible()
        expect(crashes).to_contain_text("payment does not answer")

    def test_no_token_ever_reaches_sentry(self, casino: Casino, visit: Visit) -> None:
        sent_along: list[str] = []
        visit.page.on("request", lambda request: sent_along.append(request.headers.get("authorization", "")))
        visit.press("payment GET /debug/crash")
        typed = signed_token(casino)
        visit.page.get_by_text("Access:").click()
        visit.page.get_by_label("Access token").press_sequentially(typed[:50])
        visit.press("frontend replay")
        visit.give_token(typed)
        visit.press("game-engine GET /debug/crash")
        visit.press("safety analytics wrong-token")
        trace_id = visit.press("frontend uncaught-error")
        assert casino.path_to_error(visit, trace_id, "frontend") == ["frontend"]
        visit.page.evaluate(FLUSH)
        casino.fleet.flush()
        tokens = {header.removeprefix("Bearer ") for header in sent_along if header}
        assert typed in tokens
        assert len(tokens) == 3, "the signed one, the typed one and the forged one"
        sent = casino.sent()
        assert any(b"replay_event" in item for item in sent)
        for token in tokens:
            for piece in token.split(".")[1:]:
                leaks = [item for item in sent if piece[:24].encode() in item]
                assert not leaks, leaks[0][:500]


class TestFailures:
    @pytest.mark.parametrize(
        ("name", "title", "handled", "function"),
        [
            ("uncaught-error", r"RangeError: payline 4 of round rnd_\w+", False, "highlightPayline"),
            ("unhandled-rejection", r"Error: jackpot jkp_\w+ has no amount", False, "refreshJackpot"),
            ("failed-fetch", r"LeaderboardUnavailable: leaderboard ldb_\w+", True, "loadLeaderboard"),
            ("spin-animation-error", r"RangeError: reel 2 has no symbol .joker.", False, "stopOf"),
            ("long-task", r"Simulation sim_\w+ blocked the page for \d{3,} ms", None, "blockPage"),
            ("console-error", r"The shown balance differs .* in rnd_\w+", None, None),
            ("replay", r"Error: form frm_\w+ could not be checked", True, "failWhileTyping"),
        ],
    )
    def test_it_arrives_in_the_trace_of_its_click_each_time(
        self, casino: Casino, visit: Visit, name: str, title: str, handled: bool | None, function: str | None
    ) -> None:
        for _ in range(2):
            trace_id = visit.press(f"frontend {name}")
            assert "reported to Sentry" in visit.outcome()
            assert casino.path_to_error(visit, trace_id, "frontend") == ["frontend"]
            (event,) = casino.telemetry(trace_id).events
            assert re.match(title, event.title), event.title
            assert handled is None or event.handled is handled
            assert event.tags["debug.scenario"] == name
            assert event.payload["user"]["username"] == "debug-frontend"
            assert event.payload["release"] == "frontend@verification"
            assert {"wallet", "bet", "display"} <= set(event.contexts)
            if function is not None:
                frames = json.dumps(event.payload)
                assert f'"function": "{function}"' in frames or f'"async {function}"' in frames

    def test_feedback_is_linked_to_the_last_error(self, casino: Casino, visit: Visit) -> None:
        error = visit.press("frontend uncaught-error")
        (event,) = casino.telemetry(error).events
        (feedback,) = casino.telemetry(visit.press("frontend user-feedback")).feedback
        context = feedback.payload["contexts"]["feedback"]
        assert context["associated_event_id"] == event.payload["event_id"]
        assert context["message"].startswith("The reels stopped")

    def test_the_replay_is_that_of_the_error_and_has_no_card_number(self, casino: Casino, visit: Visit) -> None:
        visit.page.get_by_text("Pay in", exact=True).first.click()
        visit.page.get_by_label("Card number").press_sequentially(CARD)
        trace_id = visit.press("frontend replay")
        (event,) = casino.telemetry(trace_id).events
        replay_id = event.tags["replayId"].encode()

        def recorded() -> bytes | None:
            items = casino.sent_by_page()
            return next((item for item in items if b'"replay_event"' in item and replay_id in item), None)

        assert casino.collector.inbox.wait_for(recorded, SECONDS) is not None
        visit.page.evaluate(FLUSH)
        assert_no_card_number(casino, CARD, TYPED_BY_PAGE)

    def test_the_page_works_on_after_an_animation_has_failed(self, visit: Visit) -> None:
        visit.press("frontend spin-animation-error")
        visit.button("Spin").click()
        expect(visit.page.locator("#rounds > li")).to_have_count(1)


def assert_no_card_number(casino: Casino, *numbers: str) -> None:
    sent = casino.sent_by_page()
    assert sent
    for number in numbers:
        digits = number.replace(" ", "").encode()
        leaks = [item for item in sent if digits in item.replace(b" ", b"")]
        assert not leaks, leaks[0][:500]


class TestMachine:
    def test_a_round_is_played_by_keyboard_and_nothing_is_complained_about(self, visit: Visit) -> None:
        page = visit.page
        balance = page.locator("#balance")
        expect(balance).to_have_text("€1,000.00")
        page.get_by_role("radio", name="€1", exact=True).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#rounds > li")).to_have_count(1)
        expect(page.locator("#rounds > li")).to_contain_text("bet €5.00")
        expect(page.locator("#result")).to_contain_text(re.compile(r"no win this time|you win €"))
        expect(balance).not_to_have_text("€1,000.00")
        assert page.evaluate("document.activeElement.id") == "spin"
        assert visit.complaints == []

    def test_the_reels_stop_on_the_line_that_was_played(self, chromium: Browser, casino: Casino) -> None:
        visit = new_visit(chromium, reduced_motion="reduce")
        visit.open(casino.url)
        with visit.page.expect_response("**/spin") as answer:
            visit.button("Spin").click()
        expect(visit.page.locator("#rounds > li")).to_have_count(1)
        middle = """strips => strips.map((strip) => {
          const line = document.querySelector('.payline').getBoundingClientRect();
          const shown = (cell) => Math.abs(cell.getBoundingClientRect().top - line.top) < 20;
          return [...strip.children].find(shown).querySelector('use').getAttribute('href').slice('#symbol-'.length);
        })"""
        assert visit.page.locator(".strip").evaluate_all(middle) == answer.value.json()["line"]
        visit.page.context.close()

    def test_money_is_paid_in_and_the_card_is_forgotten(self, casino: Casino, visit: Visit) -> None:
        page = visit.page
        page.get_by_text("Pay in", exact=True).first.click()
        card = page.get_by_label("Card number")
        said = page.locator("#pay-in-said")
        card.fill("4242 4242 4242 4241")
        page.get_by_role("button", name="Pay in", exact=True).click()
        expect(said).to_contain_text("This is not a card number")
        card.fill(CARD)
        card.press("Enter")
        expect(said).to_contain_text("€20.00 paid in")
        expect(page.locator("#balance")).to_have_text("€1,020.00")
        expect(card).to_have_value("")
        assert "5555" not in page.url
        page.evaluate(FLUSH)
        assert_no_card_number(casino, CARD)
        assert visit.complaints == []


class TestLook:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_follows_the_system_until_the_button_says_otherwise(
        self, casino: Casino, chromium: Browser, scheme: str
    ) -> None:
        visit = new_visit(chromium, color_scheme=scheme)
        visit.open(casino.url)
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        grounds = {"light": "rgb(244, 241, 234)", "dark": "rgb(14, 21, 19)"}
        other = "dark" if scheme == "light" else "light"
        assert visit.page.evaluate(ground) == grounds[scheme]
        visit.button(f"Switch to {other} colours").click()
        assert visit.page.evaluate(ground) == grounds[other]
        visit.page.reload()
        assert visit.page.evaluate(ground) == grounds[other]
        visit.page.context.close()

    def test_it_fits_a_phone(self, casino: Casino, chromium: Browser) -> None:
        visit = new_visit(chromium, viewport=PHONE)
        visit.open(casino.url)
        visit.press("payment GET /debug/crash")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        visit.page.context.close()

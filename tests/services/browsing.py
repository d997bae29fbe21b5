"""The front end in Chromium, with the whole fleet behind it and a collector that takes what everybody sends."""

from __future__ import annotations

import re
import shutil
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec
from harness.telemetry.origin import Origin
from harness.telemetry.reading import Telemetry, read_telemetry
from harness.telemetry.trace import build_trace

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Root has no sandbox; the rest keeps the browser from talking to its maker.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECONDS = 15.0
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}

FLUSH = """async () => {
  const carriers = Object.values(globalThis.__SENTRY__).filter((carrier) => carrier.defaultCurrentScope);
  await Promise.all(carriers.map((carrier) => carrier.defaultCurrentScope.getClient().flush(5000)));
}"""


@dataclass
class Visit:
    """A page of the front end in a browser context of its own, and what it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> None:
        """Go there and wait until the page has asked everybody."""
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", f"uncaught: {error.message}"))
        self.page.goto(url)
        expect(self.page.locator("html")).to_have_attribute("data-ready", "true", timeout=SECONDS * 1000)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def give_token(self, token: str) -> None:
        """Type an access token in, and wait until the page says what came of it."""
        field = self.page.get_by_label("Access token")
        if not field.is_visible():
            self.page.get_by_text("Access:").click()
        field.fill(token)
        self.button("Open the panel").click()
        expect(self.page.locator("#token-said")).to_have_text(re.compile(r"^(?!Asking).+"), timeout=SECONDS * 1000)

    def button(self, name: str) -> Locator:
        """The button of this accessible name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> str:
        """Press a button of the panel, wait until it says how that came out, and give the trace's id."""
        listed = self.page.locator("#log > li", has=self.page.get_by_text(name, exact=True))
        before = listed.count()
        self.button(name).click()
        expect(listed).to_have_count(before + 1, timeout=SECONDS * 1000)
        return self.traces_of(name)[0]

    def traces_of(self, name: str) -> list[str]:
        """The trace ids in the log of what this button triggered, newest first."""
        listed = self.page.locator("#log > li", has=self.page.get_by_text(name, exact=True))
        ids = listed.locator(".id", has_text="trace").locator("code")
        return [code.get_attribute("data-id") or "" for code in ids.all()]

    def outcome(self) -> str:
        """The newest entry of the log, as one line."""
        return re.sub(r"\s+", " ", self.page.locator("#log > li").first.inner_text())


class Casino:
    """The fleet of this repository, with its collector."""

    def __init__(self, directory: Path) -> None:
        self.collector = Collector()
        spec = load_fleet_spec(ROOT / "harness.toml")
        self.fleet = Fleet(
            spec, dsn_for=lambda name: str(self.collector.register(name)), directory=directory / "logs"
        )

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.fleet.instances['frontend'].port}"

    def telemetry(self, trace_id: str) -> Telemetry:
        """What has arrived for a trace."""
        arrivals = self.collector.inbox.for_trace(trace_id)
        return read_telemetry(
            (arrival.envelope, Origin(self.collector.service_of(arrival.project_id)))
            for arrival in arrivals
            if arrival.envelope is not None
        ).within(trace_id)

    def path_to_error(self, visit: Visit, trace_id: str, service: str) -> list[str]:
        """The services between the page and a service's error, once the spans of all of them have arrived."""
        visit.page.evaluate(FLUSH)

        def path() -> list[str] | None:
            found = self.telemetry(trace_id)
            errors = [event for event in found.events if event.service == service]
            ways = [build_trace(trace_id, found.spans, found.events).path_to(error) for error in errors]
            return next((way for way in ways if way[0] == "frontend"), None)

        return self.collector.inbox.wait_for(path, SECONDS) or ["no such error, or not in a trace from the page"]

    def sent_by_page(self) -> list[bytes]:
        """Every item that pages have sent, replay recordings unpacked."""
        return self.sent(by="frontend")

    def sent(self, by: str | None = None) -> list[bytes]:
        """Every item that has been sent, by one service or by all of them."""
        arrivals = [
            arrival
            for arrival in self.collector.inbox.arrivals()
            if by is None or self.collector.service_of(arrival.project_id) == by
        ]
        items = [item for arrival in arrivals if arrival.envelope is not None for item in arrival.envelope.items]
        return [unpacked(item.type, item.payload) for item in items]


def unpacked(kind: str, payload: bytes) -> bytes:
    """A payload as text: a replay recording is a line of headers and a compressed body."""
    if kind != "replay_recording":
        return payload
    head, _, body = payload.partition(b"\n")
    return head + b"\n" + (zlib.decompress(body) if body[:1] == b"\x78" else body)


def new_visit(browser: Browser, *, viewport: ViewportSize = DESKTOP, **options: str) -> Visit:
    """A page of its own, as if it were another person's browser."""
    context = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
    return Visit(context.new_page())

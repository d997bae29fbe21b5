"""Chromium: which one, how it is started, and how a test process waits for what happens in it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import BrowserContext, Error, Playwright, sync_playwright

EXECUTABLE_VARIABLE = "SENTRY_HARNESS_BROWSER"
VIEWPORT = (1280, 800)

_ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


class NoBrowser(RuntimeError):
    """There is no Chromium, or it does not start; the message says what to do."""


class Chromium:
    """One Chromium for a whole test process.

    Playwright's loop runs in the thread that started it, which to all other code looks as if that was inside of a
    coroutine. So it is in place only inside of `in_use`.

    Args:
        executable: the program; None to look for one.

    Raises:
        NoBrowser: there is none, or it does not start.
    """

    def __init__(self, executable: str | None = None) -> None:
        with _running(None):
            self._playwright = sync_playwright().start()
            self._loop = asyncio.get_running_loop()
            try:
                self._browser = _launch(self._playwright, executable)
                self.bell = self._browser.new_page()
            except BaseException:
                self._playwright.stop()
                raise

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let Playwright work in this thread, and nothing else that runs a loop."""
        with _running(self._loop):
            yield

    def new_context(self) -> BrowserContext:
        """A profile of its own: nothing in it is left from another one."""
        width, height = VIEWPORT
        return self._browser.new_context(viewport={"width": width, "height": height})

    def stop(self) -> None:
        """End it."""
        with self.in_use():
            self._browser.close()
            self._playwright.stop()


@contextmanager
def _running(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """Let a loop be the one that runs in this thread; another Playwright may have left one of its own there."""
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(before)


def _launch(playwright: Playwright, named: str | None) -> PlaywrightBrowser:
    executable = _executable(playwright, named)
    # Chromium's sandbox cannot be set up by root, which is what most containers are.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    try:
        return playwright.chromium.launch(executable_path=executable, args=[*_FLAGS, *sandbox])
    except Error as problem:
        raise NoBrowser(f"{executable} does not start as a browser: {problem.message}") from problem


def _executable(playwright: Playwright, option: str | None) -> str:
    for source, named in (
        ("--browser-executable", option),
        (EXECUTABLE_VARIABLE, os.environ.get(EXECUTABLE_VARIABLE)),
    ):
        if named:
            found = shutil.which(named)
            if found is None:
                raise NoBrowser(f"{source} names {named!r}, which is no program")
            return found
    installed = [*filter(None, map(shutil.which, _ON_PATH)), playwright.chromium.executable_path]
    usable = [path for path in installed if Path(path).exists()]
    if not usable:
        raise NoBrowser(
            "there is no Chromium: install one (Debian, Ubuntu: apt-get install chromium; anywhere: "
            f"playwright install chromium), or name one with --browser-executable or ${EXECUTABLE_VARIABLE}"
        )
    return usable[0]

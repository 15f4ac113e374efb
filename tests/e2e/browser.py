"""Chromium, its tabs, and what a tab must never do: complain, break a policy, ask another site."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from openwatch.identity.access import COOKIE

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS: Final = 20_000
# A chart measures its room after the window has changed; then it fits.
SETTLING_LOOKS: Final = 20
SETTLING_MS: Final = 100
WIDE: Final = (1280, 900)
PHONE: Final = (390, 844)
HARMLESS: Final = (
    # Whether somebody is signed in is asked by asking for the session; the answer may be no.
    re.compile(r"status of 401 .*/api/v1/session$"),
    # A lab host that comes or goes changes the network of this machine; the page asks again.
    re.compile(r"net::ERR_NETWORK_CHANGED"),
)
REPORT_POLICY: Final = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy ${event.violatedDirective} broken by ${event.blockedURI}`));
"""

STILLNESS: Final = """
async () => {
  do {
    await new Promise(requestAnimationFrame);
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
  } while (document.getAnimations().length > 0);
}
"""

Theme = Literal["light", "dark"]


def browser_program() -> str | None:
    """Return the Chromium of this machine, if it has one."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@contextmanager
def chromium_running() -> Generator[Browser]:
    """A browser without a window. Its own event loop ends with the block."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """What went wrong in a tab without anybody seeing it."""

    origin: str
    complaints: list[str] = field(default_factory=list[str])
    expected: list[re.Pattern[str]] = field(default_factory=lambda: [*HARMLESS])

    def follow(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._on_request)
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def unexpected(self) -> list[str]:
        return [
            complaint
            for complaint in self.complaints
            if not any(pattern.search(complaint) for pattern in self.expected)
        ]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(
                f"{message.type}: {message.text} {message.location.get('url', '')}"
            )

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        own = f"{address.scheme}://{address.netloc}" == self.origin
        if not own and address.scheme not in ("data", "blob"):
            self.complaints.append(f"asked another site: {request.url}")


@dataclass
class Tabs:
    """Opens tabs on one server; each tab is a browser of its own to the server."""

    browser: Browser
    origin: str
    session: str | None
    test: str
    pictures: Path
    watches: list[Watch] = field(default_factory=list[Watch])
    contexts: list[BrowserContext] = field(default_factory=list[BrowserContext])

    def open(
        self,
        path: str = "/hosts",
        *,
        signed_in: bool = True,
        theme: Theme = "light",
        size: tuple[int, int] = WIDE,
    ) -> Page:
        """Open a page of the server in a new browser session; ``path`` may be a whole address."""
        context = self.browser.new_context(
            base_url=self.origin,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_init_script(REPORT_POLICY)
        self.contexts.append(context)
        if signed_in:
            assert self.session is not None, "nobody has been made who could sign in"
            context.add_cookies([{"name": COOKIE, "value": self.session, "url": self.origin}])
        watch = Watch(self.origin)
        self.watches.append(watch)
        context.on("page", watch.follow)
        page = context.new_page()
        page.goto(path)
        return page

    def expect_complaint(self, *patterns: str) -> None:
        """Name what the newest tab may say, because the test provokes it."""
        self.watches[-1].expected += [re.compile(pattern) for pattern in patterns]

    def complaints(self) -> list[str]:
        """What all tabs said that no test asked for."""
        return [complaint for watch in self.watches for complaint in watch.unexpected()]

    def close(self, *, keep_pictures: bool) -> None:
        """Close all; a failed test leaves pictures of what it saw."""
        for number, page in enumerate(page for context in self.contexts for page in context.pages):
            if keep_pictures and page.url != "about:blank":
                path = self.pictures / f"{self.test}-{number}.png"
                page.screenshot(path=path)
                print(f"at {page.url}, picture in {path}")
        for context in self.contexts:
            context.close()


def sideways_pixels(page: Page) -> int:
    """Return by how many pixels a page is wider than its window, once it has settled."""
    wider = 0
    for _ in range(SETTLING_LOOKS):
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wider == 0:
            break
        page.wait_for_timeout(SETTLING_MS)
    return wider


def wait_for_stillness(page: Page) -> None:
    """Wait until no colour or place on the page is changing any more."""
    page.evaluate(STILLNESS)


def text_of(found: Locator) -> str:
    """Return the text of what was found, on one line."""
    return " ".join(found.inner_text().split())

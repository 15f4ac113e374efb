"""The whole way without a mouse."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from lab.session import LabSession
from tests.e2e.browser import Tabs, wait_for_stillness
from tests.e2e.product import Product

MOST_TAB_STOPS: Final = 60
UNSCANNED: Final = ("db-1", "db-2")  # at addresses for documentation, RFC 5737


@pytest.fixture(scope="module")
def fleet(lab: LabSession, product: Product) -> str:
    """One host that was scanned and two that were not; returns the scan's id."""
    credential = product.add_credential(lab)
    host = product.add_host(lab.hosts["bookworm"], credential, name="web-1")
    for number, name in enumerate(UNSCANNED, start=1):
        product.post("/hosts", {"name": name, "address": f"192.0.2.{number}"})
    return product.scan(host)["id"]


@pytest.mark.ac("ui-05", "ui-15")
def test_a_list_is_searched_filtered_and_walked(fleet: str, tabs: Tabs) -> None:
    page = tabs.open("/hosts")
    press = page.keyboard.press
    expect(row_link(page, "web-1")).to_be_visible()

    press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    press("/")
    search = page.get_by_role("searchbox", name="Search hosts")
    expect(search).to_be_focused()
    page.keyboard.type("db-")
    expect(page).to_have_url(re.compile("search=db-"))
    expect(row_link(page, "web-1")).not_to_be_visible()
    press("Escape")
    expect(row_link(page, "web-1")).to_be_visible()
    press("Escape")
    expect(search).not_to_be_focused()

    filter_button = page.get_by_role("button", name="Filter by State")
    tab_to(page, filter_button)
    press("Enter")
    measured = page.get_by_role("group", name="State").get_by_role("checkbox", name="Measured")
    tab_to(page, measured)
    press("Space")
    expect(page).to_have_url(re.compile("state=ok"))
    press("Escape")
    expect(filter_button).to_be_focused()
    expect(row_link(page, "db-1")).not_to_be_visible()

    page.goto("/hosts")
    expect(row_link(page, "web-1")).to_be_visible()
    press("j")
    expect(row_link(page, "db-1")).to_be_focused()
    press("j")
    press("j")
    expect(row_link(page, "web-1")).to_be_focused()
    press("k")
    expect(row_link(page, "db-2")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("heading", name="db-2", level=1)).to_be_visible()


@pytest.mark.ac("ui-15")
def test_evidence_is_opened_stepped_through_and_closed(fleet: str, tabs: Tabs) -> None:
    page = tabs.open(f"/scans/{fleet}")
    press = page.keyboard.press
    rows = page.get_by_role("table", name="Outcomes").locator("[data-row-link]")
    expect(rows.nth(2)).to_be_visible()
    first, second = rows.nth(0).inner_text(), rows.nth(1).inner_text()
    press("j")
    expect(rows.nth(0)).to_be_focused()
    press("Enter")
    drawer = page.get_by_role("dialog", name="Evidence")
    expect(drawer.get_by_role("heading", name=first)).to_be_visible()
    press("j")
    expect(drawer.get_by_role("heading", name=second)).to_be_visible()
    press("k")
    expect(drawer.get_by_role("heading", name=first)).to_be_visible()
    tab_to(page, drawer.get_by_role("link", name="Download"))
    press("Escape")
    expect(drawer).not_to_be_visible()
    expect(rows.nth(0)).to_be_focused()


@pytest.mark.ac("ui-15")
def test_the_palette_leads_everywhere(fleet: str, tabs: Tabs) -> None:
    page = tabs.open("/rules")
    expect(page.get_by_role("table", name="Rules")).to_be_visible()
    for typed, arrived in (
        ("web-1", heading(page, "web-1")),
        ("credentials", heading(page, "Credentials")),
        ("add host", heading(page, "Add host")),
        ("shortcuts", page.get_by_role("dialog", name="Shortcuts")),
    ):
        page.keyboard.press("Control+k")
        palette = page.get_by_role("dialog", name="Search or jump to")
        expect(palette.get_by_role("combobox")).to_be_focused()
        page.keyboard.type(typed)
        expect(palette.get_by_role("option", name=re.compile(typed, re.IGNORECASE))).to_be_visible()
        page.keyboard.press("Enter")
        expect(arrived).to_be_visible()
        expect(palette).not_to_be_visible()


@pytest.mark.ac("ui-15")
def test_single_keys_go_to_pages_stay_out_of_fields_and_can_be_turned_off(
    fleet: str, tabs: Tabs
) -> None:
    page = tabs.open("/hosts")
    press = page.keyboard.press
    expect(row_link(page, "web-1")).to_be_visible()
    for keys, name in (("gs", "Scans"), ("gr", "Rules"), ("gc", "Credentials"), ("gh", "Hosts")):
        press_sequence(page, keys)
        expect(heading(page, name)).to_be_visible()
    press("n")
    expect(heading(page, "Add host")).to_be_visible()
    page.get_by_role("textbox", name="Address").focus()
    page.keyboard.type("gs?jn")
    expect(page.get_by_role("textbox", name="Address")).to_have_value("gs?jn")
    expect(heading(page, "Add host")).to_be_visible()

    page.goto("/hosts")
    expect(row_link(page, "web-1")).to_be_visible()
    press("?")
    shortcuts = page.get_by_role("dialog", name="Shortcuts")
    expect(shortcuts).to_contain_text("Next row")
    tab_to(page, shortcuts.get_by_role("switch", name="Single-key shortcuts"))
    press("Space")
    press("Escape")
    expect(shortcuts).not_to_be_visible()
    press("j")
    press("n")
    expect(heading(page, "Hosts")).to_be_visible()
    expect(row_link(page, "db-1")).not_to_be_focused()
    press("Control+k")
    expect(page.get_by_role("dialog", name="Search or jump to")).to_be_visible()


@pytest.mark.ac("ui-15")
def test_every_tab_stop_shows_where_the_focus_is(fleet: str, tabs: Tabs) -> None:
    """Each stop is on the screen, drawn with an outline, and none holds the focus for good."""
    page = tabs.open("/hosts")
    expect(row_link(page, "web-1")).to_be_visible()
    seen: list[str] = []
    for _ in range(MOST_TAB_STOPS):
        page.keyboard.press("Tab")
        wait_for_stillness(page)
        stop = page.evaluate(FOCUS)
        if stop is None:
            break
        assert stop["marked"], stop
        assert stop["on_screen"], stop
        seen.append(stop["name"])
    assert len(seen) < MOST_TAB_STOPS, seen
    assert {"Search hosts", "db-1", "db-2", "web-1"} <= set(seen), seen


FOCUS: Final = """
() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const { outlineStyle } = getComputedStyle(focused);
  const { top, bottom, left, right } = focused.getBoundingClientRect();
  return {
    name: focused.getAttribute('aria-label') ?? focused.textContent.trim().slice(0, 60),
    // A field shows it by the caret and the colour of its border.
    marked: outlineStyle !== 'none' || focused.matches('input'),
    on_screen: bottom > 0 && right > 0 && top < innerHeight && left < innerWidth,
  };
}
"""


def row_link(page: Page, name: str) -> Locator:
    return page.get_by_role("table", name="Hosts").get_by_role("link", name=name, exact=True)


def heading(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=name, level=1)


def press_sequence(page: Page, keys: str) -> None:
    """Press keys that belong together at once: the page forgets the first one after a while."""
    page.evaluate(SEQUENCE, [*keys])


SEQUENCE: Final = """
(keys) => {
  for (const key of keys) {
    for (const type of ['keydown', 'keyup']) {
      document.activeElement.dispatchEvent(
        new KeyboardEvent(type, { key, bubbles: true, cancelable: true }));
    }
  }
}
"""


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until ``wanted`` has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(MOST_TAB_STOPS):
        if wanted.evaluate("it => it === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{MOST_TAB_STOPS} times Tab does not reach {wanted}")

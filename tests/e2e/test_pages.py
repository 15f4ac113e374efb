"""Every page, empty and full: readable by all in both themes, no wider than a phone, silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from lab.session import LabSession
from tests.e2e.axe import CONTRAST, SCRIPT, serious_violations
from tests.e2e.browser import PHONE, WIDE, Tabs, Theme, sideways_pixels, wait_for_stillness
from tests.e2e.product import Product

NOBODY: Final = "00000000-0000-7000-8000-000000000000"
NOWHERE: Final = 9  # the discard port, on which nothing listens

pytestmark = pytest.mark.skipif(
    not SCRIPT.exists(), reason="the accessibility check is missing: run ./ow test once, or npm ci"
)


@dataclass(frozen=True, slots=True)
class Look:
    """A page and what stands there once it has loaded. ``act`` opens something on it."""

    path: str
    heading: str
    act: Callable[[Page], None] | None = None
    missing: bool = False


def open_palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Search or jump to")).to_be_visible()


def open_shortcuts(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()


def open_account_menu(page: Page) -> None:
    page.get_by_role("button", name="Account: Administrator").click()
    expect(page.get_by_role("menuitem", name="Sign out")).to_be_visible()


def open_filter(page: Page) -> None:
    page.get_by_role("button", name="Filter by State").click()
    expect(page.get_by_role("group", name="State")).to_be_visible()


def delete_host(page: Page) -> None:
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete host").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def add_hosts(page: Page) -> None:
    page.get_by_role("button", name="Add hosts").first.click()
    expect(page.get_by_role("dialog", name="Add hosts to By hand")).to_be_visible()


def write_a_rule(page: Page) -> None:
    page.get_by_text("Hosts that a rule finds").click()
    page.get_by_role("textbox", name="Rule").fill("tag = web")
    expect(page.get_by_text("Finds 1 of 2 hosts.")).to_be_visible()
    page.get_by_text("What a rule can ask for").click()


def enter_a_new_credential(page: Page) -> None:
    page.get_by_role("radiogroup", name="Credential").get_by_text("New").click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Enter the account to log in as.")).to_be_visible()


def wait_for_evidence(page: Page) -> None:
    expect(page.get_by_role("dialog", name="Evidence").get_by_role("article").first).to_be_visible()


EMPTY: Final = (
    Look("/hosts", "Hosts"),
    Look("/groups", "Groups"),
    Look("/scans", "Scans"),
    Look("/credentials", "Credentials"),
)


@pytest.mark.ac("ui-06", "ui-19", "ui-25", "ui-26")
def test_a_page_without_anything_on_it(product: Product, tabs: Tabs) -> None:
    assert product.get("/hosts")["total"] == 0
    page = tabs.open()
    wrong = [found for look in EMPTY for found in what_is_wrong(page, look)]
    page = tabs.open("/sign-in", signed_in=False)
    wrong += what_is_wrong(page, Look("/sign-in", "Sign in"))
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(200)
@pytest.mark.ac("ui-18", "ui-19", "ui-25", "ui-26")
def test_a_page_that_is_full(lab: LabSession, product: Product, tabs: Tabs) -> None:
    credential = product.add_credential(lab)
    described = {"environment": "production", "tags": ["web", "pci"], "description": "Front end."}
    host = product.add_host(lab.hosts["bookworm"], credential, **described)
    scan = product.scan(host)["id"]
    broken = product.add_host(
        lab.hosts["bookworm"],
        credential,
        name="a-host-with-a-name-that-is-a-good-deal-longer-than-most.internal.example.org",
        port=NOWHERE,
    )
    failed = product.scan(broken)
    assert failed["state"] == "failed"
    gone = product.post("/hosts", {"name": "gone", "address": "192.0.2.9", "tags": ["old"]})["id"]
    assert product.api.delete(f"/hosts/{gone}").status_code == HTTPStatus.NO_CONTENT
    group = product.post("/groups", {"name": "Front ends", "rule": "tag = web"})["id"]
    by_hand = product.post("/groups", {"name": "By hand"})["id"]
    rule = product.get(f"/scans/{scan}/outcomes", verdict="fail")["items"][0]["rule_id"]

    page = tabs.open()
    tabs.expect_complaint(r"status of 404 ")
    looks = (
        Look("/hosts", "Hosts"),
        Look("/hosts", "Hosts", act=open_filter),
        Look("/hosts", "Hosts", act=open_palette),
        Look("/hosts", "Hosts", act=open_shortcuts),
        Look("/hosts", "Hosts", act=open_account_menu),
        Look("/hosts?search=nothing-like-it&state=failed", "Hosts"),
        Look("/hosts?deleted=true", "Hosts"),
        Look("/hosts/new", "Add host"),
        Look("/hosts/new", "Add host", act=enter_a_new_credential),
        Look("/hosts/import", "Import hosts"),
        Look(f"/hosts/{host}", "bookworm"),
        Look(f"/hosts/{host}", "bookworm", act=delete_host),
        Look(f"/hosts/{host}?tab=scans", "bookworm"),
        Look(f"/hosts/{host}?tab=about", "bookworm"),
        Look(f"/hosts/{host}/edit", "Edit bookworm"),
        Look(f"/hosts/{broken}", "a-host-with-a-name"),
        Look("/groups", "Groups"),
        Look(f"/groups/{group}", "Front ends"),
        Look(f"/groups/{by_hand}", "By hand", act=add_hosts),
        Look("/groups/new", "Add group", act=write_a_rule),
        Look(f"/groups/{group}/edit", "Edit Front ends"),
        Look("/scans", "Scans"),
        Look(f"/scans/{scan}", "Scan of bookworm"),
        Look(f"/scans/{scan}?rule={rule}", "Scan of bookworm", act=wait_for_evidence),
        Look(f"/scans/{failed['id']}", "Scan of a-host-with-a-name"),
        Look("/rules", "Rules"),
        Look(f"/rules/{rule}", ""),
        Look("/credentials", "Credentials"),
        Look("/credentials/new", "Add credential"),
        Look(f"/credentials/{credential}", "lab key"),
        Look(f"/hosts/{NOBODY}", "Host"),
        Look("/nowhere", "There is no page at this address"),
    )
    wrong = [found for look in looks for found in what_is_wrong(page, look)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.ac("ui-18")
def test_an_address_without_a_page_leads_back(product: Product, tabs: Tabs) -> None:
    page = tabs.open("/hosts/new/nothing/here")
    expect(page.get_by_role("heading", name="There is no page at this address")).to_be_visible()
    page.get_by_role("link", name="Go to hosts").click()
    page.wait_for_url("**/hosts")
    tabs.expect_complaint(r"status of 404 ")
    page.goto(f"/hosts/{NOBODY}")
    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text("The host could not be read")
    expect(alert).to_contain_text("request id")


@pytest.mark.ac("ui-27")
def test_light_and_dark_follow_the_system_until_somebody_chooses(
    product: Product, tabs: Tabs
) -> None:
    page = tabs.open(theme="dark")
    expect_theme(page, "dark")
    put_into(page, "light")
    open_account_menu(page)
    page.get_by_role("menuitemradio", name="Dark").click()
    expect_theme(page, "dark")
    page.reload()
    expect_theme(page, "dark")


def put_into(page: Page, theme: Theme) -> None:
    page.emulate_media(color_scheme=theme)
    expect_theme(page, theme)
    wait_for_stillness(page)


def expect_theme(page: Page, theme: Theme) -> None:
    colour = {"light": "rgb(246, 246, 243)", "dark": "rgb(15, 17, 20)"}[theme]
    expect(page.locator("body")).to_have_css("background-color", colour)


def what_is_wrong(page: Page, look: Look) -> list[str]:
    """Look at one page in the light, in the dark and on a phone; return what is wrong with it."""
    where = f"{look.path} {look.act.__name__ if look.act else ''}"
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    page.emulate_media(color_scheme="light")
    page.goto(look.path)
    expect(page.get_by_role("heading", name=look.heading).first).to_be_visible()
    expect_theme(page, "light")
    wait_until_loaded(page)
    if look.act:
        look.act(page)
    wrong = [f"{where} in the light: {found}" for found in serious_violations(page)]
    put_into(page, "dark")
    in_the_dark = serious_violations(page, only=CONTRAST)
    wrong += [f"{where} in the dark: {found}" for found in in_the_dark]
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    if too_wide := sideways_pixels(page):
        wrong.append(f"{where} on a phone: {too_wide} pixels too wide")
    return wrong


def wait_until_loaded(page: Page) -> None:
    """Wait until nothing on the page stands in for what is still to come."""
    expect(page.locator(".mantine-Skeleton-root")).to_have_count(0)

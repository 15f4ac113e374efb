"""The fleet in the browser: groups by rule and by hand, a scan of many, a host that comes back."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from lab.session import LabSession
from tests.e2e.browser import Tabs
from tests.e2e.product import Product

SCAN_MS: Final = 60_000


def add_host(product: Product, name: str, *tags: str) -> str:
    return product.post("/hosts", {"name": name, "address": name, "tags": tags})["id"]


def hosts_of(page: Page) -> list[str]:
    return (
        page.get_by_role("table", name="Hosts of the group").get_by_role("link").all_inner_texts()
    )


@pytest.mark.ac("ui-30")
def test_a_group_by_rule_is_written_tried_and_live(product: Product, tabs: Tabs) -> None:
    add_host(product, "front-1", "web")
    add_host(product, "store-1", "db")
    page = tabs.open("/groups/new")
    page.get_by_role("textbox", name="Name").fill("Front ends")
    page.get_by_text("Hosts that a rule finds").click()
    rule = page.get_by_role("textbox", name="Rule")
    tabs.expect_complaint("status of 422 ")
    rule.fill("tag = web or name ~")
    expect(page.get_by_text("not understood at character 20")).to_be_visible()
    rule.fill("tag = web")
    expect(page.get_by_text(re.compile("Finds 1 of [0-9]+ hosts"))).to_be_visible()
    expect(page.get_by_text("front-1")).to_be_visible()
    page.get_by_role("button", name="Save group").click()

    expect(page.get_by_role("heading", name="Front ends")).to_be_visible()
    table = page.get_by_role("table", name="Hosts of the group")
    expect(table.get_by_role("link", name="front-1")).to_be_visible()
    add_host(product, "front-2", "web")
    expect(table.get_by_role("link", name="front-2")).to_be_visible()
    expect(table.get_by_role("link", name="store-1")).to_have_count(0)


@pytest.mark.ac("ui-30")
def test_hosts_are_chosen_by_hand_and_taken_out(product: Product, tabs: Tabs) -> None:
    add_host(product, "rack-1")
    add_host(product, "rack-2")
    outer = product.post("/groups", {"name": "Hall"})["id"]
    group = product.post("/groups", {"name": "Rack", "parent_id": outer})["id"]
    page = tabs.open(f"/groups/{group}")
    page.get_by_role("button", name="Add hosts").first.click()
    dialog = page.get_by_role("dialog", name="Add hosts to Rack")
    choose = dialog.get_by_role("combobox", name="Hosts")
    for name in ("rack-1", "rack-2"):
        choose.fill(name)
        page.get_by_role("option", name=name).click()
    dialog.get_by_role("button", name="Add 2 hosts").click()
    table = page.get_by_role("table", name="Hosts of the group")
    expect(table.get_by_role("link", name="rack-2")).to_be_visible()

    page.get_by_role("button", name="Take rack-1 out of the group").click()
    expect(table.get_by_role("link", name="rack-1")).to_have_count(0)
    assert hosts_of(page) == ["rack-2"]
    late = add_host(product, "late")
    product.post(f"/groups/{group}/members", {"add": [late]})
    expect(table.get_by_role("link", name="late", exact=True)).to_be_visible()

    page.get_by_role("link", name="Hall", exact=True).click()
    expect(page.get_by_role("heading", name="Hall")).to_be_visible()
    page.get_by_role("button", name="Take rack-2 out of the group").click()
    expect(page.get_by_text("because a group inside this one holds it")).to_be_visible()

    page.goto("/hosts")
    page.get_by_role("button", name="Filter by Group").click()
    page.get_by_role("checkbox", name="Rack").check()
    hosts = page.get_by_role("table", name="Hosts")
    expect(hosts.get_by_role("link", name="rack-2")).to_be_visible()
    expect(hosts.get_by_role("link", name="rack-1")).to_have_count(0)
    hosts.get_by_role("link", name="rack-2").click()
    page.get_by_role("tab", name="About").click()
    expect(
        page.get_by_role("region", name="Groups").get_by_role("link", name="Rack")
    ).to_be_visible()

    page.goto(f"/groups/{outer}")
    page.get_by_role("button", name="Delete group").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete group").click()
    tabs.expect_complaint("status of 409 ")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Rack")


@pytest.mark.ac("ui-31")
def test_all_hosts_of_a_list_are_scanned_at_once(
    lab: LabSession, product: Product, tabs: Tabs
) -> None:
    credential = product.add_credential(lab)
    host = product.add_host(lab.hosts["bookworm"], credential, name="at-once", tags=["at-once"])
    add_host(product, "nobody-logs-in", "at-once")
    group = product.post("/groups", {"name": "At once", "rule": "tag = at-once"})["id"]
    page = tabs.open(f"/groups/{group}")
    page.get_by_role("button", name="Scan 2", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Scan 2 hosts").click()
    expect(page.get_by_text("1 scan queued, 1 host without a credential.")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="at-once", exact=True))
    expect(row.get_by_role("img", name=re.compile("rules pass"))).to_be_visible(timeout=SCAN_MS)
    assert product.get(f"/hosts/{host}")["state"] == "ok"


@pytest.mark.ac("ui-32")
def test_a_deleted_host_is_brought_back(product: Product, tabs: Tabs) -> None:
    add_host(product, "stays")
    host = add_host(product, "gone-by-mistake", "kept")
    page = tabs.open(f"/hosts/{host}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete host").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete host").click()
    hosts = page.get_by_role("table", name="Hosts")
    expect(hosts.get_by_text("gone-by-mistake")).to_have_count(0)

    page.get_by_role("button", name="Deleted", exact=True).click()
    row = hosts.get_by_role("row").filter(has_text="gone-by-mistake")
    row.get_by_role("button", name="Bring back").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Deleted", exact=True).click()
    expect(hosts.get_by_role("link", name="gone-by-mistake")).to_be_visible()

"""Hosts from a file in the browser: choose, see, try, import, correct what was refused."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.e2e.axe import serious_violations
from tests.e2e.browser import Tabs
from tests.e2e.product import Product

IMPORT_MS: Final = 30_000

FLEET: Final = """Server;IP;Env;Site;password
front-1;10.7.0.1;production;North;hunter2
front-2;10.7.0.2;production;North;hunter2
store-1;10.7.0.300;production;South;hunter2
store-2;10.7.0.4;lab;South;hunter2
"""


@pytest.mark.ac("ui-36")
def test_a_file_is_tried_imported_and_its_refused_rows_corrected(
    product: Product, tabs: Tabs, tmp_path: Path
) -> None:
    listed = tmp_path / "fleet.csv"
    listed.write_bytes(FLEET.encode("utf-16"))
    page = tabs.open("/hosts")
    page.get_by_role("link", name="Import hosts").click()
    expect(page.get_by_role("heading", name="Import hosts")).to_be_visible()
    page.locator("input[type=file]").set_input_files(listed)

    expect(page.get_by_text("4 rows, CSV in utf-16-le, separated by semicolons")).to_be_visible()
    expect(page.get_by_text("1 row is refused")).to_be_visible()
    expect(page.get_by_text("Not kept: it may hold secrets")).to_be_visible()
    expect(page.get_by_text("hunter2")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Field of Server")).to_have_value("Name")
    assert serious_violations(page) == []

    page.get_by_role("button", name="Try without changing anything").click()
    trial = page.get_by_role("region", name="What would happen")
    refused = trial.get_by_text("10.7.0.300 is not an IPv4 address")
    expect(refused).to_be_visible(timeout=IMPORT_MS)
    assert product.get("/hosts")["total"] == 0

    page.get_by_role("button", name="Import 3 hosts").click()
    expect(page.get_by_role("heading", name="Imported hosts")).to_be_visible(timeout=IMPORT_MS)
    expect(page.get_by_text("10.7.0.300 is not an IPv4 address")).to_be_visible()
    assert serious_violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the refused rows").click()
    refused_rows = Path(download.value.path()).read_text("utf-8-sig")
    assert "hunter2" not in refused_rows

    page.get_by_role("link", name="Import another file").click()
    pasted = refused_rows.replace("10.7.0.300", "10.7.0.3")
    page.get_by_role("textbox", name="Or paste it").fill(pasted)
    page.get_by_role("button", name="Read the text").click()
    page.get_by_role("button", name="Import 1 host").click()
    expect(page.get_by_role("heading", name="Imported hosts")).to_be_visible(timeout=IMPORT_MS)
    page.get_by_role("link", name="See the hosts").click()
    table = page.get_by_role("table", name="Hosts")
    for name in ("front-1", "front-2", "store-1", "store-2"):
        expect(table.get_by_role("link", name=name)).to_be_visible()


@pytest.mark.ac("ui-36")
def test_a_list_of_hosts_follows_an_import(product: Product, tabs: Tabs) -> None:
    page = tabs.open("/hosts")
    lines = "\n".join(f"node-{i:03}" for i in range(40))
    answer = product.api.post("/bulk/hosts/import", content=lines.encode())
    assert answer.status_code == 202, answer.text
    table = page.get_by_role("table", name="Hosts")
    expect(table.get_by_role("link", name="node-000")).to_be_visible(timeout=IMPORT_MS)


@pytest.mark.ac("ui-36")
def test_what_is_no_list_of_hosts_is_told(product: Product, tabs: Tabs, tmp_path: Path) -> None:
    book = tmp_path / "fleet.xlsx"
    book.write_bytes(b"PK\x03\x04 a workbook")
    page = tabs.open("/hosts/import")
    tabs.expect_complaint("status of 422 ")
    page.locator("input[type=file]").set_input_files(book)
    expect(page.get_by_text("a workbook of Excel or LibreOffice")).to_be_visible()
    expect(page.get_by_text("Save it as text, such as CSV in UTF-8")).to_be_visible()

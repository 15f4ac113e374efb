"""When something is wrong: the page says what, and what to do, and goes on once it is mended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Final

import psycopg
import pytest
from playwright.sync_api import Locator, Page, Request, expect

from lab.session import LabHost, LabSession
from openwatch.db.url import database_url, normalise
from openwatch.kit.settings import Settings
from tests.e2e.browser import Tabs
from tests.e2e.hold import held
from tests.e2e.product import ADMIN, PASSWORD, SCAN_SECONDS, Product

SCAN_MS: Final = 60_000
GONE: Final = (
    r"net::ERR_(CONNECTION_(REFUSED|RESET)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE"
    r"|CONTENT_LENGTH_MISMATCH)"
)
NOT_A_KEY: Final = "-----BEGIN OPENSSH PRIVATE KEY-----\nnothing of a key\n-----END"


@pytest.fixture(scope="module")
def host(lab: LabSession) -> Iterator[LabHost]:
    """A lab host that these tests may break."""
    with lab.fresh("trixie") as made:
        yield made


@pytest.fixture(scope="module")
def host_id(host: LabHost, lab: LabSession, product: Product) -> str:
    """The same host in the inventory, scanned once."""
    added = product.add_host(host, product.add_credential(lab), name="web-1")
    assert product.scan(added)["state"] == "completed"
    return added


@pytest.mark.ac("ui-07")
def test_a_key_that_cannot_be_used_is_named_beside_its_field(
    lab: LabSession, product: Product, tabs: Tabs
) -> None:
    page = tabs.open("/credentials/new")
    tabs.expect_complaint("status of 422 ")
    page.get_by_role("textbox", name="Log in as").fill("scan")
    page.get_by_role("textbox", name="Name of the credential").fill("with passphrase")
    key = page.get_by_role("textbox", name="Private key")
    passphrase = page.get_by_role("textbox", name="Passphrase of the key")
    save = page.get_by_role("button", name="Save credential")

    key.fill(NOT_A_KEY)
    save.click()
    expect_problem(key, "The private key cannot be used")
    key.fill(lab.encrypted_key_path.read_text())
    save.click()
    expect_problem(passphrase, "no passphrase was given")
    passphrase.fill("not the passphrase")
    save.click()
    expect_problem(passphrase, "does not open the private key")
    passphrase.fill(lab.passphrase)
    save.click()
    table = page.get_by_role("table", name="Credentials")
    expect(table.get_by_role("row", name="with passphrase")).to_contain_text("ssh-ed25519")
    page.get_by_role("link", name="with passphrase").click()
    expect(page.get_by_role("heading", name="with passphrase")).to_be_visible()
    for field in (key, passphrase):
        expect(field).to_have_value("")


@pytest.mark.ac("ui-07")
def test_the_connection_test_names_a_bad_key_and_a_refused_one(
    host: LabHost, lab: LabSession, product: Product, tabs: Tabs
) -> None:
    page = tabs.open("/hosts/new")
    tabs.expect_complaint("status of 422 ")
    page.get_by_role("textbox", name="Address").fill(host.address)
    page.get_by_role("radiogroup", name="Credential").get_by_text("New").click()
    page.get_by_role("textbox", name="Log in as", exact=True).fill("scan")
    key = page.get_by_role("textbox", name="Private key")
    test = page.get_by_role("button", name=re.compile("^Test "))

    key.fill(NOT_A_KEY)
    test.click()
    expect_problem(key, "The private key cannot be used")
    key.fill(lab.strangers_key_path.read_text())
    test.click()
    steps = page.get_by_role("list", name="Steps of the connection test").get_by_role("listitem")
    expect(steps.filter(has_text="Authenticate")).to_contain_text("failed")
    expect(steps.filter(has_text="Authenticate")).to_contain_text("scan")
    expect(page.get_by_role("region", name="Key of the host")).to_be_visible()


@pytest.mark.ac("ui-03")
def test_a_session_that_ended_leads_back_to_what_was_typed(product: Product, tabs: Tabs) -> None:
    page = tabs.open("/sign-in?next=/hosts/new", signed_in=False)
    sign_in(page)
    page.get_by_role("textbox", name="Address").fill("192.0.2.7")
    page.get_by_role("combobox", name="Tags").fill("dmz")
    page.keyboard.press("Enter")
    page.context.clear_cookies()
    tabs.expect_complaint("status of 401 ")
    # What the page reads by itself may meet the ended session first and take the button away.
    page.get_by_role("button", name="Save", exact=True).evaluate_all(
        "buttons => buttons.forEach((button) => button.click())"
    )
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    sign_in(page)
    expect(page.get_by_role("textbox", name="Address")).to_have_value("192.0.2.7")
    expect(page.get_by_text("dmz")).to_be_visible()


@pytest.mark.ac("ui-28")
def test_a_changed_host_key_shows_both_and_how_to_accept(
    host: LabHost, host_id: str, tabs: Tabs
) -> None:
    old = fingerprint(host.host_key)
    new = fingerprint(host.rekey())
    page = tabs.open(f"/hosts/{host_id}")
    page.get_by_role("button", name="Scan", exact=True).click()
    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text("host.key_changed", timeout=SCAN_MS)
    expect(alert).to_contain_text(old)
    expect(alert).to_contain_text(new)
    expect(alert).to_contain_text("Find out why before you go on")
    expect(alert).to_contain_text("What is shown below comes from the last scan that succeeded.")

    page.get_by_role("tab", name="About").click()
    keys = page.get_by_role("region", name="Known host keys")
    expect(keys).to_contain_text(old)
    expect(keys).to_contain_text(new)
    expect(keys).to_contain_text("refused")
    keys.get_by_role("button", name="Trust").click()
    dialog = page.get_by_role("dialog", name="Trust this host key?")
    expect(dialog).to_contain_text(new)
    dialog.get_by_role("button", name="Trust key").click()
    expect(keys).not_to_contain_text("refused")

    with held(host):
        page.get_by_role("button", name="Scan", exact=True).click()
        expect(page.get_by_role("button", name="Cancel scan")).to_be_visible()
    expect(alert).not_to_be_visible(timeout=SCAN_MS)
    expect(page.get_by_role("button", name="Scan", exact=True)).to_be_visible(timeout=SCAN_MS)
    expect(page.get_by_role("main")).to_contain_text("Measured")


@pytest.mark.ac("ui-13", "ui-22")
def test_a_scan_that_hangs_is_cancelled_and_one_that_fails_says_why(
    host: LabHost, host_id: str, tabs: Tabs
) -> None:
    page = tabs.open(f"/hosts/{host_id}")
    host.cut()
    try:
        page.get_by_role("button", name="Scan", exact=True).click()
        progress = page.get_by_role("status", name="Progress of the scan")
        expect(progress).to_contain_text("Connecting to the host")
        page.get_by_role("button", name="Cancel scan").click()
        expect(progress).not_to_be_visible(timeout=SCAN_MS)
        page.get_by_role("tab", name="Scans").click()
        scans = page.get_by_role("table", name="Scans of this host")
        expect(scans.get_by_role("row").nth(1)).to_contain_text("Cancelled")
        scans.get_by_role("row").nth(1).get_by_role("link").click()
        cancelled = page.get_by_role("region", name="This scan was cancelled")
        expect(cancelled).to_contain_text("What earlier scans of the host found still stands.")

        page.get_by_role("button", name="Scan again").click()
        alert = page.get_by_role("main").get_by_role("alert")
        expect(alert).to_contain_text("host.unreachable", timeout=SCAN_MS)
        expect(alert).to_contain_text("Nothing was measured")
        expect(page.get_by_role("table", name="Outcomes")).not_to_be_visible()
    finally:
        host.mend()
    page.get_by_role("button", name="Scan again").click()
    expect(page.get_by_role("table", name="Outcomes")).to_be_visible(timeout=SCAN_MS)


@pytest.mark.ac("ui-11", "ui-22")
def test_a_scan_that_ends_while_the_server_is_away_shows_without_a_reload(
    host: LabHost, host_id: str, product: Product, tabs: Tabs
) -> None:
    page = tabs.open(f"/hosts/{host_id}?tab=scans")
    tabs.expect_complaint(GONE)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    live = page.get_by_role("status").filter(has_text="Live")
    expect(live).to_be_visible()
    rows = page.get_by_role("table", name="Scans of this host").get_by_role("row")
    expect(rows.nth(1)).to_be_visible()
    page.evaluate("window.sameDocument = true")

    # The supervisor sleeps, so that the server stays away until the scan is over.
    supervisor = product.running.process
    try:
        with held(host):
            scan = product.start_scan(host_id)
            expect(rows.filter(has=page.locator(f'a[href*="{scan}"]'))).to_be_visible()
            supervisor.send_signal(signal.SIGSTOP)
            os.kill(product.running.children()["serve"], signal.SIGKILL)
            expect(page.get_by_text("Reconnecting").first).to_be_visible()
        wait_until_over(product, scan)
    finally:
        supervisor.send_signal(signal.SIGCONT)
    row = rows.filter(has=page.locator(f'a[href*="{scan}"]'))
    expect(row).to_contain_text("Completed", timeout=SCAN_MS)
    expect(live).to_be_visible(timeout=SCAN_MS)
    assert page.evaluate("window.sameDocument === true")
    streams = [request for request in asked if request.url.partition("?")[0].endswith("/events")]
    assert any(resumes(stream) for stream in streams), "the stream resumed where it had ended"


@pytest.mark.ac("ui-17")
@pytest.mark.timeout(240)
def test_a_server_that_is_away_is_said_and_tried_again(
    host_id: str, product: Product, tabs: Tabs
) -> None:
    page = tabs.open("/hosts")
    tabs.expect_complaint(GONE)
    with page.expect_response(re.compile("CredentialsPage")):
        page.goto("/rules")  # once a page is there, the code of all others is read, too
    expect(page.get_by_role("table", name="Rules")).to_be_visible()
    assert product.running.stop() == 0
    page.get_by_role("link", name="Credentials").first.click()
    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text("The credentials could not be read", timeout=SCAN_MS)
    expect(alert).to_contain_text("OpenWatch does not answer.")
    expect(alert).to_contain_text("Check the network and that OpenWatch is running")
    with page.expect_request(re.compile("/api/v1/credentials")):
        alert.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("OpenWatch does not answer.", timeout=SCAN_MS)
    product.start_again()
    # As soon as the live stream is back, the page reads again by itself.
    expect(page.get_by_role("table", name="Credentials")).to_be_visible(timeout=SCAN_MS)
    expect(alert).not_to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible(timeout=SCAN_MS)


def resumes(stream: Request) -> bool:
    """Whether a request for the live stream names the last event that the page has seen."""
    return "last_event_id=" in stream.url or "last-event-id" in stream.all_headers()


def sign_in(page: Page) -> None:
    page.get_by_role("textbox", name="User name").fill(ADMIN)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def expect_problem(field: Locator, text: str) -> None:
    """See that a field which was refused says why, also to who cannot see it."""
    expect(field).to_have_accessible_description(re.compile(text))


def fingerprint(public_key: str) -> str:
    """Return the fingerprint of a key as ssh-keygen prints it."""
    command = ["ssh-keygen", "-l", "-f", "-"]
    shown = subprocess.run(command, input=public_key, capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def wait_until_over(product: Product, scan: str) -> None:
    """Wait for the end of a scan while there is no API to ask."""
    settings = Settings(data_dir=product.place.data_dir, database_url=None)
    deadline = time.monotonic() + SCAN_SECONDS
    with psycopg.connect(normalise(database_url(settings)), autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT state FROM scans WHERE id = %s", [scan]).fetchone()
            if row == ("completed",):
                return
            assert time.monotonic() < deadline, row
            time.sleep(0.1)

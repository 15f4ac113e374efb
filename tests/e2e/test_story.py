"""From the printed link to the proof: what a person does on the first day, in order."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from lab.drift import MISCONFIGURATIONS
from lab.session import LabHost, LabSession
from tests.e2e.browser import Tabs, text_of
from tests.e2e.hold import held, make_holdable
from tests.e2e.product import ADMIN, PASSWORD, Product

FIRST_RUN: Final = True  # the product of this module has no administrator yet
DISPLAY_NAME: Final = "Ada Lovelace"
WRONG_PORT: Final = "2222"
SHA256: Final = re.compile(r"[0-9a-f]{64}")
SCAN_MS: Final = 60_000

# For some of the planted settings, what has to stand there: expected, actual, place, its text.
SHOWN: Final = {
    "ssh-root-login-disabled": (
        *("no", "yes"),
        *("/etc/ssh/sshd_config.d/00-drift-root-login.conf:1", "PermitRootLogin yes"),
    ),
    "kernel-log-restricted": (
        *("1", "0"),
        *("/etc/sysctl.d/zz-drift-dmesg.conf:1", "kernel.dmesg_restrict = 0"),
    ),
    "password-max-days-default": (
        *("at least 1 and at most 365", "99999"),
        *("/etc/login.defs:", "PASS_MAX_DAYS"),
    ),
    "shadow-file-permissions": ("no more open than 0640", "0644", None, None),
    "rsyslog-service-running": ("yes", "no", None, None),
}


@pytest.mark.timeout(280)
@pytest.mark.ac(
    "ui-01", "ui-02", "ui-06", "ui-07", "ui-08", "ui-09", "ui-12", "ui-22", "ui-23", "ui-24"
)
def test_from_the_first_link_to_the_proof(
    lab: LabSession, product: Product, tabs: Tabs, tmp_path: Path
) -> None:
    with lab.fresh("bookworm") as host:
        host.harden()
        make_holdable(host)

        page = tabs.open(product.first_run_link, signed_in=False)
        create_the_administrator(page)
        from_the_empty_fleet_to_add_host(page)
        fill_in(page, host, lab)
        see_that_a_wrong_port_is_named(page, host)
        see_every_step_with_the_right_port(page, host)
        save_and_watch_the_scan(page, host)
        before = failing_rules(page)

        host.plant(*MISCONFIGURATIONS)
        scan_again_from_the_host(page, host)
        after = failing_rules(page)

        planted = {rule for fault in MISCONFIGURATIONS.values() for rule in fault.breaks}
        assert set(after) - set(before) == planted
        assert set(before) <= set(after)
        see_what_each_rests_on(page, sorted(planted, key=after.index))
        digest = prove_one(page, "ssh-root-login-disabled", product)
        prove_the_scan(page, tmp_path, digest)

        sign_out(page)
        sign_in_and_return(page)


def create_the_administrator(page: Page) -> None:
    expect(page.get_by_role("heading", name="Set up OpenWatch")).to_be_visible()
    assert "token" not in page.url
    page.get_by_role("textbox", name="User name").fill(ADMIN)
    page.get_by_role("textbox", name="Your name").fill(DISPLAY_NAME)
    page.get_by_role("textbox", name="Password", exact=True).fill("too short")
    page.get_by_role("textbox", name="Password again").fill("too short")
    create = page.get_by_role("button", name="Create administrator")
    create.click()
    expect(page.get_by_text("Use at least 12 characters.")).to_be_visible()
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    create.click()
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_role("textbox", name="Password again").fill(PASSWORD)
    create.click()
    page.wait_for_url("**/hosts")
    expect(page.get_by_role("button", name=f"Account: {DISPLAY_NAME}")).to_be_visible()


def from_the_empty_fleet_to_add_host(page: Page) -> None:
    first = page.get_by_role("region", name="Measure your first host")
    expect(first).to_contain_text("Nothing is installed on it.")
    first.get_by_role("link", name="Add host").click()
    expect(page.get_by_role("heading", name="Add host", level=1)).to_be_visible()


def fill_in(page: Page, host: LabHost, lab: LabSession) -> None:
    page.get_by_role("textbox", name="Address").fill(host.address)
    page.get_by_role("textbox", name="Name", exact=True).fill("web-1")
    credential = page.get_by_role("region", name="Credential")
    credential.get_by_role("radiogroup", name="Credential").get_by_text("New").click()
    credential.get_by_role("textbox", name="Log in as").fill("scan")
    credential.get_by_role("textbox", name="Private key").fill(lab.key_path.read_text())


def see_that_a_wrong_port_is_named(page: Page, host: LabHost) -> None:
    page.get_by_role("textbox", name="Port").fill(WRONG_PORT)
    page.get_by_role("button", name="Test connection").click()
    steps = connection_steps(page)
    expect(steps.nth(1)).to_contain_text("failed")
    expect(steps.nth(0)).to_contain_text("ok")
    expect(steps.nth(1)).to_contain_text(
        f"{host.address} port {WRONG_PORT} refused the connection: nothing listens on this port."
    )
    expect(steps.nth(1)).to_contain_text("Start the SSH service on the host, or correct the port.")
    for later in (2, 3, 4):
        expect(steps.nth(later)).to_contain_text("skipped")


def see_every_step_with_the_right_port(page: Page, host: LabHost) -> None:
    page.get_by_role("textbox", name="Port").fill(str(host.port))
    expect(page.get_by_text("The form has changed since this test.")).to_be_visible()
    page.get_by_role("button", name="Test again").click()
    key = page.get_by_role("region", name="Key of the host")
    expect(key).to_contain_text(fingerprint(host))
    for step in range(5):
        expect(connection_steps(page).nth(step)).to_contain_text("ok")
    expect(page.get_by_text("Connected.")).to_be_visible()
    key.get_by_role("button", name="Accept this key").click()
    expect(key).to_contain_text("accepted")
    expect(page.get_by_text("Debian GNU/Linux 12 (bookworm)")).to_be_visible()


def save_and_watch_the_scan(page: Page, host: LabHost) -> None:
    progress = page.get_by_role("status", name="Progress of the scan")
    with held(host):
        page.get_by_role("button", name="Save and scan").click()
        page.wait_for_url("**/scans/*")
        expect(progress).to_contain_text("Collect")
        expect(progress).to_contain_text("Reading facts from the host", timeout=SCAN_MS)
    expect(page.get_by_role("heading", name="Rules by verdict")).to_be_visible(timeout=SCAN_MS)
    expect(progress).not_to_be_visible()
    expect(page.get_by_role("img", name=re.compile(r"\d+ of \d+ rules pass"))).to_be_visible()


def scan_again_from_the_host(page: Page, host: LabHost) -> None:
    page.get_by_role("main").get_by_role("link", name="web-1", exact=True).click()
    expect(page.get_by_role("heading", name="web-1", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(host.address)
    watch = page.get_by_role("status", name="Progress of the scan")
    with held(host):
        page.get_by_role("button", name="Scan", exact=True).click()
        expect(watch).to_be_visible()
    expect(watch).not_to_be_visible(timeout=SCAN_MS)
    page.get_by_role("link", name=re.compile("^last scan")).click()
    expect(page.get_by_role("heading", name="Scan of web-1")).to_be_visible()


READ_AND_SCROLL: Final = """table => {
  const rows = [...table.querySelectorAll('[role="row"]')].filter(row => row.querySelector("a"));
  rows.at(-1)?.scrollIntoView();
  return rows.map(row =>
    [row.ariaRowIndex, row.innerText.trim(), row.querySelector("a").getAttribute("href")]);
}"""


def failing_rules(page: Page) -> list[str]:
    """Return the ids of the rules that the scan on the screen shows as failed, in their order."""
    verdict = page.get_by_role("group", name="Verdict").get_by_role(
        "button", name=re.compile("^Fail")
    )
    verdict.click()
    expect(verdict).to_have_attribute("aria-pressed", "true")
    expect(verdict).to_have_text(re.compile(r"\d"))
    total = int(text_of(verdict).removeprefix("Fail "))
    table = page.get_by_role("table", name="Outcomes")
    expect(table).to_have_attribute("aria-rowcount", str(total))
    found: dict[int, str] = {}
    while len(found) < total:
        # In one step: between two the table may be drawn anew, further down. Only the rows near the
        # window are in the page, and what is skipped once does not come back.
        for number, said, address in table.evaluate(READ_AND_SCROLL):
            assert said.startswith("Fail")
            found[int(number)] = address.partition("rule=")[2].partition("&")[0]
        page.wait_for_timeout(50)
    return [found[number] for number in sorted(found)]


def see_what_each_rests_on(page: Page, planted: list[str]) -> None:
    """Open the evidence of each planted fault: it says what was read and what was expected."""
    for rule in planted:
        drawer = open_evidence(page, rule)
        wrong = drawer.get_by_role("article").filter(has_text="Not as expected")
        expect(wrong.first).to_be_visible()
        for card in wrong.all():
            expected, actual = expected_and_actual(card)
            assert expected
            assert actual
            assert expected != actual
        if rule in SHOWN:
            see_the_place(wrong, *SHOWN[rule])
        drawer.get_by_role("button", name="Close").click()
        expect(drawer).not_to_be_visible()


def see_the_place(
    wrong: Locator, expected: str, actual: str, place: str | None, text: str | None
) -> None:
    card = wrong if place is None else wrong.filter(has_text=place)
    assert expected_and_actual(card.first) == (expected, actual)
    if text is not None:
        expect(card.first).to_contain_text(text)


def expected_and_actual(card: Locator) -> tuple[str, str]:
    definitions = card.get_by_role("definition")
    return text_of(definitions.nth(0)), text_of(definitions.nth(1))


def open_evidence(page: Page, rule: str) -> Locator:
    search = page.get_by_role("searchbox", name="Search rules")
    search.fill(rule)
    link = page.get_by_role("table", name="Outcomes").locator(f'a[href*="rule={rule}"]')
    link.click()
    drawer = page.get_by_role("dialog", name="Evidence")
    expect(drawer.get_by_role("link", name=rule)).to_be_visible()
    return drawer


def prove_one(page: Page, rule: str, product: Product) -> str:
    """Copy, download and hash the stored bytes behind one outcome; return their hash."""
    drawer = open_evidence(page, rule)
    raw = drawer.get_by_role("region", name="Raw bytes").first
    expect(raw).to_contain_text("PermitRootLogin yes")
    drawer.get_by_role("button", name="Copy raw bytes").first.click()
    assert clipboard(page) == raw.inner_text()
    drawer.get_by_role("button", name="Copy evidence hash").click()
    digest = clipboard(page)
    assert SHA256.fullmatch(digest)

    with page.expect_download() as downloading:
        drawer.get_by_role("link", name="Download").click()
    downloaded = content_of(downloading.value)
    assert hashlib.sha256(downloaded).hexdigest() == digest
    answer = page.request.get(f"{product.origin}/api/v1/evidence/{digest}")
    assert answer.body() == downloaded
    assert b"PermitRootLogin yes" in downloaded
    drawer.get_by_role("button", name="Close").click()
    return digest


def prove_the_scan(page: Page, folder: Path, digest: str) -> None:
    """Prove the bundle with another program, without the server; a changed one is refused."""
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Evidence bundle").click()
    bundle = folder / downloading.value.suggested_filename
    downloading.value.save_as(bundle)
    content = bundle.read_bytes()
    assert digest.encode() in content
    proven = verify(bundle)
    assert proven.returncode == 0, proven.stdout + proven.stderr

    forged = folder / "forged.json"
    forged.write_bytes(content.replace(b"PermitRootLogin yes", b"PermitRootLogin no"))
    refused = verify(forged)
    assert refused.returncode != 0, refused.stdout


def verify(bundle: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "openwatch", "verify", bundle]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name=f"Account: {DISPLAY_NAME}").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def sign_in_and_return(page: Page) -> None:
    page.goto("/rules?severity=high")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("textbox", name="User name").fill(ADMIN)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/rules?severity=high")
    expect(page.get_by_role("table", name="Rules")).to_be_visible()


def connection_steps(page: Page) -> Locator:
    return page.get_by_role("list", name="Steps of the connection test").get_by_role("listitem")


def fingerprint(host: LabHost) -> str:
    """Return the fingerprint of a host's key as ssh-keygen prints it."""
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"],
        input=host.host_key,
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split()[1]


def clipboard(page: Page) -> str:
    return page.evaluate("navigator.clipboard.readText()")


def content_of(download: Download) -> bytes:
    return download.path().read_bytes()

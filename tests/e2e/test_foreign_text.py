"""What people type and what hosts answer is text, on every page: never markup, never hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from lab.session import LabHost, LabSession
from tests.e2e.browser import Tabs
from tests.e2e.product import Product

PICTURE: Final = "<img src=x onerror=alert(1)>"
SCRIPT: Final = "<script>alert(2)</script>"
LINK: Final = '"><a href=javascript:alert(3)>here</a>'
ESCAPE: Final = "\x1b"  # begins a command to a terminal
OVERRIDE: Final = "\u202e"  # turns the direction of writing around
INJECTED: Final = "img[src='x'], [onerror], script:not([src]), a[href^='javascript']"
DROP_IN: Final = "/etc/ssh/sshd_config.d/00-text.conf"
RULE: Final = "ssh-root-login-disabled"


@pytest.fixture(scope="module")
def host(lab: LabSession) -> Iterator[LabHost]:
    """A lab host that answers with markup and hidden characters."""
    with lab.fresh("trixie") as made:
        made.exec("cp --remove-destination /usr/lib/os-release /etc/os-release")
        made.exec(f"echo 'PRETTY_NAME=\"Debian {PICTURE}\"' >>/etc/os-release")
        line = f"PermitRootLogin yes # {SCRIPT} {ESCAPE}[2J {OVERRIDE}"
        made.exec(f"cat >{DROP_IN}; chmod 0600 {DROP_IN}; sshd -t", stdin=f"{line}\n")
        made.exec("systemctl reload ssh")
        yield made


@pytest.mark.ac("ui-12", "ui-29")
def test_markup_of_people_and_hosts_is_shown_and_never_run(
    host: LabHost, lab: LabSession, product: Product, tabs: Tabs
) -> None:
    credential = product.add_credential(lab, name=LINK)
    fields = {"name": PICTURE, "description": SCRIPT, "tags": [LINK], "environment": "<b>bold</b>"}
    host_id = product.add_host(host, credential, **fields)
    scan = product.scan(host_id)
    assert scan["state"] == "completed"

    page = tabs.open()
    for path, shown in (
        ("/hosts", (PICTURE, LINK, "<b>bold</b>", f"Debian {PICTURE}")),
        (f"/hosts?search={PICTURE}&tag=none", (f"Search is “{PICTURE}”",)),
        (f"/hosts/{host_id}?tab=about", (PICTURE, SCRIPT, LINK, f"Debian {PICTURE}")),
        (f"/hosts/{host_id}/edit", (f"Edit {PICTURE}", LINK)),
        ("/scans", (PICTURE,)),
        (f"/scans/{scan['id']}", (f"Scan of {PICTURE}", f"Debian {PICTURE}")),
        ("/credentials", (LINK,)),
        (f"/credentials/{credential}", (LINK,)),
    ):
        page.goto(path)
        for text in shown:
            expect(page.get_by_role("main").get_by_text(text, exact=True).first).to_be_visible()
        nothing_was_injected(page)
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search or jump to")
    expect(palette.get_by_text(PICTURE).first).to_be_visible()
    nothing_was_injected(page)


@pytest.mark.ac("ui-12", "ui-29")
def test_evidence_names_every_character_that_a_screen_would_hide(
    host: LabHost, product: Product, tabs: Tabs
) -> None:
    host_id = product.get("/hosts")["items"][0]["id"]
    page = tabs.open(f"/hosts/{host_id}?rule={RULE}")
    drawer = page.get_by_role("dialog", name="Evidence")
    wrong = drawer.get_by_role("article").filter(has_text=f"{DROP_IN}:1").first
    expect(wrong).to_contain_text(SCRIPT)
    expect(wrong).to_contain_text("ESC")
    expect(wrong).to_contain_text("U+202E")
    assert ESCAPE not in wrong.inner_text()
    assert OVERRIDE not in wrong.inner_text()
    nothing_was_injected(page)


def nothing_was_injected(page: Page) -> None:
    assert page.locator(INJECTED).count() == 0, page.url

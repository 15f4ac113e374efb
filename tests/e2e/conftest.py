"""The product as a person meets it: `openwatch up`, Chromium, and hosts of the lab.

Each module has a server, a database and a browser of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import Tabs, browser_program, chromium_running
from tests.e2e.product import Product, product_running

WEB: Final = Path(__file__).parents[2] / "web"
FAILED: Final = pytest.StashKey[bool]()


def why_not() -> str | None:
    """Return why these tests cannot run here, or None."""
    if browser_program() is None:
        return "no browser on this machine: install Chromium (Debian: apt install chromium)"
    if not (WEB / "dist" / "index.html").exists():
        return "the UI is not built: run ./ow build-ui"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser; skipped with the reason where there is none."""
    if reason := why_not():
        pytest.skip(reason)
    with chromium_running() as browser:
        yield browser


@pytest.fixture(scope="module")
def product(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A running OpenWatch with an administrator, unless the module says ``FIRST_RUN = True``."""
    first_run = getattr(request.module, "FIRST_RUN", False)
    with product_running(with_admin=not first_run) as running:
        yield running


@pytest.fixture
def tabs(
    chromium: Browser, product: Product, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Tabs]:
    """Tabs of a browser; afterwards none of them may have complained about anything."""
    opened = Tabs(chromium, product.origin, product.session, request.node.name, tmp_path)
    yield opened
    failed = request.node.stash.get(FAILED, False)
    opened.close(keep_pictures=failed)
    if failed:
        print(product.said())
    assert opened.complaints() == []

"""`./ow demo`: what it adds is scanned, and nothing of it stays."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.running import Browser
from tests.ports import reserved_port

ROOT = Path(__file__).parents[3]
START_SECONDS = 400  # the first time on a machine, images of lab hosts are built
SCAN_SECONDS = 120
STOP_SECONDS = 90

pytestmark = pytest.mark.timeout(900)


@pytest.mark.ac("bootstrap-16")
def test_the_demonstration_scans_its_hosts_and_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    port = reserved_port()
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "lab.demo", "--no-browser"],
            cwd=ROOT,
            env={**os.environ, "OPENWATCH_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        password = wait_for(r"with the password (\S+)", log, demo)
        data_dir = wait_for(r"data in (\S+)", log, demo)
        browser = Browser(f"http://127.0.0.1:{port}")
        login = {"username": "admin", "password": password}
        assert browser.request("POST", "/api/v1/session", login)[0] == 201
        scans = ended_scans(browser)
        completed = [scan for scan in scans if scan["state"] == "completed"]
        assert len(scans) >= 3
        assert len(completed) >= 3
        assert all(scan["counts"]["fail"] > 0 for scan in completed)
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(STOP_SECONDS) == 0, log.read_text()
    assert not Path(data_dir).exists()


def ended_scans(browser: Browser) -> list[dict[str, Any]]:
    """Return all scans once at least three have ended, whatever the others still do."""
    deadline = time.monotonic() + SCAN_SECONDS
    while True:
        scans = browser.get("/api/v1/scans")[1]["items"]
        ended = [scan for scan in scans if scan["state"] in {"completed", "failed"}]
        if len(ended) >= 3 or time.monotonic() > deadline:
            return scans
        time.sleep(0.5)


def wait_for(pattern: str, log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.2)
    pytest.fail(f"no {pattern!r} in:\n{log.read_text()}")

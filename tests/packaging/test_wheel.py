"""The built wheel alone, in an empty environment: no checkout, no Node, no web sources."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import reserved_port

ROOT = Path(__file__).parents[2]
BUILT_UI = ROOT / "web" / "dist" / "index.html"
START_SECONDS = 90
STOP_SECONDS = 60

pytestmark = [
    pytest.mark.skipif(not BUILT_UI.exists(), reason="the UI is not built: run ./ow build-ui"),
    pytest.mark.timeout(600),
]


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel, and nothing of this checkout on any path."""

    venv: Path
    work: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENWATCH_", "PYTHON"))}
        return {**kept, "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin", "HOME": str(self.work)}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="openwatch-wheel-"))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    yield built
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Installed]:
    work = Path(tempfile.mkdtemp(prefix="openwatch-install-"))
    work.chmod(0o711)  # the system user of the database passes through
    venv = work / "venv"
    uv = [str(Path(sys.executable).parent / "uv"), "-q"]
    locked = ["-r", str(ROOT / "requirements.lock"), "--require-hashes"]
    python = ["--python", str(venv / "bin" / "python")]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(venv)],
        [*uv, "pip", "install", *python, *locked],
        [*uv, "pip", "install", *python, "--no-deps", str(wheel)],
    ):
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    yield Installed(venv, work)
    shutil.rmtree(work)


@pytest.mark.ac("bootstrap-13")
def test_the_wheel_carries_ui_rules_and_migrations_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "openwatch/api/static/index.html" in names
    assert any(name.startswith("openwatch/_corpus/") and name.endswith(".yml") for name in names)
    assert "openwatch/db/migrations/versions/0001_identity.py" in names
    assert "openwatch/py.typed" in names
    tops = {name.partition("/")[0].partition("-")[0] for name in names}
    assert tops == {"openwatch"}
    assert not [name for name in names if "__pycache__" in name or "node_modules" in name]


@pytest.mark.ac("bootstrap-13")
def test_an_installed_wheel_knows_its_rules(installed: Installed) -> None:
    done = installed.run("openwatch", "rules", "list", "--format", "json")
    assert done.returncode == 0, done.stderr
    rules = [path for path in (ROOT / "corpus").glob("*/*.yml") if path.parent.name != "frameworks"]
    assert rules
    assert {rule["id"] for rule in json.loads(done.stdout)} == {path.stem for path in rules}


@pytest.mark.ac("bootstrap-13", "bootstrap-02")
def test_an_installed_wheel_starts_serves_its_ui_and_stops(installed: Installed) -> None:
    port = reserved_port()
    data_dir = installed.work / "data"
    environment = {
        **installed.environment,
        "OPENWATCH_DATA_DIR": str(data_dir),
        "OPENWATCH_PORT": str(port),
    }
    running = subprocess.Popen(
        [installed.venv / "bin" / "openwatch", "up", "--no-browser"],
        cwd=installed.work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/readyz", running)
        assert get(f"{address}/healthz")[0] == 200
        status, page = get(f"{address}/")
        assert status == 200
        assert "<div id=" in page
        assert get(f"{address}/api/v1/openapi.json")[0] == 200
    finally:
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=STOP_SECONDS)
    assert running.returncode == 0, output
    assert f"{address}/setup#token=" in output
    assert not processes_in(data_dir), output


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    last = "no answer"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, last = get(url)
        except OSError:
            status = 0
        if status == 200:
            return
        time.sleep(0.2)
    process.terminate()
    pytest.fail(f"not ready: {last}\n{process.communicate()[0]}")


def processes_in(folder: Path) -> list[str]:
    """Command lines that name the folder: what `up` left behind."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found

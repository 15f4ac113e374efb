"""`./ow` in a copy of this checkout: the first command, the second, and what can be missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.machine import Clock

ROOT = Path(__file__).parents[3]
COPIED = ("ow", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "src", "corpus")
LOCKS = sorted(ROOT.glob("requirements*.lock"))

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout with the UI already built, so that nothing of this needs Node."""
    copy = tmp_path_factory.mktemp("checkout with spaces")
    for name in (*COPIED, *(lock.name for lock in LOCKS)):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    (copy / "web" / "dist").mkdir(parents=True)
    (copy / "web" / "dist" / "index.html").write_text("<!doctype html>")
    (copy / "web" / "main.ts").write_text("export {};\n")
    digests = subprocess.run(["sha256sum", "web/main.ts"], cwd=copy, capture_output=True).stdout
    stamp = subprocess.run(["sha256sum"], input=digests, capture_output=True).stdout.split()[0]
    (copy / ".data").mkdir()
    (copy / ".data" / "ui.stamp").write_bytes(stamp + b"\n")
    yield copy
    shutil.rmtree(copy)


def ow(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENWATCH_")}
    return subprocess.run(
        [checkout / "ow", *arguments],
        cwd="/",
        env={**kept, "OPENWATCH_PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.ac("bootstrap-01")
def test_the_environment_is_made_once_and_again_when_a_lock_changes(
    checkout: Path, machine_clock: Clock
) -> None:
    first = ow(checkout, "build-ui")
    assert first.returncode == 0, first.stderr
    assert "making the environment" in first.stderr
    version = subprocess.run([checkout / ".venv/bin/openwatch", "--version"], capture_output=True)
    assert version.returncode == 0, version.stderr

    began = machine_clock()
    second = ow(checkout, "build-ui")
    assert (second.returncode, second.stderr) == (0, "")
    assert machine_clock() - began < 5

    lock = checkout / "requirements.lock"
    lock.write_text(lock.read_text() + "# changed\n")
    third = ow(checkout, "build-ui")
    assert third.returncode == 0, third.stderr
    assert "installing dependencies" in third.stderr
    assert "making the environment" not in third.stderr


@pytest.mark.ac("bootstrap-01")
def test_a_package_that_is_not_what_was_locked_is_refused(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    text = lock.read_text()
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", text))
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    try:
        done = ow(checkout, "build-ui")
    finally:
        lock.write_text(text)
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert "ash" in done.stderr


@pytest.mark.ac("bootstrap-01")
@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_the_locks_install_by_hash_and_name_no_registry(lock: Path, tmp_path: Path) -> None:
    assert "://" not in lock.read_text()
    uv = Path(sys.executable).parent / "uv"
    check = [uv, "pip", "install", "--dry-run", "--require-hashes", "-r", lock]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    done = subprocess.run(
        [*check, "--python", tmp_path / "v/bin/python"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_python_that_is_too_old_is_named(checkout: Path, tmp_path: Path) -> None:
    old = program(tmp_path / "python3.9", "exit 1")
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    done = ow(checkout, "build-ui", OPENWATCH_PYTHON=str(old))
    assert done.returncode == 1
    assert f"OPENWATCH_PYTHON={old} is not Python 3.11 or newer" in done.stderr


def test_a_python_that_cannot_make_environments_is_told_what_to_install(
    checkout: Path, tmp_path: Path
) -> None:
    bare = program(
        tmp_path / "python3",
        f'case "$*" in *ensurepip*venv*) exit 1;; esac; exec {sys.executable} "$@"',
    )
    tools = tmp_path / "tools"  # everything that ow needs, but no apt-get
    tools.mkdir()
    for name in ("sh", "dirname", "sha256sum", "cut", "cat", "id", "mkdir", "flock", "rm"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    done = ow(checkout, "build-ui", OPENWATCH_PYTHON=str(bare), PATH=str(tools))
    assert done.returncode == 1
    assert re.search(r"sudo apt install python3\.\d+-venv", done.stderr)


def test_a_command_that_does_not_exist_shows_those_that_do(checkout: Path) -> None:
    done = ow(checkout, "upp")
    assert done.returncode == 1
    assert "there is no command 'upp'" in done.stderr
    assert "build-ui" in done.stderr


def test_help_needs_no_environment(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    done = ow(checkout, "help")
    assert done.returncode == 0
    assert "./ow COMMAND" in done.stdout
    assert not (checkout / ".venv").exists()


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path

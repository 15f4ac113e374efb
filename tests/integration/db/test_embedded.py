"""The embedded server for real: every test has its own data directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from openwatch.db import embedded
from openwatch.db.cluster import SERVER_USERS, locate
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings
from tests.fixtures.machine import Clock

ENSURE = """
import sys
from pathlib import Path
from openwatch.db import embedded
from openwatch.kit.settings import Settings
print(embedded.start(Settings(data_dir=Path(sys.argv[1])), durable=False))
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: changes users and mounts")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="openwatch-embedded-"))
    yield folder
    clean_up(folder)


def clean_up(folder: Path) -> None:
    settings = Settings(data_dir=folder)
    embedded.stop(settings)
    home = locate(folder)[0].home
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path) -> embedded.Server:
    return embedded.start(Settings(data_dir=folder), durable=False)


def ask(server: embedded.Server, query: str) -> object:
    with psycopg.connect(server.uri, autocommit=True) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None


def postmaster(folder: Path) -> int:
    pid_file = locate(folder)[0].data / "postmaster.pid"
    return int(pid_file.read_text().splitlines()[0])


@pytest.mark.ac("bootstrap-03")
def test_start_stop_and_start_again_keeps_the_data(data_dir: Path) -> None:
    first = start(data_dir)
    assert first.started
    with psycopg.connect(first.uri, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert not start(data_dir).started
    assert embedded.stop(Settings(data_dir=data_dir))
    assert not embedded.is_running(Settings(data_dir=data_dir))
    assert not embedded.stop(Settings(data_dir=data_dir))
    assert ask(start(data_dir), "SELECT answer FROM kept") == 42


def test_nothing_listens_on_the_network_and_nobody_else_enters(data_dir: Path) -> None:
    server = start(data_dir)
    assert ask(server, "SHOW listen_addresses") == ""
    assert ask(server, "SELECT current_setting('server_version_num')::int >= 150000") is True
    folder = locate(data_dir)[0].socket_folder
    assert folder.stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        psycopg.connect(server.uri.replace("//openwatch@", "//postgres@"))


def test_processes_that_start_together_make_one_server(data_dir: Path) -> None:
    command = [sys.executable, "-c", ENSURE, str(data_dir)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert sum("started=True" in answer for answer in answers) == 1


@pytest.mark.ac("bootstrap-04")
def test_a_killed_server_comes_back_with_what_was_committed(data_dir: Path) -> None:
    server = embedded.start(Settings(data_dir=data_dir))
    with psycopg.connect(server.uri, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postmaster(data_dir), signal.SIGKILL)
    again = start(data_dir)
    assert again.started
    assert ask(again, "SELECT answer FROM kept") == 42


def test_a_creation_that_was_cut_short_starts_over(data_dir: Path) -> None:
    home = locate(data_dir)[0].home
    half_made = home / "data.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    assert ask(start(data_dir), "SELECT 1") == 1


@pytest.mark.ac("bootstrap-05")
def test_a_path_too_long_for_a_socket_works(data_dir: Path) -> None:
    deep = data_dir / ("long folder's name " * 8) / "data"
    deep.parent.mkdir()
    data_dir.chmod(0o711)
    deep.parent.chmod(0o711)
    try:
        server = start(deep)
        assert len(str(deep)) > 120
        assert ask(server, "SELECT 1") == 1
    finally:
        clean_up(deep)


def test_a_path_that_the_programs_cannot_quote_is_refused(data_dir: Path) -> None:
    with pytest.raises(OpenWatchError) as caught:
        start(data_dir / "a$b")
    assert caught.value.code == "db.not_writable"


def test_data_of_another_major_version_is_not_touched(data_dir: Path) -> None:
    start(data_dir)
    embedded.stop(Settings(data_dir=data_dir))
    version_file = locate(data_dir)[0].data / "PG_VERSION"
    version = version_file.read_text()
    version_file.write_text("9\n")
    with pytest.raises(OpenWatchError) as caught:
        start(data_dir)
    assert caught.value.code == "db.version_mismatch"
    assert "PostgreSQL 9" in caught.value.message
    version_file.write_text(version)
    assert ask(start(data_dir), "SELECT 1") == 1


def test_programs_that_are_missing_are_said(data_dir: Path) -> None:
    with pytest.raises(OpenWatchError) as caught:
        embedded.start(Settings(data_dir=data_dir, postgres_bin=data_dir / "nothing"))
    assert caught.value.code == "db.no_binaries"


def test_a_server_that_cannot_start_says_why_and_where_to_read_on(data_dir: Path) -> None:
    start(data_dir)
    embedded.stop(Settings(data_dir=data_dir))
    cluster = locate(data_dir)[0]
    (cluster.data / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(OpenWatchError) as caught:
        start(data_dir)
    assert caught.value.code == "db.start_failed"
    assert "pg_control" in caught.value.message
    shutil.rmtree(cluster.data)


@needs_root
def test_a_full_disk_is_said_before_and_while_the_data_is_made(data_dir: Path) -> None:
    for size, code in (("100m", "db.disk_full"), ("300m", "db.disk_full")):
        disk = data_dir / size
        disk.mkdir()
        data_dir.chmod(0o711)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "none", disk], check=True
        )
        try:
            if size == "300m":
                start(disk)
                embedded.stop(Settings(data_dir=disk))
                fill(disk)
            with pytest.raises(OpenWatchError) as caught:
                start(disk)
            assert caught.value.code == code
            assert "MB" in caught.value.message
        finally:
            subprocess.run(["umount", disk], check=True)


def fill(disk: Path) -> None:
    left = shutil.disk_usage(disk).free
    with (disk / "filler").open("wb") as file:
        file.write(bytes(left - (1 << 20)))


@needs_root
@pytest.mark.ac("bootstrap-06")
def test_root_with_a_closed_home_gets_a_database_elsewhere_and_is_told() -> None:
    closed = Path(tempfile.mkdtemp(prefix="openwatch-closed-"))
    data_dir = closed / "data"
    told: list[str] = []
    try:
        server = embedded.start(Settings(data_dir=data_dir), durable=False, notice=told.append)
        assert ask(server, "SELECT 1") == 1
        assert any("/var/lib/openwatch" in text for text in told)
        assert closed.stat().st_mode & 0o777 == 0o700
        assert not start(data_dir).started
    finally:
        clean_up(data_dir)
        shutil.rmtree(closed)


@needs_root
def test_the_server_of_root_runs_as_a_system_user(data_dir: Path) -> None:
    start(data_dir)
    status = Path(f"/proc/{postmaster(data_dir)}/status").read_text()
    uid = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert uid != "0"
    assert locate(data_dir)[0].user.name in SERVER_USERS


@needs_root
def test_its_environment_is_clean(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENWATCH_DATABASE_URL", "postgresql://u:hunter2@x/y")
    start(data_dir)
    environment = Path(f"/proc/{postmaster(data_dir)}/environ").read_bytes()
    assert b"hunter2" not in environment


def test_starting_a_running_server_is_quick(data_dir: Path, machine_clock: Clock) -> None:
    start(data_dir)
    before = machine_clock()
    start(data_dir)
    assert machine_clock() - before < 2.0

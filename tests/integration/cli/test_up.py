"""`openwatch up` for real: start, trouble, stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from openwatch.db import embedded, migrate
from openwatch.kit.settings import Settings
from tests.fixtures.machine import Clock
from tests.fixtures.running import Place, Running

PASSWORD = "plum-Tractor-veil-93"

pytestmark = pytest.mark.timeout(240)


def processes_naming(folder: Path) -> list[str]:
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.ac("bootstrap-02", "bootstrap-15")
def test_first_run_from_start_to_stop_and_again(place: Place, machine_clock: Clock) -> None:
    first = place.up()
    first.wait_until_ready()
    link = re.search(r"http://127\.0\.0\.1:\d+/setup#token=(\S+)", first.wait_for_line("#token="))
    assert link
    assert re.search(r"database +ready \(\d+\.\d s\)", first.output)

    other = place.up()
    assert other.wait() == 2
    assert f"process {first.process.pid}" in other.output
    assert "Traceback" not in other.output

    setup = {"token": link[1], "username": "ada", "display_name": "Ada", "password": PASSWORD}
    assert first.request("POST", "/api/v1/setup", setup)[0] == 201
    children = first.children()
    assert set(children) == {"serve", "worker"}

    assert first.stop() == 0
    assert all(is_gone(pid) for pid in children.values())
    assert processes_naming(place.data_dir) == []

    began = machine_clock()
    second = place.up()
    second.wait_until_ready()
    assert machine_clock() - began < 20
    assert "#token=" not in second.output
    assert second.request("POST", "/api/v1/session", {"username": "ada", "password": PASSWORD})[
        0
    ] in {200, 201}
    assert second.stop(signal.SIGTERM) == 0


@pytest.mark.ac("bootstrap-14")
def test_the_password_file_makes_the_administrator(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    running = place.up(admin_password_file=str(secret), admin_username="root-of-all")
    running.wait_until_ready()
    assert "#token=" not in running.output
    assert PASSWORD not in running.output
    login = {"username": "root-of-all", "password": PASSWORD}
    assert running.request("POST", "/api/v1/session", login)[0] == 201
    for log in (place.data_dir / "log").iterdir():
        assert PASSWORD not in log.read_text()


def test_a_password_file_that_is_missing_is_one_sentence(place: Place) -> None:
    running = place.up(admin_password_file="/nonexistent/password")
    assert running.wait() == 2
    assert "cannot be read from /nonexistent/password" in running.output
    assert "Traceback" not in running.output
    assert processes_naming(place.data_dir) == []


@pytest.mark.ac("bootstrap-09")
def test_what_is_killed_comes_back(place: Place) -> None:
    running = place.up()
    running.wait_until_ready()
    before = running.children()

    os.kill(before["serve"], signal.SIGKILL)
    running.wait_for_line("the API was ended by SIGKILL; starting it again in 1 s")
    wait_until(lambda: running.children().get("serve") not in {None, before["serve"]})

    os.kill(before["worker"], signal.SIGKILL)
    running.wait_for_line("the worker was ended by SIGKILL; starting it again in 1 s")
    wait_until(lambda: running.children().get("worker") not in {None, before["worker"]})

    settings = Settings(data_dir=place.data_dir)
    os.kill(postmaster(place), signal.SIGKILL)
    running.wait_for_line("the database has gone; starting it again")
    wait_until(lambda: embedded.is_running(settings))
    wait_until(lambda: answers(running))
    assert running.stop() == 0


@pytest.mark.ac("bootstrap-09")
def test_a_killed_supervisor_leaves_nothing_that_the_next_start_does_not_adopt(
    place: Place,
) -> None:
    first = place.up()
    first.wait_until_ready()
    children = first.children()
    first.process.kill()
    first.process.wait()
    wait_until(lambda: all(is_gone(pid) for pid in children.values()))
    second = place.up()
    second.wait_until_ready()
    assert second.stop() == 0
    assert processes_naming(place.data_dir) == []


@pytest.mark.ac("bootstrap-10")
def test_a_reachable_address_answers_tls_only(place: Place) -> None:
    running = place.up(host="0.0.0.0")
    running.scheme = "https"
    running.wait_until_ready()
    running.wait_for_line("certificate self-signed, SHA-256 ")
    with socket.create_connection(("127.0.0.1", place.port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(1000)
    assert running.stop() == 0


@pytest.mark.ac("bootstrap-07")
def test_an_external_server_is_used_and_none_is_started(
    place: Place, fresh_database_url: str
) -> None:
    running = place.up(database_url=fresh_database_url)
    running.wait_until_ready()
    assert "external, as OPENWATCH_DATABASE_URL says" in running.output
    assert running.stop() == 0
    assert not (place.data_dir / "postgres").exists()
    assert migrate.current_revision(fresh_database_url) == migrate.head()


@pytest.mark.ac("bootstrap-07")
def test_an_external_server_that_is_away_is_one_sentence_without_the_password(
    place: Place,
) -> None:
    running = place.up(database_url="postgresql://ow:hunter2@127.0.0.1:1/openwatch")
    assert running.wait() == 2
    assert "The database cannot be reached" in running.output
    assert "hunter2" not in running.output
    assert "Traceback" not in running.output


@pytest.mark.ac("bootstrap-15")
def test_a_port_that_is_taken_is_said_before_anything_starts(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        running = place.up()
        assert running.wait() == 2
    assert f"Port {place.port} on 127.0.0.1 is in use" in running.output
    assert not (place.data_dir / "postgres").exists()


@pytest.mark.ac("bootstrap-11")
def test_a_key_that_others_can_read_stops_the_start(place: Place) -> None:
    keys = place.data_dir / "keys"
    keys.mkdir(mode=0o700)
    place.data_dir.chmod(0o711)
    (keys / "master.json").write_text("{}")
    (keys / "master.json").chmod(0o644)
    running = place.up()
    assert running.wait() == 2
    assert "can be read by others (mode 0644)" in running.output
    assert "Traceback" not in running.output


def test_told_to_stop_while_it_starts_it_stops_clean(place: Place) -> None:
    running = place.up()
    running.wait_for_line("schema")
    assert running.stop() == 0
    assert processes_naming(place.data_dir) == []


def postmaster(place: Place) -> int:
    pid_file = place.data_dir / "postgres" / "data" / "postmaster.pid"
    return int(pid_file.read_text().splitlines()[0])


def answers(running: Running) -> bool:
    try:
        return running.get("/readyz")[0] == 200
    except OSError:
        return False

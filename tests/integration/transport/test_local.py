"""This machine as a host, with real processes; sudo is a stand-in that behaves like it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import uvloop

from openwatch.engine.transport import (
    AcceptNew,
    PrivilegeMode,
    Stream,
    Transport,
    connect_local,
    connect_ssh,
    local,
)
from openwatch.kit.errors import OpenWatchError
from tests.integration.transport.conftest import OwnSshd

PASSWORD = "canary-Pa55word"


async def run(
    transport: Transport, program: bytes, *, privileged: bool = False
) -> tuple[int, bytes, bytes]:
    received = {Stream.OUT: b"", Stream.ERR: b""}

    def receive(stream: Stream, data: bytes) -> None:
        received[stream] += data

    status = await transport.run(program, privileged=privileged, receive=receive)
    return status, received[Stream.OUT], received[Stream.ERR]


@pytest.mark.ac("transports-26")
async def test_a_program_runs_on_this_machine() -> None:
    transport = connect_local()
    assert transport.name == "local"
    program = b"echo out; echo err >&2; exit 3\n"
    assert await run(transport, program) == (3, b"out\n", b"err\n")
    assert transport.traffic.round_trips == 1
    assert await run(transport, b"kill -9 $$\n") == (137, b"", b"")
    await transport.aclose()


@pytest.mark.ac("transports-26")
@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
async def test_root_is_found() -> None:
    transport = connect_local()
    assert await run(transport, b"id -u\n", privileged=True) == (0, b"0\n", b"")
    assert transport.privilege is PrivilegeMode.ROOT


@pytest.mark.ac("transports-20")
async def test_our_own_environment_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENWATCH_DATABASE_URL", f"postgresql://u:{PASSWORD}@db/x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    _, out, _ = await run(connect_local(), b"env\n")
    assert PASSWORD not in out.decode()
    assert b"PYTHONPATH" not in out
    assert b"PATH=" in out


SUDO = """#!/bin/sh
# Behaves like sudo: asks on stderr, reads one line of stdin, three tries.
echo "$*" >>{log}
prompt= quiet=
while [ "$1" != -- ]; do
  case $1 in -n) quiet=1 ;; -p) prompt=$2; shift ;; esac
  shift
done
shift
[ {nopasswd} ] && exec "$@"
[ "$quiet" ] && {{ echo 'sudo: a password is required' >&2; exit 1; }}
for try in 1 2 3; do
  printf %s "$prompt" >&2
  IFS= read -r line || {{ echo 'sudo: no password was provided' >&2; exit 1; }}
  [ "$line" = {password} ] && exec "$@"
  echo "tried $line" >>{log}
  echo 'Sorry, try again.' >&2
done
echo 'sudo: 3 incorrect password attempts' >&2
exit 1
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make us a user who is not root; gives the file that the stand-in for sudo writes."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(local, "_PATH", f"{programs}:/usr/bin:/bin")
    install(programs / "id", "#!/bin/sh\necho 1000\n")
    return tmp_path / "log"


def install(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def install_sudo(log: Path, *, nopasswd: bool = False) -> None:
    text = SUDO.format(log=log, nopasswd="x" if nopasswd else '""', password=PASSWORD)
    install(log.parent / "bin" / "sudo", text)


@pytest.mark.ac("transports-26")
async def test_sudo_without_a_password(log: Path) -> None:
    install_sudo(log, nopasswd=True)
    transport = connect_local(sudo_password=PASSWORD)
    for _ in range(2):
        assert await run(transport, b"cat; echo x\n", privileged=True) == (0, b"x\n", b"")
    assert transport.privilege is PrivilegeMode.SUDO
    assert PASSWORD not in log.read_text()


@pytest.mark.ac("transports-26")
async def test_sudo_with_a_password(log: Path) -> None:
    install_sudo(log)
    transport = connect_local(sudo_password=PASSWORD)
    for _ in range(2):
        assert await run(transport, b"cat; echo x\n", privileged=True) == (0, b"x\n", b"")
    assert transport.privilege is PrivilegeMode.SUDO_PASSWORD
    assert PASSWORD not in log.read_text()


@pytest.mark.ac("transports-12")
async def test_a_wrong_password_reaches_sudo_once_and_the_program_never(log: Path) -> None:
    install_sudo(log)
    transport = connect_local(sudo_password="canary-wrong")
    for _ in range(2):
        with pytest.raises(OpenWatchError) as caught:
            await run(transport, b"echo program\n", privileged=True)
        assert caught.value.code == "privilege.password_rejected"
        assert "canary" not in str(caught.value)
    assert log.read_text().count("tried canary-wrong") == 1
    assert "echo program" not in log.read_text()


@pytest.mark.ac("transports-15")
async def test_no_password_and_no_sudo_are_told_apart(log: Path) -> None:
    if shutil.which("sudo") is None:
        with pytest.raises(OpenWatchError) as caught:
            await run(connect_local(), b"true\n", privileged=True)
        assert caught.value.code == "privilege.sudo_missing"
    install_sudo(log)
    with pytest.raises(OpenWatchError) as caught:
        await run(connect_local(), b"true\n", privileged=True)
    assert caught.value.code == "privilege.password_required"


# Hosts of the lab and other test runs have processes on this machine, too.
OURS = f"/nonexistent/{os.getpid()}"


async def running(arguments: str) -> str:
    found = await asyncio.to_thread(
        subprocess.run, ["pgrep", "-f", arguments], capture_output=True, text=True, check=False
    )
    return found.stdout


async def wait_until_ended(arguments: str) -> None:
    async with asyncio.timeout(20):
        while await running(arguments):
            await asyncio.sleep(0.05)


@pytest.mark.ac("transports-18")
async def test_a_program_past_its_deadline_is_ended_with_all_its_children() -> None:
    transport = connect_local()
    with pytest.raises(OpenWatchError) as caught:
        await transport.run(
            f"tail -f /dev/null {OURS} & tail -f /dev/null {OURS}\n".encode(),
            privileged=False,
            receive=lambda stream, data: None,
            deadline=0.3,
        )
    assert caught.value.code == "host.command_timeout"
    await wait_until_ended(f"^tail -f /dev/null {OURS}")


@pytest.mark.ac("transports-17")
async def test_a_flood_is_stopped() -> None:
    class EnoughError(Exception):
        pass

    def receive(stream: Stream, data: bytes) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        await connect_local().run(
            f"exec cat /dev/zero {OURS}\n".encode(), privileged=False, receive=receive
        )
    await wait_until_ended(f"^cat /dev/zero {OURS}")


async def test_closing_ends_what_runs() -> None:
    transport = connect_local()
    program = f"exec cat /dev/zero {OURS}\n".encode()
    task = asyncio.create_task(run(transport, program))
    while not await running(f"^cat /dev/zero {OURS}"):
        await asyncio.sleep(0.05)
    await transport.aclose()
    with pytest.raises(OpenWatchError):
        await task
    await wait_until_ended(f"^cat /dev/zero {OURS}")


def test_uvloop_serves_as_well(own_sshd: OwnSshd) -> None:
    """The API and the worker run on it."""

    async def both() -> None:
        remote = await connect_ssh(own_sshd.target(), host_keys=AcceptNew())
        for transport in (connect_local(), remote):
            assert await run(transport, b"cat; echo a; exit 4\n") == (4, b"a\n", b"")
            with pytest.raises(OpenWatchError) as caught:
                await transport.run(
                    b"sleep 30\n", privileged=False, receive=lambda stream, data: None, deadline=0.2
                )
            assert caught.value.code == "host.command_timeout"
            await transport.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both())

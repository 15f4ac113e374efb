"""Simulated hosts: what they play, and what each fault looks like to a client."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.record import RecordingTransport
from lab.sim import Fault, Recording, SimFleet, SimHost, SudoSays, sim_fleet
from lab.sim.faults import AnyFault
from openwatch.engine.collector import collect
from openwatch.engine.facts import Fact, Request
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.system import Kernel
from openwatch.engine.transport import (
    AcceptNew,
    Deadlines,
    KnownHostsFile,
    Login,
    PrivilegeMode,
    PrivilegeProblem,
    Target,
    Transport,
    connect_local,
    connect_ssh,
)
from openwatch.kit.errors import OpenWatchError

ROOT = Path(__file__).parents[2]
KERNEL = Request("kernel")
OS_RELEASE = Request("os_release")
HASTY = Deadlines(
    connect=2.0, handshake=1.5, command=2.0, keepalive_interval=0.5, keepalive_count=2
)


@asynccontextmanager
async def connected(
    fleet: SimFleet, host: SimHost, *, username: str = "scan", sudo_password: str | None = None
) -> AsyncIterator[Transport]:
    login = Login(username, private_key=fleet.user_key, sudo_password=sudo_password)
    transport = await connect_ssh(
        Target(host.address, port=host.port, login=login),
        host_keys=KnownHostsFile(fleet.known_hosts, accept_new=False),
        deadlines=HASTY,
    )
    try:
        yield transport
    finally:
        await transport.aclose()


async def ask(
    fleet: SimFleet,
    host: SimHost,
    *,
    username: str = "scan",
    sudo_password: str | None = None,
    requests: tuple[Request, ...] = (KERNEL,),
) -> tuple[Fact, ...]:
    async with connected(fleet, host, username=username, sudo_password=sudo_password) as transport:
        return await collect(transport, requests, privileged=True)


def kernel(facts: tuple[Fact, ...]) -> Kernel:
    return next(PROBES["kernel"].read(fact) for fact in facts if fact.request == KERNEL)


async def code_of(fault: AnyFault) -> str:
    """The error that a client of a host with this fault gets."""
    async with sim_fleet(1, faults={0: fault}) as fleet:
        with pytest.raises(OpenWatchError) as error:
            await ask(fleet, fleet.hosts[0])
        return error.value.code


@pytest.mark.ac("lab-11")
async def test_every_host_has_its_own_address_key_and_identity() -> None:
    async with sim_fleet(20) as fleet:
        answers = await asyncio.gather(*(ask(fleet, host) for host in fleet.hosts))
        identities = [kernel(facts) for facts in answers]
        assert {one.hostname for one in identities} == {f"sim{i}" for i in range(20)}
        assert len({one.machine_id for one in identities}) == 20
        assert len({host.host_key for host in fleet.hosts}) == 20
        assert len(set(fleet.addresses)) == 20
        assert all(host.tally.programs == 1 for host in fleet.hosts)


@pytest.mark.ac("lab-11")
async def test_a_recording_answers_later_scans_with_other_nonces(tmp_path: Path) -> None:
    recorder = RecordingTransport(connect_local())
    asked = (KERNEL, OS_RELEASE)
    original = await collect(recorder, asked, privileged=False)
    path = tmp_path / "local.recording"
    recorder.recording.write(path)
    assert Recording.read(path) == recorder.recording
    async with sim_fleet(2, recording=path) as fleet:
        async with connected(fleet, fleet.hosts[1]) as transport:
            played = await collect(transport, asked, privileged=False)
        by_request = {fact.request: fact for fact in played}
        for fact in original:
            if fact.request == OS_RELEASE:
                assert by_request[OS_RELEASE].output == fact.output
        assert kernel(played).hostname == "sim1"
        assert kernel(played).release == kernel(original).release


@pytest.mark.ac("lab-11")
async def test_a_program_without_a_recording_fails_loudly() -> None:
    async with sim_fleet(1, recording=Recording()) as fleet:
        with pytest.raises(OpenWatchError) as error:
            await ask(fleet, fleet.hosts[0])
        assert error.value.code == "host.not_understood"


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"hello")
    with pytest.raises((ValueError, OSError)):
        Recording.read(path)


@pytest.mark.ac("lab-11")
async def test_once_executes_a_program_once_and_local_each_time(tmp_path: Path) -> None:
    counter = tmp_path / "runs"
    program = f"echo x >>{counter}; echo done\n".encode()

    async def run_on_all(fleet: SimFleet) -> None:
        for host in fleet.hosts:
            async with connected(fleet, host) as transport:
                status = await transport.run(program, privileged=False, receive=lambda *_: None)
                assert status == 0

    async with sim_fleet(3) as fleet:
        await run_on_all(fleet)
    assert counter.read_text() == "x\n"
    async with sim_fleet(3, recording="local") as fleet:
        await run_on_all(fleet)
    assert counter.read_text() == "x\n" * 4


@pytest.mark.ac("lab-11")
@pytest.mark.parametrize(
    ("username", "sudo_asks", "mode"),
    [
        ("root", True, PrivilegeMode.ROOT),
        ("scan", False, PrivilegeMode.SUDO),
        ("scan", True, PrivilegeMode.SUDO_PASSWORD),
    ],
)
async def test_every_way_to_root_is_played(
    username: str, sudo_asks: bool, mode: PrivilegeMode
) -> None:
    async with (
        sim_fleet(1, sudo_asks=sudo_asks) as fleet,
        connected(
            fleet, fleet.hosts[0], username=username, sudo_password=fleet.password
        ) as transport,
    ):
        await collect(transport, [KERNEL], privileged=True)
        assert transport.privilege is mode


@pytest.mark.ac("lab-11")
async def test_a_simulated_host_can_be_a_jump_host() -> None:
    async with sim_fleet(2) as fleet:
        login = Login("scan", private_key=fleet.user_key)
        jump, behind = (Target(host.address, port=host.port, login=login) for host in fleet.hosts)
        target = Target(behind.address, port=behind.port, login=login, jump=(jump,))
        transport = await connect_ssh(target, host_keys=AcceptNew())
        try:
            facts = await collect(transport, [KERNEL], privileged=True)
        finally:
            await transport.aclose()
        assert kernel(facts).hostname == "sim1"
        assert [host.tally.connections for host in fleet.hosts] == [1, 1]


@pytest.mark.ac("lab-12")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.MUTE(), "host.not_ssh"),
        (Fault.NOT_SSH(), "host.not_ssh"),
        (Fault.RESET(), "host.handshake_failed"),
        (Fault.OLD_CRYPTO(), "host.handshake_failed"),
        (Fault.WRONG_KEY(), "host.key_changed"),
        (Fault.AUTH_REFUSED(), "auth.rejected"),
        (Fault.NO_SHELL(), "host.no_shell"),
        (Fault.DROP(64), "host.lost"),
        (Fault.HANG(), "host.command_timeout"),
        (Fault.GARBAGE(), "host.not_understood"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
async def test_a_fault_is_seen_as_what_it_is(fault: AnyFault, code: str) -> None:
    assert await code_of(fault) == code


@pytest.mark.ac("lab-12")
@pytest.mark.parametrize("says", SudoSays.ALL)
async def test_sudo_is_in_the_way(says: str) -> None:
    assert set(SudoSays.ALL) == {problem.value for problem in PrivilegeProblem}
    async with sim_fleet(1, faults={0: Fault.SUDO(says)}) as fleet:
        password = fleet.password if says == SudoSays.PASSWORD_REJECTED else None
        with pytest.raises(OpenWatchError) as error:
            await ask(fleet, fleet.hosts[0], sudo_password=password)
        assert error.value.code == f"privilege.{says}"


@pytest.mark.ac("lab-12")
async def test_a_wrong_sudo_password_is_rejected() -> None:
    async with sim_fleet(1, sudo_asks=True) as fleet:
        with pytest.raises(OpenWatchError) as error:
            await ask(fleet, fleet.hosts[0], sudo_password="wrong")
        assert error.value.code == "privilege.password_rejected"


@pytest.mark.ac("lab-12")
async def test_start_up_noise_is_not_part_of_the_answer() -> None:
    async with sim_fleet(2, faults={1: Fault.MOTD()}) as fleet:
        quiet, noisy = [await ask(fleet, host) for host in fleet.hosts]
        assert kernel(noisy).release == kernel(quiet).release


@pytest.mark.ac("lab-12")
async def test_a_flood_is_cut_off_long_before_its_end() -> None:
    async with sim_fleet(1, faults={0: Fault.FLOOD()}) as fleet:
        host = fleet.hosts[0]
        with pytest.raises(OpenWatchError) as error:
            await ask(fleet, host)
        assert error.value.code == "host.output_limit"
        assert host.tally.bytes_sent < 200 * 1024 * 1024


@pytest.mark.ac("lab-12")
async def test_a_slow_host_answers_in_its_time() -> None:
    async with sim_fleet(1, faults={0: Fault.SLOW(0.5)}) as fleet:
        started = time.monotonic()
        await ask(fleet, fleet.hosts[0])
        assert time.monotonic() - started >= 0.5


@pytest.mark.ac("lab-12")
async def test_a_stopped_host_refuses() -> None:
    async with sim_fleet(1) as fleet:
        await fleet.hosts[0].stop()
        with pytest.raises(OpenWatchError) as error:
            await ask(fleet, fleet.hosts[0])
        assert error.value.code == "host.refused"


@pytest.mark.ac("lab-12")
async def test_a_fault_can_come_and_go_and_keys_change() -> None:
    async with sim_fleet(1) as fleet:
        host = fleet.hosts[0]
        await ask(fleet, host)
        host.fault = Fault.AUTH_REFUSED()
        with pytest.raises(OpenWatchError, match="did not let scan in"):
            await ask(fleet, host)
        host.fault = None
        await ask(fleet, host)
        host.rekey()
        with pytest.raises(OpenWatchError, match="has changed"):
            await ask(fleet, host)


@pytest.mark.ac("lab-12")
async def test_only_the_faulty_hosts_of_a_fleet_fail() -> None:
    faults = {2: Fault.AUTH_REFUSED(), 5: Fault.DROP(10), 7: Fault.WRONG_KEY()}
    async with sim_fleet(10, faults=faults, latency=0.01) as fleet:
        asked = (ask(fleet, host) for host in fleet.hosts)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        failed = {
            index: answer.code
            for index, answer in enumerate(answers)
            if isinstance(answer, OpenWatchError)
        }
        assert failed == {2: "auth.rejected", 5: "host.lost", 7: "host.key_changed"}


@pytest.mark.ac("lab-13")
async def test_a_fleet_has_the_latency_it_was_given() -> None:
    async with sim_fleet(1, latency=0.05) as fleet:
        started = time.monotonic()
        await ask(fleet, fleet.hosts[0])
        assert time.monotonic() - started > 0.25


async def test_a_fleet_of_no_hosts_is_refused() -> None:
    with pytest.raises(LabError, match="1 to"):
        async with sim_fleet(0):
            pass


@pytest.mark.ac("lab-11")
async def test_a_fleet_can_run_in_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab", "sim", "3"), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        inventory = json.loads(await process.stdout.readline())
        host = inventory["hosts"][2]
        login = Login("scan", private_key=Path(inventory["key"]).read_text())
        transport = await connect_ssh(
            Target(host["address"], port=host["port"], login=login),
            host_keys=KnownHostsFile(Path(inventory["known_hosts"]), accept_new=False),
        )
        try:
            facts = await collect(transport, [KERNEL], privileged=True)
        finally:
            await transport.aclose()
        assert kernel(facts).hostname == "sim2"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert not Path(inventory["key"]).exists()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

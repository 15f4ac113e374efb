"""OpenSSH's own server and agent on this machine; needs no root."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from lab.wan import wan
from openwatch.engine.facts import Request
from openwatch.engine.scan import take_snapshot
from openwatch.engine.transport import (
    AcceptNew,
    PrivilegeMode,
    Step,
    Stream,
    Target,
    connect_ssh,
    read_identity,
    test_connection,
)
from openwatch.engine.transport.host_keys import KnownHostsFile
from openwatch.kit.errors import OpenWatchError
from tests.integration.transport.conftest import Agent, OwnSshd, keygen, new_key
from tests.integration.transport.servers import ADDRESS, PASSWORD, ssh
from tests.ports import reserved_port


async def who(target: Target) -> str:
    """The user that a program runs as."""
    received: list[bytes] = []
    transport = await connect_ssh(target, host_keys=AcceptNew())
    try:
        await transport.run(
            b"id -un\n", privileged=False, receive=lambda stream, data: received.append(data)
        )
    finally:
        await transport.aclose()
    return b"".join(received).decode().strip()


async def code(target: Target) -> str:
    with pytest.raises(OpenWatchError) as caught:
        await who(target)
    return caught.value.code


async def test_a_key_logs_in_and_programs_run_one_after_the_other(own_sshd: OwnSshd) -> None:
    transport = await connect_ssh(own_sshd.target(), host_keys=AcceptNew())
    for number in range(5):
        received: list[tuple[Stream, bytes]] = []
        status = await transport.run(
            f"echo {number}; exit {number}\n".encode(),
            privileged=False,
            receive=lambda stream, data, to=received: to.append((stream, data)),
        )
        assert status == number
        assert received == [(Stream.OUT, f"{number}\n".encode())]
    assert transport.traffic.round_trips == 5
    await transport.aclose()


@pytest.mark.ac("transports-02")
async def test_a_certificate_logs_in_where_the_key_alone_does_not(
    own_sshd: OwnSshd, tmp_path: Path
) -> None:
    key = new_key(tmp_path / "cert")
    plain = read_identity(key)
    assert await code(own_sshd.target(private_key=plain.private_key)) == "auth.rejected"
    authority = own_sshd.directory / "ca"
    keygen("-s", authority, "-I", "test", "-n", own_sshd.username, f"{key}.pub")
    beside = read_identity(key)
    certified = own_sshd.target(private_key=beside.private_key, certificate=beside.certificate)
    assert await who(certified) == own_sshd.username


@pytest.mark.ac("transports-24")
async def test_nothing_of_the_person_s_own_set_up_is_used(
    own_sshd: OwnSshd, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.add(own_sshd.key)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
    monkeypatch.setenv("HOME", str(tmp_path))
    mine = tmp_path / ".ssh"
    mine.mkdir(mode=0o700)
    (mine / "id_ed25519").write_text(own_sshd.key.read_text())
    (mine / "config").write_text("Host *\n  Port 1\n  User nobody\n  ProxyCommand false\n")
    (mine / "known_hosts").write_text(f"@revoked * {own_sshd.host_key}")
    stranger = read_identity(new_key(tmp_path / "stranger")).private_key
    assert await who(own_sshd.target()) == own_sshd.username
    assert await code(own_sshd.target(private_key=stranger)) == "auth.rejected"
    assert await code(own_sshd.target(password=PASSWORD)) == "auth.rejected"


@pytest.mark.ac("transports-02")
async def test_an_agent_logs_in_when_it_is_asked_for(
    own_sshd: OwnSshd, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_agent = own_sshd.target(use_agent=True)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert await code(by_agent) == "credential.agent_unavailable"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "none"))
    assert await code(by_agent) == "credential.agent_unavailable"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
    assert await code(by_agent) == "credential.missing"
    agent.add(own_sshd.key)
    assert await who(by_agent) == own_sshd.username


async def test_a_missing_agent_does_no_harm_to_who_has_a_key(
    own_sshd: OwnSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    text = own_sshd.key.read_text()
    assert await who(own_sshd.target(use_agent=True, private_key=text)) == own_sshd.username


@pytest.mark.ac("transports-02")
async def test_a_full_agent_leaves_room_for_the_password(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.add(*(new_key(tmp_path / f"key{number}") for number in range(8)))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
    async with ssh(takes_keys=True) as server:
        target = server.target(use_agent=True, password=PASSWORD)
        await (await connect_ssh(target, host_keys=AcceptNew())).aclose()
        assert server.told.keys == 5
        assert server.told.passwords == [PASSWORD]


@pytest.mark.ac("transports-05")
async def test_a_chain_of_jump_hosts(own_sshd: OwnSshd) -> None:
    hop = own_sshd.target()
    assert await who(replace(hop, jump=(hop, hop))) == own_sshd.username


async def test_an_unknown_local_user_id_is_no_obstacle(
    own_sshd: OwnSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1_234_567)
    assert await who(own_sshd.target()) == own_sshd.username


# -- no more waits than there must be --------------------------------------------------------------


@pytest.fixture
def packets(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """The names of the packets that were sent (``>``) and received (``<``) so far."""
    caplog.set_level(logging.DEBUG, logger="asyncssh")
    asyncssh.set_debug_level(3)
    way = {"Sent": ">", "Received": "<"}

    def so_far() -> list[str]:
        found = (
            re.search(r"(Sent|Received) MSG_(\w+) \(", record.getMessage())
            for record in caplog.records
        )
        return [way[match[1]] + match[2] for match in found if match]

    yield so_far
    asyncssh.set_debug_level(1)


FAR = 0.3
"""Seconds of a round trip: what is sent without waiting is long sent when an answer arrives."""


@pytest.mark.ac("transports-28")
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
async def test_a_key_logs_in_without_a_question(
    own_sshd: OwnSshd, packets: Callable[[], list[str]], tmp_path: Path, kind: str
) -> None:
    key = new_key(tmp_path / kind, kind=kind)
    keys = own_sshd.directory / "authorized_keys"
    before = keys.read_text()
    keys.write_text(before + key.with_name(f"{kind}.pub").read_text())
    target = own_sshd.target(private_key=read_identity(key).private_key)
    try:
        async with wan(ADDRESS, own_sshd.port, latency=FAR) as far_end:
            far = replace(target, port=far_end.port)
            await (await connect_ssh(far, host_keys=AcceptNew())).aclose()
    finally:
        keys.write_text(before)
    seen = [name for name in packets() if name[1:] not in ("IGNORE", "DEBUG")]
    login = seen[seen.index(">SERVICE_REQUEST") : seen.index("<USERAUTH_SUCCESS") + 1]
    assert login.count(">USERAUTH_REQUEST") == 1
    assert "<USERAUTH_FAILURE" not in login
    # Of which kind an RSA signature may be, the server tells first.
    waits = login.index("<SERVICE_ACCEPT") < login.index(">USERAUTH_REQUEST")
    assert waits is (kind == "rsa")


@pytest.mark.ac("transports-27")
async def test_the_way_to_root_is_asked_for_while_another_program_runs(
    own_sshd: OwnSshd, packets: Callable[[], list[str]]
) -> None:
    """This server has place for one command: the second is refused, and asked for again later."""
    if os.getuid() != 0:
        pytest.skip("needs an account that may become root")
    received: list[bytes] = []
    transport = await connect_ssh(own_sshd.target(), host_keys=AcceptNew())
    transport.expect_privileged()
    for privileged in (False, True):
        await transport.run(
            b"sleep 0.2; id -u\n",
            privileged=privileged,
            receive=lambda stream, data: received.append(data),
        )
    assert b"".join(received) == b"0\n0\n"
    assert transport.privilege is PrivilegeMode.ROOT
    assert transport.traffic.round_trips == 2
    await transport.aclose()
    assert packets().count("<CHANNEL_OPEN_FAILURE") >= 1


async def test_a_server_with_place_for_one_command_is_looked_at_like_any_other(
    own_sshd: OwnSshd,
) -> None:
    transport = await connect_ssh(own_sshd.target(), host_keys=AcceptNew())
    transport.expect_privileged()
    try:
        snapshot, _ = await take_snapshot(transport, lambda _: [Request("passwd")])
    finally:
        await transport.aclose()
    assert snapshot.identity.hostname
    assert snapshot.facts["passwd"].could_not is None
    assert transport.traffic.round_trips == 2


# -- step by step ----------------------------------------------------------------------------------


def statuses(report: object) -> list[str]:
    return [result.status for result in report.steps]  # type: ignore[attr-defined]


@pytest.mark.ac("transports-25")
async def test_every_step_of_a_good_connection_is_told(own_sshd: OwnSshd) -> None:
    report = await test_connection(own_sshd.target(), host_keys=AcceptNew())
    assert [result.step for result in report.steps] == list(Step)
    assert report.host_key
    assert report.host_key.public_key in own_sshd.host_key
    by_step = {result.step: result for result in report.steps}
    assert ADDRESS in by_step[Step.RESOLVE].message
    assert report.host_key.fingerprint in by_step[Step.HOST_KEY].message
    assert own_sshd.username in by_step[Step.AUTHENTICATE].message
    assert statuses(report)[:4] == ["ok"] * 4
    assert by_step[Step.CONNECT].duration_ms > 0
    if os.getuid() == 0:
        assert report.ok
        assert report.privilege is PrivilegeMode.ROOT


@pytest.mark.ac("transports-25")
async def test_the_step_that_fails_is_told_apart(own_sshd: OwnSshd, tmp_path: Path) -> None:
    good = own_sshd.target()
    stranger = read_identity(new_key(tmp_path / "stranger")).private_key
    expected: list[tuple[Target, Step, str]] = [
        (replace(good, address="no-such-host.invalid"), Step.RESOLVE, "host.unresolvable"),
        (replace(good, port=reserved_port()), Step.CONNECT, "host.refused"),
        (own_sshd.target(private_key=stranger), Step.AUTHENTICATE, "auth.rejected"),
        (own_sshd.target(private_key="x"), Step.AUTHENTICATE, "credential.key_invalid"),
    ]
    for target, step, wanted in expected:
        report = await test_connection(target, host_keys=AcceptNew())
        failed = list(Step).index(step)
        before = "skipped" if wanted == "credential.key_invalid" else "ok"
        assert not report.ok
        assert statuses(report) == [before] * failed + ["failed"] + ["skipped"] * (4 - failed)
        result = report.steps[failed]
        assert result.code == wanted
        assert result.message
        assert result.fix
        assert all("jump" not in other.message for other in report.steps)


@pytest.mark.ac("transports-25")
async def test_an_unknown_host_key_is_shown_for_a_person_to_accept(
    own_sshd: OwnSshd, tmp_path: Path
) -> None:
    keys = KnownHostsFile(tmp_path / "known_hosts")
    report = await test_connection(own_sshd.target(), host_keys=keys)
    assert statuses(report) == ["ok", "ok", "failed", "skipped", "skipped"]
    assert report.steps[2].code == "host.key_unknown"
    assert report.host_key
    assert report.host_key.public_key in own_sshd.host_key


@pytest.mark.ac("transports-25")
async def test_behind_a_jump_host_the_name_is_looked_up_there(own_sshd: OwnSshd) -> None:
    hop = own_sshd.target()
    report = await test_connection(replace(hop, jump=(hop,)), host_keys=AcceptNew())
    assert statuses(report)[:4] == ["skipped", "ok", "ok", "ok"]
    lost = replace(hop, jump=(replace(hop, port=reserved_port()),))
    report = await test_connection(lost, host_keys=AcceptNew())
    assert statuses(report) == ["skipped", "failed", "skipped", "skipped", "skipped"]
    assert "jump host" in report.steps[1].message
    unknown = replace(hop, address="no-such-host.invalid", jump=(hop,))
    report = await test_connection(unknown, host_keys=AcceptNew())
    assert statuses(report) == ["failed", "skipped", "skipped", "skipped", "skipped"]
    assert "jump host" in report.steps[0].message

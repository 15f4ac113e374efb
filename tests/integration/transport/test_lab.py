"""Real Debian hosts: every kind of account, log-in and sudo, and what cuts a connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from lab.host import reload_sshd
from lab.session import LabHost, LabSession
from openwatch.engine.transport import (
    AcceptNew,
    Deadlines,
    KnownHostsFile,
    Login,
    PrivilegeMode,
    Stream,
    Target,
    Transport,
    connect_ssh,
    host_key,
    read_identity,
    test_connection,
)
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.machine import Clock

WHO = b"id -un\n"
MOST_LOOKS = 200
SYSTEMD_SUITES = ("bookworm", "trixie", "bullseye")


@dataclass
class Output:
    """What a program printed."""

    chunks: list[tuple[Stream, bytes]] = field(default_factory=list[tuple[Stream, bytes]])

    def receive(self, stream: Stream, data: bytes) -> None:
        self.chunks.append((stream, data))

    def of(self, stream: Stream) -> bytes:
        return b"".join(data for of, data in self.chunks if of is stream)

    @property
    def out(self) -> bytes:
        return self.of(Stream.OUT)

    @property
    def err(self) -> bytes:
        return self.of(Stream.ERR)


def key_of(lab: LabSession) -> str:
    # Starting a host makes the keys.
    return read_identity(lab.key_path).private_key


def target(lab: LabSession, host: LabHost, username: str, **login: object) -> Target:
    """A target that logs in with the lab's key unless ``login`` says otherwise."""
    how = login or {"private_key": key_of(lab)}
    return Target(host.address, port=host.port, login=Login(username, **how))  # type: ignore[arg-type]


@asynccontextmanager
async def connected(
    lab: LabSession, to: Target, *, deadlines: Deadlines | None = None
) -> AsyncIterator[Transport]:
    keys = KnownHostsFile(lab.known_hosts)
    transport = await connect_ssh(to, host_keys=keys, deadlines=deadlines or Deadlines())
    try:
        yield transport
    finally:
        await transport.aclose()


async def run(transport: Transport, program: bytes, *, privileged: bool = False) -> Output:
    output = Output()
    status = await transport.run(program, privileged=privileged, receive=output.receive)
    assert status == 0, output
    return output


async def run_into(output: Output, transport: Transport, program: bytes) -> int:
    """Run as root, with an output that can be looked at meanwhile; return the exit status."""
    return await transport.run(program, privileged=True, receive=output.receive)


async def code(lab: LabSession, to: Target, *, privileged: bool = False) -> OpenWatchError:
    """The error that connecting and running one program ends with."""
    with pytest.raises(OpenWatchError) as caught:
        async with connected(lab, to) as transport:
            await run(transport, WHO, privileged=privileged)
    assert caught.value.message
    assert caught.value.fix
    return caught.value


# -- logging in and becoming root ------------------------------------------------------------------


@pytest.mark.ac("transports-14")
@pytest.mark.parametrize("suite", [*SYSTEMD_SUITES, "busybox"])
async def test_root_by_key_runs_without_sudo(lab: LabSession, suite: str) -> None:
    async with connected(lab, target(lab, lab.hosts[suite], "root")) as transport:
        assert (await run(transport, WHO, privileged=True)).out == b"root\n"
        assert transport.privilege is PrivilegeMode.ROOT
        assert (await run(transport, WHO, privileged=True)).out == b"root\n"
        assert transport.traffic.round_trips == 2
        assert transport.traffic.connect_seconds > 0
        assert transport.name == f"ssh://root@{lab.hosts[suite].address}:22"


@pytest.mark.ac("transports-14")
@pytest.mark.parametrize("suite", [*SYSTEMD_SUITES, "busybox"])
async def test_nopasswd_sudo_is_found_and_stays(lab: LabSession, suite: str) -> None:
    async with connected(lab, target(lab, lab.hosts[suite], "scan")) as transport:
        assert transport.privilege is None
        assert (await run(transport, WHO)).out == b"scan\n"
        for _ in range(2):
            assert (await run(transport, WHO, privileged=True)).out == b"root\n"
            assert transport.privilege is PrivilegeMode.SUDO


@pytest.mark.ac("transports-11")
@pytest.mark.parametrize("suite", [*SYSTEMD_SUITES, "busybox"])
async def test_sudo_gets_the_password_and_the_program_nothing_of_it(
    lab: LabSession, suite: str
) -> None:
    to = target(
        lab, lab.hosts[suite], "scanpw", private_key=key_of(lab), sudo_password=lab.password
    )
    program = b"id -un; cat; echo on stderr >&2\n"
    async with connected(lab, to) as transport:
        for _ in range(2):
            output = await run(transport, program, privileged=True)
            assert (output.out, output.err) == (b"root\n", b"on stderr\n")
            assert transport.privilege is PrivilegeMode.SUDO_PASSWORD


@pytest.mark.ac("transports-01")
@pytest.mark.parametrize("methods", ["password", "keyboard-interactive"])
async def test_a_password_alone_logs_in_and_serves_sudo(lab: LabSession, methods: str) -> None:
    with lab.fresh("bookworm") as host:
        if methods == "keyboard-interactive":
            await asyncio.to_thread(configure_sshd, host, ONLY_KEYBOARD_INTERACTIVE)
        to = target(lab, host, "scanpw", password=lab.password)
        async with connected(lab, to) as transport:
            assert (await run(transport, WHO, privileged=True)).out == b"root\n"


ONLY_KEYBOARD_INTERACTIVE = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n"


def configure_sshd(host: LabHost, lines: str) -> None:
    # sshd_config(5): the first value wins, so these beat the lab's own.
    host.exec("cat >/etc/ssh/sshd_config.d/00-test.conf", stdin=lines)
    reload_sshd(host.lab.host(host.name))


@pytest.mark.ac("transports-12")
async def test_a_wrong_sudo_password_is_tried_once(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        to = target(
            lab, host, "scanpw", private_key=key_of(lab), sudo_password="canary-wrong-password"
        )
        async with connected(lab, to) as transport:
            for _ in range(2):
                with pytest.raises(OpenWatchError) as caught:
                    await run(transport, WHO, privileged=True)
                assert caught.value.code == "privilege.password_rejected"
            assert transport.privilege is PrivilegeMode.NONE
            assert (await run(transport, WHO)).out == b"scanpw\n"
        journal = await asyncio.to_thread(host.exec, "journalctl -q --no-pager _COMM=sudo")
        failures = [
            line for line in journal.stdout.splitlines() if "authentication failure" in line
        ]
        assert len(failures) == 1, journal.stdout


@pytest.mark.ac("transports-15")
@pytest.mark.parametrize(
    ("username", "with_password", "expected"),
    [
        ("scanpw", False, "privilege.password_required"),
        ("nosudo", False, "privilege.password_required"),
        ("nosudo", True, "privilege.not_allowed"),
        ("reqtty", False, "privilege.requires_tty"),
    ],
)
@pytest.mark.parametrize("suite", SYSTEMD_SUITES)
async def test_refusals_of_sudo_are_told_apart(
    lab: LabSession, suite: str, username: str, with_password: bool, expected: str
) -> None:
    to = target(
        lab,
        lab.hosts[suite],
        username,
        private_key=key_of(lab),
        sudo_password=lab.password if with_password else None,
    )
    error = await code(lab, to, privileged=True)
    assert error.code == expected
    assert username in error.message


@pytest.mark.ac("transports-15")
async def test_a_host_without_sudo_says_so(lab: LabSession) -> None:
    to = target(lab, lab.hosts["sudoless"], "scan")
    assert (await code(lab, to, privileged=True)).code == "privilege.sudo_missing"
    async with connected(lab, target(lab, lab.hosts["sudoless"], "root")) as transport:
        assert (await run(transport, WHO, privileged=True)).out == b"root\n"


@pytest.mark.ac("transports-10")
@pytest.mark.parametrize("privileged", [False, True])
async def test_noise_of_start_up_files_is_not_output(lab: LabSession, privileged: bool) -> None:
    async with connected(lab, target(lab, lab.hosts["trixie"], "noisy")) as transport:
        for _ in range(2):
            output = await run(transport, b"echo a; echo b >&2\n", privileged=privileged)
            assert (output.out, output.err) == (b"a\n", b"b\n")


@pytest.mark.ac("transports-19")
@pytest.mark.parametrize(
    ("username", "expected", "says"),
    [
        ("dead", "host.no_shell", "currently not available"),
        ("expired", "auth.password_expired", "expired"),
    ],
)
@pytest.mark.parametrize("privileged", [False, True])
async def test_accounts_that_cannot_run_anything_are_told(
    lab: LabSession, username: str, expected: str, says: str, privileged: bool
) -> None:
    to = target(lab, lab.hosts["bookworm"], username)
    error = await code(lab, to, privileged=privileged)
    assert error.code == expected
    assert says in error.message


@pytest.mark.ac("transports-19")
@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
async def test_an_expired_password_is_told_however_it_is_asked_for(
    lab: LabSession, method: str
) -> None:
    with lab.fresh("trixie") as host:
        if method == "keyboard-interactive":
            await asyncio.to_thread(configure_sshd, host, ONLY_KEYBOARD_INTERACTIVE)
        to = target(lab, host, "expired", password=lab.password)
        assert (await code(lab, to)).code == "auth.password_expired"


@pytest.mark.ac("transports-19")
async def test_a_forced_command_is_told(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        await asyncio.to_thread(
            host.exec,
            "sed -i 's/^/command=\"echo only backups here\" /' /home/scan/.ssh/authorized_keys",
        )
        error = await code(lab, target(lab, host, "scan"), privileged=True)
    assert error.code == "host.no_shell"
    assert "only backups here" in error.message


@pytest.mark.ac("transports-02")
async def test_key_and_password_are_offered_in_that_order(lab: LabSession) -> None:
    host = lab.hosts["bookworm"]
    stranger = read_identity(lab.strangers_key_path).private_key
    right = target(lab, host, "scanpw", private_key=stranger, password=lab.password)
    async with connected(lab, right) as transport:
        assert (await run(transport, WHO)).out == b"scanpw\n"
    wrong = target(lab, host, "scanpw", private_key=stranger, password="canary-wrong")
    error = await code(lab, wrong)
    assert error.code == "auth.rejected"
    tried = error.message.partition("tried ")[2]
    assert tried.index("key SHA256:") < tried.index("password")
    assert "canary" not in str(error)


@pytest.mark.ac("transports-04")
async def test_a_wrong_key_names_what_was_tried_and_what_is_taken(lab: LabSession) -> None:
    stranger = read_identity(lab.strangers_key_path).private_key
    error = await code(lab, target(lab, lab.hosts["bookworm"], "scan", private_key=stranger))
    assert error.code == "auth.rejected"
    assert "publickey, password" in error.message
    assert "authorized_keys" in error.fix


@pytest.mark.ac("transports-03")
async def test_an_encrypted_key_needs_its_passphrase(lab: LabSession) -> None:
    host = lab.hosts["bookworm"]
    text = read_identity(lab.encrypted_key_path).private_key
    assert (await code(lab, target(lab, host, "scan", private_key=text))).code == (
        "credential.key_encrypted"
    )
    wrong = target(lab, host, "scan", private_key=text, passphrase="canary-wrong")
    assert (await code(lab, wrong)).code == "credential.passphrase_wrong"
    right = target(lab, host, "scan", private_key=text, passphrase=lab.passphrase)
    async with connected(lab, right) as transport:
        assert (await run(transport, WHO)).out == b"scan\n"


async def test_an_rsa_key_logs_in(lab: LabSession) -> None:
    text = read_identity(lab.rsa_key_path).private_key
    async with connected(
        lab, target(lab, lab.hosts["trixie"], "scan", private_key=text)
    ) as transport:
        assert (await run(transport, WHO)).out == b"scan\n"


@pytest.mark.ac("transports-25")
@pytest.mark.parametrize(
    ("username", "with_password", "expected"),
    [
        ("root", False, PrivilegeMode.ROOT),
        ("scan", False, PrivilegeMode.SUDO),
        ("scanpw", True, PrivilegeMode.SUDO_PASSWORD),
        ("scanpw", False, "privilege.password_required"),
        ("reqtty", False, "privilege.requires_tty"),
    ],
)
async def test_the_last_step_of_a_test_is_the_way_to_root(
    lab: LabSession, username: str, with_password: bool, expected: PrivilegeMode | str
) -> None:
    host = lab.hosts["trixie"]
    to = target(
        lab,
        host,
        username,
        private_key=key_of(lab),
        sudo_password=lab.password if with_password else None,
    )
    report = await test_connection(to, host_keys=KnownHostsFile(lab.known_hosts))
    assert [result.status for result in report.steps[:4]] == ["ok"] * 4
    last = report.steps[4]
    assert last.message
    if isinstance(expected, PrivilegeMode):
        assert (report.ok, last.status, report.privilege) == (True, "ok", expected)
    else:
        assert (report.ok, last.status, last.code) == (False, "failed", expected)
        assert report.privilege is PrivilegeMode.NONE


# -- jump hosts ------------------------------------------------------------------------------------


def private(lab: LabSession, *, jump: Target, port: int = 22, address: str = "") -> Target:
    host = lab.hosts["private"]
    return Target(
        address or host.address,
        port=port,
        login=Login("scan", private_key=key_of(lab)),
        jump=(jump,),
    )


@pytest.mark.ac("transports-05")
async def test_a_private_host_is_reached_through_a_jump_host(lab: LabSession) -> None:
    jump = target(lab, lab.jump_host, "scan")
    async with connected(lab, private(lab, jump=jump)) as transport:
        assert (await run(transport, b"hostname\n", privileged=True)).out == b"private\n"
        traffic = transport.traffic
    assert traffic.round_trips == 1
    # The same host twice in a chain is a chain of two.
    chain = replace(jump, jump=(target(lab, lab.jump_host, "root"),))
    async with connected(lab, private(lab, jump=chain)) as transport:
        assert (await run(transport, b"hostname\n")).out == b"private\n"


@pytest.mark.ac("transports-05")
async def test_failures_at_and_behind_a_jump_host_name_it(lab: LabSession) -> None:
    jump = target(lab, lab.jump_host, "scan")
    stranger = read_identity(lab.strangers_key_path).private_key
    rejected = replace(jump, login=Login("scan", private_key=stranger))
    expected = [
        (private(lab, jump=rejected), "auth.rejected"),
        (private(lab, jump=replace(jump, port=1)), "host.refused"),
        (private(lab, jump=jump, port=1), "host.refused"),
        (private(lab, jump=jump, address="10.255.255.1"), None),
        (private(lab, jump=jump, address="no-such-host.invalid"), "host.unresolvable"),
    ]
    for to, wanted in expected:
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(to, host_keys=AcceptNew(), deadlines=Deadlines(connect=3))
        if wanted:
            assert caught.value.code == wanted
        else:
            assert caught.value.code in {"host.unreachable", "host.connect_timeout"}
        assert "jump host" in caught.value.message


@pytest.mark.ac("transports-05")
async def test_a_jump_host_that_forbids_it_is_told(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        await asyncio.to_thread(configure_sshd, host, "AllowTcpForwarding no\n")
        to = Target(
            "127.0.0.1",
            login=Login("scan", private_key=key_of(lab)),
            jump=(target(lab, host, "scan"),),
        )
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(to, host_keys=AcceptNew())
    assert caught.value.code == "host.jump_forbidden"
    assert host.address in caught.value.message


# -- host keys -------------------------------------------------------------------------------------


@pytest.mark.ac("transports-06")
async def test_a_changed_host_key_stops_everything(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        to = target(lab, host, "scanpw", password=lab.password)
        keys = AcceptNew()
        await (await connect_ssh(to, host_keys=keys)).aclose()
        old = host.host_key
        await asyncio.to_thread(host.rekey)
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(to, host_keys=keys)
        assert caught.value.code == "host.key_changed"
        assert host_key(old).fingerprint in caught.value.message
        assert host_key(host.host_key).fingerprint in caught.value.message
        logins = await asyncio.to_thread(
            host.exec, "journalctl -q --no-pager -t sshd | grep -c 'Accepted password'"
        )
        assert logins.stdout.strip() == "1"


@pytest.mark.ac("transports-06")
async def test_an_unknown_host_key_is_refused_with_its_fingerprint(
    lab: LabSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    host = lab.hosts["bookworm"]
    keys = KnownHostsFile(tmp_path_factory.mktemp("ssh") / "known_hosts")
    with pytest.raises(OpenWatchError) as caught:
        await connect_ssh(target(lab, host, "scan"), host_keys=keys)
    assert caught.value.code == "host.key_unknown"
    assert host_key(host.host_key).fingerprint in caught.value.message


@pytest.mark.ac("transports-09")
async def test_a_server_is_asked_for_the_key_type_that_is_known(
    lab: LabSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    host = lab.hosts["bookworm"]
    listed = await asyncio.to_thread(host.exec, "cat /etc/ssh/ssh_host_*_key.pub")
    known = tmp_path_factory.mktemp("ssh") / "known_hosts"
    for line in listed.stdout.splitlines():
        known.write_text(f"{host.address} {line}\n")
        keys = KnownHostsFile(known)
        await (await connect_ssh(target(lab, host, "scan"), host_keys=keys)).aclose()
    assert len(listed.stdout.splitlines()) > 1


# -- what cuts a program or a connection -----------------------------------------------------------

QUICK = Deadlines(keepalive_interval=0.5, keepalive_count=2)


@pytest.mark.ac("transports-16")
async def test_a_cut_cable_is_a_lost_host(lab: LabSession, machine_clock: Clock) -> None:
    with lab.fresh("bookworm") as host:
        output = Output()
        async with connected(lab, target(lab, host, "scan"), deadlines=QUICK) as transport:
            running = asyncio.create_task(
                transport.run(
                    b"echo started; sleep 60; echo ended\n", privileged=True, receive=output.receive
                )
            )
            while not output.out:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(host.cut)
            began = machine_clock()
            with pytest.raises(OpenWatchError) as caught:
                await running
            assert caught.value.code == "host.lost"
            assert machine_clock() - began < 5
            with pytest.raises(OpenWatchError) as caught:
                await run(transport, WHO)
            assert caught.value.code == "host.lost"
        assert output.out == b"started\n"


@pytest.mark.ac("transports-16")
async def test_a_killed_session_is_a_lost_host(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        output = Output()
        async with connected(lab, target(lab, host, "scan")) as transport:
            running = asyncio.create_task(
                transport.run(b"echo started; sleep 60\n", privileged=False, receive=output.receive)
            )
            while not output.out:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(host.exec, "pkill -9 -f '^sshd: scan@'")
            with pytest.raises(OpenWatchError) as caught:
                await running
            assert caught.value.code == "host.lost"


async def left_running(host: LabHost, name: str) -> str:
    """The processes with ``name`` in their arguments, after they had a moment to end."""
    listing = f"pgrep -af '{name}' | grep -v pgrep"
    for _ in range(MOST_LOOKS):
        found = await asyncio.to_thread(host.exec, listing, check=False)
        if not found.stdout.strip():
            return ""
        await asyncio.sleep(0.1)
    return (await asyncio.to_thread(host.exec, listing, check=False)).stdout


@pytest.mark.ac("transports-17")
@pytest.mark.parametrize("username", ["root", "scan", "scanpw"])
async def test_a_flood_is_stopped_at_once_and_leaves_nothing(
    lab: LabSession, username: str, machine_clock: Clock
) -> None:
    class EnoughError(Exception):
        pass

    total = 0

    def receive(stream: Stream, data: bytes) -> None:
        nonlocal total
        total += len(data)
        if total > 5_000_000:
            raise EnoughError

    host = lab.hosts["trixie"]
    to = target(lab, host, username, private_key=key_of(lab), sudo_password=lab.password)
    async with connected(lab, to) as transport:
        began = machine_clock()
        with pytest.raises(EnoughError):
            await transport.run(b"exec cat /dev/zero\n", privileged=True, receive=receive)
        assert machine_clock() - began < 10
        assert await left_running(host, "cat /dev/zero") == ""
        assert total < 10_000_000
        assert (await run(transport, WHO, privileged=True)).out == b"root\n"


@pytest.mark.ac("transports-18")
@pytest.mark.parametrize("username", ["root", "scan", "scanpw"])
async def test_a_program_past_its_deadline_goes_no_further_on_the_host(
    lab: LabSession, username: str
) -> None:
    host = lab.hosts["trixie"]
    to = target(lab, host, username, private_key=key_of(lab), sudo_password=lab.password)
    go, mark = f"/run/go-{username}", f"/run/went-on-{username}"
    async with connected(lab, to) as transport:
        with pytest.raises(OpenWatchError) as caught:
            await transport.run(
                f"until [ -e {go} ]; do sleep 0.1; done; echo >{mark}\n".encode(),
                privileged=True,
                receive=Output().receive,
                deadline=1,
            )
        assert caught.value.code == "host.command_timeout"
        assert (await run(transport, WHO, privileged=True)).out == b"root\n"
    await asyncio.to_thread(host.exec, f"touch {go}")
    # sudo passes the signal on to the shell alone: the command that it waits for may end first.
    assert await left_running(host, "^sleep 0.1$") == ""
    await asyncio.sleep(0.5)
    assert (await asyncio.to_thread(host.exec, f"ls {mark}", check=False)).returncode != 0


@pytest.mark.ac("transports-21")
async def test_output_arrives_while_the_program_runs(lab: LabSession) -> None:
    host, output, go = lab.hosts["trixie"], Output(), "/run/go-on"
    program = f"echo a; until [ -e {go} ]; do sleep 0.1; done; rm {go}; echo b\n".encode()
    async with connected(lab, target(lab, host, "scan")) as transport:
        running = asyncio.create_task(run_into(output, transport, program))
        while output.out != b"a\n":
            await asyncio.sleep(0.02)
        assert not running.done()
        await asyncio.to_thread(host.exec, f"touch {go}")
        assert await running == 0
        assert output.out == b"a\nb\n"


@pytest.mark.ac("transports-21")
@pytest.mark.parametrize("username", ["root", "scan", "scanpw"])
async def test_any_bytes_pass_unchanged_both_ways(lab: LabSession, username: str) -> None:
    every = bytes(range(256))
    program = b"cat <<'END' | tr -d '\\000-\\377' >/dev/null\n" + b"x" * 300_000 + b"\nEND\n"
    program += b"printf '" + "".join(f"\\{byte:03o}" for byte in every).encode() + b"'; exit 42\n"
    to = target(
        lab, lab.hosts["trixie"], username, private_key=key_of(lab), sudo_password=lab.password
    )
    async with connected(lab, to) as transport:
        output = Output()
        status = await transport.run(program, privileged=True, receive=output.receive)
        assert status == 42
        assert output.out == every
        assert transport.traffic.bytes_sent >= len(program)
        assert transport.traffic.bytes_received >= len(every)


@pytest.mark.ac("transports-21")
async def test_a_shell_killed_by_a_signal_is_a_status(lab: LabSession) -> None:
    async with connected(lab, target(lab, lab.hosts["trixie"], "scan")) as transport:
        status = await transport.run(b"kill -9 $$\n", privileged=False, receive=Output().receive)
        assert status == 128 + 9


async def test_one_session_at_a_time_is_enough(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        await asyncio.to_thread(configure_sshd, host, "MaxSessions 1\n")
        to = target(lab, host, "scanpw", private_key=key_of(lab), sudo_password=lab.password)
        async with connected(lab, to) as transport:
            for _ in range(10):
                assert (await run(transport, WHO, privileged=True)).out == b"root\n"


# -- secrets ---------------------------------------------------------------------------------------


@pytest.mark.ac("transports-20")
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
async def test_the_password_is_seen_nowhere_on_the_host_and_in_no_log_of_ours(
    lab: LabSession, suite: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = lab.password
    with lab.fresh(suite) as host:
        to = target(lab, host, "scanpw", password=secret)
        async with connected(lab, to) as transport:
            output = Output()
            program = (
                b"echo started; until [ -e /run/seen ]; do sleep 0.1; done; "
                b"env; cat /proc/[0-9]*/cmdline | tr '\\0' ' '\n"
            )
            running = asyncio.create_task(run_into(output, transport, program))
            while not output.out:
                await asyncio.sleep(0.02)
            seen = await asyncio.to_thread(
                host.exec,
                "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '",
                check=False,
            )
            await asyncio.to_thread(host.exec, "touch /run/seen")
            await running
            shown = f"{transport!r} {to!r}"
        logs = await asyncio.to_thread(
            host.exec, "journalctl -q --no-pager -o export; cat /var/log/* 2>/dev/null", check=False
        )
    assert "started" in output.out.decode()
    assert "sudo" in seen.stdout
    assert "sudo" in logs.stdout
    for place in (seen.stdout, logs.stdout, output.out.decode(), output.err.decode(), caplog.text):
        assert secret not in place
    assert secret not in shown
    assert "OPENWATCH-READY" in logs.stdout

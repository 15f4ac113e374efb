"""What else may answer on a port, and servers that ask in ways of their own."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from pathlib import Path
from random import Random

import asyncssh
import pytest
from asyncssh.public_key import SSHLocalKeyPair

from openwatch.engine.transport import (
    AcceptNew,
    Deadlines,
    HostKey,
    Login,
    Target,
    connect_ssh,
)
from openwatch.engine.transport.host_keys import key_unknown
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.machine import Clock
from tests.integration.transport.servers import (
    ADDRESS,
    PASSWORD,
    ssh,
    tcp,
)
from tests.ports import reserved_port

# Only for servers that never answer: any other must not depend on how busy this machine is.
NO_CONNECTION = Deadlines(connect=0.5)
NO_ANSWER = Deadlines(handshake=0.5)


async def failure(to: Target, *, deadlines: Deadlines | None = None) -> OpenWatchError:
    with pytest.raises(OpenWatchError) as caught:
        await connect_ssh(to, host_keys=AcceptNew(), deadlines=deadlines or Deadlines())
    assert caught.value.fix
    assert PASSWORD not in f"{caught.value!r} {caught.value} {caught.value.params}"
    return caught.value


def at(port: int, address: str = ADDRESS) -> Target:
    return Target(address, port=port, login=Login("scan", password=PASSWORD))


# -- reaching a port -------------------------------------------------------------------------------


@pytest.mark.ac("transports-22")
async def test_a_name_that_does_not_resolve() -> None:
    error = await failure(at(22, "no-such-host.invalid"))
    assert error.code == "host.unresolvable"
    assert "no-such-host.invalid" in error.message


@pytest.mark.ac("transports-22")
@pytest.mark.parametrize("name", ["", "a..b", "x" * 300, "exa mple", "-"])
async def test_an_impossible_name_does_not_resolve_either(name: str) -> None:
    assert (await failure(at(22, name))).code in {"host.unresolvable", "host.refused"}


@pytest.mark.ac("transports-22")
async def test_a_port_where_nothing_listens_refuses() -> None:
    error = await failure(at(reserved_port()))
    assert error.code == "host.refused"
    assert ADDRESS in error.message


@pytest.mark.ac("transports-22")
async def test_an_address_that_swallows_packets_times_out(machine_clock: Clock) -> None:
    # A listener whose queue is full answers no further connection, as a firewall that drops.
    with socket.socket() as listener:
        listener.bind((ADDRESS, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                with suppress(BlockingIOError):
                    sock.connect((ADDRESS, port))
            began = machine_clock()
            error = await failure(at(port), deadlines=NO_CONNECTION)
            assert error.code == "host.connect_timeout"
            assert machine_clock() - began < 3
        finally:
            for sock in waiting:
                sock.close()


@pytest.mark.ac("transports-22")
async def test_an_address_without_a_route_is_unreachable() -> None:
    # RFC 919: the broadcast address, to which no connection can be made.
    assert (await failure(at(22, "255.255.255.255"))).code == "host.unreachable"


@pytest.mark.ac("transports-23")
@pytest.mark.parametrize(
    ("says", "shown"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"220 mail.example.org ESMTP\r\n", "220 mail.example.org"),
        (bytes(range(256)) * 100, "ABC"),
        (b"SSH-1.5-old\r\n", "SSH-1.5-old"),
        (b"\r\n" * 5000, "it sent"),
    ],
)
async def test_another_protocol_on_the_port_is_shown(says: bytes, shown: str) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(says)
        await writer.drain()

    async with tcp(other) as port:
        error = await failure(at(port))
    assert error.code == "host.not_ssh"
    assert shown in error.message
    assert error.message.isprintable()


@pytest.mark.ac("transports-23")
async def test_a_server_that_never_says_a_word_is_given_up() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp(mute) as port:
        error = await failure(at(port), deadlines=NO_ANSWER)
    assert error.code == "host.not_ssh"
    assert "0.5 seconds" in error.message


@pytest.mark.ac("transports-23")
async def test_a_server_that_hangs_up_without_a_greeting() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)

    async with tcp(hang_up) as port:
        error = await failure(at(port))
    assert error.code == "host.handshake_failed"
    assert "without a greeting" in error.message
    assert "MaxStartups" in error.fix


@pytest.mark.ac("transports-23")
@pytest.mark.parametrize("says", [b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
async def test_a_server_that_turns_us_away_is_an_ssh_server(says: bytes) -> None:
    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await writer.drain()

    async with tcp(turn_away) as port:
        error = await failure(at(port))
    assert error.code == "host.handshake_failed"
    assert says.decode().strip() in error.message
    assert error.kind.retryable


@pytest.mark.ac("transports-23")
@pytest.mark.parametrize("then", ["hangs", "hangs up", "garbage"])
async def test_a_greeting_with_nothing_sound_behind_it(then: str) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-Half\r\n")
        await writer.drain()
        await reader.read(100)
        if then == "hangs":
            await reader.read()
        elif then == "garbage":
            writer.write(b"\x00\x00\x00\x10" + b"\xff" * 5000)
            await writer.drain()

    async with tcp(half) as port:
        deadlines = NO_ANSWER if then == "hangs" else None
        error = await failure(at(port), deadlines=deadlines)
    assert error.code == "host.handshake_failed"


@pytest.mark.ac("transports-23")
@pytest.mark.parametrize("seed", range(12))
async def test_any_garbage_is_one_registered_error(seed: int) -> None:
    random = Random(seed)

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n" if seed % 3 else b"")
        for _ in range(20):
            length = random.randrange(1, 400)
            padding = random.randrange(0, 20)
            packet = bytes([padding]) + random.randbytes(length)
            if seed % 2:
                packet = bytes([padding, random.randrange(1, 60)]) + random.randbytes(length)
            writer.write(len(packet).to_bytes(4, "big") + packet)
        await writer.drain()
        await reader.read(100)

    async with tcp(garbage) as port:
        error = await failure(at(port))
    assert error.code in {"host.not_ssh", "host.handshake_failed"}
    assert error.message.isprintable()


@pytest.mark.ac("transports-23")
async def test_a_server_with_old_algorithms_only_is_explained() -> None:
    old = {"kex_algs": ["diffie-hellman-group1-sha1"]}
    async with ssh(options=old) as server:
        error = await failure(server.target())
    assert error.code == "host.handshake_failed"
    assert "key exchange" in error.message
    assert "diffie-hellman-group1-sha1" in error.message
    assert "Update the SSH server" in error.fix


# -- the host key comes first ----------------------------------------------------------------------


class SlowToRefuse:
    """Looks a key up for a while, as a database does, and does not know it."""

    def __init__(self) -> None:
        self.seen: HostKey | None = None

    async def check(self, address: str, port: int, key: HostKey) -> None:
        self.seen = key
        await asyncio.sleep(0.3)
        raise key_unknown(address, port, key)


@pytest.mark.ac("transports-06")
@pytest.mark.parametrize("challenges", [(), (("", [("Password: ", False)]),)])
async def test_nothing_secret_is_sent_before_the_host_key_is_trusted(
    challenges: tuple[object, ...],
) -> None:
    async with ssh(takes_password=not challenges, challenges=challenges) as server:
        keys = SlowToRefuse()
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(server.target(), host_keys=keys)
        await asyncio.sleep(0.1)
        assert caught.value.code == "host.key_unknown"
        assert keys.seen == server.key
        assert server.told.passwords == []
        assert server.told.answers == []


@pytest.mark.ac("transports-06")
async def test_a_server_that_lets_everybody_in_must_be_trusted_too() -> None:
    async with ssh(lets_everybody_in=True) as server:
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(server.target(), host_keys=SlowToRefuse())
        assert caught.value.code == "host.key_unknown"


async def test_an_error_of_the_hook_itself_is_not_swallowed() -> None:
    class Broken:
        async def check(self, address: str, port: int, key: HostKey) -> None:
            raise RuntimeError("the database is away")

    async with ssh() as server:
        with pytest.raises(RuntimeError, match="database"):
            await connect_ssh(server.target(), host_keys=Broken())
        assert server.told.passwords == []


# -- one password, once ----------------------------------------------------------------------------

ASKS = (("", [("Password: ", False)]),)


@pytest.mark.ac("transports-01")
@pytest.mark.parametrize("takes_password", [True, False])
async def test_a_wrong_password_is_given_once(takes_password: bool) -> None:
    async with ssh(takes_password=takes_password, challenges=ASKS, right=False) as server:
        error = await failure(server.target())
        given = server.told.passwords + [answer for (answer,) in server.told.answers]
        assert given == [PASSWORD]
    assert error.code == "auth.rejected"
    assert "keyboard-interactive" in error.message


@pytest.mark.ac("transports-01")
async def test_keyboard_interactive_with_messages_around_the_prompt() -> None:
    challenges = (("Welcome", []), *ASKS, ("Last login: never", []))
    async with ssh(takes_password=False, challenges=challenges) as server:
        transport = await connect_ssh(server.target(), host_keys=AcceptNew())
        await transport.aclose()
        assert server.told.answers == [[], [PASSWORD], []]


@pytest.mark.ac("transports-01")
@pytest.mark.parametrize(
    "challenges",
    [
        (("", [("Verification code: ", False)]),),
        (("", [("Password: ", False), ("Token: ", False)]),),
        (("", [("Your favourite colour: ", True)]),),
    ],
)
async def test_what_is_no_password_prompt_gets_no_password(
    challenges: tuple[tuple[str, list[tuple[str, bool]]], ...],
) -> None:
    async with ssh(takes_password=False, challenges=challenges) as server:
        error = await failure(server.target())
        assert server.told.answers == []
    assert error.code == "auth.rejected"
    assert challenges[0][1][-1][0].strip() in error.message


@pytest.mark.ac("transports-01")
async def test_a_second_prompt_after_the_password_is_not_answered() -> None:
    challenges = (*ASKS, ("", [("Verification code: ", False)]))
    async with ssh(takes_password=False, challenges=challenges) as server:
        error = await failure(server.target())
        assert server.told.answers == [[PASSWORD]]
    assert error.code == "auth.rejected"
    assert "Verification code" in error.message
    assert "second factor" in error.fix


@pytest.mark.ac("transports-19")
async def test_a_demand_for_a_new_password_is_told() -> None:
    expired = ("You are required to change your password immediately.", [("New password: ", False)])
    async with ssh(takes_password=False, challenges=(*ASKS, expired)) as server:
        error = await failure(server.target())
        assert server.told.answers == [[PASSWORD]]
    assert error.code == "auth.password_expired"


@pytest.mark.ac("transports-04")
async def test_a_server_without_a_common_method_says_what_it_takes() -> None:
    async with ssh(takes_password=False, takes_keys=True) as server:
        error = await failure(server.target())
    assert error.code == "auth.rejected"
    assert error.message.count("publickey") <= 1
    assert "allow another kind" in error.fix


# -- the key without questions ---------------------------------------------------------------------


def text_of(key: asyncssh.SSHKey) -> str:
    return key.export_private_key().decode()


@pytest.mark.ac("transports-06", "transports-28")
async def test_no_key_is_shown_before_the_host_key_is_trusted() -> None:
    key = text_of(asyncssh.generate_private_key("ssh-ed25519"))
    async with ssh(takes_keys=True) as server:
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(server.target(private_key=key), host_keys=SlowToRefuse())
        await asyncio.sleep(0.1)
        assert caught.value.code == "host.key_unknown"
        assert server.told.keys == 0


@pytest.mark.ac("transports-06", "transports-28")
async def test_no_key_is_shown_to_a_server_that_does_not_prove_its_own() -> None:
    """A thief can show anybody's public host key; it cannot sign with it."""

    class Stolen(SSHLocalKeyPair):
        def sign(self, data: bytes) -> bytes:
            return thief.sign(data, thief.get_algorithm().encode())

    shown = asyncssh.generate_private_key("ssh-ed25519")
    thief = asyncssh.generate_private_key("ssh-ed25519")
    key = text_of(asyncssh.generate_private_key("ssh-ed25519"))
    checked: list[HostKey] = []

    class Trusting:
        async def check(self, address: str, port: int, key: HostKey) -> None:
            checked.append(key)

    options = {"server_host_keys": [Stolen(shown, None, None, None)]}
    async with ssh(takes_keys=True, options=options) as server:
        with pytest.raises(OpenWatchError) as caught:
            await connect_ssh(server.target(private_key=key), host_keys=Trusting())
        await asyncio.sleep(0.1)
        assert server.told.keys == 0
        assert server.told.usernames == []
    assert caught.value.code == "host.handshake_failed"
    assert len(checked) == 1


@pytest.mark.ac("transports-04", "transports-28")
@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
async def test_a_key_that_is_refused_makes_way_for_what_the_server_takes(kind: str) -> None:
    key = text_of(asyncssh.generate_private_key(kind))
    async with ssh(takes_keys=True) as server:
        target = server.target(private_key=key, password=PASSWORD)
        await (await connect_ssh(target, host_keys=AcceptNew())).aclose()
        assert server.told.keys == 1
        assert server.told.passwords == [PASSWORD]
    async with ssh(takes_keys=False, right=False) as server:
        error = await failure(server.target(private_key=key))
    assert error.code == "auth.rejected"
    assert "tried key SHA256:" in error.message
    assert "it takes password" in error.message


@pytest.mark.ac("transports-28")
async def test_a_server_that_lets_everybody_in_needs_no_key() -> None:
    key = text_of(asyncssh.generate_private_key("ssh-ed25519"))
    async with ssh(lets_everybody_in=True) as server:
        target = server.target(private_key=key)
        await (await connect_ssh(target, host_keys=AcceptNew())).aclose()
        assert server.told.keys == 0


# -- what we log in with ---------------------------------------------------------------------------


@pytest.mark.ac("transports-03")
@pytest.mark.parametrize(
    ("login", "code"),
    [
        (Login("scan"), "credential.missing"),
        (Login("", password="x"), "credential.missing"),
        (Login("scan", private_key="nonsense"), "credential.key_invalid"),
        (Login("scan", password="two\nlines"), "credential.invalid"),
        (Login("scan", password="x", sudo_password="a\rb"), "credential.invalid"),
        (Login("sc\nan", password="x"), "credential.invalid"),
    ],
)
async def test_a_useless_credential_is_told_before_anything_is_sent(
    login: Login, code: str
) -> None:
    async with ssh() as server:
        error = await failure(Target(ADDRESS, port=server.port, login=login))
        assert server.told.usernames == []
    assert error.code == code
    assert "two" not in error.message


@pytest.mark.ac("transports-20")
async def test_no_log_of_ours_shows_a_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ssh() as server:
        transport = await connect_ssh(server.target(), host_keys=AcceptNew())
        await transport.run(b"true\n", privileged=False, receive=lambda stream, data: None)
        await transport.aclose()
        assert server.told.passwords == [PASSWORD]
    assert PASSWORD not in caplog.text


async def test_closing_twice_is_fine() -> None:
    async with ssh() as server:
        transport = await connect_ssh(server.target(), host_keys=AcceptNew())
        await transport.aclose()
        await transport.aclose()
        with pytest.raises(OpenWatchError) as caught:
            await transport.run(b"true\n", privileged=False, receive=lambda stream, data: None)
    assert caught.value.code == "host.lost"


async def test_a_cancelled_start_leaves_no_command(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def slow_shell(process: asyncssh.SSHServerProcess[bytes]) -> None:
        started.set()
        try:
            await process.wait_closed()
        finally:
            (tmp_path / "ended").touch()

    async with ssh(options={"process_factory": slow_shell}) as server:
        transport = await connect_ssh(server.target(), host_keys=AcceptNew())
        task = asyncio.create_task(
            transport.run(b"true\n", privileged=False, receive=lambda stream, data: None)
        )
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(20):
            while not (tmp_path / "ended").exists():
                await asyncio.sleep(0.01)
        await transport.aclose()


async def test_a_cancelled_connect_leaves_no_connection() -> None:
    connected = asyncio.Event()
    ended = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        ended.set()

    async with tcp(mute) as port:
        task = asyncio.create_task(connect_ssh(at(port), host_keys=AcceptNew()))
        await connected.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(20):
            await ended.wait()

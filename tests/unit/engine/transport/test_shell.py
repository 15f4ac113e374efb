"""What a transport does with a shell, seen from a host whose every answer the test decides."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from openwatch.engine.transport import errors
from openwatch.engine.transport.model import Deadlines, PrivilegeMode, Stream
from openwatch.engine.transport.privilege import READY
from openwatch.engine.transport.shell import ShellTransport
from openwatch.engine.transport.shell_run import Channel, Sink
from openwatch.kit.errors import OpenWatchError

PASSWORD = "canary-Pa55word"
PROGRAM = b"echo measured\n"


@dataclass
class FakeChannel:
    """A command on the host; ``answer`` is called with all that has been written so far."""

    command: str
    sink: Sink
    answer: Callable[[FakeChannel], None]
    written: bytes = b""
    eof: bool = False
    hung_up: bool = False

    @property
    def nonce(self) -> bytes:
        found = re.search(r"[0-9a-f]{32}", self.command)
        assert found
        return found.group().encode()

    def say(self, stream: Stream, data: bytes) -> None:
        self.sink.received(stream, data)

    def begin(self, word: bytes) -> None:
        self.say(Stream.ERR, self.nonce + b"\n")
        self.say(Stream.OUT, self.nonce + b" " + word + b"\n")

    def ready(self) -> None:
        self.say(Stream.ERR, READY)
        self.say(Stream.OUT, READY)

    def write(self, data: bytes) -> None:
        self.written += data
        self.answer(self)

    def write_eof(self) -> None:
        self.eof = True
        self.answer(self)

    def hang_up(self) -> None:
        self.hung_up = True


Opening = Callable[[FakeChannel], None]


@dataclass
class FakeHost:
    """Plays one opening for each command, and then answers a whole program with ``measured``."""

    openings: list[Opening]
    answer: Opening = field(default=lambda channel: None)
    channels: list[FakeChannel] = field(default_factory=list[FakeChannel])
    full: bool = False

    async def start(self, command: str, sink: Sink, *, patient: bool = True) -> None:
        if self.full and not patient:
            raise OpenWatchError(
                errors.NO_SHELL, where="db1 port 22", username="scan", detail="it is full"
            )
        channel = FakeChannel(command, sink, self.answer)
        self.channels.append(channel)
        near_end: Channel = channel
        sink.opened(near_end)
        self.openings.pop(0)(channel)

    async def aclose(self) -> None:
        pass


def transport(
    host: FakeHost, *, password: str | None = None, handshake: float = 5
) -> ShellTransport:
    return ShellTransport(
        host,
        name="ssh://scan@db1:22",
        where="db1 port 22",
        username="scan",
        sudo_password=password,
        deadlines=Deadlines(handshake=handshake),
    )


def answer_program(channel: FakeChannel) -> None:
    if channel.eof and channel.written.endswith(PROGRAM):
        channel.say(Stream.OUT, b"measured\n")
        channel.sink.ended(0)


def root(channel: FakeChannel) -> None:
    channel.begin(b"root")
    channel.ready()


def sudo(channel: FakeChannel) -> None:
    channel.begin(b"sudo")
    channel.ready()


def refused(says: bytes) -> Opening:
    def opening(channel: FakeChannel) -> None:
        channel.begin(b"sudo")
        channel.say(Stream.ERR, says)
        channel.sink.ended(1)

    return opening


def prompt(channel: FakeChannel) -> None:
    channel.begin(b"sudo")
    channel.say(Stream.ERR, channel.nonce + b"-password")


async def run(way: ShellTransport, *, privileged: bool = True) -> list[tuple[Stream, bytes]]:
    received: list[tuple[Stream, bytes]] = []
    status = await way.run(
        PROGRAM, privileged=privileged, receive=lambda stream, data: received.append((stream, data))
    )
    assert status == 0
    return received


MEASURED = [(Stream.OUT, b"measured\n")]
NEEDS_PASSWORD = refused(b"sudo: a password is required\n")


@pytest.mark.ac("transports-14")
async def test_root_needs_no_sudo_and_later_runs_do_not_wait() -> None:
    written_at_once: list[bytes] = []

    def second(channel: FakeChannel) -> None:
        written_at_once.append(channel.written)
        channel.begin(b"shell")
        channel.ready()
        answer_late(channel)

    def answer_late(channel: FakeChannel) -> None:
        channel.say(Stream.OUT, b"measured\n")
        channel.sink.ended(0)

    def first_only(channel: FakeChannel) -> None:
        if not written_at_once and len(host.channels) == 1:
            answer_program(channel)

    host = FakeHost([root, second], first_only)
    way = transport(host)
    assert await run(way) == MEASURED
    assert way.privilege is PrivilegeMode.ROOT
    assert await run(way) == MEASURED
    assert written_at_once == [PROGRAM]
    assert "sudo" not in host.channels[1].command
    assert way.traffic.round_trips == 2


@pytest.mark.ac("transports-11")
async def test_the_password_follows_the_prompt_and_the_program_follows_ready() -> None:
    seen: list[bytes] = []

    def answer(channel: FakeChannel) -> None:
        seen.append(channel.written)
        if channel.written == f"{PASSWORD}\n".encode():
            channel.ready()
        else:
            answer_program(channel)

    def quiet_then_prompt(channel: FakeChannel) -> None:
        assert channel.written == b""
        prompt(channel)

    host = FakeHost([NEEDS_PASSWORD, quiet_then_prompt], answer)
    way = transport(host, password=PASSWORD)
    assert await run(way) == MEASURED
    assert way.privilege is PrivilegeMode.SUDO_PASSWORD
    assert host.channels[0].written == b""
    assert seen[0] == f"{PASSWORD}\n".encode()
    assert host.channels[1].written == f"{PASSWORD}\n".encode() + PROGRAM
    assert way.traffic.round_trips == 1


async def test_a_learned_password_is_asked_for_at_once_and_again_only_after_the_prompt() -> None:
    def answer(channel: FakeChannel) -> None:
        if channel.written == f"{PASSWORD}\n".encode():
            channel.ready()
        else:
            answer_program(channel)

    host = FakeHost([NEEDS_PASSWORD, prompt, prompt], answer)
    way = transport(host, password=PASSWORD)
    await run(way)
    await run(way)
    assert len(host.channels) == 3
    assert "sudo -k -S" in host.channels[2].command


@pytest.mark.ac("transports-12")
async def test_a_rejected_password_is_never_sent_again() -> None:
    def answer(channel: FakeChannel) -> None:
        channel.say(Stream.ERR, b"\nSorry, try again.\n" + channel.nonce + b"-password")

    host = FakeHost([NEEDS_PASSWORD, prompt], answer)
    way = transport(host, password=PASSWORD)
    for _ in range(3):
        with pytest.raises(OpenWatchError) as caught:
            await run(way)
        assert caught.value.code == "privilege.password_rejected"
    assert len(host.channels) == 2
    assert host.channels[1].written == f"{PASSWORD}\n".encode()
    assert host.channels[1].hung_up
    assert way.privilege is PrivilegeMode.NONE
    assert way.traffic.round_trips == 0


async def test_a_nopasswd_sudo_never_sees_the_password() -> None:
    host = FakeHost([sudo], answer_program)
    way = transport(host, password=PASSWORD)
    assert await run(way) == MEASURED
    assert way.privilege is PrivilegeMode.SUDO
    assert host.channels[0].written == PROGRAM


@pytest.mark.ac("transports-15")
@pytest.mark.parametrize(
    ("says", "code"),
    [
        (b"sudo: a password is required\n", "privilege.password_required"),
        (b"scan is not in the sudoers file.\n", "privilege.not_allowed"),
        (b"sudo: sorry, you must have a tty to run sudo\n", "privilege.requires_tty"),
        (b"sudo: error in /etc/sudo.conf\n", "privilege.failed"),
    ],
)
async def test_refusals_of_sudo_are_told_apart(says: bytes, code: str) -> None:
    way = transport(FakeHost([refused(says)]))
    with pytest.raises(OpenWatchError) as caught:
        await run(way)
    assert caught.value.code == code
    assert "db1 port 22" in caught.value.message
    assert caught.value.fix


async def test_unprivileged_programs_run_after_a_refusal() -> None:
    def plain(channel: FakeChannel) -> None:
        channel.begin(b"shell")
        channel.ready()

    host = FakeHost([refused(b"scan is not in the sudoers file\n"), plain], answer_program)
    way = transport(host)
    with pytest.raises(OpenWatchError):
        await run(way)
    assert await run(way, privileged=False) == MEASURED


@pytest.mark.ac("transports-16")
async def test_an_end_without_a_status_is_a_lost_host_however_much_was_received() -> None:
    def cut(channel: FakeChannel) -> None:
        if channel.eof:
            channel.say(Stream.OUT, b"half of it")
            channel.sink.ended(None)

    way = transport(FakeHost([root], cut))
    with pytest.raises(OpenWatchError) as caught:
        await run(way)
    assert caught.value.code == "host.lost"
    assert caught.value.kind.retryable


@pytest.mark.ac("transports-17")
async def test_what_receive_raises_closes_the_channel_and_comes_back() -> None:
    class EnoughError(Exception):
        pass

    def flood(channel: FakeChannel) -> None:
        for _ in range(3):
            channel.say(Stream.OUT, b"more")

    calls: list[bytes] = []

    def receive(stream: Stream, data: bytes) -> None:
        calls.append(data)
        raise EnoughError

    host = FakeHost([root], flood)
    with pytest.raises(EnoughError):
        await transport(host).run(PROGRAM, privileged=True, receive=receive)
    assert calls == [b"more"]
    assert host.channels[0].hung_up


@pytest.mark.ac("transports-18")
async def test_a_program_past_its_deadline_is_cut_off() -> None:
    host = FakeHost([root])
    with pytest.raises(OpenWatchError) as caught:
        await transport(host).run(
            PROGRAM, privileged=True, receive=lambda stream, data: None, deadline=0.05
        )
    assert caught.value.code == "host.command_timeout"
    assert "0.05 seconds" in caught.value.message
    assert host.channels[0].hung_up


@pytest.mark.ac("transports-18")
async def test_a_cancelled_run_closes_its_channel() -> None:
    host = FakeHost([root])
    task = asyncio.create_task(run(transport(host)))
    while not host.channels:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.channels[0].hung_up


async def test_a_timeout_that_receive_raises_is_not_taken_for_our_deadline() -> None:
    def receive(stream: Stream, data: bytes) -> None:
        raise TimeoutError("not ours")

    way = transport(FakeHost([root], lambda channel: channel.say(Stream.OUT, b"x")))
    with pytest.raises(TimeoutError, match="not ours"):
        await way.run(PROGRAM, privileged=True, receive=receive)


@pytest.mark.parametrize(
    ("opening", "code"),
    [
        (lambda channel: None, "host.no_shell"),
        (lambda channel: channel.say(Stream.OUT, b"menu> "), "host.no_shell"),
        (lambda channel: channel.begin(b"sudo"), "privilege.failed"),
    ],
)
async def test_a_shell_that_never_gets_ready_is_given_up(opening: Opening, code: str) -> None:
    host = FakeHost([opening])
    with pytest.raises(OpenWatchError) as caught:
        await run(transport(host, handshake=0.05))
    assert caught.value.code == code
    assert host.channels[0].hung_up


@pytest.mark.ac("transports-19")
async def test_endless_noise_before_the_shell_is_not_waited_out() -> None:
    def opening(channel: FakeChannel) -> None:
        while not channel.hung_up:
            channel.say(Stream.OUT, b"y\n" * 50_000)

    host = FakeHost([opening])
    with pytest.raises(OpenWatchError) as caught:
        await run(transport(host), privileged=False)
    assert caught.value.code == "host.no_shell"
    assert "1 MiB" in caught.value.message


@pytest.mark.ac("transports-19")
@pytest.mark.parametrize(
    ("says", "code"),
    [
        (b"This account is currently not available.\n", "host.no_shell"),
        (b"", "host.no_shell"),
        (b"\x1b[31m\x00\xffgarbage", "host.no_shell"),
        (
            b"WARNING: Your password has expired.\n"
            b"Password change required but no TTY available.\n",
            "auth.password_expired",
        ),
    ],
)
async def test_an_account_without_a_shell_is_told(says: bytes, code: str) -> None:
    def opening(channel: FakeChannel) -> None:
        channel.say(Stream.ERR, says)
        channel.sink.ended(1)

    with pytest.raises(OpenWatchError) as caught:
        await run(transport(FakeHost([opening])), privileged=False)
    assert caught.value.code == code
    assert caught.value.message.isprintable()


@pytest.mark.ac("transports-20")
async def test_a_host_that_prints_the_password_does_not_get_it_into_an_error() -> None:
    def answer(channel: FakeChannel) -> None:
        channel.say(Stream.ERR, b"sudo: broken: " + channel.written)
        channel.sink.ended(1)

    way = transport(FakeHost([NEEDS_PASSWORD, prompt], answer), password=PASSWORD)
    with pytest.raises(OpenWatchError) as caught:
        await run(way)
    assert caught.value.code == "privilege.failed"
    assert PASSWORD not in f"{caught.value!r} {caught.value} {caught.value.params} {way!r}"
    assert "[redacted]" in caught.value.message


async def test_only_one_run_learns_when_several_start_together() -> None:
    def answer(channel: FakeChannel) -> None:
        if channel.written == f"{PASSWORD}\n".encode():
            channel.ready()
        else:
            answer_program(channel)

    host = FakeHost([NEEDS_PASSWORD, prompt, prompt, prompt], answer)
    way = transport(host, password=PASSWORD)
    await asyncio.gather(run(way), run(way), run(way))
    assert ["-S" in channel.command for channel in host.channels] == [False, True, True, True]


# -- a root shell that waits for its program -------------------------------------------------------


async def settled(host: FakeHost, *, channels: int) -> None:
    """Wait until so many commands were started, and what they said has been understood."""
    async with asyncio.timeout(20):
        while len(host.channels) < channels:
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)


def answered_when_ready(host: FakeHost, opening: Opening) -> None:
    """Play ``opening`` next, for a program that comes with the request."""

    def play(channel: FakeChannel) -> None:
        opening(channel)
        answer_program(channel)

    host.openings.append(play)
    host.answer = lambda channel: None


@pytest.mark.ac("transports-27")
@pytest.mark.parametrize("opening", [root, sudo])
async def test_a_shell_that_was_asked_for_ahead_gets_the_program_when_there_is_one(
    opening: Opening,
) -> None:
    host = FakeHost([opening], answer_program)
    way = transport(host)
    way.expect_privileged()
    way.expect_privileged()
    await settled(host, channels=1)
    assert host.channels[0].written == b""
    assert not host.channels[0].eof
    assert way.traffic.round_trips == 0
    assert await run(way) == MEASURED
    assert way.traffic.round_trips == 1
    assert len(host.channels) == 1
    # The next one needs a shell of its own.
    answered_when_ready(host, opening)
    assert await run(way) == MEASURED
    assert len(host.channels) == 2


@pytest.mark.ac("transports-27")
async def test_what_a_shell_ahead_says_before_its_program_is_not_lost() -> None:
    def talkative(channel: FakeChannel) -> None:
        sudo(channel)
        channel.say(Stream.ERR, b"early\n")

    host = FakeHost([talkative], answer_program)
    way = transport(host)
    way.expect_privileged()
    await settled(host, channels=1)
    assert await run(way) == [(Stream.ERR, b"early\n"), *MEASURED]


@pytest.mark.ac("transports-12", "transports-27")
async def test_a_password_that_was_rejected_ahead_is_not_tried_again() -> None:
    def answer(channel: FakeChannel) -> None:
        channel.say(Stream.ERR, b"Sorry, try again.\n" + channel.nonce + b"-password")

    host = FakeHost([NEEDS_PASSWORD, prompt], answer)
    way = transport(host, password=PASSWORD)
    way.expect_privileged()
    await settled(host, channels=2)
    for _ in range(2):
        with pytest.raises(OpenWatchError) as caught:
            await run(way)
        assert caught.value.code == "privilege.password_rejected"
    assert len(host.channels) == 2
    assert host.channels[1].written == f"{PASSWORD}\n".encode()
    assert way.privilege is PrivilegeMode.NONE


@pytest.mark.ac("transports-11", "transports-27")
async def test_a_password_is_given_ahead_only_after_the_prompt() -> None:
    def answer(channel: FakeChannel) -> None:
        if channel.written == f"{PASSWORD}\n".encode():
            channel.ready()
        else:
            answer_program(channel)

    host = FakeHost([NEEDS_PASSWORD, prompt], answer)
    way = transport(host, password=PASSWORD)
    way.expect_privileged()
    await settled(host, channels=2)
    assert host.channels[1].written == f"{PASSWORD}\n".encode()
    assert await run(way) == MEASURED
    assert host.channels[1].written == f"{PASSWORD}\n".encode() + PROGRAM
    assert way.privilege is PrivilegeMode.SUDO_PASSWORD


@pytest.mark.ac("transports-27")
async def test_a_shell_that_died_while_it_waited_is_replaced() -> None:
    host = FakeHost([sudo, sudo], answer_program)
    way = transport(host)
    way.expect_privileged()
    await settled(host, channels=1)
    host.channels[0].sink.ended(None)
    host.openings.clear()
    answered_when_ready(host, sudo)
    assert await run(way) == MEASURED
    assert len(host.channels) == 2
    assert host.channels[0].written == b""


@pytest.mark.ac("transports-27")
async def test_a_host_without_a_second_place_is_asked_again_by_the_run_itself() -> None:
    host = FakeHost([sudo], answer_program, full=True)
    way = transport(host)
    way.expect_privileged()
    for _ in range(10):
        await asyncio.sleep(0)
    assert host.channels == []
    assert await run(way) == MEASURED


@pytest.mark.ac("transports-16", "transports-27")
async def test_a_host_that_is_lost_while_the_program_runs_is_lost() -> None:
    def cut(channel: FakeChannel) -> None:
        if channel.eof:
            channel.say(Stream.OUT, b"half an ans")
            channel.sink.ended(None)

    host = FakeHost([sudo], cut)
    way = transport(host)
    way.expect_privileged()
    await settled(host, channels=1)
    with pytest.raises(OpenWatchError) as caught:
        await run(way)
    assert caught.value.code == "host.lost"


@pytest.mark.ac("transports-18", "transports-27")
@pytest.mark.parametrize("opening", [sudo, lambda channel: channel.begin(b"sudo")])
async def test_a_shell_ahead_that_nobody_needs_is_ended(opening: Opening) -> None:
    host = FakeHost([opening])
    way = transport(host)
    way.expect_privileged()
    await settled(host, channels=1)
    await way.aclose()
    assert host.channels[0].hung_up
    assert host.channels[0].written == b""
    idle = transport(FakeHost([]))
    idle.expect_privileged()
    await idle.aclose()


@pytest.mark.ac("transports-18", "transports-27")
async def test_a_run_that_is_cancelled_ends_the_shell_that_it_waits_for() -> None:
    host = FakeHost([lambda channel: channel.begin(b"sudo")])
    way = transport(host)
    way.expect_privileged()
    task = asyncio.create_task(run(way))
    await settled(host, channels=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.channels[0].hung_up


@pytest.mark.ac("transports-27")
async def test_noise_of_a_shell_that_waits_is_bounded() -> None:
    def endless(channel: FakeChannel) -> None:
        sudo(channel)
        while not channel.hung_up:
            channel.say(Stream.OUT, b"y\n" * 50_000)

    host = FakeHost([endless, endless])
    way = transport(host)
    way.expect_privileged()
    await settled(host, channels=1)
    assert host.channels[0].hung_up
    await way.aclose()

"""The handshake with sudo and the shell: any bytes, cut and interleaved in any way."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.transport.model import PrivilegeProblem, Stream
from openwatch.engine.transport.privilege import (
    MAX_TOLD_BYTES,
    READY,
    Act,
    Begun,
    Handshake,
    Launch,
    Payload,
    command,
    sudo_problem,
)

NONCE = "0123456789abcdef0123456789abcdef"
LINE = NONCE.encode()
PROMPT = LINE + b"-password"

noise = st.binary(max_size=60).filter(lambda data: LINE not in data and READY not in data)
payload = st.binary(max_size=80)


@dataclass(frozen=True)
class Result:
    """All that a handshake said, without the cuts between chunks."""

    acts: tuple[Act, ...]
    out: bytes
    err: bytes
    ready: bool
    begun: Begun | None
    problem: PrivilegeProblem | None
    told: str


def play(launch: Launch, chunks: Iterable[tuple[Stream, bytes]]) -> Result:
    handshake = Handshake(launch, NONCE)
    acts: list[Act] = []
    received = {Stream.OUT: b"", Stream.ERR: b""}
    for stream, data in chunks:
        for event in handshake.feed(stream, data):
            match event:
                case Payload(of, piece):
                    received[of] += piece
                case act:
                    acts.append(act)
    return Result(
        acts=tuple(sorted(acts)),
        out=received[Stream.OUT],
        err=received[Stream.ERR],
        ready=handshake.ready,
        begun=handshake.begun,
        problem=handshake.problem,
        told=handshake.told,
    )


def whole(out: bytes, err: bytes) -> Sequence[tuple[Stream, bytes]]:
    return [(Stream.OUT, out), (Stream.ERR, err)]


@st.composite
def cut_up(draw: st.DrawFn, out: bytes, err: bytes) -> list[tuple[Stream, bytes]]:
    """Both streams in pieces of any size, interleaved in any order."""
    left = {Stream.OUT: out, Stream.ERR: err}
    chunks: list[tuple[Stream, bytes]] = []
    while left[Stream.OUT] or left[Stream.ERR]:
        stream = draw(st.sampled_from([s for s in Stream if left[s]]))
        size = draw(st.integers(1, max(1, min(50, len(left[stream])))))
        chunks.append((stream, left[stream][:size]))
        left[stream] = left[stream][size:]
    return chunks


@pytest.mark.ac("transports-10")
@given(
    st.data(),
    st.sampled_from(Launch),
    st.sampled_from(Begun),
    st.integers(0, 2),
    st.tuples(noise, noise, noise, noise, payload, payload),
)
def test_the_result_does_not_depend_on_how_the_streams_arrive(
    data: st.DataObject, launch: Launch, begun: Begun, prompts: int, parts: tuple[bytes, ...]
) -> None:
    before_out, between_out, before_err, between_err, out, err = parts
    stdout = before_out + LINE + b" " + begun.encode() + b"\n" + between_out + READY + out
    stderr = before_err + LINE + b"\n" + between_err + PROMPT * prompts + READY + err
    chunks = data.draw(cut_up(stdout, stderr))
    assert play(launch, chunks) == play(launch, whole(stdout, stderr))


@given(st.data(), st.sampled_from(Launch), payload, payload)
def test_any_bytes_at_all_are_read_alike_whole_and_in_pieces(
    data: st.DataObject, launch: Launch, out: bytes, err: bytes
) -> None:
    chunks = data.draw(cut_up(out, err))
    assert play(launch, chunks) == play(launch, whole(out, err))


@pytest.mark.ac("transports-10")
@given(noise, noise, payload, payload)
def test_noise_before_ready_is_dropped_and_the_program_s_output_kept(
    before_out: bytes, before_err: bytes, out: bytes, err: bytes
) -> None:
    stdout = before_out + LINE + b" root\n" + READY + out
    stderr = before_err + LINE + b"\n" + READY + err
    result = play(Launch.PROBE, whole(stdout, stderr))
    assert result.acts == (Act.SEND_PROGRAM,)
    assert (result.out, result.err, result.begun) == (out, err, Begun.ROOT)


@pytest.mark.ac("transports-11")
@given(noise, payload)
def test_one_prompt_gets_the_password_and_ready_gets_the_program(
    lecture: bytes, out: bytes
) -> None:
    stdout = LINE + b" sudo\n" + READY + out
    stderr = LINE + b"\n" + lecture + PROMPT + b"\n" + READY
    result = play(Launch.PASSWORD, whole(stdout, stderr))
    assert result.acts == (Act.SEND_PASSWORD, Act.SEND_PROGRAM)
    assert result.out == out


@pytest.mark.ac("transports-12")
def test_a_second_prompt_hangs_up_and_means_rejected() -> None:
    stderr = LINE + b"\n" + PROMPT + b"\nSorry, try again.\n" + PROMPT
    result = play(Launch.PASSWORD, whole(LINE + b" sudo\n", stderr))
    assert result.acts == (Act.HANG_UP, Act.SEND_PASSWORD)
    assert result.problem is PrivilegeProblem.PASSWORD_REJECTED
    assert not result.ready


@given(payload)
def test_a_prompt_after_ready_is_output_of_the_program(err: bytes) -> None:
    stderr = LINE + b"\n" + PROMPT + READY + PROMPT + err
    result = play(Launch.PASSWORD, whole(LINE + b" sudo\n" + READY, stderr))
    assert result.acts == (Act.SEND_PASSWORD, Act.SEND_PROGRAM)
    assert result.err == PROMPT + err


@pytest.mark.parametrize("launch", [Launch.PLAIN, Launch.PROBE])
def test_a_prompt_is_never_answered_where_none_was_asked_for(launch: Launch) -> None:
    result = play(launch, whole(LINE + b" sudo\n", LINE + b"\n" + PROMPT))
    assert result.acts == ()


def test_a_prompt_before_our_command_began_is_noise() -> None:
    result = play(Launch.PASSWORD, whole(b"", PROMPT))
    assert result.acts == ()


def test_without_our_first_line_sudo_is_not_blamed() -> None:
    result = play(Launch.PROBE, whole(b"This account is currently not available.\n", b""))
    assert result.problem is None
    assert result.told == "This account is currently not available."


def test_missing_sudo_is_told() -> None:
    result = play(Launch.PROBE, whole(LINE + b" missing\n", LINE + b"\n"))
    assert result.problem is PrivilegeProblem.SUDO_MISSING


def test_an_unknown_word_on_our_line_is_passed_over() -> None:
    result = play(Launch.PROBE, whole(LINE + b" what\n" + LINE + b" root\n" + READY, b""))
    assert result.begun is Begun.ROOT
    assert result.ready


@given(st.integers(0, 3 * MAX_TOLD_BYTES))
def test_endless_noise_is_not_kept(length: int) -> None:
    handshake = Handshake(Launch.PROBE, NONCE)
    for _ in range(5):
        assert list(handshake.feed(Stream.OUT, b"x" * length)) == []
    assert len(handshake.told) <= MAX_TOLD_BYTES + len(LINE)


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        ("sudo: a password is required", PrivilegeProblem.PASSWORD_REQUIRED),
        (
            "sudo: a terminal is required to read the password; either use the -S option to read "
            "from standard input or configure an askpass helper",
            PrivilegeProblem.PASSWORD_REQUIRED,
        ),
        (
            "sudo: no tty present and no askpass program specified",
            PrivilegeProblem.PASSWORD_REQUIRED,
        ),
        ("sudo: interactive authentication is required", PrivilegeProblem.PASSWORD_REQUIRED),
        ("sudo: no password was provided", PrivilegeProblem.PASSWORD_REQUIRED),
        ("sudo: sorry, you must have a tty to run sudo", PrivilegeProblem.REQUIRES_TTY),
        (
            "Sorry, user scan is not allowed to execute '/usr/bin/sh -c x' as root on db1.",
            PrivilegeProblem.NOT_ALLOWED,
        ),
        ("scan is not in the sudoers file.", PrivilegeProblem.NOT_ALLOWED),
        ("Sorry, user scan may not run sudo on db1.", PrivilegeProblem.NOT_ALLOWED),
        ("sudo: 1 incorrect password attempt", PrivilegeProblem.PASSWORD_REJECTED),
        ("Sorry, try again.\nsudo: no password was provided", PrivilegeProblem.PASSWORD_REJECTED),
        ("sudo: Authentication failed, try again.", PrivilegeProblem.PASSWORD_REJECTED),
        (
            "sudo: effective uid is not 0, is sudo installed setuid root?",
            PrivilegeProblem.FAILED,
        ),
        ("", PrivilegeProblem.FAILED),
    ],
)
def test_what_sudo_says_is_told_apart(says: str, problem: PrivilegeProblem) -> None:
    assert sudo_problem(says) is problem


SHELLS = [
    shell
    for shell in ("sh", "bash", "dash", "busybox", "ksh", "mksh", "zsh", "tcsh", "fish")
    if shutil.which(shell)
]


@pytest.mark.ac("transports-13")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_plain_shell_says_ready_and_runs_its_input(shell: str) -> None:
    argv = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*argv, "-c", command(Launch.PLAIN, NONCE)],
        input=b"echo out; echo err >&2; exit 3\n",
        capture_output=True,
        check=False,
    )
    result = play(Launch.PLAIN, whole(done.stdout, done.stderr))
    assert (result.out, result.err, done.returncode) == (b"out\n", b"err\n", 3)
    assert result.begun is Begun.SHELL


@pytest.mark.ac("transports-13")
@pytest.mark.parametrize("launch", Launch)
def test_the_command_suits_any_login_shell_and_hides_nothing_secret(launch: Launch) -> None:
    text = command(launch, NONCE)
    inside = text.removeprefix("exec sh -c '").removesuffix("'")
    assert f"exec sh -c '{inside}'" == text
    assert not set("'!\n\\") & set(inside)


@pytest.mark.ac("transports-13")
def test_sudo_is_always_asked_for_the_same_command() -> None:
    asked = {
        command(launch, nonce).partition(" -- ")[2]
        for launch in (Launch.PROBE, Launch.PASSWORD)
        for nonce in (NONCE, "f" * 32)
    }
    assert len(asked) == 1

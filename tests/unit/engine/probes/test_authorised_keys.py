"""Keys that open accounts: what of a line is kept, what the server takes for a key, and limits."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.certificates import Key
from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.authorised_keys import (
    AuthorisedKeys,
    AuthorisedKeysProbe,
    split_line,
)

BLOB: Final = "AAAAC3NzaC1lZDI1NTE5AAAAIMMGJeCsxsvt1qa2WrorZ59V4mbnPrdYLYu4i3XbUPCu"
SHORT: Final = (
    "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCoM7lWH/M+0yMglLbzqE+8l2fRmsakL6Hz5TPPzjZgeuih"
    "+rcStPGfWA7Jl5gA7q90fxsx5lpLgKwRS+muSmmftzWPi/Jk0WCaGKp3snydQ0XRtIEGdbZZgiKE"
    "HHh8l0qFdqGXzbjnB7V1xWBLivNyj2LZZGW669YNh1+TvVTfdw=="
)
PROBE = AuthorisedKeysProbe()


def said(*lines: str, account: str = "@eve|1000|/k") -> AuthorisedKeys | CouldNot:
    text = "\n".join(("P .ssh/authorized_keys", account, "F 600|1000|1000|/k", "= /k", *lines))
    return PROBE.parse(PROBE.clean(f"{text}\n.\n".encode()).decode())


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("line", "options"),
    [
        (f"ssh-ed25519 {BLOB}", set()),
        (f"  ssh-ed25519\t{BLOB} eve@example.org\r", set()),
        (f"no-pty ssh-ed25519 {BLOB}", {"no-pty"}),
        (f'No-PTY,command="a \\"b, c\\" d" ssh-ed25519 {BLOB} x', {"no-pty", "command"}),
        (f'environment="A=ssh-rsa AAAA" ssh-ed25519 {BLOB}', {"environment"}),
        (f"res trict ssh-ed25519 {BLOB}", None),
        (f"'a b' ssh-ed25519 {BLOB}", None),
        (f'command="no end ssh-ed25519 {BLOB}', None),
        ("ssh-ed25519", None),
        (f"ssh-ed25519 {BLOB[4:]}", None),
        ("", None),
    ],
)
def test_a_line_as_the_server_reads_it(line: str, options: set[str] | None) -> None:
    expected = None if options is None else (frozenset(options), "ssh-ed25519", BLOB)
    assert split_line(line) == expected


@pytest.mark.ac("engine-07")
def test_a_comment_and_what_an_option_says_are_not_kept() -> None:
    line = f'L 3 command="HUSH",user="HUSH" ssh-ed25519 {BLOB} HUSH@example.org HUSH'
    kept = PROBE.clean(f"{line}\nL 4 HUSH AAAA\n.\n".encode())
    assert kept == f"L 3 command,user ssh-ed25519 {BLOB}\n.\n".encode()
    assert PROBE.clean(kept) == kept


def test_the_keys_of_a_file() -> None:
    found = said(f"L 1 ssh-ed25519 {BLOB}", f"L 7 no-pty ssh-rsa {SHORT} x", "L 8 rubbish")
    assert isinstance(found, AuthorisedKeys)
    (file,) = found.files
    assert (file.accounts, file.mode, file.owner) == ([("eve", 1000)], 0o600, 1000)
    assert [(key.line, key.key) for key in file.keys] == [
        (1, Key("ed25519", 256)),
        (7, Key("rsa", 1024)),
    ]
    assert file.keys[1].options == {"no-pty"}


def test_what_nobody_can_say() -> None:
    far = said(account="~eve|1000|/k")
    assert isinstance(far, AuthorisedKeys)
    assert far.files[0].problem
    assert far.files[0].problem.reason is Reason.INCOMPLETE
    cut = said(f"L 1 ssh-ed25519 {BLOB}", "+ /k")
    assert isinstance(cut, AuthorisedKeys)
    assert cut.files[0].problem
    assert cut.files[0].problem.reason is Reason.TRUNCATED
    unknown = said("? /keys/%d")
    assert isinstance(unknown, AuthorisedKeys)
    assert unknown.problems
    for text in ("", ".\n", "P x\n", "P x\n@eve|1000|/k\n.\n", "P x\nL 1 - ssh-rsa A\n.\n"):
        assert isinstance(PROBE.parse(text), CouldNot), text


@given(st.text(max_size=200))
def test_no_line_breaks_the_reader(text: str) -> None:
    split = split_line(text)
    assert split is None or all(" " not in part for part in (*split[0], split[1], split[2]))


@given(st.binary(max_size=200), st.text(alphabet='P@~FL+=?. |/k19a"\\\n', max_size=120))
def test_no_answer_breaks_the_probe(data: bytes, text: str) -> None:
    for answer in (data, text.encode(), b"P x\n" + text.encode() + b"\n.\n"):
        kept = PROBE.clean(answer)
        assert isinstance(PROBE.parse(kept.decode("utf-8", "replace")), AuthorisedKeys | CouldNot)

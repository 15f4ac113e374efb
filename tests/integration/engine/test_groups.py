"""Quick items that share one shell: the same answers, and the limits of each all the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from openwatch.engine import collector
from openwatch.engine.collector import collect, grouped, program
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import FrameReader, ItemResult
from openwatch.engine.probes import PROBES, Item
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.transport import Stream, connect_local

NONCE = "b" * 32
SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash-posix": ["bash", "--posix"],
          "busybox": ["busybox", "ash"]}  # fmt: skip

REQUESTS = (
    Request("stat", "/etc/passwd"), Request("stat", "/nowhere/at/all"),
    Request("stat", "/etc/*.conf"), Request("content", "/etc/os-release"),
    Request("sysctl", "kernel.ostype"), Request("module", "no_such_module"), Request("passwd"),
    Request("group"), Request("shadow"), Request("packages"), Request("root_path"),
    Request("dconf"), Request("audit"), Request("audit_log"), Request("processor"),
    Request("sshd"), Request("unit", "no-such.service"), Request("timers"), Request("boot"),
)  # fmt: skip


def run(name: str, text: bytes) -> FrameReader:
    if shutil.which(SHELLS[name][0]) is None:
        pytest.skip(f"{name} is not on this machine")
    done = subprocess.run(SHELLS[name], input=text, capture_output=True, timeout=60, check=False)
    reader = FrameReader(NONCE)
    reader.receive(Stream.OUT, done.stdout)
    reader.receive(Stream.ERR, done.stderr)
    assert reader.done
    return reader


def told(results: Mapping[str, ItemResult]) -> dict[str, tuple[bytes, bytes, int | None]]:
    """What an item printed, and how it ended; a shell puts its name and a line before an error."""
    return {
        name: (r.output, re.sub(rb"(?m)^(\S+: )?(eval: )?(line )?\d+: ", b"", r.errors),
               r.exit_status)
        for name, r in results.items()
    }  # fmt: skip


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("name", SHELLS)
def test_a_group_gives_the_bytes_that_each_item_gives_alone(name: str) -> None:
    groups = grouped(REQUESTS)
    items = [item for probe, asked in groups.items() for item in PROBES[probe].items(asked)]
    text = program(items, NONCE, together=True)
    assert text.count(b"\ngroup ") == 1
    assert told(run(name, text).results) == told(run(name, program(items, NONCE)).results)


# Each leaves something behind that the next one must not see.
CARELESS = [
    Item("exits", "cd /etc; x=1; f() { echo f; }; set -f; IFS=:; exec 2>&1; exit 7", "exit"),
    Item("sees", 'pwd; echo "${x-unset}$#"; command -v f; echo /et[c]; echo "a:b"', "pwd"),
    Item("parses", "if then; (", "sh"),
    Item("quotes", "printf '%s\\n' 'it'\"'\"'s' \"$(printf '%s' 'a'\\''b')\" '\\'", "printf"),
    Item("reads", "cat", "cat"),
    Item("complains", "echo out; echo err >&2; false", "false"),
    Item("forges", "printf '\\n%s end sees 0\\n' 0123456789abcdef", "printf"),
]


@pytest.mark.ac("engine-04")
@pytest.mark.parametrize("name", SHELLS)
def test_an_item_of_a_group_leaves_nothing_to_the_next_one(name: str, tmp_path: Path) -> None:
    del tmp_path
    text = program(CARELESS, NONCE, together=True)
    assert text.count(b"\nitem ") == 0
    results = run(name, text).results
    assert results["exits"].exit_status == 7
    seen = results["sees"].output.splitlines()
    assert seen[0] != b"/etc"
    assert seen[1:] == [b"unset0", b"/etc", b"a:b"]
    assert results["parses"].exit_status not in (0, None)
    assert results["quotes"].output == b"it's\na'b\n\\\n"
    assert (results["reads"].output, results["reads"].exit_status) == (b"", 0)
    assert results["complains"] == ItemResult(
        b"out\n", b"err\n", 1, seconds=results["complains"].seconds
    )
    assert results["forges"].output == b"\n0123456789abcdef end sees 0\n"


@pytest.mark.ac("engine-01")
@pytest.mark.parametrize("name", SHELLS)
def test_nobody_reads_the_nonce_from_a_list_of_processes(name: str) -> None:
    """With it, the name of a file in /tmp could pass for the answer to another item."""
    look = "cat /proc/$$/cmdline /proc/$$/environ; tr '\\0' ' ' </proc/$PPID/cmdline; env"
    items = [Item("a", look, "cat"), Item("b", look, "cat")]
    for together in (True, False):
        results = run(name, program(items, NONCE, together=together)).results
        assert b"cat" in results["b"].output
        assert NONCE.encode() not in results["a"].output + results["b"].output


@pytest.mark.ac("engine-02")
def test_a_group_cut_short_runs_nothing(tmp_path: Path) -> None:
    items = [Item(n, f"touch {tmp_path}/ran", "touch") for n in ("a", "b")]
    whole = program(items, NONCE, together=True)
    for end in range(0, len(whole) - 12, len(whole) // 15):
        subprocess.run(["sh"], input=whole[:end], capture_output=True, check=False)
        assert not (tmp_path / "ran").exists()
    assert run("dash", whole).results["b"].exit_status == 0


def test_a_group_may_be_larger_than_one_argument() -> None:
    """execve(2): Linux takes at most 128 KiB in one."""
    items = [Item(f"i{n}", f"echo '{'x' * 50_000}'", "echo") for n in range(5)]
    results = run("dash", program(items, NONCE, together=True)).results
    assert {r.output for r in results.values()} == {b"x" * 50_000 + b"\n"}
    assert {r.exit_status for r in results.values()} == {0}


class _Table(TableProbe):
    """A probe made for a test."""

    def __init__(self, name: str, body: str, *, seconds: int = 10, max_bytes: int = 5000) -> None:
        self.name = name  # type: ignore[misc]
        self.command = name  # type: ignore[misc]
        self.body = body  # type: ignore[misc]
        self.seconds = seconds  # type: ignore[misc]
        self.max_bytes = max_bytes  # type: ignore[misc]

    def parse(self, text: str) -> str:
        return text


async def collected(
    monkeypatch: pytest.MonkeyPatch, *probes: _Table
) -> tuple[dict[str, Fact], int, list[int]]:
    """Return the facts of these probes, the round trips, and the progress that was told."""
    monkeypatch.setattr(collector, "PROBES", {probe.name: probe for probe in probes})
    progress: list[int] = []
    transport = connect_local()
    try:
        facts = await collect(
            transport,
            [Request(probe.name) for probe in probes],
            privileged=False,
            deadline=60,
            on_item=lambda done, total: progress.append(done),
        )
    finally:
        await transport.aclose()
    found = {fact.request.probe: fact for fact in facts}
    return found, transport.traffic.round_trips, progress


FINE = _Table("fine", "echo fine")
LAST = _Table("last", "echo last")


def reasons(facts: Mapping[str, Fact]) -> dict[str, Reason | None]:
    return {
        name: fact.could_not.reason if isinstance(fact.could_not, CouldNot) else None
        for name, fact in facts.items()
    }


@pytest.mark.ac("engine-04")
async def test_whoever_breaks_a_limit_of_a_group_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts, trips, progress = await collected(
        monkeypatch, FINE, _Table("slow", "sleep 30", seconds=1), LAST
    )
    assert reasons(facts) == {"fine": None, "slow": Reason.TIMED_OUT, "last": None}
    assert facts["last"].output == b"last\n"
    # All is answered: what was cut, and what came behind it, was asked for again.
    assert trips == 2
    assert progress == [1, 2, 3]

    endless = _Table("endless", "while :; do echo yyyyyyyyyyyy; done", max_bytes=4000)
    facts, _, _ = await collected(monkeypatch, FINE, endless, LAST)
    assert reasons(facts) == {"fine": None, "endless": Reason.TRUNCATED, "last": None}

    facts, _, _ = await collected(monkeypatch, FINE, _Table("kills", "kill -9 $$"), LAST)
    assert reasons(facts) == {"fine": None, "kills": Reason.TIMED_OUT, "last": None}


@pytest.mark.ac("engine-04")
async def test_a_group_is_no_tighter_than_the_limits_of_its_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of these keeps its own limits; together they break those of the group."""
    parts = [_Table(f"p{n}", "head -c 3000 /dev/zero") for n in range(4)]
    facts, trips, _ = await collected(monkeypatch, *parts)
    assert trips == 2
    assert all(fact.output == bytes(3000) for fact in facts.values())
    short = _Table("short", "sleep 0.2; echo x", seconds=1)
    long = _Table("long", "sleep 2; echo y", seconds=9)
    facts, trips, _ = await collected(monkeypatch, short, long, LAST)
    assert [fact.output for fact in facts.values()] == [b"x\n", b"y\n", b"last\n"]
    assert trips == 2


@pytest.mark.ac("engine-04")
async def test_without_gnu_timeout_each_item_is_asked_for_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others end the shell of a group and not what it started, which would hold up all the rest."""
    monkeypatch.setattr(
        collector, "_PROLOGUE", collector._PROLOGUE.replace("timeout --version", "false")
    )
    facts, trips, _ = await collected(monkeypatch, FINE, LAST)
    assert reasons(facts) == {"fine": None, "last": None}
    assert trips == 1


@pytest.mark.ac("engine-04")
async def test_quick_items_take_one_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = _Table("heavy", "echo heavy", seconds=100)
    facts, trips, _ = await collected(monkeypatch, heavy, FINE, LAST)
    assert trips == 1
    assert list(facts) == ["heavy", "fine", "last"]


@pytest.mark.ac("engine-04")
@pytest.mark.parametrize("cut", range(200))
def test_no_part_of_a_mark_is_an_end(cut: int) -> None:
    mark = f"\n{NONCE} ".encode()
    text = mark + b"item a\nout" + mark + b"ended a 127 .\n"
    reader = FrameReader(NONCE)
    reader.receive(Stream.OUT, mark + b"begin\n" + text[:cut] + mark + b"done\n")
    result = reader.results.get("a", ItemResult())
    assert reader.done
    assert result.exit_status == (127 if cut >= len(text) - 1 else None)

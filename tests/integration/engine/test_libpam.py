"""Our reading of PAM stacks against libpam itself, on random stacks with all outcomes."""

from __future__ import annotations

import ctypes
import itertools
import random
import sys
from collections.abc import Mapping
from ctypes.util import find_library
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openwatch.engine.facts import Fact, Request
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.subjects.pam_stack import DIRECTORIES, reached, stack

pytestmark = pytest.mark.ac("rules-12")

CONTROLS = (
    "required", "requisite", "sufficient", "optional", "[success=1 default=ignore]",
    "[default=die]", "[success=ok default=1]", "[success=2 default=bad]", "[default=reset]",
    "[success=done default=die]", "[default=1]", "[success=9 default=ignore]",
)  # fmt: skip
MOST_ENTRIES = 4

RECORDER = """#!/bin/sh
echo "$1" >> "$2/log"
read s < "$2/status.$1"
exit $s
"""


def libpam() -> ctypes.CDLL:
    name = find_library("pam")
    if not sys.platform.startswith("linux") or name is None:
        pytest.skip("there is no libpam")
    library = ctypes.CDLL(name)
    if not hasattr(library, "pam_start_confdir"):
        pytest.skip("libpam is older than 1.4 and reads only /etc/pam.d")
    return library


@dataclass
class Stacks:
    """A random service and what it includes; each recorder has a number."""

    random: random.Random
    recorder: str
    files: dict[str, str] = field(default_factory=dict[str, str])
    count: int = 0

    def lines(self, depth: int) -> str:
        made = [self._line(depth) for _ in range(self.random.randint(1 + (depth == 0), 3))]
        return "".join(f"auth {line}\n" for line in made)

    def _line(self, depth: int) -> str:
        if depth < 2 and self.random.random() < 0.25:
            name = f"part{len(self.files)}"
            self.files[name] = ""
            self.files[name] = self.lines(depth + 1)
            return f"{self.random.choice(('include', 'substack'))} @/{name}"
        control = self.random.choice(CONTROLS)
        module = self.random.choice(("pam_deny.so", "pam_permit.so", *[""] * 5))
        if not module:
            module = f"pam_exec.so quiet {self.recorder} {self.count} @"
            self.count += 1
        return f"{control} {module}"


class _Conversation(ctypes.Structure):
    _fields_ = (("conv", ctypes.c_void_p), ("data", ctypes.c_void_p))


def called(library: ctypes.CDLL, directory: Path, count: int) -> set[int]:
    """Return the recorders that libpam calls under some outcome of each of them."""
    seen: set[int] = set()
    for outcomes in itertools.product((0, 1), repeat=count):
        for number, status in enumerate(outcomes):
            (directory / f"status.{number}").write_text(f"{status}\n")
        log = directory / "log"
        log.write_text("")
        handle = ctypes.c_void_p()
        conversation = _Conversation(None, None)
        started = library.pam_start_confdir(
            b"service", b"root", ctypes.byref(conversation),
            str(directory).encode(), ctypes.byref(handle),
        )  # fmt: skip
        assert started == 0
        library.pam_end(handle, library.pam_authenticate(handle, 0))
        seen |= {int(number) for number in log.read_text().split()}
    return seen


def ours(files: Mapping[str, str]) -> set[int]:
    blocks = "".join(
        f"={DIRECTORIES[0]}/{name}\n" + "".join(f" {line}\n" for line in text.splitlines()) + "\n"
        for name, text in files.items()
    )
    facts = [
        Fact(Request("content", f"{d}/*"), "cat", f"@ok {d}/*\n{b}.\n".encode())
        for d, b in zip(DIRECTORIES, (blocks, ""), strict=True)
    ]
    snapshot = make_snapshot(facts, taken_at=datetime(2025, 6, 1, tzinfo=UTC), privilege="root")
    lines = stack(snapshot, "service")
    assert isinstance(lines, tuple)
    return {int(lines[i].arguments[2]) for i in reached(lines) if lines[i].module == "pam_exec"}


@pytest.mark.parametrize("seed", range(10))
def test_libpam_calls_what_we_say_it_can_call(seed: int, tmp_path: Path) -> None:
    library = libpam()
    recorder = tmp_path / "record"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    stacks = Stacks(random.Random(seed), str(recorder))
    stacks.files["service"] = stacks.lines(0)
    while not 0 < stacks.count <= MOST_ENTRIES:
        stacks.files.clear()
        stacks.count = 0
        stacks.files["service"] = stacks.lines(0)
    stacks.files["other"] = "auth required pam_deny.so\n"
    for name, text in stacks.files.items():
        # libpam looks for an included file in its own directory unless its path is absolute.
        real = text.replace("@/", f"{tmp_path}/").replace(" @\n", f" {tmp_path}\n")
        (tmp_path / name).write_text(real)
    paper = {name: text.replace("@/", "") for name, text in stacks.files.items()}
    assert ours(paper) == called(library, tmp_path, stacks.count), stacks.files

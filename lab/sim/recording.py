"""What a host answered to the programs of a scan, so that simulated hosts can say it again.

A program is known by a digest that leaves out its nonce, so the recording of one scan answers
every later one as long as the collector asks the same questions.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FORMAT: Final = "openwatch-recording/1"
# Where the nonce stood. It is as long as a nonce and cannot be one.
PLACEHOLDER: Final = b"@" * 32
_NONCE: Final = re.compile(rb"\bN=([0-9a-f]{32})\b")
# The answer of the probe that tells hosts apart: node name, release, machine, machine id.
_IDENTITY: Final = re.compile(
    rb"(\n" + PLACEHOLDER + rb" item kernel\n)([^\n]*)(\n[^\n]*\n[^\n]*\n)([^\n]*)(\n)"
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was sent: its digest and the nonce of this run."""

    digest: str
    nonce: bytes

    @classmethod
    def parse(cls, text: bytes) -> Program:
        """Take a program apart; without a nonce it is known by its whole text."""
        found = _NONCE.search(text)
        nonce = found[1] if found else PLACEHOLDER
        digest = hashlib.sha256(text.replace(nonce, PLACEHOLDER)).hexdigest()
        return cls(digest, nonce)


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a program printed, with the placeholder in the nonce's place, and its status."""

    kind: str
    out: bytes
    err: bytes
    exit_status: int

    def said_by(self, name: str, program: Program) -> tuple[bytes, bytes]:
        """Both streams as the host ``name`` prints them in this run."""
        machine_id = hashlib.sha256(name.encode()).hexdigest()[:32].encode()
        out = _IDENTITY.sub(
            lambda m: m[1] + name.encode() + m[3] + machine_id + m[5], self.out, count=1
        )
        return (
            out.replace(PLACEHOLDER, program.nonce),
            self.err.replace(PLACEHOLDER, program.nonce),
        )


@dataclass(slots=True)
class Recording:
    """Answers by the digest of the program."""

    answers: dict[str, Answer] = field(default_factory=dict)

    def add(self, kind: str, text: bytes, out: bytes, err: bytes, exit_status: int) -> None:
        """Remember what the program ``text`` was answered."""
        program = Program.parse(text)
        self.answers[program.digest] = Answer(
            kind=kind,
            out=out.replace(program.nonce, PLACEHOLDER),
            err=err.replace(program.nonce, PLACEHOLDER),
            exit_status=exit_status,
        )

    def write(self, path: Path) -> None:
        document = {
            "format": FORMAT,
            "answers": [
                {
                    "kind": answer.kind,
                    "program": digest,
                    "out": base64.b64encode(answer.out).decode(),
                    "err": base64.b64encode(answer.err).decode(),
                    "exit_status": answer.exit_status,
                }
                for digest, answer in self.answers.items()
            ],
        }
        path.write_bytes(gzip.compress(json.dumps(document).encode(), mtime=0))

    @classmethod
    def read(cls, path: Path) -> Recording:
        """The recording in a file; ``ValueError`` when it is something else."""
        document: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        if document.get("format") != FORMAT:
            raise ValueError(f"{path} is not a recording ({FORMAT})")
        return cls(dict(cls._entries(document["answers"])))

    @staticmethod
    def _entries(entries: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Answer]]:
        for entry in entries:
            yield (
                entry["program"],
                Answer(
                    kind=entry["kind"],
                    out=base64.b64decode(entry["out"]),
                    err=base64.b64decode(entry["err"]),
                    exit_status=entry["exit_status"],
                ),
            )


class Local:
    """Runs each program on this machine as the current user: what a scan of ``local`` sees."""

    async def answer(self, text: bytes) -> Answer:
        process = await asyncio.create_subprocess_exec(
            "sh",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(text)
        program = Program.parse(text)
        return Answer(
            kind="local",
            out=out.replace(program.nonce, PLACEHOLDER),
            err=err.replace(program.nonce, PLACEHOLDER),
            exit_status=process.returncode or 0,
        )


class Once(Local):
    """Runs a program on this machine the first time, and says the same again from then on."""

    def __init__(self) -> None:
        self._known: dict[str, asyncio.Task[Answer]] = {}

    async def answer(self, text: bytes) -> Answer:
        digest = Program.parse(text).digest
        if digest not in self._known:
            self._known[digest] = asyncio.create_task(super().answer(text))
        return await asyncio.shield(self._known[digest])


class Replay:
    """Says what was recorded; a program that was not recorded fails as an unknown command does."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.unknown: list[str] = []

    async def answer(self, text: bytes) -> Answer:
        digest = Program.parse(text).digest
        if known := self._recording.answers.get(digest):
            return known
        self.unknown.append(digest)
        says = f"this host has no recording of program {digest}\n".encode()
        return Answer(kind="unknown", out=b"", err=says, exit_status=127)


Player = Local | Replay

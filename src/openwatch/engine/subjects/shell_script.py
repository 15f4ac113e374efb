"""Start-up files of shells as a list of simple commands, each with what it depends on.

This is no shell: nothing is expanded or run. What cannot be told from the text alone is
conditional, and a value that the shell would compute is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from openwatch.engine.probes.files import FileContent
from openwatch.engine.subjects.base import Source


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words without quotes, and its place."""

    words: tuple[str, ...]
    source: Source
    conditional: bool
    """Whether it may not be run in an interactive shell."""
    loop_values: tuple[str, ...] = ()
    """What the variable of the innermost ``for`` goes through."""
    in_function: bool = False


_DEEPEST: Final = 50
"""Blocks within blocks beyond this depth are conditional, whatever their conditions are."""

_MOST_SHOWN: Final = 300
"""How much of a line stands in the evidence."""

_TOKEN: Final = re.compile(
    r"""
    (?P<joined>\\\n)
    | (?P<newline>\n)
    | (?P<blank>[^\S\n]+)
    | (?P<comment>\#[^\n]*)
    | (?P<function>(?:function\s+)?[A-Za-z_][\w.-]*[^\S\n]*\([^\S\n]*\))
    | (?P<heredoc><<-?(?!<)[^\S\n]*(?P<mark>[^\s;&|()<>]+))
    | (?P<redirect>[<>]&[\d-]*|&>>?|>>|>\|)
    | (?P<operator>&&|\|\||;;|[;&|()<>])
    | (?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\((?:[^()]|\([^()]{0,1000}\)){0,1000}\)
        |\$\{[^}\n]{0,1000}\}|[^\s;&|()<>\\'"`\#]|(?<=[^\s;&|()<>])\#)+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_QUOTED: Final = re.compile(r"\\(.)|'([^']*)'|\"((?:\\.|[^\"\\])*)\"", re.DOTALL)

_HARMLESS: Final = re.compile(
    r"(?<!-z )(?<!-z \")\$\{?PS1|\$-|TMOUT|\$\{?BASH|shopt|tty|(?:\[|test)\s+-[rfdesx]\s"
)
"""Conditions that hold in an interactive shell of a host where the file in question exists."""


@dataclass(slots=True)
class _Block:
    kind: str
    certain: bool
    condition: list[str] = field(default_factory=list[str])
    deciding: bool = True
    """Whether the condition itself is being read."""
    values: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reader:
    file: FileContent
    lines: list[str]
    blocks: list[_Block] = field(default_factory=list[_Block])
    words: list[str] = field(default_factory=list[str])
    previous: str = ""
    """The command before ``&&`` or ``||``."""
    joined_by: str = ""
    number: int = 1
    start: int = 1
    subshells: int = 0
    next_is_function: bool = False
    marks: list[str] = field(default_factory=list[str])

    def read(self) -> Iterator[Command]:
        text = self.file.text
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            assert match is not None
            position = match.end()
            kind = match.lastgroup or ""
            if match["heredoc"]:
                kind = "heredoc"
            yield from self._token(kind, match.group())
            self.number += match.group().count("\n")
            if kind == "newline" and self.marks:
                position = self._behind_heredocs(text, position)
            if kind == "heredoc":
                self.marks.append(_unquoted(match["mark"]))
        yield from self._end("\n")

    def _behind_heredocs(self, text: str, position: int) -> int:
        lines = text[position:].split("\n")
        for line in lines:
            if not self.marks:
                break
            if line.lstrip("\t") == self.marks[0]:
                del self.marks[0]
            position += len(line) + 1
            self.number += 1
        self.marks.clear()
        return position

    def _token(self, kind: str, text: str) -> Iterator[Command]:
        match kind:
            case "word":
                if not self.words:
                    self.start = self.number
                self.words.append(text)
            case "function":
                self.next_is_function = True
            case "newline":
                yield from self._end("\n")
            case "operator" if text in ("<", ">"):
                self.words.append(text)
            case "operator":
                yield from self._end(text)
                self.subshells += (text == "(") - (text == ")")
                self.subshells = max(self.subshells, 0)
            case _:
                return

    def _end(self, operator: str) -> Iterator[Command]:
        raw, self.words = self.words, []
        command = self._without_keywords(raw)
        if command:
            text = " ".join(command)
            if self.blocks and self.blocks[-1].deciding and self.blocks[-1].kind == "if":
                self.blocks[-1].condition.append(text)
            yield self._command(command)
            self.previous = text
        if raw or operator != "\n":
            self.joined_by = operator if operator in ("&&", "||") else ""

    def _command(self, words: list[str]) -> Command:
        blocks = self.blocks[:_DEEPEST]
        functions = any(block.kind == "function" for block in blocks)
        certain = all(block.certain for block in blocks) and not self.subshells
        certain = certain and len(self.blocks) <= _DEEPEST
        if self.joined_by:
            certain = certain and bool(_HARMLESS.search(self.previous))
        line = self.lines[self.start - 1]
        loops = [block.values for block in blocks if block.kind == "for"]
        return Command(
            tuple(_unquoted(word) for word in words),
            Source(self.file.path, self.start, line),
            conditional=not certain,
            loop_values=loops[-1] if loops else (),
            in_function=functions,
        )

    def _without_keywords(self, words: list[str]) -> list[str]:
        while words:
            match words[0]:
                case "if" | "while" | "until":
                    self.blocks.append(_Block("if", certain=False))
                case "then" | "do":
                    self._decided()
                case "else" | "elif":
                    self._otherwise()
                case "fi" | "done" | "esac" | "endif" | "end" | "}":
                    if self.blocks:
                        self.blocks.pop()
                    return []
                case "for" | "select":
                    values = tuple(_unquoted(word) for word in words[3:])
                    self.blocks.append(_Block("for", True, deciding=False, values=values))
                    return []
                case "case":
                    certain = "$-" in words[1:2]
                    self.blocks.append(_Block("case", certain, deciding=False))
                    return []
                case "{":
                    kind = "function" if self.next_is_function else "group"
                    self.blocks.append(_Block(kind, kind == "group", deciding=False))
                    self.next_is_function = False
                case "!" | "builtin" | "command":
                    pass
                case _:
                    return words
            words = words[1:]
        return words

    def _decided(self) -> None:
        if self.blocks and self.blocks[-1].deciding:
            block = self.blocks[-1]
            block.deciding = False
            block.certain = bool(_HARMLESS.search(" ".join(block.condition)))
            self.joined_by = ""

    def _otherwise(self) -> None:
        if self.blocks:
            self.blocks[-1].certain = False


def _unquoted(word: str) -> str:
    return _QUOTED.sub(lambda m: next(g for g in m.groups() if g is not None), word)


@lru_cache(maxsize=64)
def commands(file: FileContent) -> tuple[Command, ...]:
    """Return the simple commands of a file in the order in which they stand."""
    lines = [line.strip()[:_MOST_SHOWN] for line in file.text.split("\n")]
    return tuple(_Reader(file, lines).read())

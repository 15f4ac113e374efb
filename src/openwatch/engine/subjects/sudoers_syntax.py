"""The grammar of sudoers(5): what one statement says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from openwatch.engine.probes.files import FileContent
from openwatch.engine.subjects.base import Source


@dataclass(frozen=True, slots=True)
class Default:
    """One parameter of a Defaults line. ``scope`` is empty for everybody, or ``:alice``."""

    option: str
    scope: str
    negated: bool
    operator: str
    value: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Permission:
    """One command of a user specification, with all that it inherits; aliases are resolved."""

    users: tuple[str, ...]
    hosts: tuple[str, ...]
    runas_users: tuple[str, ...]
    runas_groups: tuple[str, ...]
    command: str
    tags: frozenset[str]
    options: Mapping[str, str]
    source: Source

    @property
    def denied(self) -> bool:
        """Whether the command is taken away, not given."""
        return (len(self.command) - len(self.command.lstrip("!"))) % 2 == 1


@dataclass(frozen=True, slots=True)
class Include:
    """One include directive."""

    path: str
    directory: bool
    source: Source


class SudoersError(Exception):
    """A line that is not of the grammar."""


def statements(file: FileContent) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, without comments, continued lines joined."""
    pending, start = "", 0
    for number, raw in file.lines():
        directive = not pending and re.match(r"\s*[#@]include(?:dir)?\s+\S", raw)
        line = (raw if directive else _without_comment(raw)).rstrip()
        start = start if pending else number
        if not directive and _is_continued(line):
            pending += line[:-1] + " "
            continue
        text = (pending + line).strip()
        pending = ""
        if text:
            yield start, text
    if pending.strip():
        yield start, pending.strip()


def _is_continued(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _without_comment(line: str) -> str:
    """``#`` begins a comment unless it is quoted, or begins a user id (``#1000``)."""
    quoted = False
    position = 0
    while position < len(line):
        character = line[position]
        if character == "\\":
            position += 2
            continue
        if character == '"':
            quoted = not quoted
        elif character == "#" and not quoted and not re.match(r"#-?\d", line[position:]):
            return line[:position]
        position += 1
    return line


def include_of(text: str, source: Source) -> Include | None:
    """Return the include directive that a statement is, if it is one."""
    found = re.match(r'[#@]include(dir)?\s+(?:"([^"]*)"|((?:\\.|[^\\\s])+))', text)
    if found is None:
        return None
    path = found[2] if found[2] is not None else re.sub(r"\\(.)", r"\1", found[3])
    if not path.startswith("/"):
        path = f"{source.path.rpartition('/')[0]}/{path}"
    return Include(path, bool(found[1]), source)


_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:/[0-9A-Fa-f:.]+)?")
"""An IPv6 address: the only name with colons that need no backslash."""
_NAME_END: Final = frozenset(" \t,:=!()")


@dataclass(slots=True)
class _Scanner:
    """A position in a line."""

    text: str
    position: int = 0

    def peek(self) -> str:
        """Return the next character after blanks, or an empty text at the end."""
        while self.text[self.position : self.position + 1] in (" ", "\t"):
            self.position += 1
        return self.text[self.position : self.position + 1]

    def take(self, character: str) -> bool:
        """Go beyond a character if it is the next one."""
        if self.peek() != character:
            return False
        self.position += 1
        return True

    def match(self, pattern: str) -> re.Match[str] | None:
        """Go beyond what matches a regular expression here."""
        self.peek()
        found = re.compile(pattern).match(self.text, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def word(self, end: frozenset[str]) -> str:
        """Return a word, quoted or up to one of ``end``, with its backslashes resolved."""
        if self.peek() == '"':
            found = self.match(r'"((?:\\.|[^"\\])*)"')
            if found is None:
                raise SudoersError
            return re.sub(r"\\(.)", r"\1", found[1])
        word = ""
        while (character := self.text[self.position : self.position + 1]) not in ("", *end):
            if character == "\\":
                self.position += 1
                character = self.text[self.position : self.position + 1]
            word += character
            self.position += 1
        if not word:
            raise SudoersError
        return word

    def name(self) -> str:
        """Return a user, host or group with the marks that negate it."""
        marks = ""
        while self.take("!"):
            marks += "!"
        if address := self.match(_ADDRESS.pattern):
            return marks + address[0]
        prefix = found[0] if (found := self.match(r"%:|\+|%#?|#-?(?=\d)")) else ""
        return marks + prefix + self.word(_NAME_END)

    def names(self) -> tuple[str, ...]:
        """Return a list of names."""
        found = [self.name()]
        while self.take(","):
            found.append(self.name())
        return tuple(found)

    def command(self) -> str:
        """Return a command with its arguments; digests in front of it are left out."""
        marks = ""
        while self.take("!"):
            marks += "!"
        while self.match(r"sha(?:224|256|384|512)\s*:\s*[A-Za-z0-9+/=]+\s*,?"):
            continue
        return marks + " ".join(self.word(frozenset(",:=")).split())

    def end(self) -> None:
        """Raise unless the line ends here."""
        if self.peek():
            raise SudoersError


def alias_of(text: str, *, command: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the names that a line defines and their members; raises :class:`SudoersError`."""
    scanner = _Scanner(text)
    while True:
        name = scanner.match(r"[A-Z][A-Z0-9_]*")
        if name is None or not scanner.take("="):
            raise SudoersError
        if not command:
            yield name[0], scanner.names()
        else:
            members = [scanner.command()]
            while scanner.take(","):
                members.append(scanner.command())
            yield name[0], tuple(members)
        if not scanner.take(":"):
            scanner.end()
            return


def defaults_of(text: str, source: Source) -> list[Default]:
    """Return the parameters of a Defaults line; raises :class:`SudoersError`."""
    scanner = _Scanner(text, len("Defaults"))
    scope = ""
    if (mark := text[scanner.position : scanner.position + 1]) in (":", "@", ">", "!"):
        scanner.position += 1
        names = [_scope_name(scanner)]
        while scanner.take(","):
            names.append(_scope_name(scanner))
        # All users, and all hosts, are everybody; what commands and targets set comes later still.
        scope = "" if mark in ":@" and names == ["ALL"] else mark + ",".join(names)
    found: list[Default] = []
    while True:
        negated = False
        while scanner.take("!"):
            negated = not negated
        option = scanner.match(r"[A-Za-z_][A-Za-z0-9_]*")
        if option is None:
            raise SudoersError
        operator = scanner.match(r"[+-]?=")
        value = scanner.word(frozenset(" \t,")) if operator and scanner.peek() else None
        if operator and value is None:
            raise SudoersError
        found.append(
            Default(option[0], scope, negated, operator[0] if operator else "", value, source)
        )
        if not scanner.take(","):
            scanner.end()
            return found


def _scope_name(scanner: _Scanner) -> str:
    marks = ""
    while scanner.take("!"):
        marks += "!"
    scanner.peek()
    return marks + scanner.word(frozenset(" \t,"))


_TAGS: Final = (
    "EXEC", "FOLLOW", "INTERCEPT", "LOG_INPUT", "LOG_OUTPUT", "MAIL", "PASSWD", "SETENV",
)  # fmt: skip
_TAG: Final = rf"(NO)?({'|'.join(_TAGS)})\s*:"
_OPTION: Final = (
    r"(ROLE|TYPE|PRIVS|LIMITPRIVS|TIMEOUT|CWD|CHROOT|NOTBEFORE|NOTAFTER|APPARMOR_PROFILE)\s*=\s*"
)


@dataclass(slots=True)
class _Inherited:
    """What a command of a list hands on to the next one."""

    runas_users: tuple[str, ...] = ("root",)
    runas_groups: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict[str, str])
    options: dict[str, str] = field(default_factory=dict[str, str])


def permissions_of(text: str, source: Source) -> Iterator[Permission]:
    """Return the commands of a user specification; raises :class:`SudoersError`."""
    scanner = _Scanner(text)
    users = scanner.names()
    found: list[Permission] = []
    while True:
        hosts = scanner.names()
        if not scanner.take("="):
            raise SudoersError
        inherited = _Inherited()
        while True:
            _specification(scanner, inherited)
            command = scanner.command()
            found.append(
                Permission(
                    users, hosts, inherited.runas_users, inherited.runas_groups, command,
                    frozenset(inherited.tags.values()), dict(inherited.options), source,
                )
            )  # fmt: skip
            if not scanner.take(","):
                break
        if not scanner.take(":"):
            scanner.end()
            return iter(found)


def _specification(scanner: _Scanner, inherited: _Inherited) -> None:
    """Read what stands before a command: as whom, options, tags."""
    if scanner.take("("):
        inherited.runas_users, inherited.runas_groups = _runas(scanner)
    while True:
        if tag := scanner.match(_TAG):
            inherited.tags[tag[2]] = (tag[1] or "") + tag[2]
        elif option := scanner.match(_OPTION):
            inherited.options[option[1]] = scanner.word(frozenset(" \t,"))
        else:
            return


def _runas(scanner: _Scanner) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``(users:groups)``. ``()`` and ``(:groups)`` leave the user as who they are."""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    if scanner.peek() not in (":", ")"):
        users = scanner.names()
    if scanner.take(":") and scanner.peek() != ")":
        groups = scanner.names()
    if not scanner.take(")"):
        raise SudoersError
    return users, groups

"""PAM stacks as libpam reads and walks them (pam.d(5), pam.conf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Source

Phase = Literal["auth", "account", "password", "session"]
PHASES: Final[tuple[Phase, ...]] = ("auth", "account", "password", "session")
_PHASE_BY_NAME: Final[Mapping[str, Phase]] = {phase: phase for phase in PHASES}

DIRECTORIES: Final = ("/etc/pam.d", "/usr/lib/pam.d")
"""libpam opens a service in the first directory that has it; the second one is the vendor's."""

PAM_FILES: Final = tuple(Request("content", f"{directory}/*") for directory in DIRECTORIES)

_INCLUDE_DEPTH: Final = 16
"""PAM_SUBSTACK_MAX_LEVEL of libpam: what is included deeper is an entry that always fails."""

_MOST_INCLUDED: Final = 500
_MOST_ENTRIES: Final = 5000
"""More than any service has: files that include each other again and again."""

_KEYWORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "required": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "bad"},
    "requisite": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "die"},
    "sufficient": {"success": "done", "new_authtok_reqd": "done", "default": "ignore"},
    "optional": {"success": "ok", "new_authtok_reqd": "ok", "default": "ignore"},
}
"""pam.conf(5): what the keywords stand for."""

_NOT_A_REFUSAL: Final = frozenset(
    {"success", "new_authtok_reqd", "ignore", "user_unknown", "authinfo_unavail"}
)
"""Return values that do not say "no" to a user whom the module knows."""


@dataclass(frozen=True, slots=True)
class PamLine:
    """One entry of a stack, in the order in which libpam calls them."""

    phase: Phase
    control: str
    actions: Mapping[str, str]
    module: str
    """The file name of the module without directory and ``.so``; empty for a broken entry."""
    arguments: tuple[str, ...]
    source: Source
    level: int = 0
    substack: bool = False
    """The place where a substack begins: no module, but a jump counts it as one."""
    path: str = ""
    """The module as it is written, with its directory where that is named."""

    def argument(self, name: str) -> str | None:
        """Return the value of an argument (the last one wins); ``""`` for a mere flag."""
        for word in reversed(self.arguments):
            key, _, value = word.partition("=")
            if key == name:
                return value
        return None

    @property
    def required(self) -> bool:
        """Whether the whole stack fails when this entry refuses."""
        default = self.actions.get("default", "bad")
        refusals = {a for value, a in self.actions.items() if value not in _NOT_A_REFUSAL}
        return {default, *refusals} <= {"bad", "die"}


@dataclass(slots=True)
class _Reader:
    """Collects the entries of one service; ``problem`` is the first thing it could not read."""

    files: Mapping[str, FileContent]
    unseen: Mapping[str, CouldNot]
    problem: CouldNot | None = None
    lines: list[PamLine] = field(default_factory=list[PamLine])
    count: int = 0
    known: dict[str, tuple[tuple[int, str], ...]] = field(
        default_factory=dict[str, tuple[tuple[int, str], ...]]
    )

    def _entries(self, file: FileContent) -> tuple[tuple[int, str], ...]:
        if file.path not in self.known:
            self.known[file.path] = tuple(entries(file))
        return self.known[file.path]

    def read(self, file: FileContent, only: Phase | None, depth: int, level: int) -> None:
        self.count += 1
        if self.count > _MOST_INCLUDED:
            self._is_endless(file)
            return
        for number, text in self._entries(file):
            if len(self.lines) > _MOST_ENTRIES:
                self._is_endless(file)
            if self.problem is not None:
                return
            source = Source(file.path, number, text)
            words = tokens(text)
            if words and words[0][0] == "@include":
                self._include(words[1:], only, depth, level, source)
                continue
            entry = _entry(words, source, only, level)
            if only is not None and entry.phase != only:
                continue
            if entry.control not in ("include", "substack"):
                self.lines.append(entry)
                continue
            inner = level
            if entry.control == "substack":
                self.lines.append(replace(entry, substack=True, module=""))
                inner = level + 1
            self._include(words[2:], entry.phase, depth, inner, source)

    def _is_endless(self, file: FileContent) -> None:
        self.problem = self.problem or CouldNot(
            Reason.TRUNCATED, f"The stack that {file.path} is a part of is too long."
        )

    def _include(
        self,
        words: list[tuple[str, bool]],
        only: Phase | None,
        depth: int,
        level: int,
        source: Source,
    ) -> None:
        name = words[0][0] if words else ""
        path = name if name.startswith("/") else f"{DIRECTORIES[0]}/{name}"
        found = self.files.get(name) or self.files.get(path)
        if name and (problem := self._unseen(name, path, found)) is not None:
            self.problem = self.problem or problem
        elif found is None or depth + 1 >= _INCLUDE_DEPTH:
            broken = PamLine(only or "auth", "required", {"default": "bad"}, "", (), source, level)
            self.lines.append(broken)
        else:
            self.read(found, only, depth + 1, level)

    def _unseen(self, name: str, path: str, found: FileContent | None) -> CouldNot | None:
        if found is not None:
            return found.could_not
        directory = path.rpartition("/")[0]
        if directory in self.unseen:
            return self.unseen[directory]
        if directory not in DIRECTORIES:
            return CouldNot(Reason.INCOMPLETE, f"{name} is included and was not looked at.")
        return next(iter(self.unseen.values()), None)


def stack(snapshot: Snapshot, service: str) -> tuple[PamLine, ...] | CouldNot | None:
    """Return the entries of a service in all phases; ``None`` where there is no such service."""
    return snapshot.derived(("pam", service), lambda: _stack(snapshot, service))


def _stack(snapshot: Snapshot, service: str) -> tuple[PamLine, ...] | CouldNot | None:
    files, unseen = snapshot.derived("pam files", lambda: _files(snapshot))
    found = files.get(service)
    if DIRECTORIES[0] in unseen:
        return unseen[DIRECTORIES[0]]
    if found is None:
        return next(iter(unseen.values()), None)
    if found.could_not is not None:
        return found.could_not
    reader = _Reader(files, unseen)
    reader.read(found, None, 0, 0)
    return reader.problem or tuple(reader.lines)


def _files(snapshot: Snapshot) -> tuple[dict[str, FileContent], dict[str, CouldNot]]:
    """Return the files by service and by path, and the directories that nobody could look into."""
    files: dict[str, FileContent] = {}
    unseen: dict[str, CouldNot] = {}
    for directory, request in zip(DIRECTORIES, PAM_FILES, strict=True):
        found: tuple[FileContent, ...] | CouldNot = snapshot.read(request)
        if isinstance(found, CouldNot):
            unseen[directory] = found
            continue
        for file in found:
            files[file.path] = file
            files.setdefault(file.path.rpartition("/")[2], file)
    return files, unseen


def entries(file: FileContent) -> Iterator[tuple[int, str]]:
    """Yield the entries of a file with their line numbers.

    A comment runs from ``#`` to the end of its line and ends the entry; a backslash at the end of
    a line joins it with the next one.
    """
    pending, start = "", 0
    for number, raw in file.lines():
        text, comment, _ = raw.partition("#")
        text = text.strip()
        start = start if pending else number
        if text.endswith("\\") and not comment:
            pending += text[:-1] + " "
            continue
        if joined := (pending + text).strip():
            yield start, joined
        pending = ""
    if joined := pending.strip():
        yield start, joined


_TOKEN: Final = re.compile(r"\[((?:\\.|[^\]\\])*)(?:\]|\Z)|(\S+)")


def tokens(text: str) -> list[tuple[str, bool]]:
    """Return the words of an entry, and whether each stood in brackets (which may hold blanks)."""
    words: list[tuple[str, bool]] = []
    for match in _TOKEN.finditer(text):
        bare: str | None = match[2]
        if bare is None:
            words.append((match[1].replace("\\]", "]"), True))
        else:
            words.append((bare, False))
    return words


def _entry(
    words: list[tuple[str, bool]], source: Source, only: Phase | None, level: int
) -> PamLine:
    """Return the entry of these words. What libpam cannot understand is an entry that fails."""
    word = words[0][0].removeprefix("-").lower() if words else ""
    phase = _PHASE_BY_NAME.get(word)
    if phase is None or len(words) < 3:
        return PamLine(
            phase or only or "auth", "required", {"default": "bad"}, "", (), source, level
        )
    control, bracketed = words[1]
    control = control.lower()
    if not bracketed and control in ("include", "substack"):
        return PamLine(phase, control, {}, "", (), source, level)
    actions = _KEYWORDS.get(control) if not bracketed else None
    if actions is None:
        actions = _actions(control)
        control = f"[{' '.join(control.split())}]"
    module = words[2][0].rpartition("/")[2].removesuffix(".so")
    arguments = tuple(word for word, _ in words[3:])
    return PamLine(phase, control, actions, module, arguments, source, level, path=words[2][0])


def _actions(control: str) -> Mapping[str, str]:
    pairs = re.findall(r"([a-z_]+)\s*=\s*([a-z]+|\d+)", control)
    return {"default": "bad", **dict(pairs)}


_UNDECIDED, _POSITIVE, _NEGATIVE = "undecided", "positive", "negative"


def reached(stacked: Sequence[PamLine]) -> frozenset[int]:
    """Return the places of the entries of one phase that libpam can come to at all.

    pam_deny never succeeds and pam_permit never fails; any other module may do either. What stands
    behind ``requisite pam_deny`` or ``sufficient pam_permit`` is never called.
    """
    seen: set[tuple[int, str]] = set()
    open_states = [(0, _UNDECIDED)]
    found: set[int] = set()
    while open_states:
        state = open_states.pop()
        index, impression = state
        if index >= len(stacked) or state in seen:
            continue
        seen.add(state)
        found.add(index)
        if stacked[index].substack:
            open_states.append((index + 1, impression))
            continue
        open_states += (_after(stacked, index, impression, a) for a in _possible(stacked[index]))
    return frozenset(found)


def _possible(line: PamLine) -> set[str]:
    default = line.actions.get("default", "bad")
    match line.module:
        case "pam_permit":
            return {line.actions.get("success", default)}
        case "" | "pam_deny":
            return {a for value, a in line.actions.items() if value not in _NOT_A_REFUSAL}
        case _:
            return {default, *line.actions.values()}


def _after(stacked: Sequence[PamLine], index: int, impression: str, action: str) -> tuple[int, str]:
    """Return the place and the impression after an entry, as pam_dispatch of libpam decides."""
    level = stacked[index].level
    following = index + 1
    match action:
        case "ok" | "done":
            positive = impression != _NEGATIVE
            if action == "done" and positive:
                following = _end_of(stacked, index, level)
            return following, _POSITIVE if positive else _NEGATIVE
        case "die":
            return _end_of(stacked, index, level), _NEGATIVE
        case "ignore":
            return following, impression
        case "reset":
            return following, _UNDECIDED
        case _ if action.isdigit() and int(action) > 0:
            return _jump(stacked, index, int(action), impression)
        case _:
            return following, _NEGATIVE


def _end_of(stacked: Sequence[PamLine], index: int, level: int) -> int:
    """Return the first place behind the substack (or the whole stack) of an entry."""
    following = index + 1
    while following < len(stacked) and stacked[following].level >= level:
        following += 1
    return following


def _jump(stacked: Sequence[PamLine], index: int, count: int, impression: str) -> tuple[int, str]:
    """Return the place behind ``count`` entries; a whole substack is one of them."""
    level = stacked[index].level
    place = index
    while count and place + 1 < len(stacked) and stacked[place + 1].level >= level:
        place += 1
        while place + 1 < len(stacked) and stacked[place + 1].level > level:
            place += 1
        count -= 1
    return place + 1, _NEGATIVE if count else impression

"""The configuration language of rsyslog, old and new: rsyslog.conf(5)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from openwatch.engine.subjects.base import Source

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
_SEVERITIES: Final[Mapping[str, int]] = {
    "emerg": 0, "panic": 0, "alert": 1, "crit": 2, "err": 3, "error": 3, "warning": 4, "warn": 4,
    "notice": 5, "info": 6, "debug": 7, "*": 7,
}  # fmt: skip
EVERY: Final = 0xFF
"""One bit a severity: all eight of them."""
DEBUG: Final = 0x80

Selected = Mapping[str, int]
"""Facility to the severities of it, as bits."""

ALL_MESSAGES: Final[Selected] = dict.fromkeys(FACILITIES, EVERY)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``kind`` is the name of an object in lower case (action, input, module,
    global, include, …), ``directive`` (``$Name value``) or ``legacy`` (an old action).

    ``selected`` are the messages that reach it; ``None`` where a condition decides that.
    """

    kind: str
    parameters: Mapping[str, str]
    text: str
    selected: Selected | None
    source: Source


def selector(text: str) -> Selected | None:
    """Return what a selector such as ``*.info;mail.none`` selects, ``None`` when it is none."""
    selected: dict[str, int] = {}
    for part in text.split(";"):
        names, dot, priority = part.strip().lower().rpartition(".")
        if not dot:
            return None
        bits = _bits(priority)
        facilities = _facilities(names)
        if bits is None or facilities is None:
            return None
        for facility in facilities:
            adds, mask = bits
            old = selected.get(facility, 0)
            selected[facility] = old | mask if adds else old & ~mask
    return selected


def _facilities(names: str) -> tuple[str, ...] | None:
    found: list[str] = []
    for name in names.split(","):
        name = {"security": "auth"}.get(name.strip(), name.strip())
        if name == "*":
            found += FACILITIES
        elif name in FACILITIES:
            found.append(name)
        elif name != "mark":
            return None
    return tuple(found)


def _bits(priority: str) -> tuple[bool, int] | None:
    """Return whether a priority adds or takes away, and which severities."""
    if priority == "none":
        return False, EVERY
    negated = priority.startswith("!")
    exact = priority.lstrip("!").startswith("=")
    severity = _SEVERITIES.get(priority.lstrip("!="))
    if severity is None:
        return None
    return not negated, (1 << severity if exact else (1 << (severity + 1)) - 1)


_OBJECT: Final = re.compile(r"([A-Za-z_]+)\s*\(")
_OBJECTS: Final = frozenset(
    {
        "action", "input", "module", "global", "include", "ruleset", "template", "main_queue",
        "parser", "lookup_table", "dyn_stats", "percentile_stats", "timezone", "ratelimit",
    }
)  # fmt: skip
_PARAMETER: Final = re.compile(
    r"([A-Za-z0-9_.-]+)\s*=\s*(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\[[^\]]*\]|[^\s,)\"']+)",
    re.DOTALL,
)
_TOKEN: Final = re.compile(
    r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#[^\n]*|/\*.*?\*/|[(){}]|\n", re.DOTALL
)
_THEN: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\bthen\b", re.DOTALL)
_BLANK: Final = re.compile(r"(?:\s+|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_PRIFILT: Final = re.compile(r"\s*\(?\s*prifilt\(\s*[\"']([^\"']*)[\"']\s*\)\s*\)?\s*")
_FACILITY: Final = re.compile(
    r"\s*\(?\s*\$syslogfacility-text\s*==\s*[\"']([a-z0-7]+)[\"']\s*\)?\s*"
)
_PROPERTY: Final = re.compile(r":[^,\n]*,[^,\n]*,\s*\"(?:\\.|[^\"\\\n])*\"[ \t]*|:[^\s]+[ \t]+")
_CONTINUED: Final = re.compile(r"\\\n[ \t]*")
_OLD_ACTIONS: Final = "/-@?~|^"
_FLOW: Final = re.compile(r"(?:set|unset|reset|call|foreach|continue)\b[^\n;{]*;?|else\b")


class Reader:
    """Goes through one text; the blocks and filters that stand open decide what is selected."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.joined: list[int] = []
        self.text = self._joined(text)
        self.position = 0
        self.blocks: list[Selected | None] = []
        self.last: Selected | None = ALL_MESSAGES

    def _joined(self, text: str) -> str:
        """Return the text with the lines joined that end with a backslash."""
        parts: list[str] = []
        length = end = 0
        for found in _CONTINUED.finditer(text):
            parts.append(text[end : found.start()])
            length += len(parts[-1])
            end = found.end()
            self.joined.append(length)
        return "".join((*parts, text[end:]))

    def statements(self) -> Iterator[Statement]:
        """Yield the statements; the text is always gone through to its end."""
        waiting: list[Selected | None] = []
        while self._skip():
            start = self.position
            statement = self._next(waiting)
            if self.position <= start:
                self.position = start + 1
            if statement is not None:
                yield statement

    def _skip(self) -> bool:
        if blank := _BLANK.match(self.text, self.position):
            self.position = blank.end()
        return self.position < len(self.text)

    def _next(self, waiting: list[Selected | None]) -> Statement | None:
        text, at = self.text, self.position
        match text[at]:
            case "{":
                self.blocks.append(waiting.pop() if waiting else self._scope())
                self.position += 1
                return None
            case "}":
                if self.blocks:
                    self.blocks.pop()
                self.position += 1
                return None
            case "$":
                return self._directive()
            case "!" | "+" | "-" if self._line_start(at) and text[at + 1 : at + 2] != "/":
                # Blocks of one program or host: rsyslog knows them no more and goes on.
                self._line()
                return None
            case "&":
                self.position += 1
                waiting.append(self.last)
                return self._legacy(waiting)
            case ":":
                if found := _PROPERTY.match(text, at):
                    self.position = found.end()
                    self.last = None
                    waiting.append(None)
                    return self._legacy(waiting)
                return self._legacy(waiting)
            case _:
                return self._word(waiting)

    def _word(self, waiting: list[Selected | None]) -> Statement | None:
        found = _OBJECT.match(self.text, self.position)
        if found is not None and found.group(1).lower() in _OBJECTS:
            return self._object(found, waiting)
        if re.compile(r"if\b").match(self.text, self.position):
            waiting[:] = [self._condition()]
            return None
        if flow := _FLOW.match(self.text, self.position):
            self.position = flow.end()
            if flow.group() == "else":
                waiting[:] = [None]
            return None
        if waiting:
            return self._legacy(waiting)
        return self._selector(waiting)

    def _condition(self) -> Selected | None:
        start = self.position + 2
        for found in _THEN.finditer(self.text, start):
            if found.group() == "then":
                self.position = found.end()
                condition = self.text[start : found.start()]
                break
        else:
            self.position = len(self.text)
            return None
        chosen: Selected | None = None
        if by_priority := _PRIFILT.fullmatch(condition):
            chosen = selector(by_priority.group(1))
        elif by_facility := _FACILITY.fullmatch(condition):
            chosen = selector(f"{by_facility.group(1)}.*")
        self.last = self._narrowed(chosen)
        return self.last

    def _selector(self, waiting: list[Selected | None]) -> Statement | None:
        word = re.compile(r"[^\s{]+(?:;\s*[^\s{]+)*").match(self.text, self.position)
        if word is None:
            self._line()
            return None
        self.position = word.end()
        chosen = selector(word.group())
        if chosen is None and (word.group() == "stop" or word.group()[0] in _OLD_ACTIONS):
            # In a block an action of the old form stands by itself.
            self.position = word.start()
            return self._legacy(waiting)
        self.last = self._narrowed(chosen)
        waiting.append(self.last)
        rest = re.compile(r"[ \t]*(?:\{|[A-Za-z_]+\s*\()").match(self.text, self.position)
        return None if rest else self._legacy(waiting)

    def _legacy(self, waiting: list[Selected | None]) -> Statement | None:
        start = self.position
        rest = re.compile(r"[ \t]*(\{|[A-Za-z_]+\s*\()").match(self.text, start)
        if rest is not None:
            self.position = rest.start(1)
            return None
        text = re.split(r"\s+#", self._line().strip())[0]
        selected = waiting.pop() if waiting else self._scope()
        waiting.clear()
        if text.endswith("}") and self.blocks:
            text = text[:-1].strip()
            self.blocks.pop()
        return self._made("legacy", {}, text, selected, start) if text else None

    def _directive(self) -> Statement:
        start = self.position
        name, _, value = self._line().strip()[1:].replace("\t", " ").partition(" ")
        parameters = {name.lower(): value.split(" #")[0].strip()}
        return self._made("directive", parameters, name.lower(), None, start)

    def _object(self, found: re.Match[str], waiting: list[Selected | None]) -> Statement:
        start, name = self.position, found.group(1).lower()
        self.position = found.end()
        body = self._until_closed()
        parameters = {
            key.lower(): _plain(value) for key, value in _PARAMETER.findall(_uncommented(body))
        }
        selected = waiting.pop() if waiting and name == "action" else self._scope()
        if name == "ruleset":
            # What a ruleset does is done only to what an input or a call hands to it.
            waiting[:] = [None]
        elif name == "action":
            self.last = selected
            waiting.clear()
        return self._made(name, parameters, "", selected, start)

    def _until_closed(self) -> str:
        start, depth = self.position, 1
        for token in _TOKEN.finditer(self.text, start):
            depth += {"(": 1, ")": -1}.get(token.group(), 0)
            if depth == 0:
                self.position = token.end()
                return self.text[start : token.start()]
        self.position = len(self.text)
        return ""

    def _scope(self) -> Selected | None:
        return self.blocks[-1] if self.blocks else ALL_MESSAGES

    def _narrowed(self, chosen: Selected | None) -> Selected | None:
        outer = self._scope()
        if chosen is None or outer is None:
            return None
        return {name: bits & outer.get(name, 0) for name, bits in chosen.items()}

    def _line_start(self, at: int) -> bool:
        return not self.text[self.text.rfind("\n", 0, at) + 1 : at].strip()

    def _line(self) -> str:
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        line, self.position = self.text[self.position : end], end
        return line

    def _made(
        self,
        kind: str,
        parameters: Mapping[str, str],
        text: str,
        selected: Selected | None,
        start: int,
    ) -> Statement:
        # Lines that were joined count where they stand in the file.
        number = self.text.count("\n", 0, start) + bisect_left(self.joined, start) + 1
        shown = " ".join(self.text[self.text.rfind("\n", 0, start) + 1 : self.position].split())
        return Statement(kind, parameters, text, selected, Source(self.path, number, shown[:400]))


def _plain(value: str) -> str:
    return value[1:-1] if value[:1] in "\"'" else value


def _uncommented(text: str) -> str:
    return _TOKEN.sub(lambda m: "" if m.group().startswith(("#", "/*")) else m.group(), text)

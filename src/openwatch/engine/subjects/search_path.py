"""Search paths that shell start-up files set, read without running them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_ASSIGNMENT: Final = re.compile(
    r"(?:^|[\s;&|({])(?:(?:export|declare|typeset|readonly)\s+(?:-\w+\s+)*(?P<quote>[\"']))?"
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\+?="
)
"""Of ``export "PATH=/bin"`` the quote is a part of the word that is set."""
_SETENV: Final = re.compile(r"(?:^|[\s;&|])setenv\s+(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s+")
_ARRAY: Final = re.compile(r"(?:^|\s)(?:set\s+)?path\s*\+?=\s*\((?P<words>[^)]*)\)")
"""csh(1) and zsh(1) keep the search path in an array as well."""
_WORD_END: Final = frozenset(" \t;&|)")
_CLOSED_BY: Final = {"{": "}", "(": ")"}

SAME: Final = "\0"
"""Stands for the search path as it was before."""


@dataclass(frozen=True, slots=True)
class Element:
    """One directory of a search path. ``known`` is false when only a shell can tell what it is."""

    text: str
    known: bool = True


def assignments(line: str) -> Iterator[tuple[str, str]]:
    """Yield the variables that a line sets, each with the word that it is set to, as written."""
    for found in _ASSIGNMENT.finditer(line):
        quote = found["quote"] or ""
        yield found["name"], quote + _word(line, found.end(), quote)
    for found in _SETENV.finditer(line):
        yield found["name"], _word(line, found.end())


def path_elements(line: str, home: str, variables: Mapping[str, str]) -> Iterator[Element]:
    """Yield what a line puts on the search path, but for the search path itself."""
    for name, value in assignments(line):
        if name == "PATH":
            yield from _elements(value, home, variables)
    for found in _ARRAY.finditer(line):
        for word in found["words"].split():
            if word not in ("$path", "${path}"):
                yield from _elements(word, home, variables)


def _elements(value: str, home: str, variables: Mapping[str, str]) -> Iterator[Element]:
    expanded = _expanded(value, {**variables, "HOME": home})
    for part in expanded.split(":"):
        text = part.strip(SAME)
        if text != part and not text:
            continue
        if text == "~" or text.startswith("~/"):
            text = home + text[1:]
        yield Element(text, known=not re.search(r"[$`*?]|\A~", text))


def _word(line: str, start: int, quote: str = "") -> str:
    """Return the shell word that begins at a place, in a quote or not, with its quotes."""
    position = start
    while position < len(line):
        character = line[position]
        if character == "\\" and quote != "'":
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in _WORD_END:
            break
        if character == "$" and quote != "'" and line[position + 1 : position + 2] in _CLOSED_BY:
            position = _closed(line, position + 1)
            continue
        position += 1
    return line[start:position]


def _closed(line: str, start: int) -> int:
    """Return the place behind the brace or parenthesis that closes the one at ``start``."""
    opened, depth = line[start], 0
    for position in range(start, len(line)):
        if line[position] == opened:
            depth += 1
        elif line[position] == _CLOSED_BY[opened]:
            depth -= 1
            if depth == 0:
                return position + 1
    return len(line)


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    """Return a word without quotes, its variables replaced where their values are known."""
    result, position, single = "", 0, False
    while position < len(word):
        character = word[position]
        if character == "'":
            single = not single
        elif character == "\\" and not single:
            position += 1
            result += word[position : position + 1]
        elif character == "$" and not single and position + 1 < len(word):
            end = _reference_end(word, position)
            result += _value(word[position:end], variables)
            position = end
            continue
        elif character != '"':
            result += character
        position += 1
    return result


def _reference_end(word: str, position: int) -> int:
    if word[position + 1] in _CLOSED_BY:
        return _closed(word, position + 1)
    found = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|.)", re.DOTALL).match(word, position)
    return found.end() if found else len(word)


def _value(reference: str, variables: Mapping[str, str]) -> str:
    """Return what a reference stands for; it stays as it is where nobody knows."""
    name = reference.strip("${}")
    if name == "PATH":
        return SAME
    if found := re.fullmatch(r"\$\{PATH:?([+-])(.*)\}", reference, re.DOTALL):
        # ``${PATH:+:${PATH}}``: the search path and the colon that it needs.
        return SAME if found[1] == "-" else _expanded(found[2], variables)
    return variables.get(name, reference)

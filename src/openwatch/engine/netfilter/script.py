"""Reads scripts of nft(8): which base chains they make, and what these do with the rest.

Only that much is read of a script: its rules are judged in the kernel, where they are in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|[{};\n]|[^\s{};"#]+')
_BASE: Final = re.compile(
    r"(?:^|\s)type\s+(?P<type>\w+)\s+hook\s+(?P<hook>\w+)(?:\s+device\s+\S+)?\s+priority\b"
)
_POLICY: Final = re.compile(r"(?:^|\s)policy\s+(\w+)")
_REST: Final = re.compile(
    r"(?:counter(?:\s+packets\s+\d+\s+bytes\s+\d+)?\s+|log(?:\s+(?:prefix|level|group)\s+\S+)*\s+)*"
    r"(?:drop|reject(?:\s+with\s+.*)?)(?:\s+comment\s+.*)?"
)
"""A rule without a match that ends every packet."""

_FAMILIES: Final = {
    "ip": frozenset({"ip"}), "ip6": frozenset({"ip6"}), "inet": frozenset({"ip", "ip6"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A base chain of a script. ``drops``: what no rule of it matches is dropped."""

    families: frozenset[str]
    hook: str
    drops: bool


@dataclass(frozen=True, slots=True)
class Script:
    """What a script makes, and the files that it includes, as they stand there."""

    chains: tuple[BaseChain, ...]
    includes: tuple[str, ...]


def read(text: str) -> Script:
    """Return the base chains of a script in the form of `nft list ruleset`, or of commands."""
    chains: list[BaseChain] = []
    includes: list[str] = []
    family = "ip"
    stack: list[str] = []
    body: list[str] | None = None
    depth = 0
    for words, end in _statements(text):
        head = [word for word in words if word not in ("add", "create", "insert")]
        if body is not None:
            if end == "{":
                depth += 1
            elif end == "}" and depth:
                depth -= 1
            elif end == "}":
                body.append(" ".join(words))
                chains += _chain(family, body)
                body = None
                continue
            body.append(" ".join(words))
            continue
        if end == "{":
            stack.append(head[0] if head else "")
            if head[:1] == ["table"]:
                family = head[1] if len(head) > 2 else "ip"
            elif head[:1] == ["chain"]:
                family = head[1] if len(head) > 3 else family
                body, depth = [], 0
                stack.pop()
        elif end == "}":
            if stack:
                stack.pop()
        elif head[:1] == ["include"] and len(head) == 2:
            includes.append(head[1].strip("\"'"))
    return Script(tuple(chains), tuple(includes))


def _statements(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield the words up to a line end, a semicolon or a brace, and which of them it was."""
    words: list[str] = []
    for match in _TOKEN.finditer(text.replace("\\\n", " ")):
        token = match.group()
        if token.startswith("#"):
            continue
        if token in ("\n", ";", "{", "}"):
            if words or token in "{}":
                yield words, token
            words = []
        else:
            words.append(token)
    if words:
        yield words, "\n"


def _chain(family: str, statements: list[str]) -> Iterator[BaseChain]:
    text = " ; ".join(statements)
    base = _BASE.search(text)
    families = _FAMILIES.get(family)
    if base is None or families is None or base["type"] == "nat":
        return
    policies = [m[1] for statement in statements if (m := _POLICY.search(statement))]
    rules = [s for s in statements if s and not _BASE.search(s) and not s.startswith("policy ")]
    drops = policies[-1:] == ["drop"] or any(_REST.fullmatch(rule) for rule in rules)
    yield BaseChain(families, base["hook"], drops)

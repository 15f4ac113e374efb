"""YAML 1.2 core schema over libyaml, with the line of every key.

YAML 1.1 turns ``no`` into false and ``027`` into 23; rules are read as 1.2 says.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Final

import yaml

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DuplicateKeyError(yaml.YAMLError):
    """A mapping has one key twice; the second would silently hide the first."""

    def __init__(self, key: object, line: int) -> None:
        super().__init__(f"the key {key!r} stands twice")
        self.line = line


class _Loader(_BASE):  # type: ignore[misc, valid-type]
    """The safe loader with the resolvers of YAML 1.2 (core schema) and without double keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise DuplicateKeyError(key, key_node.start_mark.line + 1)
            seen.add(key)
        mapping: dict[Hashable, Any] = _BASE.construct_mapping(self, node, deep)
        return mapping


_RESOLVERS: Final = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
)
"""A number with a leading zero stays text: it is a mode or an identifier, never a quantity."""

for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)


def parse(text: str) -> Any:
    """Return the document. Raises ``yaml.YAMLError``."""
    return yaml.load(text, Loader=_Loader)


def error_line(error: yaml.YAMLError) -> int:
    """Return the line of a syntax error, counted from 1."""
    if isinstance(error, DuplicateKeyError):
        return error.line
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return 1 if mark is None else mark.line + 1


def error_text(error: yaml.YAMLError) -> str:
    """Return what is wrong, without the position."""
    return str(getattr(error, "problem", None) or error)


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line of the value at ``path``, or of the deepest part of it that exists.

    Parts of the path that are not in the file (pydantic names the forms that it tried) are skipped.
    """
    compose: Any = getattr(yaml, "compose")  # noqa: B009 - the stubs leave its types open
    node: Any = compose(text, Loader=_Loader)
    line = 1 if node is None else int(node.start_mark.line) + 1
    for part in path:
        found = _child(node, part)
        if found is not None:
            node, line = found
    return line


def _child(node: Any, part: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        pairs: list[tuple[Any, Any]] = node.value
        for key, value in pairs:
            if key.value == str(part):
                return value, int(key.start_mark.line) + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        items: list[Any] = node.value
        if part < len(items):
            return items[part], int(items[part].start_mark.line) + 1
    return None

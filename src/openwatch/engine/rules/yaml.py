"""YAML 1.2 core schema over libyaml, with the line of every key.

YAML 1.1 turns ``no`` into false and ``027`` into 23; rules are read as 1.2 says.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Final

import yaml

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


MAX_DEPTH: Final = 100
"""libyaml composes by recursion in C: some ten thousand levels end the process."""
_FEW: Final = 2 * MAX_DEPTH


class StructureError(yaml.YAMLError):
    """What YAML allows and a rule does not have: a key that stands twice, so that the second would
    hide the first, a key that is no name, and nesting without end.
    """

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


class _Loader(_BASE):  # type: ignore[misc, valid-type]
    """The safe loader with the resolvers of YAML 1.2 (core schema) and without double keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                raise StructureError("a list or a mapping is no key", line)
            if key in seen:
                raise StructureError(f"the key {key!r} stands twice", line)
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
    if sum(map(text.count, "[{-?")) > _FEW:
        _refuse_depth(text)
    return yaml.load(text, Loader=_Loader)


def _refuse_depth(text: str) -> None:
    events: Any = getattr(yaml, "parse")  # noqa: B009 - the stubs leave its types open
    depth = 0
    for event in events(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = int(event.start_mark.line) + 1
            raise StructureError("it is nested too deeply", line)


def error_line(error: yaml.YAMLError) -> int:
    """Return the line of a syntax error, counted from 1."""
    if isinstance(error, StructureError):
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

"""Ansible inventories in YAML.

The file is read as a stream of events and never turned into objects: tags do nothing, and neither
depth nor aliases cost more than the text is long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from openwatch.fleet.imports.readers.ansible import (
    VAULT_TEXT,
    Group,
    Inventory,
    Variables,
    Vaulted,
    expand,
    sheet,
)
from openwatch.fleet.imports.readers.sheet import Format, Sheet, unreadable

MAX_NESTING: Final = 64
MAX_VISITS: Final = 1_000_000
"""How many entries are read: aliases can name the same entries again and again."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VAULT_TAGS: Final = ("!vault", "!vault-encrypted")


@dataclass(slots=True)
class _Node:
    """A scalar with its text, or a collection with its entries; a list has entries without keys."""

    line: int
    text: str = ""
    tag: str | None = None
    entries: list[tuple[_Node, _Node]] = field(default_factory=list["tuple[_Node, _Node]"])
    kind: str = "scalar"


@dataclass(slots=True)
class _Open:
    node: _Node
    key: _Node | None = None


@dataclass(slots=True)
class _Budget:
    left: int = MAX_VISITS

    def spend(self, line: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise unreadable(line, "its aliases name more entries than can be read.")


def read_yaml(text: str) -> Sheet:
    """Return the hosts of an inventory. Raises ``import.unreadable`` with the line at fault."""
    inventory = Inventory()
    root = _tree(text)
    if root is not None:
        if root.kind != "mapping":
            raise unreadable(root.line, "an inventory is a mapping of groups, such as all:.")
        budget = _Budget()
        for name, node in root.entries:
            _read_group(inventory, name.text, node, depth=0, budget=budget)
    return sheet(inventory, Format.ANSIBLE_YAML)


def _tree(text: str) -> _Node | None:
    """Return the first document; ``None`` for a text without one."""
    anchors: dict[str, _Node] = {}
    stack: list[_Open] = []
    root: _Node | None = None
    try:
        for event in _events(text):
            match event:
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    is_mapping = isinstance(event, yaml.MappingStartEvent)
                    node = _Node(_line(event), kind="mapping" if is_mapping else "list")
                    if event.anchor:
                        anchors[event.anchor] = node
                    if len(stack) >= MAX_NESTING:
                        raise unreadable(node.line, f"it is nested deeper than {MAX_NESTING}.")
                    _attach(stack, node)
                    stack.append(_Open(node))
                    root = root or node
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    stack.pop()
                case yaml.ScalarEvent():
                    node = _Node(_line(event), event.value, event.tag)
                    if event.anchor:
                        anchors[event.anchor] = node
                    _attach(stack, node)
                    root = root or node
                case yaml.AliasEvent():
                    if event.anchor not in anchors:
                        raise unreadable(_line(event), f"nothing is called &{event.anchor}.")
                    _attach(stack, anchors[event.anchor])
                case yaml.DocumentEndEvent():
                    return root
                case _:
                    pass
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise unreadable(mark.line + 1 if mark else 1, f"{problem}.") from None
    return root


def _events(text: str) -> Iterator[Any]:
    parse: Any = yaml.parse  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    yield from parse(text, Loader=_LOADER)


def _line(event: Any) -> int:
    return event.start_mark.line + 1


def _attach(stack: list[_Open], node: _Node) -> None:
    if not stack:
        return
    top = stack[-1]
    if top.node.kind == "list":
        top.node.entries.append((node, node))
    elif top.key is None:
        top.key = node
    else:
        top.node.entries.append((top.key, node))
        top.key = None


def _read_group(
    inventory: Inventory, name: str, node: _Node, *, depth: int, budget: _Budget
) -> None:
    budget.spend(node.line)
    if depth > MAX_NESTING:
        raise unreadable(node.line, f"the group {name} stands in itself.")
    group = inventory.group(name, node.line)
    if node.kind != "mapping":
        if node.kind == "list" or node.text not in {"", "~", "null"}:
            raise unreadable(node.line, f"the group {name} is no mapping of hosts and children.")
        return
    for key, value in node.entries:
        match key.text:
            case "hosts":
                _read_hosts(inventory, group, value, budget)
            case "children":
                for child, below in value.entries if value.kind == "mapping" else ():
                    group.children.append(child.text)
                    _read_group(inventory, child.text, below, depth=depth + 1, budget=budget)
            case "vars":
                group.variables.update(_variables(value, budget))
            case other:
                problem = f"the group {name} has {other!r}; it may have hosts, children and vars."
                raise unreadable(key.line, problem)


def _read_hosts(inventory: Inventory, group: Group, node: _Node, budget: _Budget) -> None:
    if node.kind == "scalar" and node.text in {"", "~", "null"}:
        return
    if node.kind != "mapping":
        raise unreadable(node.line, "hosts are keys of a mapping: each name is followed by a :.")
    for key, value in node.entries:
        budget.spend(key.line)
        variables = _variables(value, budget)
        for name in expand(key.text, key.line):
            budget.spend(key.line)
            inventory.add_host(name, key.line).update(variables)
            group.hosts.append(name)


def _variables(node: _Node, budget: _Budget) -> Variables:
    """Return the variables that are a text or a list of texts; others are no fields of a host."""
    found: Variables = {}
    for key, value in node.entries if node.kind == "mapping" else ():
        budget.spend(key.line)
        match value.kind:
            case "scalar":
                vaulted = value.tag in _VAULT_TAGS or value.text.lstrip().startswith(VAULT_TEXT)
                found[key.text] = Vaulted() if vaulted else value.text
            case "list":
                texts = [entry.text for entry, _ in value.entries if entry.kind == "scalar"]
                budget.left -= len(texts)
                found[key.text] = ",".join(texts)
            case _:
                pass
    return found

"""What Ansible inventories of both spellings have in common: ranges, groups, variables.

Ansible's guide "How to build your inventory": a host has its own variables and those of all groups
around it; the nearer group wins, and of groups that are equally near the last by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from openwatch.fleet.imports.readers.sheet import (
    MAX_COLUMNS,
    MAX_ROWS,
    Format,
    Remark,
    Row,
    Sheet,
    too_many_rows,
    unreadable,
)

VAULT_TEXT: Final = "$ANSIBLE_VAULT"
GROUP_SEPARATOR: Final = ","
MAX_DEPTH: Final = 8
"""How deep groups may stand in each other; as deep as ours."""

EVERYBODY: Final = frozenset({"all", "ungrouped"})
"""Groups that Ansible makes itself, and that say nothing about a host."""

COLUMNS: Final = ("name", "address", "port", "username", "group")
_CONNECTION: Final = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "username",
    "ansible_ssh_user": "username",
}
_OWN_PREFIX: Final = "ansible_"
SECRET_NAME: Final = re.compile(
    r"passw|passphrase|_pass$|^pass$|secret|token|private.?key|api.?key|credential.?data", re.I
)
"""Variables and columns that hold a secret by their name: they are never kept or shown."""

_RANGE: Final = re.compile(r"\[([0-9]{1,9}|[A-Za-z]):([0-9]{1,9}|[A-Za-z])(?::([0-9]{1,9}))?\]")


class Vaulted(str):
    """A value that Ansible Vault encrypted; its text is not kept."""

    __slots__ = ()


Variables = dict[str, str]


@dataclass(slots=True)
class Group:
    """A group as the inventory describes it."""

    line: int
    hosts: list[str] = field(default_factory=list[str])
    children: list[str] = field(default_factory=list[str])
    variables: Variables = field(default_factory=Variables)


@dataclass(slots=True)
class Inventory:
    """Hosts and groups in the order in which they stand."""

    lines: dict[str, int] = field(default_factory=dict[str, int])
    variables: dict[str, Variables] = field(default_factory=dict[str, Variables])
    groups: dict[str, Group] = field(default_factory=dict[str, Group])

    def group(self, name: str, line: int) -> Group:
        return self.groups.setdefault(name, Group(line))

    def add_host(self, name: str, line: int) -> Variables:
        """Note a host and return the variables that it has itself."""
        if name not in self.lines:
            if len(self.lines) >= MAX_ROWS:
                raise too_many_rows()
            self.lines[name] = line
            self.variables[name] = {}
        return self.variables[name]


def expand(pattern: str, line: int) -> Iterator[str]:
    """Return the names that ``web[01:20]`` and ``db-[a:c]`` stand for.

    Raises ``import.unreadable`` for a range that is none, ``import.too_many_rows``.
    """
    parts: list[list[str]] = []
    at, total = 0, 1
    for found in _RANGE.finditer(pattern):
        parts += [[pattern[at : found.start()]], _members(found, line)]
        total *= len(parts[-1])
        if total > MAX_ROWS:
            raise too_many_rows()
        at = found.end()
    parts.append([pattern[at:]])
    return ("".join(name) for name in product(*parts))


def _members(found: re.Match[str], line: int) -> list[str]:
    first, last, step = found[1], found[2], int(found[3] or 1)
    if first.isdigit() != last.isdigit() or step == 0:
        raise unreadable(line, f"{found[0]} is not a range.")
    if first.isdigit():
        if len(first) > 1 and first[0] == "0" and len(first) != len(last):
            raise unreadable(line, f"both ends of {found[0]} need the same number of digits.")
        low, high, width = int(first), int(last), len(first) if first[0] == "0" else 0
        if (high - low) // step >= MAX_ROWS:
            raise too_many_rows()
        names = [str(number).zfill(width) for number in range(low, high + 1, step)]
    else:
        names = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    if not names:
        raise unreadable(line, f"the range {found[0]} ends before it begins.")
    return names


@dataclass(slots=True)
class _Around:
    """The groups around a host."""

    direct: tuple[str, ...]
    variables: Variables
    listed: str


def sheet(inventory: Inventory, format_: Format) -> Sheet:
    """Return the hosts of an inventory as rows.

    Raises ``import.unreadable`` for groups that stand in themselves or too deep, or whose names
    differ only in case.
    """
    _check_names(inventory)
    parents = _parents(inventory)
    depths = _depths(inventory, parents)
    own: dict[str, list[str]] = {name: [] for name in inventory.lines}
    for name, group in inventory.groups.items():
        for host in group.hosts:
            if not own[host] or own[host][-1] != name:
                own[host].append(name)
    around: dict[tuple[str, ...], _Around] = {}
    remarks: list[Remark] = []
    merged: dict[str, Variables] = {}
    lists: dict[str, str] = {}
    for host, direct in own.items():
        key = tuple(direct)
        if key not in around:
            around[key] = _around(inventory, parents, depths, key)
        merged[host] = {**around[key].variables, **inventory.variables[host]}
        lists[host] = around[key].listed
    extra = _extra_columns(merged)
    rows = tuple(
        _row(host, inventory.lines[host], merged[host], lists[host], extra, remarks)
        for host in inventory.lines
    )
    remarks += _secret_remarks(inventory, merged)
    inside = {name: above[0] for name, above in parents.items() if above}
    return Sheet(format_, (*COLUMNS, *extra), rows, tuple(remarks), inside=inside)


def _check_names(inventory: Inventory) -> None:
    """Raise ``import.unreadable`` for groups that are two to Ansible and one here.

    As one, ``Web`` that stands in ``web`` would stand in itself.
    """
    spelled: dict[str, str] = {}
    for name, group in inventory.groups.items():
        other = spelled.setdefault(name.lower(), name)
        if other != name:
            problem = f"the groups {other} and {name} differ only in case, and would be one here."
            raise unreadable(group.line, problem)


def _parents(inventory: Inventory) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {}
    for name, group in inventory.groups.items():
        for child in dict.fromkeys(group.children):
            if name not in EVERYBODY:
                parents.setdefault(child, []).append(name)
    return parents


def _depths(inventory: Inventory, parents: Mapping[str, list[str]]) -> dict[str, int]:
    """Return how many groups each group stands in; Ansible's ``all`` is not counted."""
    depths = {name: 0 for name in inventory.groups if not parents.get(name)}
    waiting = {name: len(above) for name, above in parents.items() if above}
    ready = list(depths)
    while ready:
        name = ready.pop()
        for child in dict.fromkeys(inventory.groups[name].children):
            if child not in waiting or name in EVERYBODY:
                continue
            depths[child] = max(depths.get(child, 0), depths[name] + 1)
            waiting[child] -= 1
            if waiting[child] == 0:
                del waiting[child]
                ready.append(child)
    if waiting:
        name = next(iter(waiting))
        raise unreadable(inventory.groups[name].line, f"the group {name} stands in itself.")
    for name, depth in depths.items():
        if depth >= MAX_DEPTH:
            problem = f"the group {name} stands in more than {MAX_DEPTH - 1} groups."
            raise unreadable(inventory.groups[name].line, problem)
    return depths


def _around(
    inventory: Inventory,
    parents: Mapping[str, list[str]],
    depths: Mapping[str, int],
    direct: tuple[str, ...],
) -> _Around:
    found: dict[str, None] = {}
    # A group of ours stands in one other: for any further one the host is put there by name.
    listed = dict.fromkeys(name for name in direct if name not in EVERYBODY)
    waiting = list(direct)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = None
        above = parents.get(name, [])
        waiting += above
        listed.update(dict.fromkeys(above[1:]))
    variables: Variables = {}
    if everybody := inventory.groups.get("all"):
        variables.update(everybody.variables)
    for name in sorted(found.keys() - {"all"}, key=lambda name: (depths[name], name)):
        variables.update(inventory.groups[name].variables)
    return _Around(direct, variables, GROUP_SEPARATOR.join(listed))


def _extra_columns(merged: Mapping[str, Variables]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for variables in merged.values():
        names.update(dict.fromkeys(variables))
    wanted = [n for n in names if not n.startswith(_OWN_PREFIX) and not SECRET_NAME.search(n)]
    return tuple(name for name in wanted if name not in COLUMNS)[: MAX_COLUMNS - len(COLUMNS)]


def _row(
    host: str,
    line: int,
    variables: Variables,
    listed: str,
    extra: tuple[str, ...],
    remarks: list[Remark],
) -> Row:
    cells = {"name": host, "address": "", "port": "", "username": "", "group": listed}
    problem = None
    for name, column in _CONNECTION.items():
        value = variables.get(name)
        if isinstance(value, Vaulted):
            problem = problem or vault_problem(host, name)
        elif value is not None and not cells[column]:
            cells[column] = value
    for name, value in variables.items():
        if isinstance(value, Vaulted) and name not in _CONNECTION:
            remarks.append(Remark(line, vault_problem(host, name)))
    plain = ("" if isinstance(value := variables.get(n, ""), Vaulted) else value for n in extra)
    every = (*(cells[column] for column in COLUMNS), *plain)
    return Row(line, tuple(cell.replace("\0", "\ufffd") for cell in every), problem)


def vault_problem(host: str, variable: str) -> str:
    """Return what to say about a value that Ansible Vault encrypted."""
    return (
        f"{variable} of {host} is encrypted by Ansible Vault and was not read. "
        "Keep secrets in a credential, and other values in plain text."
    )


def _secret_remarks(inventory: Inventory, merged: Mapping[str, Variables]) -> Iterator[Remark]:
    for host, variables in merged.items():
        for name, value in variables.items():
            if SECRET_NAME.search(name) and not isinstance(value, Vaulted):
                what = f"{name} of {host} is a secret and was not kept; make a credential of it."
                yield Remark(inventory.lines[host], what)

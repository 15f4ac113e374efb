"""Ansible inventories in INI: ``[group]``, ``[group:children]``, ``[group:vars]``."""

from __future__ import annotations

import re
import shlex
from typing import Final

from openwatch.fleet.imports.readers.ansible import (
    VAULT_TEXT,
    Inventory,
    Variables,
    Vaulted,
    expand,
    sheet,
)
from openwatch.fleet.imports.readers.sheet import Format, Sheet, unreadable

MAX_LINE: Final = 8192
"""Longer than any line that people write; shlex takes quadratic time."""

_SECTION: Final = re.compile(r"\[\s*([^\]:\s]+)\s*(?::\s*([a-z]+)\s*)?\]\s*(?:[#;].*)?")
_KINDS: Final = ("hosts", "children", "vars")
_PORT: Final = re.compile(r"(.+):([0-9]{1,5})")


def read_ini(text: str) -> Sheet:
    """Return the hosts of an inventory. Raises ``import.unreadable`` with the line at fault."""
    inventory = Inventory()
    group, kind = inventory.group("ungrouped", 1), "hosts"
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if len(line) > MAX_LINE:
            raise unreadable(number, f"it is longer than {MAX_LINE} characters.")
        if section := _SECTION.fullmatch(line):
            group, kind = inventory.group(section[1], number), section[2] or "hosts"
            if kind not in _KINDS:
                raise unreadable(number, f"{kind} is not one of {', '.join(_KINDS)}.")
            continue
        match kind:
            case "hosts":
                for name in _read_host(inventory, line, number):
                    group.hosts.append(name)
            case "children":
                child = _words(line, number)[0]
                inventory.group(child, number)
                group.children.append(child)
            case _:
                name, value = _variable(line, number)
                group.variables[name] = value
    return sheet(inventory, Format.ANSIBLE_INI)


def _read_host(inventory: Inventory, line: str, number: int) -> list[str]:
    pattern, *assignments = _words(line, number)
    variables: Variables = dict(_variable(word, number) for word in assignments)
    address, port = _with_port(pattern)
    names = list(expand(address, number))
    for name in names:
        own = inventory.add_host(name, number)
        if port:
            own["ansible_port"] = port
        own.update(variables)
    return names


def _with_port(pattern: str) -> tuple[str, str]:
    found = _PORT.fullmatch(pattern)
    # Colons also stand in ranges and in IPv6 addresses.
    if found is None or found[1].count("[") != found[1].count("]"):
        return pattern, ""
    if ":" in re.sub(r"\[[^\]]*\]", "", found[1]):
        return pattern, ""
    return found[1], found[2]


def _words(line: str, number: int) -> list[str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        raise unreadable(number, "a quotation mark that opens there is never closed.") from None
    if not words:
        raise unreadable(number, "it names nothing.")
    return words


def _variable(text: str, number: int) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise unreadable(number, f"{text[:40]} is not name=value.")
    name, value = name.strip(), value.strip()
    if VAULT_TEXT in value or value.startswith("!vault"):
        return name, Vaulted()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value

"""known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): hosts and the keys that they are known by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from openwatch.engine.transport.host_keys import host_key
from openwatch.engine.transport.model import HostKey
from openwatch.fleet.imports.readers.places import parse_place
from openwatch.fleet.imports.readers.sheet import MAX_ROWS, Format, Row, Sheet, too_many_rows

COLUMNS: Final = ("name", "address", "port")
KEY_TYPE: Final = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+")
MAX_KEYS: Final = 8
"""Keys of one host: servers have one of each kind, four today; all of them are compared."""

_HASHED: Final = (
    "The name is hashed, so nobody can read it back. Where the hosts are named in plain text, "
    "such as an Ansible inventory, import that."
)
_PROBLEMS: Final = {
    "@revoked": "The key is marked as revoked, so this is no host to trust.",
    "@cert-authority": "The line names a certificate authority, not a host.",
}


@dataclass(slots=True)
class _Host:
    line: int
    address: str
    port: str
    keys: list[HostKey] = field(default_factory=list[HostKey])


def read_known_hosts(text: str) -> Sheet:
    """Return one row per host with all its keys; lines that name none are rows with a problem."""
    found: dict[tuple[str, str], _Host] = {}
    refused: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace("\0", "\ufffd").split(maxsplit=4)
        if not words or words[0].startswith("#"):
            continue
        problem = _read(number, words, found)
        if problem is not None:
            refused.append(Row(number, (words[0], "", ""), problem))
        if len(found) + len(refused) > MAX_ROWS:
            raise too_many_rows()
    rows = [
        Row(host.line, (host.address, host.address, host.port), keys=tuple(host.keys))
        for host in found.values()
    ]
    rows = sorted([*rows, *refused], key=lambda row: row.line)
    return Sheet(Format.KNOWN_HOSTS, COLUMNS, tuple(rows))


def _read(number: int, words: list[str], found: dict[tuple[str, str], _Host]) -> str | None:
    """Note the host of a line, or return why it has none."""
    if words[0].startswith("@"):
        return _PROBLEMS.get(words[0], f"The mark {words[0]} is not known.")
    names = words[0]
    if names.startswith("|"):
        return _HASHED
    if any(c in names for c in "*?!"):
        return "The name is a pattern for several hosts, not one host."
    try:
        key = host_key(" ".join(words[1:3]))
    except ValueError:
        return "No public key follows the name."
    if not KEY_TYPE.fullmatch(key.algorithm):
        return "No public key of a known kind follows the name."
    place = parse_place(names.partition(",")[0])
    where = (place.address.lower(), place.port)
    host = found.setdefault(where, _Host(number, place.address, place.port))
    if key not in host.keys and len(host.keys) < MAX_KEYS:
        host.keys.append(key)
    return None

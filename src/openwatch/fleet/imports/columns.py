"""Which column of a file holds which field: what people chose, or what it looks like."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from openwatch.fleet.imports import errors
from openwatch.fleet.imports.readers.ansible import SECRET_NAME
from openwatch.fleet.imports.readers.sheet import Sheet
from openwatch.kit.errors import OpenWatchError


class Field(StrEnum):
    """What a column can hold."""

    NAME = "name"
    ADDRESS = "address"
    PORT = "port"
    USERNAME = "username"
    ENVIRONMENT = "environment"
    DESCRIPTION = "description"
    TAGS = "tags"
    GROUP = "group"
    CREDENTIAL = "credential"
    JUMP_HOST = "jump_host"


class Reason(StrEnum):
    """Why a field is suggested."""

    HEADER = "header"
    VALUES = "values"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file. ``confidence`` is from 0 to 1; a secret one is never kept or shown."""

    name: str
    field: Field | None
    confidence: float
    reason: Reason | None
    samples: tuple[str, ...]
    secret: bool


Mapped = Mapping[Field, int]
"""The number of the column that holds each field."""

SAMPLED: Final = 200
SAMPLES_SHOWN: Final = 3
SURE: Final = 0.95
LIKELY: Final = 0.7
ENOUGH: Final = 0.5
"""From which confidence on a field is suggested."""

# Headers as people and exports write them, without blanks and signs; the first that a file has
# wins. vCenter: VM, DNS Name, IP Address; EC2: PrivateIpAddress, PrivateDnsName; Satellite: Name.
_HEADERS: Final[Mapping[Field, Sequence[str]]] = {
    Field.NAME: (
        "name", "hostname", "host", "servername", "server", "vm", "vmname", "displayname",
        "computername", "machine", "node", "inventoryhostname", "asset", "assetname", "system",
        "device", "devicename", "instanceid", "rechnername", "nom",
    ),
    Field.ADDRESS: (
        "address", "ip", "ipaddress", "ipaddr", "ipv4", "ipv4address", "primaryip",
        "primaryipaddress", "privateipaddress", "managementip", "mgmtip", "fqdn", "dnsname",
        "dns", "privatednsname", "ansiblehost", "ipv6", "ipv6address", "publicip",
        "publicipaddress", "publicdnsname", "adresse", "ipadresse",
    ),
    Field.PORT: ("port", "sshport", "ansibleport"),
    Field.USERNAME: (
        "username", "user", "login", "loginname", "sshuser", "account", "ansibleuser", "benutzer",
    ),
    Field.ENVIRONMENT: (
        "environment", "env", "stage", "tier", "lifecycle", "lifecycleenvironment", "umgebung",
    ),
    Field.DESCRIPTION: (
        "description", "descr", "desc", "notes", "note", "comment", "comments", "annotation",
        "purpose", "role", "beschreibung",
    ),
    Field.TAGS: ("tags", "tag", "labels", "label", "keywords"),
    Field.GROUP: (
        "group", "groups", "site", "team", "cluster", "hostgroup", "hostgroups", "location",
        "datacenter", "datacentre", "folder", "gruppe", "standort",
    ),
    Field.CREDENTIAL: ("credential", "credentials", "credentialname"),
    Field.JUMP_HOST: ("jumphost", "bastion", "proxyjump", "gatewayhost", "via"),
}  # fmt: skip
_SIGNS: Final = re.compile(r"[\W_]+")
_NAME_LIKE: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


def parse_mapping(sheet: Sheet, texts: Iterable[str]) -> Mapped:
    """Return the columns that ``column=field`` texts name; without any, those that are suggested.

    Raises ``import.mapping_invalid``, ``import.column_unknown``, ``import.no_name``.
    """
    mapped: dict[Field, int] = {}
    given = list(texts)
    for text in given:
        # A column may have a = in its name; a field has none.
        column, equals, name = text.rpartition("=")
        if not equals:
            raise _invalid(text, "it has no =")
        if name.strip() not in set(Field):
            raise _invalid(text, f"{name.strip() or 'nothing'} is no field")
        field = Field(name.strip())
        if field in mapped:
            raise _invalid(text, f"{field} was named already")
        mapped[field] = _find(sheet, column)
    if not given:
        mapped = {
            column.field: i for i, column in enumerate(suggest(sheet)) if column.field is not None
        }
    if Field.NAME not in mapped and Field.ADDRESS not in mapped:
        raise OpenWatchError(errors.IMPORT_NO_NAME, field="map")
    return mapped


def _find(sheet: Sheet, column: str) -> int:
    if column in sheet.columns:
        return sheet.columns.index(column)
    plain = [name.lower() for name in sheet.columns]
    if column.strip().lower() in plain:
        return plain.index(column.strip().lower())
    raise OpenWatchError(
        errors.IMPORT_COLUMN_UNKNOWN,
        column=column.strip() or "without a name",
        columns=", ".join(sheet.columns),
        field="map",
    )


def _invalid(text: str, problem: str) -> OpenWatchError:
    return OpenWatchError(
        errors.IMPORT_MAPPING_INVALID,
        mapping=text,
        problem=problem,
        fields=", ".join(Field),
        field="map",
    )


def suggest(sheet: Sheet) -> list[Column]:
    """Return the columns with the field that each most likely holds; no field twice."""
    values = [_values(sheet, i) for i in range(len(sheet.columns))]
    secret = [bool(SECRET_NAME.search(name)) for name in sheet.columns]
    found = [
        (confidence, -rank, i, field, reason)
        for i, name in enumerate(sheet.columns)
        if not secret[i]
        for confidence, rank, field, reason in _candidates(name, values[i])
        if confidence >= ENOUGH
    ]
    by_column: dict[int, tuple[Field, float, Reason]] = {}
    taken: set[Field] = set()
    for confidence, _, i, field, reason in sorted(
        found, key=lambda item: (-item[0], -item[1], item[2])
    ):
        if i not in by_column and field not in taken:
            by_column[i] = (field, confidence, reason)
            taken.add(field)
    return [
        _column(name, by_column.get(i), values[i], secret=secret[i])
        for i, name in enumerate(sheet.columns)
    ]


def _column(
    name: str, found: tuple[Field, float, Reason] | None, values: list[str], *, secret: bool
) -> Column:
    samples = () if secret else tuple(dict.fromkeys(values))[:SAMPLES_SHOWN]
    field, confidence, reason = found or (None, 0.0, None)
    return Column(name, field, round(confidence, 2), reason, samples, secret)


def _values(sheet: Sheet, column: int) -> list[str]:
    cells = (row.cells[column].strip() for row in sheet.rows[:SAMPLED] if row.problem is None)
    return [cell for cell in cells if cell]


def _candidates(name: str, values: list[str]) -> Iterable[tuple[float, int, Field, Reason]]:
    """Yield confidence, rank among the headers of that field, field and reason."""
    plain = _SIGNS.sub("", name.lower())
    for field, headers in _HEADERS.items():
        if plain in headers:
            yield _fitting(field, values, SURE), headers.index(plain), field, Reason.HEADER
        elif any(len(h) > len("port") - 1 and plain.endswith(h) for h in headers):
            yield _fitting(field, values, LIKELY), len(headers), field, Reason.HEADER
    for field, judge in _JUDGES.items():
        yield judge(values), len(_HEADERS[field]) + 1, field, Reason.VALUES


def _fitting(field: Field, values: list[str], confidence: float) -> float:
    """Trust a header less where its values say otherwise, such as a port that is no number."""
    if field is Field.PORT and values:
        return confidence * _share(values, str.isdigit)
    if field is Field.ADDRESS and values:
        return confidence * _share(
            values, lambda text: bool(_NAME_LIKE.fullmatch(text)) or _ip(text)
        )
    return confidence


def _share(values: list[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, values)) / len(values) if values else 0.0


def _ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _like_addresses(values: list[str]) -> float:
    return 0.9 * _share(values, _ip)


def _like_names(values: list[str]) -> float:
    names = _share(values, lambda text: bool(_NAME_LIKE.fullmatch(text)) and not text.isdigit())
    distinct = len(set(values)) / len(values) if values else 0.0
    with_digit_or_dot = _share(values, lambda text: any(c.isdigit() or c in ".-" for c in text))
    return (
        0.7 * names * distinct * (0.5 + with_digit_or_dot / 2)
        if not _like_addresses(values)
        else 0.0
    )


def _like_ports(values: list[str]) -> float:
    return 0.8 * _share(values, lambda text: text in {"22", "2222", "22022"})


_JUDGES: Final[Mapping[Field, Callable[[list[str]], float]]] = {
    Field.ADDRESS: _like_addresses,
    Field.NAME: _like_names,
    Field.PORT: _like_ports,
}

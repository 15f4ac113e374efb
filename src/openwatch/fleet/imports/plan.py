"""What to do with the rows of a batch, given what the inventory holds. Pure.

Names that the inventory holds at the beginning of a batch stay taken until its end, so that no
order of rows matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from openwatch.fleet.fields import DEFAULT_PORT, MAX_TAGS
from openwatch.fleet.hosts.service import MAX_JUMP_HOSTS
from openwatch.fleet.imports.model import Key, OnExisting, Outcome
from openwatch.fleet.imports.rows import Refused, Wanted
from openwatch.fleet.imports.schema import Options
from openwatch.kit.ids import uuid7

COMPARED: Final = (
    "name",
    "address",
    "port",
    "username",
    "environment",
    "description",
    "tags",
    "credential_id",
    "jump_host_id",
)
"""The columns of a host that a row can set."""


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group of the inventory."""

    id: UUID
    name: str
    by_rule: bool


@dataclass(slots=True)
class World:
    """What the inventory holds of everything that a batch names; names in lower case.

    ``jumps`` are the hosts that rows name as jump hosts, ``behind`` says which jump host each host
    on their ways has.
    """

    by_name: Mapping[str, Mapping[str, Any]]
    by_address: Mapping[str, Sequence[Mapping[str, Any]]]
    credentials: Mapping[str, UUID]
    groups: Mapping[str, KnownGroup]
    members: frozenset[tuple[UUID, UUID]]
    jumps: dict[str, UUID]
    behind: dict[UUID, UUID | None]
    default_group: KnownGroup | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a row. ``values`` are columns of the host, all of them for a new one."""

    row: Wanted | Refused
    outcome: Outcome
    host_id: UUID | None = None
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    groups: tuple[str, ...] = ()
    problem: str | None = None


class _RowRefusedError(Exception):
    pass


def decide(rows: Sequence[Wanted | Refused], world: World, options: Options) -> list[Decision]:
    """Return what to do with each row, in their order."""
    return [_decide(row, world, options) for row in rows]


def _decide(row: Wanted | Refused, world: World, options: Options) -> Decision:
    if isinstance(row, Refused):
        return Decision(row, Outcome.REFUSED, problem=row.problem)
    try:
        known = _known(row, world, options.key)
        groups = _groups(row, world)
        if known is None:
            return _new(row, world, options, groups)
        return _again(row, known, world, options, groups)
    except _RowRefusedError as refusal:
        return Decision(row, Outcome.REFUSED, problem=str(refusal))


def _known(row: Wanted, world: World, key: Key) -> Mapping[str, Any] | None:
    """Return the host that a row is about; ``None``: a new one."""
    named = world.by_name.get(row.name.lower())
    if key is Key.NAME:
        return named
    there = world.by_address.get(row.address, ())
    if len(there) > 1:
        names = ", ".join(sorted(host["name"] for host in there[:3]))
        raise _RowRefusedError(f"{len(there)} hosts have the address {row.address}: {names}.")
    known = there[0] if there else None
    if named is not None and (known is None or known["id"] != named["id"]):
        raise _RowRefusedError(
            f"A host with the name {named['name']} exists already, with the address "
            f"{named['address']}."
        )
    return known


def _new(row: Wanted, world: World, options: Options, groups: tuple[str, ...]) -> Decision:
    host_id, defaults = uuid7(), options.defaults
    given = _columns(row, world, host_id)
    tags = list(dict.fromkeys([*given.get("tags", []), *defaults.tags]))
    if len(tags) > MAX_TAGS:
        raise _RowRefusedError(f"With the tags for all hosts there are more than {MAX_TAGS} tags.")
    values: dict[str, Any] = {
        "name": row.name,
        "address": row.address,
        "port": DEFAULT_PORT,
        "username": None,
        "environment": defaults.environment,
        "description": "",
        "credential_id": defaults.credential_id,
        "jump_host_id": None,
        **given,
        "tags": tags,
    }
    world.jumps[row.name.lower()] = host_id
    world.behind[host_id] = values["jump_host_id"]
    return Decision(row, Outcome.CREATED, host_id, values, _with_default(groups, world))


def _again(
    row: Wanted,
    known: Mapping[str, Any],
    world: World,
    options: Options,
    groups: tuple[str, ...],
) -> Decision:
    host_id: UUID = known["id"]
    match options.on_existing:
        case OnExisting.REFUSE:
            raise _RowRefusedError(
                f"A host with this {options.key} exists already: {known['name']}."
            )
        case OnExisting.SKIP:
            return Decision(row, Outcome.SKIPPED, host_id)
        case OnExisting.UPDATE:
            pass
    given = _columns(row, world, host_id)
    changes = {name: value for name, value in given.items() if known[name] != value}
    missing = tuple(name for name in groups if not _is_member(host_id, name, world))
    if "jump_host_id" in changes:
        world.behind[host_id] = changes["jump_host_id"]
    outcome = Outcome.UPDATED if changes or missing else Outcome.UNCHANGED
    return Decision(row, outcome, host_id, changes, missing)


def _is_member(host_id: UUID, group: str, world: World) -> bool:
    known = world.groups.get(group.lower())
    return known is not None and (host_id, known.id) in world.members


def _columns(row: Wanted, world: World, host_id: UUID) -> dict[str, Any]:
    """Return the columns of the host that the row sets."""
    values = {name: row.given[name] for name in COMPARED if name in row.given}
    if name := row.given.get("credential"):
        credential = world.credentials.get(name.lower())
        if credential is None:
            raise _RowRefusedError(f"There is no credential with the name {name}.")
        values["credential_id"] = credential
    if name := row.given.get("jump_host"):
        jump = world.jumps.get(name.lower())
        if jump is None:
            raise _RowRefusedError(
                f"The jump host {name} is neither in the inventory nor in a line above this one."
            )
        _check_way(host_id, jump, name, world)
        values["jump_host_id"] = jump
    return values


def _check_way(host_id: UUID, jump: UUID, name: str, world: World) -> None:
    at: UUID | None = jump
    for _ in range(MAX_JUMP_HOSTS):
        if at is None:
            return
        if at == host_id:
            raise _RowRefusedError(f"The way to this host would lead through itself, by {name}.")
        at = world.behind.get(at)
    if at is not None:
        raise _RowRefusedError(
            f"The way to this host leads through more than {MAX_JUMP_HOSTS} jump hosts."
        )


def _groups(row: Wanted, world: World) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(row.given.get("group", ())))
    for name in names:
        known = world.groups.get(name.lower())
        if known is not None and known.by_rule:
            raise _RowRefusedError(f"The hosts of the group {known.name} are found by its rule.")
    return names


def _with_default(groups: tuple[str, ...], world: World) -> tuple[str, ...]:
    default = world.default_group
    if default is None or default.name.lower() in {name.lower() for name in groups}:
        return groups
    return (*groups, default.name)

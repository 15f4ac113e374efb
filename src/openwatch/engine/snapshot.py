"""Snapshots: all facts of one collection and the identity of the host; content-addressed."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from openwatch.engine.errors import SNAPSHOT_INVALID
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.system import Capabilities, Kernel, OsRelease
from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.hashing import sha256_hex

T = TypeVar("T")

FORMAT: Final = "openwatch-snapshot/1"
MOMENT: Final = "#moment"
"""Stands for the time among the facts that some work asked for; no fact has this id."""

MAX_SNAPSHOT_BYTES: Final = 256 * 1024 * 1024
"""What a snapshot file may unpack to: more is not one host's answer."""

_FAMILIES: Final = {
    "debian": "debian", "ubuntu": "ubuntu", "rhel": "rhel", "redhat": "rhel", "centos": "rhel",
    "rocky": "rhel", "almalinux": "rhel", "alma": "rhel", "ol": "rhel", "oracle": "rhel",
    "fedora": "fedora", "amzn": "amzn", "sles": "sles", "sles_sap": "sles",
    "sled": "sles", "sle_hpc": "sles", "opensuse-leap": "sles", "opensuse": "sles", "suse": "sles",
}  # fmt: skip
"""os-release(5) ID → family: hosts of one family keep their settings in the same places."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The operating system of a host. ``version`` is VERSION_ID as numbers: (22, 4)."""

    family: str
    id: str
    version_id: str
    name: str
    version: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """Who answered. ``platform`` is a :class:`CouldNot` when os-release could not be read."""

    hostname: str
    machine_id: str
    kernel: str
    arch: str
    platform: Platform | CouldNot


@dataclass(frozen=True)
class Snapshot:
    """All facts of one collection. Equal answers of a host give an equal hash."""

    facts: Mapping[str, Fact]
    taken_at: datetime
    privilege: str
    privilege_problem: str | None = None
    _values: dict[str, Any] = field(
        default_factory=dict[str, Any], repr=False, compare=False, init=False
    )
    _derived: dict[Hashable, tuple[Any, frozenset[str]]] = field(
        default_factory=dict[Hashable, tuple[Any, frozenset[str]]],
        repr=False,
        compare=False,
        init=False,
    )
    _tracing: list[set[str]] = field(
        default_factory=lambda: [set[str]()], repr=False, compare=False, init=False
    )
    """Of the work that is being traced, innermost last: the ids of the facts it asked for."""

    def read(self, request: Request) -> Any:
        """Return the typed value that answers ``request``, or :class:`CouldNot`."""
        fact_id = request.id
        self._tracing[-1].add(fact_id)
        if fact_id not in self._values:
            self._values[fact_id] = self._read(request)
        return self._values[fact_id]

    def fact(self, request: Request) -> Fact | None:
        """Return the answer itself; ``None`` when the snapshot does not hold it."""
        fact_id = request.id
        self._tracing[-1].add(fact_id)
        return self.facts.get(fact_id)

    def derived(self, key: Hashable, derive: Callable[[], T]) -> T:
        """Return what ``derive`` makes of this snapshot; it is made once for each key."""
        known = self._derived.get(key)
        if known is None:
            known = self._derived[key] = self.traced(derive)
        else:
            self._tracing[-1].update(known[1])
        return known[0]

    def forget(self) -> None:
        """Give back the memory of all that was read and derived; it is made anew when asked for."""
        self._values.clear()
        self._derived.clear()

    def traced(self, work: Callable[[], T]) -> tuple[T, frozenset[str]]:
        """Return what ``work`` returns, and the id of every fact that it asked for, itself or
        through what was derived before, whether this snapshot holds it or not.
        """
        self._tracing.append(set())
        try:
            result = work()
        finally:
            asked = self._tracing.pop()
            self._tracing[-1] |= asked
        return result, frozenset(asked)

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """The canonical bytes of each fact, by its id."""
        return {fact_id: fact.canonical() for fact_id, fact in self.facts.items()}

    @cached_property
    def digests(self) -> Mapping[str, bytes]:
        """The SHA-256 of the canonical bytes of each fact, by its id."""
        return {
            fact_id: hashlib.sha256(document).digest()
            for fact_id, document in self.documents.items()
        }

    @property
    def moment(self) -> datetime:
        """When it was taken. An outcome that rests on it holds for this snapshot alone."""
        self._tracing[-1].add(MOMENT)
        return self.taken_at

    @cached_property
    def day(self) -> date:
        """The day (UTC) on which it was taken: what judgements that count days may look at."""
        return self.taken_at.astimezone(UTC).date()

    def _read(self, request: Request) -> Any:
        fact = self.facts.get(request.id)
        if fact is None:
            return not_collected(request)
        value = PROBES[request.probe].read(fact)
        if (
            isinstance(value, CouldNot)
            and value.reason in (Reason.DENIED, Reason.TOOL_FAILED)
            and self.privilege_problem
        ):
            # An unprivileged program fails in its own words; the cause is the missing privilege.
            return CouldNot(Reason.DENIED, f"{value} ({self.privilege_problem})")
        return value

    @cached_property
    def identity(self) -> HostIdentity:
        kernel = self.read(Request("kernel"))
        known = kernel if isinstance(kernel, Kernel) else Kernel("", "", "", "", -1, None)
        os_release = self.read(Request("os_release"))
        return HostIdentity(
            hostname=known.hostname,
            machine_id=known.machine_id,
            kernel=known.release,
            arch=known.machine,
            platform=platform(os_release) if isinstance(os_release, OsRelease) else os_release,
        )

    @property
    def capabilities(self) -> Capabilities | CouldNot:
        return self.read(Request("capabilities"))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the sorted fact ids and hashes and the privilege they were read with."""
        index = {fact_id: digest.hex() for fact_id, digest in self.digests.items()}
        return sha256_hex(canonical_json({"facts": index, "privilege": self.privilege}))


def not_collected(request: Request) -> CouldNot:
    """Return that a snapshot does not hold what is asked for."""
    return CouldNot(Reason.NOT_COLLECTED, f"The snapshot has no fact {request.id}.")


def platform(os_release: OsRelease) -> Platform:
    """Return the platform that os-release(5) names; an unknown ID is a family of its own."""
    family = _FAMILIES.get(os_release.id)
    if family is None:
        likes = (_FAMILIES.get(like) for like in os_release.id_like)
        family = next((like for like in likes if like), os_release.id)
        # A derivative has version numbers of its own: the rules of its parent do not fit them.
        return Platform(f"{family}-like", os_release.id, os_release.version_id, os_release.name)
    numbers = tuple(int(n) for n in re.findall(r"\d+", os_release.version_id)[:2])
    return Platform(family, os_release.id, os_release.version_id, os_release.name, numbers)


def make_snapshot(
    facts: Iterable[Fact],
    *,
    taken_at: datetime,
    privilege: str,
    privilege_problem: str | None = None,
) -> Snapshot:
    """Return the snapshot of these facts."""
    return Snapshot({fact.id: fact for fact in facts}, taken_at, privilege, privilege_problem)


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as gzipped JSON; it holds no secrets, but facts of the host: mode 0600."""
    document = {
        "format": FORMAT,
        "taken_at": snapshot.taken_at.isoformat(),
        "privilege": snapshot.privilege,
        "privilege_problem": snapshot.privilege_problem,
        "hash": snapshot.hash,
        "facts": [snapshot.facts[fact_id].document() for fact_id in sorted(snapshot.facts)],
    }
    data = gzip.compress(canonical_json(document), mtime=0)
    path.touch(mode=0o600)
    if path.is_file():
        path.chmod(0o600)
    path.write_bytes(data)


def read_snapshot(path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises ``snapshot.invalid`` when it is damaged, edited, or something else.
    """
    try:
        raw = _unpack(path.read_bytes())
        document = json.loads(raw)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}")
        facts = [Fact.from_document(entry) for entry in document["facts"]]
        unknown = sorted({f.request.probe for f in facts} - PROBES.keys())
        if unknown:
            raise ValueError(f"unknown probes {', '.join(unknown)}")
        snapshot = make_snapshot(
            facts,
            taken_at=datetime.fromisoformat(document["taken_at"]),
            privilege=str(document["privilege"]),
            privilege_problem=document["privilege_problem"],
        )
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise OpenWatchError(SNAPSHOT_INVALID, name=path.name, why=why) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zlib.error,
        RecursionError,
    ) as error:
        why = f"{type(error).__name__}: {error}"
        raise OpenWatchError(SNAPSHOT_INVALID, name=path.name, why=why) from None
    if snapshot.hash != document.get("hash"):
        raise OpenWatchError(
            SNAPSHOT_INVALID, name=path.name, why="its facts do not match its hash"
        )
    return snapshot


def _unpack(data: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=31)
    raw = decompressor.decompress(data, MAX_SNAPSHOT_BYTES)
    if decompressor.unconsumed_tail or not decompressor.eof:
        raise ValueError("cut short, or larger than any host's answer")
    return raw

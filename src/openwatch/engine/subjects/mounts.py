"""Mount points: as they are mounted now, and as they will be after the next boot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.devices import Blocks
from openwatch.engine.probes.mounts import PSEUDO_TYPES, REMOTE_TYPES, Mount, unescape
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import Path, logical_lines, read_files
from openwatch.engine.subjects.settings import merge_drop_ins

FSTAB: Final = "/etc/fstab"
_BEFORE_FSTAB: Final = ("/etc/systemd/system", "/run/systemd/system")
_AFTER_FSTAB: Final = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
"""systemd.unit(5): units that a generator makes of fstab(5) rank between these directories."""

_PLAIN: Final = re.compile(r"/(?:[A-Za-z0-9_][A-Za-z0-9_.:]*(?:/[A-Za-z0-9_.:]+)*)?\Z")
"""Mount points whose unit has a name without escapes."""

_BY_SYSTEMD: Final = {"/dev/shm": frozenset({"nodev", "nosuid"})}
"""What systemd mounts itself before it reads anything, and how (file-hierarchy(7))."""

_INVERSE: Final = {"dev": "nodev", "suid": "nosuid", "exec": "noexec"}
_IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("noexec", "nosuid", "nodev"),
    "users": ("noexec", "nosuid", "nodev"),
    "owner": ("nosuid", "nodev"),
    "group": ("nosuid", "nodev"),
}
"""mount(8): these imply others, unless a later word takes them back."""


def effective_options(text: str) -> frozenset[str]:
    """Return the options of a comma-separated list; of two that exclude each other the later."""
    options: list[str] = []
    for word in text.split(","):
        implied = _IMPLIED.get(word, ())
        taken_back = {_INVERSE.get(word), word.removeprefix("no") if word.startswith("no") else ""}
        taken_back |= {one.removeprefix("no") for one in implied}
        options = [one for one in options if one not in taken_back] + [*implied, word]
    return frozenset(option for option in options if option)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of fstab(5)."""

    source: str
    target: str
    type: str
    options: frozenset[str]
    where: Source


def _fstab(snapshot: Snapshot) -> tuple[_Entry, ...] | CouldNot:
    return snapshot.derived("fstab", lambda: _read_fstab(snapshot))


def _read_fstab(snapshot: Snapshot) -> tuple[_Entry, ...] | CouldNot:
    files, problem = read_files(snapshot, (FSTAB,))
    if problem is not None:
        return problem
    entries: list[_Entry] = []
    for file in files:
        for number, line in logical_lines(file):
            words = [unescape(word) for word in line.split()]
            if len(words) < 3:
                continue
            target = words[1].rstrip("/") or "/"
            options = effective_options(words[3] if len(words) > 3 else "defaults")
            entries.append(_Entry(words[0], target, words[2], options, Source(FSTAB, number, line)))
    return tuple(entries)


class MountSubject(Subject):
    """A mount point. ``configured_options``: those of the next boot, from fstab(5) or from the
    mount unit of systemd, as systemd.unit(5) ranks them.
    """

    LABEL: ClassVar[str] = "mount"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "mounted": Kind.FLAG,
        "type": Kind.TEXT,
        "options": Kind.WORDS,
        "in_fstab": Kind.FLAG,
        "fstab_options": Kind.WORDS,
        "configured_options": Kind.WORDS,
    }

    target: Path

    def requests(self) -> tuple[Request, ...]:
        return (
            Request("mounts"),
            Request("content", FSTAB),
            *(Request("content", path) for path in self._units()),
            *(Request("content", f"{directory}/*.conf") for directory in self._drop_ins()),
            *((Request("capabilities"),) if self.target in _BY_SYSTEMD else ()),
        )

    def _units(self) -> tuple[str, ...]:
        """Return the files of the mount unit; none where its name needs escapes."""
        if not _PLAIN.match(self.target):
            return ()
        return tuple(f"{d}/{self._unit}" for d in (*_BEFORE_FSTAB, *_AFTER_FSTAB))

    def _drop_ins(self) -> tuple[str, ...]:
        """Return the directories of drop-ins, lowest priority first."""
        if not _PLAIN.match(self.target):
            return ()
        directories = (*_AFTER_FSTAB[::-1], *_BEFORE_FSTAB[::-1])
        return tuple(f"{d}/{self._unit}.d" for d in directories)

    @property
    def _unit(self) -> str:
        # systemd-escape(1): slashes become hyphens; of a root directory a hyphen is left.
        return f"{self.target.strip('/').replace('/', '-') or '-'}.mount"

    def select(self, snapshot: Snapshot) -> Selection:
        mounts: Mapping[str, Mount] | CouldNot = snapshot.read(Request("mounts"))
        live: dict[str, Value]
        raw = "not a mount point"
        if isinstance(mounts, CouldNot):
            live = {"mounted": mounts, "type": mounts, "options": mounts}
        elif mount := mounts.get(self.target):
            live = {"mounted": True, "type": mount.type, "options": mount.options}
            raw = f"{self.target} {mount.type} {','.join(sorted(mount.options))}"
        else:
            live = {"mounted": False, "type": None, "options": None}
        table, source = self._table(snapshot)
        configured, unit_source = self._configured(snapshot, table["fstab_options"], source)
        sources = dict.fromkeys(table, source) if source else {}
        if unit_source is not None:
            sources["configured_options"] = unit_source
        later = {**table, "configured_options": configured}
        requests = dict.fromkeys(later, Request("content", FSTAB))
        return Selection((Record(self.target, live | later, sources, raw, requests),))

    def _table(self, snapshot: Snapshot) -> tuple[dict[str, Value], Source | None]:
        entries = _fstab(snapshot)
        if isinstance(entries, CouldNot):
            return {"in_fstab": entries, "fstab_options": entries}, None
        # systemd-fstab-generator(8): of two lines with one mount point the first counts.
        target = self.target.rstrip("/") or "/"
        entry = next((e for e in entries if e.target == target), None)
        if entry is None:
            return {"in_fstab": False, "fstab_options": None}, None
        return {"in_fstab": True, "fstab_options": entry.options}, entry.where

    def _configured(
        self, snapshot: Snapshot, in_table: Value, where: Source | None
    ) -> tuple[Value, Source | None]:
        units = self._units()
        if not units and in_table is None:
            unseen = "The name of its mount unit needs escapes; it was not looked for."
            return CouldNot(Reason.INCOMPLETE, unseen), None
        first, problem = self._option_line(snapshot, units[: len(_BEFORE_FSTAB)])
        later, later_problem = self._option_line(snapshot, units[len(_BEFORE_FSTAB) :])
        files, drop_in_problem = merge_drop_ins(snapshot, self._drop_ins())
        if problem or isinstance(in_table, CouldNot):
            return problem or in_table, None
        base: Value = in_table
        if first is not None:
            base, where = first
        elif in_table is None:
            if later_problem:
                return later_problem, None
            base, where = later or (self._by_systemd(snapshot), None)
        if base is None or isinstance(base, CouldNot):
            return base, None
        if drop_in_problem:
            return drop_in_problem, None
        for file in files:
            if found := _mount_options(logical_lines(file, comment="#;"), file.path):
                base, where = found
        return base, where

    def _by_systemd(self, snapshot: Snapshot) -> Value:
        if self.target not in _BY_SYSTEMD:
            return None
        capabilities = snapshot.capabilities
        if isinstance(capabilities, CouldNot):
            return capabilities
        return _BY_SYSTEMD[self.target] if "systemd" in capabilities else None

    def _option_line(
        self, snapshot: Snapshot, paths: Iterable[str]
    ) -> tuple[tuple[frozenset[str], Source | None] | None, CouldNot | None]:
        for path in paths:
            files, problem = read_files(snapshot, (path,))
            if problem is not None:
                return None, problem
            for file in files:
                lines = logical_lines(file, comment="#;")
                # An empty file is a mask: nothing is mounted.
                none = (frozenset[str](), None)
                return _mount_options(lines, path) or none, None
        return None, None


def _mount_options(
    lines: Iterable[tuple[int, str]], path: str
) -> tuple[frozenset[str], Source] | None:
    """Return what the last ``Options=`` in the section ``[Mount]`` says."""
    section, found = "", None
    for number, line in lines:
        if line.startswith("["):
            section = line.strip("[] \t")
            continue
        key, equals, value = line.partition("=")
        if section == "Mount" and equals and key.strip() == "Options":
            found = effective_options(value.strip()), Source(path, number, line)
    return found


_MEMORY: Final = frozenset({"tmpfs", "devtmpfs", "ramfs"})
_IMAGES: Final = frozenset({"squashfs", "iso9660", "erofs", "cramfs"})
_STACKED: Final = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs"})
_POOLED: Final = frozenset({"zfs", "bcachefs"})
_FUSE_DISKS: Final = frozenset({"fuseblk", "fuse.ntfs-3g", "fuse.exfat"})


def kind_of(type_: str) -> str:
    """Return whose a file system of this type is: ``local``, ``remote``, ``memory``, ``image`` (a
    read-only image), ``stacked`` (a layer over others), ``pseudo`` (no files of anybody).
    """
    if type_ in _MEMORY:
        return "memory"
    if type_ in _IMAGES:
        return "image"
    if type_ in _STACKED:
        return "stacked"
    if type_ in _FUSE_DISKS:
        return "local"
    if type_ in PSEUDO_TYPES or type_ in ("none", "fusectl", "cgroup2"):
        return "pseudo"
    if any(fnmatchcase(type_, remote) for remote in REMOTE_TYPES):
        return "remote"
    return "local"


class MountsSubject(Subject):
    """All mounts: those that are in use, and the lines of fstab(5); and where memory is swapped
    to (``kind`` swap).
    """

    LABEL: ClassVar[str] = "mounts"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "target": Kind.TEXT,
        "source": Kind.TEXT,
        "type": Kind.TEXT,
        "kind": Kind.TEXT,
        "from": Kind.TEXT,
        "options": Kind.WORDS,
        "security": Kind.TEXT,
        "removable": Kind.FLAG,
        "encrypted": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("mounts"), Request("content", FSTAB), Request("blocks"))

    def select(self, snapshot: Snapshot) -> Selection:
        mounts: Mapping[str, Mount] | CouldNot = snapshot.read(Request("mounts"))
        entries = _fstab(snapshot)
        blocks: Blocks | CouldNot = snapshot.read(Request("blocks"))
        for part in (mounts, entries):
            if isinstance(part, CouldNot):
                return Selection(could_not=part)
        assert not isinstance(mounts, CouldNot)
        assert not isinstance(entries, CouldNot)
        records = [
            _record(m.target, m.source, m.type, m.options, blocks, None) for m in mounts.values()
        ]
        records += [
            _record(e.target, e.source, e.type, e.options, blocks, e.where)
            for e in entries
            if e.type not in ("swap", "ignore")
        ]
        if isinstance(blocks, CouldNot):
            unknown: dict[str, Value] = dict.fromkeys(self.FIELDS, blocks)
            values = {**unknown, "target": "none", "kind": "swap", "type": "swap", "from": "live"}
            records.append(Record("swap", values, requests={"encrypted": Request("blocks")}))
        else:
            nothing = frozenset[str]()
            records += [_record("none", s, "swap", nothing, blocks, None) for s in blocks.swaps]
        return Selection(tuple(records))


def _record(
    target: str,
    source: str,
    type_: str,
    options: frozenset[str],
    blocks: Blocks | CouldNot,
    where: Source | None,
) -> Record:
    kind = "swap" if type_ == "swap" else kind_of(type_)
    if type_ in ("auto", "none") or options & {"bind", "rbind"}:
        kind = _untyped(type_, source, options)
    elif kind == "local" and type_ not in _POOLED and not _DEVICE.match(source):
        # Whatever has no device, such as nfsd or a share of the machine below, holds no disk.
        kind = "pseudo"
    removable, encrypted = _device(kind, type_, source, blocks)
    values: dict[str, Value] = {
        "target": target,
        "source": source,
        "type": type_,
        "kind": kind,
        "from": "live" if where is None else "fstab",
        "options": options,
        "security": next((o[4:] for o in sorted(options) if o.startswith("sec=")), None),
        "removable": removable,
        "encrypted": encrypted,
    }
    name = f"{source} on {target}" if kind == "swap" else target
    raw = f"{source} {target} {type_} {','.join(sorted(options))}"
    requests = {field: Request("blocks") for field in ("removable", "encrypted")}
    if where is not None:
        own: dict[str, Source] = dict.fromkeys(_WRITTEN, where)
        asked = dict.fromkeys(own, Request("content", FSTAB))
        return Record(name, values, own, raw, {**asked, **requests})
    return Record(name, values, raw=raw, requests=requests)


_WRITTEN: Final[tuple[str, ...]] = (
    "target",
    "source",
    "type",
    "kind",
    "from",
    "options",
    "security",
)


def _untyped(type_: str, source: str, options: frozenset[str]) -> str:
    """Return the kind of a line of fstab(5) that names no type."""
    if options & {"bind", "rbind"}:
        return "bind"
    return "local" if type_ == "auto" or source.startswith("/dev/") else "pseudo"


_DEVICE: Final = re.compile(r"/dev/|(?:UUID|LABEL|PARTUUID|PARTLABEL|ID)=")
_ALWAYS_REMOVABLE: Final = re.compile(r"/dev/(?:cdrom|cdrw|dvd|dvdrw|sr\d+|fd\d+|floppy)\d*\Z")


def _device(kind: str, type_: str, source: str, blocks: Blocks | CouldNot) -> tuple[Value, Value]:
    """Return whether the device of a mount can be taken away, and whether it is encrypted."""
    if kind not in ("local", "swap", "image"):
        return False, None
    if _ALWAYS_REMOVABLE.match(source):
        return True, False
    if isinstance(blocks, CouldNot):
        return blocks, blocks
    device = blocks.find(source)
    if device is not None:
        return blocks.removable(device), blocks.encrypted(device)
    if kind == "swap" and not source.startswith("/dev/"):
        # A file to swap to lies on a file system, which is judged itself.
        return False, None
    if type_ in _POOLED or not source.startswith("/dev/") or source.startswith("/dev/loop"):
        # A tag without a device is a disk that is not there now.
        unseen = CouldNot(Reason.INCOMPLETE, f"Which disks {source} lies on cannot be said.")
        return unseen, unseen
    unseen = CouldNot(Reason.INCOMPLETE, f"{source} is not there now.")
    return unseen, unseen

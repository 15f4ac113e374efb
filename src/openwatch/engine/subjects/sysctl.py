"""Kernel parameters: what the kernel uses now, and what will be set at the next boot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files
from openwatch.engine.subjects.firewall_boot import (
    UFW_CONF,
    UFW_DEFAULTS,
    settings_of,
    started_at_boot,
)
from openwatch.engine.subjects.settings import Format, merge_drop_ins, split_setting

SYSCTL_DIRECTORIES: Final = (
    "/usr/lib/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/run/sysctl.d",
    "/etc/sysctl.d",
)
"""sysctl.d(5), lowest priority first. On a merged /usr, /lib/sysctl.d is the first of them."""


UFW: Final = "ufw.service"
UFW_FILE: Final = "/etc/ufw/sysctl.conf"
"""What IPT_SYSCTL in /etc/default/ufw names as it is shipped."""


class SysctlSubject(Subject):
    """A kernel parameter: what the kernel uses now and what is configured for the next boot.

    ufw sets parameters of its own when it starts. Its unit is ordered behind local-fs.target, that
    of systemd-sysctl behind systemd-modules-load.service, and neither behind the other: where they
    set a parameter to two values either may be the last one, and there is a record for each.
    """

    LABEL: ClassVar[str] = "sysctl"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"running": Kind.TEXT, "configured": Kind.TEXT}

    key: str = Field(pattern=r"^[a-z0-9_]+(?:[./][A-Za-z0-9_-]+)+$")

    def requests(self) -> tuple[Request, ...]:
        return (
            Request("sysctl", self.key),
            *(Request("content", f"{d}/*.conf") for d in SYSCTL_DIRECTORIES),
            Request("content", "/etc/sysctl.conf"),
            *(Request("content", path) for path in (UFW_CONF, UFW_DEFAULTS, UFW_FILE)),
            Request("unit", UFW),
            Request("capabilities"),
        )

    def select(self, snapshot: Snapshot) -> Selection:
        running: str | CouldNot | None = snapshot.read(Request("sysctl", self.key))
        by_system, by_ufw = self._configured(snapshot), self._by_ufw(snapshot)
        if isinstance(by_ufw[0], CouldNot) or by_system[0] is None:
            by_system = by_system if by_ufw[0] is None else by_ufw
        found = [(self.key, *by_system)]
        unlike = by_ufw[0] not in (None, by_system[0]) and not isinstance(by_system[0], CouldNot)
        if unlike:
            found.append((f"{self.key} (by ufw)", *by_ufw))
        return Selection(tuple(_record(name, running, value, by) for name, value, by in found))

    def _by_ufw(self, snapshot: Snapshot) -> tuple[Value, Source | None]:
        """Return what ufw sets at boot: nothing where it is not started, or has no such line.

        ufw-init-functions: `sysctl -e -q -p $IPT_SYSCTL`, when the rules are loaded.
        """
        lines, unread = snapshot.derived("sysctl by ufw", lambda: _ufw_lines(snapshot))
        value = self._last(lines)
        if unread is None and value[0] is None:
            return None, None
        started = snapshot.derived("ufw at boot", lambda: _ufw_starts(snapshot))
        if started is False:
            return None, None
        if isinstance(started, CouldNot):
            return started, None
        return (unread, None) if unread is not None else value

    def _configured(self, snapshot: Snapshot) -> tuple[Value, Source | None]:
        """The last line wins (sysctl.d(5)). ``sysctl --system`` of procps reads /etc/sysctl.conf
        after everything else. systemd does not know it: with it the file counts only where the
        distribution links it into /etc/sysctl.d.
        """
        lines, last, problem = snapshot.derived(SysctlSubject, lambda: _sysctl_lines(snapshot))
        if problem is not None:
            return problem, None
        by_systemd, by_procps = self._last(lines), self._last((*lines, *last))
        capabilities = snapshot.capabilities
        if by_systemd[0] == by_procps[0]:
            return by_systemd
        if isinstance(capabilities, CouldNot):
            return capabilities, None
        return by_systemd if "systemd" in capabilities else by_procps

    def _last(self, lines: Iterable[_SysctlLine]) -> tuple[Value, Source | None]:
        """sysctl.d(5): a line that names the key wins over all patterns; ``-key`` alone keeps the
        patterns away from it and sets nothing.
        """
        wanted = self.key.replace("/", ".")
        exact: tuple[Value, Source | None] | None = None
        by_pattern: tuple[Value, Source | None] = None, None
        for line in lines:
            if line.name == wanted:
                exact = (line.value, line.source) if line.sets else (None, None)
            elif line.sets and line.is_pattern and _covers(line.name, wanted):
                by_pattern = line.value, line.source
        return by_pattern if exact is None else exact


def _record(key: str, running: Value, configured: Value, source: Source | None) -> Record:
    values: dict[str, Value] = {"running": running, "configured": configured}
    sources = {"configured": source} if source else {}
    raw = f"{key} = {running}" if isinstance(running, str) else ""
    path = source.path if source and source.path == UFW_FILE else f"{SYSCTL_DIRECTORIES[-1]}/*.conf"
    return Record(key, values, sources, raw, {"configured": Request("content", path)})


def _ufw_starts(snapshot: Snapshot) -> bool | CouldNot:
    """ufw-init: it does nothing where ENABLED is not yes."""
    started = started_at_boot(snapshot, UFW)
    if started is not True:
        return started
    main = settings_of(snapshot, UFW_CONF)
    if isinstance(main, CouldNot):
        return main
    return main.get("ENABLED", ("", None))[0] in ("yes", "YES")


def _ufw_lines(snapshot: Snapshot) -> tuple[tuple[_SysctlLine, ...], CouldNot | None]:
    """Return the lines of the files that IPT_SYSCTL names, and what could not be read of them.

    ufw reads /etc/default/ufw and /etc/ufw/ufw.conf as shell, in that order.
    """
    named = ""
    for path in (UFW_DEFAULTS, UFW_CONF):
        found = settings_of(snapshot, path)
        if isinstance(found, CouldNot):
            return (), found
        named = found.get("IPT_SYSCTL", (named, None))[0]
    lines: list[_SysctlLine] = []
    for path in named.split():
        if path not in (UFW_FILE, "/etc/sysctl.conf"):
            what = f"ufw reads kernel parameters from {path}, which is not asked for."
            return tuple(lines), CouldNot(Reason.INCOMPLETE, what)
        files, problem = read_files(snapshot, (path,))
        if problem is not None:
            return tuple(lines), problem
        lines += map(_sysctl_line, _numbered(files))
    return tuple(lines), None


@dataclass(frozen=True, slots=True)
class _SysctlLine:
    """One line of a file of sysctl.d(5), its key with dots."""

    name: str
    value: str
    sets: bool
    is_pattern: bool
    source: Source


def _sysctl_lines(
    snapshot: Snapshot,
) -> tuple[tuple[_SysctlLine, ...], tuple[_SysctlLine, ...], CouldNot | None]:
    """Return the lines of all drop-ins in their order, those of sysctl.conf, and what could not
    be read.
    """
    files, problem = merge_drop_ins(snapshot, SYSCTL_DIRECTORIES)
    last, last_problem = read_files(snapshot, ("/etc/sysctl.conf",))
    parsed = (tuple(map(_sysctl_line, _numbered(group))) for group in (files, last))
    return next(parsed), next(parsed), problem or last_problem


def _numbered(files: Iterable[FileContent]) -> Iterable[Source]:
    for file in files:
        for number, line in logical_lines(file, comment="#;"):
            yield Source(file.path, number, line)


def _sysctl_line(source: Source) -> _SysctlLine:
    key, value = split_setting(source.text.removeprefix("-"), Format.EQUALS)
    return _SysctlLine(
        name=key.replace("/", "."),
        value=" ".join(value.split()),
        sets="=" in source.text,
        is_pattern=any(c in key for c in "*?["),
        source=source,
    )


def _covers(pattern: str, key: str) -> bool:
    """Return whether a glob(7) over the parts of a name is about a key."""
    parts, patterns = key.split("."), pattern.split(".")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))

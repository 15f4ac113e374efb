"""The command line of the kernel, now and at the next boot, and the password of the boot loader."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.boot import Boot, BootLine
from openwatch.engine.probes.system import Kernel
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value

_KERNEL_LINE: Final = re.compile(r"\s*(?:linux(?:16|efi)?|module2?)\s+\S+\s+(?P<said>.*\broot=.*)")
"""An entry of grub.cfg that boots a system. One without root= is a memory test."""
_OPTIONS: Final = re.compile(r"\s*options\s+(?P<said>.*)")
_ASSIGNMENT: Final = re.compile(
    r"\s*(?:export\s+)?(?P<key>GRUB_CMDLINE_LINUX(?:_DEFAULT)?)(?P<sign>\+?=)(?P<said>.*)"
)
_GRUB_SET: Final = re.compile(r"\s*set\s+(?P<name>\w+)=(?P<said>.*)")
_REFERENCE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DYNAMIC: Final = re.compile(r"\$\(|`|\$")


BARE: Final = "present"
"""The value of an argument that is a word alone."""


@dataclass(frozen=True, slots=True)
class _CommandLine:
    """One command line: that of the running kernel, of an entry, or what new entries get."""

    at: str
    name: str
    said: str | CouldNot
    source: Source | None = None


class KernelSubject(Subject):
    """An argument of the kernel (``value`` of ``audit=1`` is ``1``, of a bare word ``present``):
    one record for the running kernel, one for each entry of the boot menu and one for what new
    entries are made of.
    """

    LABEL: ClassVar[str] = "kernel_argument"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "present": Kind.FLAG,
        "value": Kind.TEXT,
        "at": Kind.TEXT,
    }

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")

    def requests(self) -> tuple[Request, ...]:
        return (Request("kernel"), Request("boot"))

    def select(self, snapshot: Snapshot) -> Selection:
        lines = snapshot.derived("command lines", lambda: tuple(_command_lines(snapshot)))
        return Selection(tuple(self._record(line) for line in lines))

    def _record(self, line: _CommandLine) -> Record:
        name = self.name if line.at == "running" else f"{self.name} {line.name}"
        requests = {} if line.at == "running" else dict.fromkeys(self.FIELDS, Request("boot"))
        if isinstance(line.said, CouldNot):
            values: dict[str, Value] = {"present": line.said, "value": line.said, "at": line.at}
            return Record(name, values, requests=requests)
        found: str | None = None
        for word in line.said.split():
            key, equals, value = word.partition("=")
            if key == self.name:
                found = value if equals else BARE
        values = {"present": found is not None, "value": found, "at": line.at}
        sources = dict.fromkeys(values, line.source) if line.source else {}
        return Record(name, values, sources, line.said, requests)


def _command_lines(snapshot: Snapshot) -> Iterator[_CommandLine]:
    yield _CommandLine("running", "now", _running(snapshot.read(Request("kernel"))))
    boot: Boot | CouldNot = snapshot.read(Request("boot"))
    if isinstance(boot, CouldNot):
        yield _CommandLine("entry", "in the boot menu", boot)
        return
    for path in boot.closed:
        closed = CouldNot(Reason.DENIED, f"{path} may not be read.")
        yield _CommandLine("entry", f"in {path}", closed)
    entries = tuple(_entries(boot))
    if not entries and not boot.closed:
        unseen = CouldNot(Reason.INCOMPLETE, "No entry of a known boot loader was found.")
        yield _CommandLine("entry", "in the boot menu", unseen)
    yield from entries
    yield from _defaults(boot)


def _running(kernel: Kernel | CouldNot) -> str | CouldNot:
    if isinstance(kernel, CouldNot):
        return kernel
    if kernel.boot_command_line is None:
        return CouldNot(Reason.INCOMPLETE, "/proc/cmdline could not be read.")
    return kernel.boot_command_line


def _entries(boot: Boot) -> Iterator[_CommandLine]:
    variables = _grub_variables(boot.lines)
    for line in boot.lines:
        pattern = {"grub": _KERNEL_LINE, "bls": _OPTIONS}.get(line.kind)
        if pattern is None or not (match := pattern.fullmatch(line.text)):
            continue
        # GRUB puts nothing in the place of a variable that is not set.
        said = _REFERENCE.sub(lambda m: variables.get(m[1] or m[2], ""), match["said"])
        yield _CommandLine("entry", f"in {line.path}:{line.number}", said, _source(line))
    for kind, path in boot.files:
        if kind == "image":
            unseen = CouldNot(Reason.INCOMPLETE, f"The arguments inside {path} were not read.")
            yield _CommandLine("entry", f"in {path}", unseen)


def _grub_variables(lines: Iterable[BootLine]) -> dict[str, str]:
    """Return the variables that entries refer to. The environment block comes before grub.cfg,
    which only sets kernelopts where the block has none.
    """
    variables: dict[str, str] = {}
    for line in lines:
        if line.kind == "grub" and (match := _GRUB_SET.fullmatch(line.text)):
            variables[match["name"]] = match["said"].strip().strip("\"'")
    for line in lines:
        if line.kind == "env":
            key, _, value = line.text.partition("=")
            variables[key] = value
    return variables


def _defaults(boot: Boot) -> Iterator[_CommandLine]:
    for line in boot.lines:
        if line.kind == "cmdline" and not line.text.lstrip().startswith("#"):
            yield _CommandLine("default", f"for new entries in {line.path}", line.text,
                               _source(line))  # fmt: skip
    paths = {path for _, path in boot.files}
    if "/etc/default/grub" not in paths and "/boot/grub/grub.cfg" not in paths:
        return
    values: dict[str, str | CouldNot] = {}
    last: BootLine | None = None
    for line in boot.lines:
        if line.kind == "default" and (match := _ASSIGNMENT.fullmatch(line.text)):
            value = _shell_value(match["said"], values)
            if match["sign"] == "+=":
                value = _joined(values.get(match["key"], ""), value, "")
            values[match["key"]] = value
            last = line
    said = _joined(
        values.get("GRUB_CMDLINE_LINUX", ""), values.get("GRUB_CMDLINE_LINUX_DEFAULT", ""), " "
    )
    source = None if last is None else _source(last)
    yield _CommandLine("default", "for new entries in /etc/default/grub", said, source)


def _joined(one: str | CouldNot, other: str | CouldNot, between: str) -> str | CouldNot:
    if isinstance(one, CouldNot):
        return one
    return other if isinstance(other, CouldNot) else f"{one}{between}{other}"


def _shell_value(said: str, values: Mapping[str, str | CouldNot]) -> str | CouldNot:
    """Return the value of an assignment of sh(1), where it can be told without running it."""

    def known(match: re.Match[str]) -> str:
        value = values.get(match[1] or match[2])
        return value if isinstance(value, str) else match[0]

    literal = said.lstrip().startswith("'")
    text = said if literal else _REFERENCE.sub(known, said)
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return CouldNot(Reason.UNPARSABLE, f"{said[:80]!r} is no assignment of sh(1).")
    if not literal and _DYNAMIC.search(text):
        return CouldNot(Reason.INCOMPLETE, f"{said[:80]!r} depends on what a program prints.")
    return words[0] if words else ""


def _source(line: BootLine) -> Source:
    return Source(line.path, line.number, line.text.strip())


class BootLoaderSubject(Subject):
    """Who may change what GRUB boots. A password in clear text is none."""

    LABEL: ClassVar[str] = "boot_loader"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "password": Kind.FLAG,
        "kept": Kind.FLAG,
        "superusers": Kind.WORDS,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("boot"),)

    def select(self, snapshot: Snapshot) -> Selection:
        boot: Boot | CouldNot = snapshot.read(Request("boot"))
        if isinstance(boot, CouldNot):
            return Selection((Record("GRUB", dict.fromkeys(self.FIELDS, boot)),))
        if boot.closed:
            closed = CouldNot(Reason.DENIED, f"{boot.closed[0]} may not be read.")
            return Selection((Record("GRUB", dict.fromkeys(self.FIELDS, closed)),))
        menus = _menus(boot)
        if not menus:
            unseen = CouldNot(Reason.INCOMPLETE, "No configuration of GRUB was found.")
            return Selection((Record("GRUB", dict.fromkeys(self.FIELDS, unseen)),))
        return Selection(tuple(_guard(boot, menu) for menu in menus))


_SUPERUSERS: Final = re.compile(r"\s*set\s+superusers=[\"']?(?P<names>[^\"']*)[\"']?\s*")
_HASHED: Final = re.compile(
    r"\s*password_pbkdf2\s+(?P<name>\S+)\s+(?P<hash>grub\.pbkdf2\.\S+|\$\{?GRUB2_PASSWORD\}?)\s*"
)
_USER_PASSWORD: Final = re.compile(r"\s*GRUB2_PASSWORD grub\.pbkdf2\.\S*")
_STUB: Final = re.compile(r"\s*configfile\s+\S+")


def _menus(boot: Boot) -> list[str]:
    """Return the menus that the firmware reaches. On the EFI partition often only a stub lies,
    which hands over to the menu below /boot.
    """
    menus = [path for kind, path in boot.files if kind == "grub" and path.endswith("/grub.cfg")]
    stubs = {x.path for x in boot.lines if x.kind == "grub" and _STUB.match(x.text)}
    on_efi = [path for path in menus if path.startswith("/boot/efi/") and path not in stubs]
    if boot.efi and on_efi:
        return on_efi
    return [path for path in menus if not path.startswith("/boot/efi/")]


def _guard(boot: Boot, menu: str) -> Record:
    folder = menu.rpartition("/")[0]
    own = [x for x in boot.lines if x.path in (menu, f"{folder}/custom.cfg")]
    lists = [(x, m) for x in own if (m := _SUPERUSERS.fullmatch(x.text))]
    names = frozenset(re.split(r"[\s,;&|]+", lists[-1][1]["names"].strip())) if lists else None
    names = (names or frozenset[str]()) - {""}
    in_user_file = next((x for x in boot.lines if x.path == f"{folder}/user.cfg"
                         and _USER_PASSWORD.fullmatch(x.text)), None)  # fmt: skip
    guarded: dict[str, BootLine] = {}
    for line in own:
        if match := _HASHED.fullmatch(line.text):
            if match["hash"].startswith("$") and in_user_file is None:
                continue
            guarded[match["name"]] = line
    held = sorted(names & guarded.keys())
    kept = {m["name"] for x in boot.lines if (m := _HASHED.fullmatch(x.text))
            and (x.kind == "script" or x.path.endswith("/custom.cfg"))}  # fmt: skip
    sources: dict[str, Source] = {}
    if held:
        sources["password"] = _source(guarded[held[0]])
    if lists:
        sources["superusers"] = _source(lists[-1][0])
    values: dict[str, Value] = {
        "password": bool(held),
        "kept": bool(held) and (in_user_file is not None or bool(kept & set(held))),
        "superusers": names or None,
    }
    said = f"{menu}: superusers {' '.join(sorted(names)) or 'none'}"
    return Record(menu, values, sources, said)

"""PAM: the entries of a stack, and the options of its modules as they take effect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value, as_list
from openwatch.engine.subjects.files import read_files
from openwatch.engine.subjects.pam_stack import PAM_FILES, PamLine, Phase, reached, stack
from openwatch.engine.subjects.settings import merge_drop_ins

Service = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Module = Annotated[str, Field(pattern=r"^pam_[a-z0-9_]+$", description="Without .so.")]


@dataclass(frozen=True, slots=True)
class _Stack:
    """What libpam calls of one service in one phase."""

    service: str
    phase: Phase
    lines: tuple[PamLine, ...]
    unreachable: tuple[PamLine, ...]

    @property
    def name(self) -> str:
        return f"{self.service} {self.phase}"


def _stacks(
    snapshot: Snapshot, services: Iterable[str], phases: Iterable[Phase]
) -> Iterator[_Stack | tuple[str, CouldNot]]:
    """Yield what is called of each service in each phase, or its name and why nobody knows."""
    for service in services:
        for phase in phases:
            key = ("pam called", service, phase)
            yield snapshot.derived(key, partial(_stack, snapshot, service, phase))


def _stack(snapshot: Snapshot, service: str, phase: Phase) -> _Stack | tuple[str, CouldNot]:
    lines = stack(snapshot, service)
    if isinstance(lines, CouldNot):
        return f"{service} {phase}", lines
    mine = [line for line in lines or () if line.phase == phase]
    called = reached(mine)
    modules = [(i in called, line) for i, line in enumerate(mine) if not line.substack]
    return _Stack(
        service,
        phase,
        tuple(line for is_called, line in modules if is_called),
        tuple(line for is_called, line in modules if not is_called),
    )


class PamSubject(Subject):
    """The entries of a PAM service as libpam calls them, with everything that it includes.

    An entry that can never be called counts for nothing. Where `module` is named, each service
    gives at least one record: `present` is false where its stack has no such entry.
    """

    LABEL: ClassVar[str] = "pam"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "present": Kind.FLAG,
        "service": Kind.TEXT,
        "module": Kind.TEXT,
        "path": Kind.TEXT,
        "control": Kind.TEXT,
        "required": Kind.FLAG,
        "arguments": Kind.WORDS,
        "names": Kind.WORDS,
        "position": Kind.NUMBER,
        "first": Kind.FLAG,
        "argument": Kind.TEXT,
    }

    service: Service | tuple[Service, ...] = Field(description="A file of /etc/pam.d, or several.")
    phase: Phase | tuple[Phase, ...]
    module: Module | None = None
    having: tuple[str, ...] = Field(
        default=(), description="Only entries with all of these arguments."
    )
    before: Module | None = Field(
        default=None, description="`first`: the entry is called before any entry of this module."
    )
    argument: str | None = Field(
        default=None, description="`argument`: the value of this argument of the entry."
    )

    def title(self) -> str:
        phases = (self.phase,) if isinstance(self.phase, str) else self.phase
        of = f"PAM, {'/'.join(phases)} of {', '.join(as_list(self.service))}"
        entry = " ".join((self.module or "any module", *self.having))
        before = f", before {self.before}" if self.before else ""
        argument = f", argument {self.argument}" if self.argument else ""
        return f"{of}: {entry}{before}{argument}"

    def requests(self) -> tuple[Request, ...]:
        return PAM_FILES

    def select(self, snapshot: Snapshot) -> Selection:
        phases = (self.phase,) if isinstance(self.phase, str) else self.phase
        records: list[Record] = []
        for found in _stacks(snapshot, as_list(self.service), phases):
            if isinstance(found, _Stack):
                records += self._records(found)
            elif self.module is None:
                return Selection(could_not=found[1])
            else:
                records.append(Record(found[0], dict.fromkeys(self.FIELDS, found[1])))
        return Selection(tuple(records))

    def _records(self, found: _Stack) -> list[Record]:
        others = (p for p, other in enumerate(found.lines, 1) if other.module == self.before)
        limit = next(others, None)
        records = [
            self._record(found, line, position, limit)
            for position, line in enumerate(found.lines, start=1)
            if self._is_meant(line)
        ]
        if records or self.module is None:
            return records
        hidden = next((line for line in found.unreachable if self._is_meant(line)), None)
        wanted = " ".join((self.module, *self.having))
        raw = f"{wanted} is not in the stack" if hidden is None else f"{wanted} is never reached"
        sources = {} if hidden is None else {"present": hidden.source}
        values: dict[str, Value] = dict.fromkeys(self.FIELDS)
        values |= {"present": False, "service": found.service}
        name = f"{found.name} {wanted}"
        if hidden is not None:
            name += " (never reached)"
        return [Record(name, values, sources, raw)]

    def _is_meant(self, line: PamLine) -> bool:
        if self.module is not None and line.module != self.module:
            return False
        return set(self.having) <= set(line.arguments)

    def _record(self, found: _Stack, line: PamLine, position: int, limit: int | None) -> Record:
        values: dict[str, Value] = {
            "present": True,
            "service": found.service,
            "module": line.module,
            "path": line.path,
            "control": line.control,
            "required": line.required,
            "arguments": frozenset(line.arguments),
            "names": frozenset(word.partition("=")[0] for word in line.arguments),
            "position": position,
            "first": None if limit is None else position < limit,
            "argument": None if self.argument is None else line.argument(self.argument),
        }
        name = " ".join((found.name, line.module, *self.having))
        return Record(name, values, dict.fromkeys(values, line.source), line.source.text)


@dataclass(frozen=True, slots=True)
class _Config:
    """The file of a module, and how it reads it."""

    path: str
    drop_ins: str | None = None
    """Read before the file."""
    first_wins: bool = False
    ignore_case: bool = False


CONFIGS: Final[Mapping[str, _Config]] = {
    "pam_faillock": _Config("/etc/security/faillock.conf"),
    "pam_pwquality": _Config(
        "/etc/security/pwquality.conf", "/etc/security/pwquality.conf.d", ignore_case=True
    ),
    # pam_modutil_search_key of libpam returns the first line with the key.
    "pam_pwhistory": _Config("/etc/security/pwhistory.conf", first_wins=True, ignore_case=True),
}
"""faillock.conf(5), pwquality.conf(5), pwhistory.conf(5)."""

_PHASE_OF: Final[Mapping[str, Phase]] = {
    "pam_faillock": "auth",
    "pam_pwquality": "password",
    "pam_pwhistory": "password",
}


class PamOptionSubject(Subject):
    """An option of a PAM module as it takes effect: an argument of the entry before the file.

    Each entry of the module gives a record, and a stack without the module gives one as well:
    there `used` is false, and nothing is set. A default of the module is not shown as set.
    """

    LABEL: ClassVar[str] = "pam_option"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "used": Kind.FLAG,
        "set": Kind.FLAG,
        "value": Kind.TEXT,
    }

    service: Service | tuple[Service, ...] = Field(description="A file of /etc/pam.d, or several.")
    module: Literal["pam_faillock", "pam_pwquality", "pam_pwhistory"]
    option: str = Field(pattern=r"^[a-z_]+$")
    having: tuple[str, ...] = Field(
        default=(), description="Only entries with all of these arguments."
    )
    arguments_only: bool = Field(
        default=False, description="The module of this platform does not know its file yet."
    )

    def title(self) -> str:
        entry = " ".join((self.module, *self.having))
        return f"{self.option} of {entry} in {', '.join(as_list(self.service))}"

    def requests(self) -> tuple[Request, ...]:
        config = CONFIGS[self.module]
        drop_ins = () if config.drop_ins is None else (f"{config.drop_ins}/*.conf",)
        paths = () if self.arguments_only else (config.path, *drop_ins)
        return (*PAM_FILES, *(Request("content", path) for path in paths))

    def select(self, snapshot: Snapshot) -> Selection:
        by_file = self._in_files(snapshot)
        records: list[Record] = []
        for found in _stacks(snapshot, as_list(self.service), (_PHASE_OF[self.module],)):
            if not isinstance(found, _Stack):
                name = f"{found[0]} {self.module} {self.option}"
                records.append(Record(name, dict.fromkeys(self.FIELDS, found[1])))
                continue
            name = f"{found.name} {self.module} {self.option}"
            mine = [
                line
                for line in found.lines
                if line.module == self.module and set(self.having) <= set(line.arguments)
            ]
            records += (self._record(name, line, by_file) for line in mine)
            if not mine:
                values: dict[str, Value] = {"used": False, "set": False, "value": None}
                records.append(Record(name, values, raw=f"{self.module} is not in the stack"))
        return Selection(tuple(records))

    def _record(self, name: str, line: PamLine, by_file: tuple[Value, Source | None]) -> Record:
        value: Value = line.argument(self.option)
        source: Source | None = line.source
        requests: dict[str, Request] = {}
        if value is None:
            value, source = self._of_file(line, by_file)
            path = CONFIGS[self.module].path
            requests = dict.fromkeys(("set", "value"), Request("content", path))
        is_set: Value = value if isinstance(value, CouldNot) else value is not None
        values: dict[str, Value] = {"used": True, "set": is_set, "value": value}
        sources = {"used": line.source}
        if source is not None:
            sources |= {"set": source, "value": source}
        raw = f"not set: {line.source.path}:{line.source.line} {line.source.text}"
        return Record(name, values, sources, raw, {} if self.arguments_only else requests)

    def _of_file(
        self, line: PamLine, by_file: tuple[Value, Source | None]
    ) -> tuple[Value, Source | None]:
        other = line.argument("conf")
        if other is not None and other != CONFIGS[self.module].path:
            return CouldNot(Reason.INCOMPLETE, f"{other} is used and was not looked at."), None
        return by_file

    def _in_files(self, snapshot: Snapshot) -> tuple[Value, Source | None]:
        if self.arguments_only:
            return None, None
        config = CONFIGS[self.module]
        lines = snapshot.derived(("pam options", self.module), partial(_in_force, snapshot, config))
        if isinstance(lines, CouldNot):
            return lines, None
        return lines.get(self.option, (None, None))


def _in_force(snapshot: Snapshot, config: _Config) -> Mapping[str, tuple[str, Source]] | CouldNot:
    """Return the options of the files of a module, each as the module reads it."""
    merged: tuple[FileContent, ...] = ()
    problem = None
    if config.drop_ins is not None:
        merged, problem = merge_drop_ins(snapshot, (config.drop_ins,))
    main, main_problem = read_files(snapshot, (config.path,))
    if problem or main_problem:
        return problem or main_problem or {}
    found: dict[str, tuple[str, Source]] = {}
    for file in (*merged, *main):
        for key, value, source in options(file):
            name = key.lower() if config.ignore_case else key
            if not (config.first_wins and name in found):
                found[name] = value, source
    return found


_OPTION: Final = re.compile(r"([^\s=]+)\s*=?\s*(.*)\Z", re.DOTALL)


def options(file: FileContent) -> Iterator[tuple[str, str, Source]]:
    """Yield key, value and place of each line; blanks or one ``=`` stand between them."""
    for number, raw in file.lines():
        found = _OPTION.match(raw.partition("#")[0].strip())
        if found is not None:
            yield found[1], found[2], Source(file.path, number, raw.strip())


__all__ = ["CONFIGS", "PamOptionSubject", "PamSubject", "options"]

"""rsyslog: what it does with messages, where it takes them from, and its global settings."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import read_files
from openwatch.engine.subjects.rsyslog_syntax import DEBUG, EVERY, Reader, Selected, Statement

MAIN_FILE: Final = "/etc/rsyslog.conf"
INCLUDED: Final = "/etc/rsyslog.d/*"
_REQUESTS: Final = (Request("content", MAIN_FILE), Request("content", INCLUDED))
_DEPTH: Final = 8


def read_statements(snapshot: Snapshot) -> tuple[tuple[Statement, ...], CouldNot | None]:
    """Return the statements in the order in which rsyslog reads them, and what was not seen.

    A file in /etc/rsyslog.d counts only where the main file includes it.
    """
    files, problem = read_files(snapshot, (MAIN_FILE,))
    included, included_problem = read_files(snapshot, (INCLUDED,))
    if problem or included_problem:
        return (), problem or included_problem
    found: list[Statement] = []
    unseen: CouldNot | None = None
    for file in files:
        for statement in _expanded(file, included, 0):
            if isinstance(statement, CouldNot):
                unseen = unseen or statement
            else:
                found.append(statement)
    return tuple(found), unseen


def _expanded(
    file: FileContent, included: tuple[FileContent, ...], depth: int
) -> Iterator[Statement | CouldNot]:
    for statement in Reader(file.path, file.text).statements():
        pattern = _include(statement)
        if pattern is None:
            yield statement
            continue
        known = pattern.startswith(INCLUDED.rstrip("*")) and depth < _DEPTH
        if not known or "/" in pattern.removeprefix(INCLUDED.rstrip("*")):
            yield CouldNot(Reason.INCOMPLETE, f"The included {pattern[:80]} is not read.")
            continue
        for part in included:
            if fnmatchcase(part.path, pattern):
                yield from _expanded(part, (), depth + 1)


def _include(statement: Statement) -> str | None:
    if statement.kind == "include":
        return statement.parameters.get("file", "text of its own")
    if statement.kind == "directive":
        where = statement.parameters.get("includeconfig")
        return f"{where}*" if where is not None and where.endswith("/") else where
    return None


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What legacy directives and module parameters say for the actions that follow."""

    driver: str = ""
    mode: str = ""
    auth: str = ""


_FORWARD: Final = re.compile(r"(@{1,2})(?:\(([^)]*)\))?(\[[^\]]*\]|[^\s:;]+)(?::([0-9]+))?\S*.*")
_RELP: Final = re.compile(r":omrelp:(\[[^\]]*\]|[^\s:;]+)(?::([0-9]+))?.*")
_ON: Final = frozenset({"1", "on", "yes", "true"})


class _StatementSubject(Subject):
    """Shared by what is read from the statements alone, in their order."""

    def requests(self) -> tuple[Request, ...]:
        return _REQUESTS

    def select(self, snapshot: Snapshot) -> Selection:
        statements, unseen = read_statements(snapshot)
        if unseen is not None:
            return Selection(could_not=unseen)
        return Selection(tuple(self._of(statements)))

    @abstractmethod
    def _of(self, statements: tuple[Statement, ...]) -> Iterator[Record]:
        """Yield the records."""


class RsyslogActionSubject(_StatementSubject):
    """The actions of rsyslog: where messages go, which of them, and how they are protected.

    ``facilities`` are those of which every severity gets there, by a selector alone, and
    ``important`` those of which all from info upwards does; an action behind another condition has
    none. ``encrypted`` is TLS that cannot be left out.
    """

    LABEL: ClassVar[str] = "rsyslog_action"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "type": Kind.TEXT,
        "target": Kind.TEXT,
        "protocol": Kind.TEXT,
        "facilities": Kind.WORDS,
        "important": Kind.WORDS,
        "encrypted": Kind.FLAG,
        "driver": Kind.TEXT,
        "authentication": Kind.TEXT,
    }

    def _of(self, statements: tuple[Statement, ...]) -> Iterator[Record]:
        return actions(statements)


def actions(statements: tuple[Statement, ...]) -> Iterator[Record]:
    """Yield a record for each action but those that throw messages away."""
    dropped: dict[str, int] = {}
    legacy, modern = _Defaults(), _Defaults()
    for statement in statements:
        legacy, modern = _learned(statement, legacy, modern)
        if statement.kind not in ("action", "legacy"):
            continue
        if _discards(statement):
            for name, bits in (statement.selected or {}).items():
                dropped[name] = dropped.get(name, 0) | bits
            continue
        if statement.kind == "action":
            values = _modern_action(statement.parameters, modern)
        else:
            values = _legacy_action(statement.text, legacy)
        values["facilities"] = _complete(statement.selected, dropped, EVERY)
        values["important"] = _complete(statement.selected, dropped, EVERY ^ DEBUG)
        sources = dict.fromkeys(values, statement.source)
        name = f"{statement.source.path}:{statement.source.line}"
        yield Record(name, values, sources, statement.source.text)


def _discards(statement: Statement) -> bool:
    if statement.kind == "legacy":
        return statement.text in ("stop", "~")
    return statement.parameters.get("type", "").lower() == "omdiscard"


def _complete(selected: Selected | None, dropped: Mapping[str, int], wanted: int) -> frozenset[str]:
    found = (selected or {}).items()
    return frozenset(
        name for name, bits in found if bits & ~dropped.get(name, 0) & wanted == wanted
    )


def _learned(
    statement: Statement, legacy: _Defaults, modern: _Defaults
) -> tuple[_Defaults, _Defaults]:
    """Return what a statement changes for the actions after it."""
    given = statement.parameters
    if statement.kind == "global" and "defaultnetstreamdriver" in given:
        driver = given["defaultnetstreamdriver"]
        return replace(legacy, driver=driver), replace(modern, driver=driver)
    if statement.kind != "directive":
        return legacy, modern
    if driver := given.get("defaultnetstreamdriver"):
        return replace(legacy, driver=driver), replace(modern, driver=driver)
    if driver := given.get("actionsendstreamdriver"):
        return replace(legacy, driver=driver), modern
    if (mode := given.get("actionsendstreamdrivermode")) is not None:
        return replace(legacy, mode=mode), modern
    if (auth := given.get("actionsendstreamdriverauthmode")) is not None:
        return replace(legacy, auth=auth), modern
    return legacy, modern


def _modern_action(given: Mapping[str, str], defaults: _Defaults) -> dict[str, Value]:
    kind = given.get("type", "").lower()
    if kind == "omfile":
        return _values("file", given.get("file") or given.get("dynafile"))
    if kind == "omrelp":
        secure = given.get("tls", "off").lower() in _ON
        auth = given.get("tls.authmode", "").lower() or None
        return _values("forward", given.get("target"), "relp", secure, "relp", auth)
    if kind != "omfwd":
        return _values(kind, None)
    # tls and tls.authmode are newer names of streamdrivermode and streamdriverauthmode.
    mode = given.get("streamdrivermode") or given.get("streamdriver.mode") or given.get("tls", "")
    auth = (
        given.get("streamdriverauthmode")
        or given.get("streamdriver.authmode")
        or given.get("tls.authmode")
    )
    driver = given.get("streamdriver") or given.get("streamdriver.name") or defaults.driver
    return _forward(given.get("target"), given.get("protocol", "udp"), driver, mode, auth)


def _legacy_action(text: str, defaults: _Defaults) -> dict[str, Value]:
    if match := _FORWARD.fullmatch(text):
        protocol = "tcp" if match.group(1) == "@@" else "udp"
        target = match.group(3).strip("[]")
        return _forward(target, protocol, defaults.driver, defaults.mode, defaults.auth)
    if match := _RELP.fullmatch(text):
        return _values("forward", match.group(1).strip("[]"), "relp", False, "relp")
    path = text.removeprefix("-").split(";")[0].strip()
    if path.startswith("/"):
        return _values("file", path)
    if text.startswith("?"):
        return _values("file", text[1:].split(";")[0])
    return _values("other", text[:80])


def _forward(
    target: str | None, protocol: str, driver: str, mode: str, auth: str | None
) -> dict[str, Value]:
    protocol, driver = protocol.lower(), driver.lower()
    secure = protocol == "tcp" and driver in ("gtls", "ossl", "mbedtls") and mode.lower() in _ON
    return _values(
        "forward", target, protocol, secure, driver or None, (auth or "").lower() or None
    )


def _values(
    kind: str,
    target: str | None,
    protocol: str | None = None,
    encrypted: bool = False,
    driver: str | None = None,
    authentication: str | None = None,
) -> dict[str, Value]:
    return {
        "type": kind,
        "target": target,
        "protocol": protocol,
        "encrypted": encrypted,
        "driver": driver,
        "authentication": authentication,
    }


_INPUT_DIRECTIVES: Final[Mapping[str, str]] = {
    "inputtcpserverrun": "imtcp",
    "tcpserverrun": "imtcp",
    "inputptcpserverrun": "imptcp",
    "udpserverrun": "imudp",
    "inputrelpserverrun": "imrelp",
    "inputgssserverrun": "imgssapi",
}


class RsyslogInputSubject(_StatementSubject):
    """The input modules that rsyslog loads and the inputs that it starts, by module."""

    LABEL: ClassVar[str] = "rsyslog_input"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"module": Kind.TEXT, "started": Kind.FLAG}

    def _of(self, statements: tuple[Statement, ...]) -> Iterator[Record]:
        return _inputs(statements)


def _inputs(statements: tuple[Statement, ...]) -> Iterator[Record]:
    for statement in statements:
        given = statement.parameters
        module, started = "", False
        if statement.kind == "module":
            module = given.get("load", "")
        elif statement.kind == "input":
            module, started = given.get("type", ""), True
        elif statement.kind == "directive":
            module = given.get("modload", "")
            started = not module
            module = module or next(
                (m for name, m in _INPUT_DIRECTIVES.items() if name in given), ""
            )
        name = module.rpartition("/")[2].removesuffix(".so").lower()
        if name.startswith("im"):
            values: dict[str, Value] = {"module": name, "started": started}
            sources = dict.fromkeys(values, statement.source)
            where = f"{statement.source.path}:{statement.source.line}"
            yield Record(where, values, sources, statement.source.text)


class RsyslogGlobalSubject(Subject):
    """A global setting: a parameter of global(), or the ``$`` directive of the same name."""

    LABEL: ClassVar[str] = "rsyslog_global"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"value": Kind.TEXT}

    key: str = Field(pattern=r"^[A-Za-z0-9.]+$", description="Its name, in any case.")

    def requests(self) -> tuple[Request, ...]:
        return _REQUESTS

    def select(self, snapshot: Snapshot) -> Selection:
        statements, unseen = read_statements(snapshot)
        if unseen is not None:
            return Selection((Record(self.key, {"value": unseen}),))
        wanted = self.key.lower()
        hits = [
            s for s in statements if s.kind in ("global", "directive") and wanted in s.parameters
        ]
        if not hits:
            return Selection((Record(self.key, {"value": None}, raw="not set"),))
        source = hits[-1].source
        value = hits[-1].parameters[wanted]
        return Selection((Record(self.key, {"value": value}, {"value": source}, source.text),))


_LOG_PATTERNS: Final = ("/var/log/*", "/var/log/*/*")


class RsyslogFileSubject(Subject):
    """The files that actions of rsyslog write, as far as they exist."""

    LABEL: ClassVar[str] = "rsyslog_file"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "path": Kind.TEXT,
        "mode": Kind.MODE,
        "owner": Kind.TEXT,
        "group": Kind.TEXT,
    }

    def requests(self) -> tuple[Request, ...]:
        return (*_REQUESTS, *(Request("stat", pattern) for pattern in _LOG_PATTERNS))

    def select(self, snapshot: Snapshot) -> Selection:
        statements, unseen = read_statements(snapshot)
        if unseen is not None:
            return Selection(could_not=unseen)
        stats: dict[str, FileStat] = {}
        for pattern in _LOG_PATTERNS:
            found: tuple[FileStat, ...] | CouldNot = snapshot.read(Request("stat", pattern))
            if isinstance(found, CouldNot):
                return Selection(could_not=found)
            stats |= {stat.path: stat for stat in found}
        records: dict[str, Record] = {}
        for action in actions(statements):
            path = action.values["target"]
            if action.values["type"] == "file" and isinstance(path, str):
                record = _log_file(path, stats, action.sources.get("target"))
                if record is not None:
                    records[path] = record
        return Selection(tuple(records.values()))


def _log_file(path: str, stats: Mapping[str, FileStat], source: Source | None) -> Record | None:
    if path.startswith("/dev/"):
        return None
    if path not in stats:
        if path.startswith("/var/log/") and 3 <= path.count("/") <= 4:
            return None
        unseen = CouldNot(Reason.INCOMPLETE, f"Files such as {path[:80]} are not looked at.")
        return Record(path, {"path": path, "mode": unseen, "owner": unseen, "group": unseen})
    stat = stats[path]
    values: dict[str, Value] = {
        "path": path, "mode": stat.mode, "owner": stat.owner, "group": stat.group
    }  # fmt: skip
    raw = f"{stat.mode:04o} {stat.owner}:{stat.group} {path}"
    sources = {"path": source} if source else {}
    requests: dict[str, Request] = {}
    for name in ("mode", "owner", "group"):
        requests[name] = Request("stat", _LOG_PATTERNS[0])
    return Record(path, values, sources, raw, requests)

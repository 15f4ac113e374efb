"""auditd: its settings, and where it keeps its log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.probes.audit import AuditLog
from openwatch.engine.probes.files import FileStat
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value
from openwatch.engine.subjects.settings import SettingSubject


class AuditOptionSubject(Subject):
    """A key of auditd.conf(5); keys and values are the same in any case, the last line counts.

    ``percent`` is the number of a share of the disk (``25%``).
    """

    LABEL: ClassVar[str] = "audit_option"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"value": Kind.TEXT, "percent": Kind.NUMBER}

    key: str = Field(pattern=r"^[a-z0-9_]+$")

    def requests(self) -> tuple[Request, ...]:
        return self._setting().requests()

    def select(self, snapshot: Snapshot) -> Selection:
        (record,) = self._setting().select(snapshot).records
        value = record.values["value"]
        percent: Value = value if isinstance(value, CouldNot) else _percent(value)
        sources = dict.fromkeys(self.FIELDS, record.sources.get("value"))
        return Selection(
            (
                Record(
                    record.name,
                    {"value": value, "percent": percent},
                    {field: source for field, source in sources.items() if source is not None},
                    record.raw,
                ),
            )
        )

    def _setting(self) -> SettingSubject:
        return SettingSubject(
            file="/etc/audit/auditd.conf",
            key=self.key,
            comment="#",
            ignore_case=True,
            lower_case=True,
        )


def _percent(value: Value) -> int | None:
    match = re.fullmatch(r"([0-9]{1,2})%", value) if isinstance(value, str) else None
    return int(match.group(1)) if match else None


class AuditLogSubject(Subject):
    """The directory and the files of the audit log, where auditd.conf(5) puts them.

    Of the files, one is named for all that have the same name but for its number and the same
    permissions. ``megabytes`` and ``mount_point`` are those of the file system of the directory.
    """

    LABEL: ClassVar[str] = "audit_log"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "kind": Kind.TEXT, "path": Kind.TEXT, "mode": Kind.MODE, "owner": Kind.TEXT,
        "group": Kind.TEXT, "megabytes": Kind.NUMBER, "mount_point": Kind.TEXT,
    }  # fmt: skip

    def requests(self) -> tuple[Request, ...]:
        return (Request("audit_log"),)

    def select(self, snapshot: Snapshot) -> Selection:
        log: AuditLog | CouldNot | None = snapshot.read(Request("audit_log"))
        if isinstance(log, CouldNot):
            return Selection(could_not=log)
        if log is None or log.directory is None:
            return Selection()
        directory = _log_record("directory", log.directory)
        disk: dict[str, Value] = {"megabytes": log.megabytes, "mount_point": log.mount_point}
        whole = Record(directory.name, {**directory.values, **disk}, raw=_disk(log))
        return Selection((whole, *(_log_record("file", stat) for stat in log.files)))


def _disk(log: AuditLog) -> str:
    assert log.directory is not None
    d = log.directory
    return f"{d.mode:04o} {d.owner}:{d.group} {d.path}, on {log.mount_point} of {log.megabytes} MiB"


def _log_record(kind: str, stat: FileStat) -> Record:
    values: dict[str, Value] = {
        "kind": kind, "path": stat.path, "mode": stat.mode, "owner": stat.owner,
        "group": stat.group,
    }  # fmt: skip
    raw = f"{stat.mode:04o} {stat.owner}:{stat.group} {stat.type} {stat.path}"
    return Record(stat.path, values, raw=raw)

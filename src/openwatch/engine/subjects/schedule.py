"""What runs regularly: timers of systemd and tables of cron, and how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.probes.schedule import Timer
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files

_SYSTEM_TABLES: Final = ("/etc/crontab", "/etc/cron.d/*")
_USER_TABLES: Final = ("/var/spool/cron/crontabs/*", "/var/spool/cron/*")
_PERIODIC: Final[Mapping[str, int]] = {
    "/etc/cron.hourly/*": 1,
    "/etc/cron.daily/*": 1,
    "/etc/cron.weekly/*": 7,
    "/etc/cron.monthly/*": 31,
}
_NICKNAMES: Final[Mapping[str, int]] = {
    "@hourly": 1, "@daily": 1, "@midnight": 1, "@weekly": 7, "@monthly": 31, "@yearly": 366,
    "@annually": 366,
}  # fmt: skip
_WINDOW: Final = 800
"""Days that are looked at for the longest gap: two years and a little."""
_START: Final = date(2023, 1, 1)
_SECONDS: Final[Mapping[str, float]] = {
    "y": 31557600, "month": 2629800, "w": 604800, "d": 86400, "h": 3600, "min": 60, "s": 1,
    "ms": 0.001, "us": 0.000001,
}  # fmt: skip
_UNSAID: Final = CouldNot(Reason.UNPARSABLE, "How often it runs cannot be told from its words.")


class ScheduleSubject(Subject):
    """What the host runs by itself: a record for each command of a timer and each line of a table.

    ``days`` is the longest time between two runs, in days rounded up; a timer counts as
    ``enabled`` when it is enabled and active. ``kind`` is ``timer`` or ``cron``.
    """

    LABEL: ClassVar[str] = "schedule"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "kind": Kind.TEXT,
        "name": Kind.TEXT,
        "command": Kind.TEXT,
        "days": Kind.NUMBER,
        "enabled": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        paths = (*_SYSTEM_TABLES, *_USER_TABLES, *_PERIODIC)
        contents = (Request("content", path) for path in paths)
        stats = (Request("stat", path) for path in _PERIODIC)
        return (Request("timers"), Request("capabilities"), Request("os_release"),
                *contents, *stats)  # fmt: skip

    def select(self, snapshot: Snapshot) -> Selection:
        capabilities = snapshot.capabilities
        if isinstance(capabilities, CouldNot):
            return Selection(could_not=capabilities)
        timers: tuple[Timer, ...] | CouldNot = ()
        if "systemd" in capabilities:
            timers = snapshot.read(Request("timers"))
        if isinstance(timers, CouldNot):
            return Selection(could_not=timers)
        records = [record for timer in timers for record in _timer_records(timer)]
        platform = snapshot.identity.platform
        if isinstance(platform, CouldNot):
            return Selection(could_not=platform)
        debian = platform.family.startswith(("debian", "ubuntu"))
        for path in (*_SYSTEM_TABLES, *_USER_TABLES, *_PERIODIC):
            files, problem = _files(snapshot, path, debian=debian)
            if problem is not None:
                return Selection(could_not=problem)
            for file in files:
                records += _cron_records(file, path)
        return Selection(tuple(records))


def _files(
    snapshot: Snapshot, pattern: str, *, debian: bool
) -> tuple[list[FileContent], CouldNot | None]:
    """Return the files that cron or run-parts take notice of: by their names, and scripts by
    their being executable.
    """
    files, problem = read_files(snapshot, (pattern,))
    if pattern not in _PERIODIC:
        plain = pattern != "/etc/cron.d/*"
        return [f for f in files if plain or _is_taken(f.path, debian=debian)], problem
    stats: tuple[FileStat, ...] | CouldNot = snapshot.read(Request("stat", pattern))
    if isinstance(stats, CouldNot):
        return [], problem or stats
    run = {stat.path for stat in stats if stat.mode & 0o111}
    return [f for f in files if f.path in run and _is_taken(f.path, debian=debian)], problem


_LEFT_BEHIND: Final = re.compile(
    r".*(?:~|,v|\.(?:rpmsave|rpmorig|rpmnew|swp|cfsaved|disabled))|#.*"
)


def _is_taken(path: str, *, debian: bool) -> bool:
    """cron(8) and run-parts(8) of Debian take names without a dot; cronie takes all but those
    that editors and package managers leave behind.
    """
    name = path.rpartition("/")[2]
    if debian:
        return re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None
    return _LEFT_BEHIND.fullmatch(name) is None


def _timer_records(timer: Timer) -> Iterator[Record]:
    days = timer_days(timer)
    for command in timer.commands:
        values: dict[str, Value] = {
            "kind": "timer",
            "name": timer.name,
            "command": command,
            "days": days,
            "enabled": timer.enabled and timer.active,
        }
        when = ", ".join((*timer.calendar, *(f"{k}={v}" for k, v in timer.monotonic)))
        yield Record(timer.name, values, raw=f"{timer.name} ({when}): {command}")


def timer_days(timer: Timer) -> Value:
    """Return the longest gap of a timer in days; of several triggers the most frequent counts."""
    gaps = [gap for text in timer.calendar if (gap := calendar_days(text)) is not None]
    for key, text in timer.monotonic:
        seconds = _seconds(text)
        if key in ("OnUnitActiveUSec", "OnUnitInactiveUSec") and seconds is not None:
            gaps.append(max(1, -(-int(seconds) // 86400)))
    return min(gaps, default=_UNSAID)


def _seconds(text: str) -> float | None:
    parts = re.findall(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(month|min|ms|us|y|w|d|h|s)", text)
    if not parts or re.sub(r"[0-9.]+(?:month|min|ms|us|y|w|d|h|s)|\s", "", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


_CALENDAR: Final = re.compile(
    r"(?:(?P<week>[A-Z][A-Za-z,.-]+)\s+)?(?P<year>\*|[0-9/,.*]+)-(?P<month>[0-9/,.*]+)-"
    r"(?P<day>[0-9/,.*]+)(?:\s+[0-9*/:.,]+)?(?:\s+[A-Za-z/_+-]+)?"
)
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@lru_cache(maxsize=256)
def calendar_days(text: str) -> int | None:
    """Return the longest gap of a calendar event of systemd.time(7) in days."""
    match = _CALENDAR.fullmatch(text.strip())
    if match is None or match["year"] != "*":
        return None
    months, days = _numbers(match["month"], 1, 12), _numbers(match["day"], 1, 31)
    week = _weekdays(match["week"])
    if months is None or days is None or week is None:
        return None
    return _longest_gap(lambda d: d.month in months and d.day in days and d.weekday() in week)


def _weekdays(text: str | None) -> frozenset[int] | None:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        names = [name[:3] for name in re.split(r"\.\.|-", part)]
        if not 1 <= len(names) <= 2 or any(name not in _WEEKDAYS for name in names):
            return None
        first, last = _WEEKDAYS.index(names[0]), _WEEKDAYS.index(names[-1])
        found |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(found)


def _numbers(text: str, low: int, high: int, separator: str = "..") -> frozenset[int] | None:
    """Return the numbers of a list of ranges with steps, ``None`` when it is none."""
    found: set[int] = set()
    pattern = re.compile(
        rf"(?:(\*)|([0-9]{{1,3}})(?:{re.escape(separator)}([0-9]{{1,3}}))?)(?:/([0-9]{{1,3}}))?"
    )
    for part in text.split(","):
        match = pattern.fullmatch(part)
        if match is None:
            return None
        every, first, last, step = match.groups()
        start = low if every else int(first)
        end = high if every or (step and not last) else int(last or first)
        if step == "0" or step == "00":
            return None
        found |= set(range(start, end + 1, int(step or 1)))
    return frozenset(number for number in found if low <= number <= high) or None


def _longest_gap(runs: Callable[[date], bool]) -> int | None:
    days = [index for index in range(_WINDOW) if runs(_START + timedelta(days=index))]
    gaps = [later - earlier for earlier, later in pairwise(days)]
    return max(gaps, default=None)


def _cron_records(file: FileContent, pattern: str) -> Iterator[Record]:
    if pattern in _PERIODIC:
        for number, line in logical_lines(file):
            yield _cron_record(file, number, line, _PERIODIC[pattern], line)
        return
    system = pattern in _SYSTEM_TABLES
    for number, line in logical_lines(file):
        entry = cron_entry(line, system=system)
        if entry is not None:
            days, command = entry
            yield _cron_record(file, number, line, days, command)


def _cron_record(file: FileContent, number: int, line: str, days: Value, command: str) -> Record:
    values: dict[str, Value] = {
        "kind": "cron",
        "name": file.path,
        "command": command,
        "days": days,
        "enabled": True,
    }
    source = Source(file.path, number, line)
    return Record(f"{file.path}:{number}", values, dict.fromkeys(values, source), line)


_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=")


def cron_entry(line: str, *, system: bool) -> tuple[Value, str] | None:
    """Return the longest gap in days and the command of a line of crontab(5), or ``None``."""
    if _ASSIGNMENT.match(line):
        return None
    if line.startswith("@"):
        word, *rest = line.split(None, 2 if system else 1)
        if len(rest) != (2 if system else 1) or word not in _NICKNAMES:
            return None
        return _NICKNAMES[word], rest[-1]
    count = 6 if system else 5
    fields = line.split(None, count)
    if len(fields) != count + 1:
        return None
    return cron_days(fields[2], fields[3], fields[4]), fields[-1]


@lru_cache(maxsize=256)
def cron_days(day: str, month: str, week: str) -> Value:
    """Return the longest gap of three fields of crontab(5), in days."""
    for number, name in enumerate(_MONTHS, start=1):
        month = month.lower().replace(name, str(number))
    for number, name in enumerate(("sun", *_WEEKDAYS[:6])):
        week = week.lower().replace(name, str(number))
    days = _numbers(day, 1, 31, "-")
    months = _numbers(month, 1, 12, "-")
    weekdays = _numbers(week, 0, 7, "-")
    if days is None or months is None or weekdays is None:
        return _UNSAID
    # crontab(5): 0 and 7 are Sunday; a day counts by either field when both are limited.
    of_week = frozenset((number - 1) % 7 for number in weekdays)
    either = not day.startswith("*") and not week.startswith("*")

    def runs(when: date) -> bool:
        by_day, by_week = when.day in days, when.weekday() in of_week
        return when.month in months and (by_day or by_week if either else by_day and by_week)

    gap = _longest_gap(runs)
    return _UNSAID if gap is None else gap

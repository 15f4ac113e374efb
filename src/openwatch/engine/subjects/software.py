"""Where software comes from, what waits to be updated, and how long the vendor supports it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.probes.updates import Updates
from openwatch.engine.snapshot import Platform, Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import read_files
from openwatch.engine.support import support_ends

_APT_MAIN: Final = "/etc/apt/apt.conf"
_APT_PARTS: Final = "/etc/apt/apt.conf.d/*"
_APT_NAME: Final = re.compile(r"[A-Za-z0-9_-]+|[A-Za-z0-9_.-]+\.conf")
"""apt.conf(5): files of other names in apt.conf.d are passed over."""


class AptOptionSubject(Subject):
    """An option of APT, as apt.conf(5) and apt.conf.d give it: ``value``, or the ``items`` of a
    list. The files of apt.conf.d are read first, sorted by name; the last word counts.
    """

    LABEL: ClassVar[str] = "apt_option"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"value": Kind.TEXT, "items": Kind.WORDS}

    key: str = Field(pattern=r"^[A-Za-z0-9_/.+-]+(?:::[A-Za-z0-9_/.+-]+)*$")

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", _APT_PARTS), Request("content", _APT_MAIN))

    def select(self, snapshot: Snapshot) -> Selection:
        parts, problem = read_files(snapshot, (_APT_PARTS,))
        main, main_problem = read_files(snapshot, (_APT_MAIN,))
        unknown = problem or main_problem
        options = AptOptions()
        files = [f for f in parts if _APT_NAME.fullmatch(f.path.rpartition("/")[2])]
        for file in (*sorted(files, key=lambda f: f.path), *main):
            unknown = unknown or options.read(file)
        if unknown is not None:
            return Selection((Record(self.key, {"value": unknown, "items": unknown}),))
        found = options.values.get(self.key.lower())
        items = options.items.get(self.key.lower())
        values: dict[str, Value] = {
            "value": found[0] if found else None,
            "items": frozenset(text for text, _ in items) if items else None,
        }
        sources = {"value": found[1]} if found else {}
        sources |= {"items": items[-1][1]} if items else {}
        return Selection((Record(self.key, values, sources, "not set"),))


_APT_TOKEN: Final = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/|\#(?!clear\b|include\b)[^\n]*)|(?P<mark>[{};])"
    r"|\"(?P<quoted>[^\"\n]*)\"|(?P<word>(?:(?!//|/\*)[^\s{};\"])+)",
    re.DOTALL,
)


@dataclass(slots=True)
class AptOptions:
    """Options by their name in lower case: names of APT are the same in any case."""

    values: dict[str, tuple[str, Source]] = field(default_factory=dict[str, tuple[str, Source]])
    items: dict[str, list[tuple[str, Source]]] = field(
        default_factory=dict[str, list[tuple[str, Source]]]
    )

    def read(self, file: FileContent) -> CouldNot | None:
        """Take over what a file says; returns what of it is not understood."""
        scopes: list[str] = []
        words: list[str] = []
        quoted = False
        for token in _APT_TOKEN.finditer(file.text):
            if token["comment"]:
                continue
            if token["mark"] is None:
                words.append(token["word"] if token["quoted"] is None else token["quoted"])
                quoted = token["quoted"] is not None
                continue
            number = file.text.count("\n", 0, token.start()) + 1
            source = Source(file.path, number, " ".join(words))
            if token["mark"] == "{":
                scopes.append(words[0].removesuffix("::") if words else "")
            else:
                problem = self._statement(words, "::".join(scopes), source, quoted=quoted)
                if problem is not None:
                    return problem
                if token["mark"] == "}":
                    if not scopes:
                        return CouldNot(Reason.UNPARSABLE, f"{file.path}: a brace too many.")
                    scopes.pop()
            words, quoted = [], False
        if scopes:
            return CouldNot(Reason.UNPARSABLE, f"{file.path}: a brace is not closed.")
        return None

    def _statement(
        self, words: list[str], scope: str, source: Source, *, quoted: bool
    ) -> CouldNot | None:
        if not words:
            return None
        if words[0] == "#include":
            return CouldNot(Reason.INCOMPLETE, f"{source.path} includes a file that is not read.")
        if words[0] == "#clear":
            for name in words[1:]:
                self._clear(name.lower())
            return None
        name = "::".join(part for part in (scope, words[0]) if part).lower()
        if len(words) == 1 and quoted:
            self.items.setdefault(scope.lower(), []).append((words[0], source))
        elif name.endswith("::") and len(words) > 1:
            self.items.setdefault(name.removesuffix("::"), []).append((words[1], source))
        elif len(words) > 1:
            self.values[name] = " ".join(words[1:]), source
        return None

    def _clear(self, name: str) -> None:
        name = name.removesuffix("::")
        for table in (self.values, self.items):
            for key in [k for k in table if k == name or k.startswith(f"{name}::")]:
                del table[key]


class AptSourceSubject(Subject):
    """The sources of packages of APT that are in use, of both forms that sources.list(5) knows."""

    LABEL: ClassVar[str] = "apt_source"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "uri": Kind.TEXT,
        "suites": Kind.WORDS,
        "components": Kind.WORDS,
        "signed_by": Kind.TEXT,
        "trusted": Kind.FLAG,
        "insecure": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in _APT_SOURCES)

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = read_files(snapshot, _APT_SOURCES)
        if problem is not None:
            return Selection(could_not=problem)
        records: list[Record] = []
        for file in files:
            records += _stanzas(file) if file.path.endswith(".sources") else _lines(file)
        return Selection(tuple(records))


_APT_SOURCES: Final = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*.list",
    "/etc/apt/sources.list.d/*.sources",
)
_SOURCE_LINE: Final = re.compile(r"deb(?:-src)?\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)")
_TRUE: Final = frozenset({"yes", "true", "with", "on", "enable", "1"})


def _lines(file: FileContent) -> Iterator[Record]:
    for number, raw in file.lines():
        match = _SOURCE_LINE.fullmatch(raw.partition("#")[0].strip())
        if match is None:
            continue
        given, uri, suite, components = match.groups()
        words = (word.partition("=") for word in (given or "").split())
        options = {name.lower(): text for name, _, text in words}
        source = Source(file.path, number, raw.strip())
        yield _apt_source(uri, suite.split(), components.split(), options, source)


def _stanzas(file: FileContent) -> Iterator[Record]:
    fields: dict[str, str] = {}
    start, key = 0, ""
    for number, raw in (*file.lines(), (0, "")):
        if raw.startswith("#"):
            continue
        if not raw.strip():
            if "uris" in fields and fields.get("enabled", "yes").lower() in _TRUE:
                source = Source(file.path, start, f"URIs: {fields['uris']}")
                suites, components = fields.get("suites", ""), fields.get("components", "")
                for uri in fields["uris"].split():
                    yield _apt_source(uri, suites.split(), components.split(), fields, source)
            fields, key = {}, ""
        elif raw[0] in " \t":
            fields[key] = f"{fields.get(key, '')} {raw.strip()}".strip()
        else:
            start = start if fields else number
            name, _, value = raw.partition(":")
            key = name.strip().lower()
            fields[key] = value.strip()


def _apt_source(
    uri: str,
    suites: list[str],
    components: list[str],
    options: Mapping[str, str],
    source: Source,
) -> Record:
    values: dict[str, Value] = {
        "uri": uri,
        "suites": frozenset(suites),
        "components": frozenset(components) or None,
        "signed_by": options.get("signed-by") or None,
        "trusted": options.get("trusted", "no").lower() in _TRUE,
        "insecure": options.get("allow-insecure", "no").lower() in _TRUE,
    }
    return Record(uri, values, dict.fromkeys(values, source), source.text)


class UpdateSubject(Subject):
    """What waits to be installed: packages of APT, security advisories of dnf, patches of SUSE.

    ``days`` is how long ago it was published; APT's lists do not say that.
    """

    LABEL: ClassVar[str] = "update"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "name": Kind.TEXT,
        "security": Kind.FLAG,
        "severity": Kind.TEXT,
        "days": Kind.NUMBER,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("updates"),)

    def select(self, snapshot: Snapshot) -> Selection:
        updates: Updates | CouldNot = snapshot.read(Request("updates"))
        if isinstance(updates, CouldNot):
            return Selection(could_not=updates)
        today = snapshot.day
        unsaid = CouldNot(Reason.INCOMPLETE, "The lists of APT do not say when it was published.")
        records: list[Record] = []
        for entry in updates.entries:
            values: dict[str, Value] = {
                "name": entry.name,
                "security": entry.security,
                "severity": entry.severity or None,
                "days": unsaid
                if entry.published is None
                else max(0, (today - entry.published).days),
            }
            raw = f"{entry.name} {entry.installed} {entry.candidate} {entry.published or ''}"
            records.append(Record(entry.name, values, raw=" ".join(raw.split())))
        return Selection(tuple(records))


class RepositoryListsSubject(Subject):
    """How many days ago the host last asked its repositories what there is."""

    LABEL: ClassVar[str] = "repository_lists"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"days": Kind.NUMBER}

    def requests(self) -> tuple[Request, ...]:
        return (Request("updates"),)

    def select(self, snapshot: Snapshot) -> Selection:
        updates: Updates | CouldNot = snapshot.read(Request("updates"))
        name = "repository lists"
        if isinstance(updates, CouldNot):
            return Selection((Record(name, {"days": updates}),))
        today = snapshot.day
        days = (today - date(1970, 1, 1)).days - updates.asked
        if days < -1:
            ahead = CouldNot(Reason.INCOMPLETE, "The clock of the host is ahead of ours.")
            return Selection((Record(name, {"days": ahead}),))
        # A day may have begun between the answer of the host and now.
        days = max(0, days)
        return Selection((Record(name, {"days": days}, raw=f"asked {days} days ago"),))


class SupportSubject(Subject):
    """The end of the vendor's support for the release of the operating system."""

    LABEL: ClassVar[str] = "support"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"ends": Kind.TEXT, "days_left": Kind.NUMBER}

    def requests(self) -> tuple[Request, ...]:
        return (Request("os_release"),)

    def select(self, snapshot: Snapshot) -> Selection:
        platform = snapshot.identity.platform
        if isinstance(platform, CouldNot):
            values: dict[str, Value] = {"ends": platform, "days_left": platform}
            return Selection((Record("support", values),))
        return Selection((self._record(platform, snapshot.day),))

    def _record(self, platform: Platform, today: date) -> Record:
        ends = support_ends(platform.id, platform.version)
        if ends is None:
            unknown = CouldNot(Reason.INCOMPLETE, f"No end of support is known of {platform.name}.")
            return Record(platform.name, {"ends": unknown, "days_left": unknown})
        values: dict[str, Value] = {"ends": ends.isoformat(), "days_left": (ends - today).days}
        return Record(platform.name, values, raw=f"{platform.name}: until {ends.isoformat()}")

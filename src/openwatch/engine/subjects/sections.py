"""Configuration in sections: what each section of one kind says (sssd.conf(5), dnf.conf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import (
    Kind,
    Pattern,
    Record,
    Selection,
    Source,
    Subject,
    Value,
    as_list,
)
from openwatch.engine.subjects.files import ContentPath, read_files
from openwatch.engine.subjects.settings import merge_drop_ins


@dataclass(frozen=True, slots=True)
class Section:
    """One section, merged over all files: its keys in lower case, and where each stands."""

    name: str
    source: Source
    values: dict[str, str] = field(default_factory=dict[str, str])
    sources: dict[str, Source] = field(default_factory=dict[str, Source])


_HEAD: Final = re.compile(r"\[\s*(.*?)\s*\]\s*(?:[#;].*)?")


def read_sections(files: Iterable[FileContent]) -> dict[str, Section]:
    """Return the sections of all files in their order; of a key that stands twice the last counts.

    A line that is indented goes on with the value above it, as in sssd.conf(5) and dnf.conf(5).
    """
    sections: dict[str, Section] = {}
    for file in files:
        current: Section | None = None
        key = ""
        for number, raw in file.lines():
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            if head := _HEAD.fullmatch(line):
                name = head.group(1)
                current = sections.setdefault(name, Section(name, Source(file.path, number, line)))
                key = ""
            elif current is not None and key and raw[0] in " \t":
                current.values[key] = f"{current.values[key]} {line}".strip()
            elif current is not None and "=" in line:
                name, _, value = line.partition("=")
                key = name.strip().lower()
                current.values[key] = value.strip()
                current.sources[key] = Source(file.path, number, line)
    return sections


_Key = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class SectionSubject(Subject):
    """The sections whose whole name matches; one record each, with the keys that are asked for."""

    LABEL: ClassVar[str] = "section"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"name": Kind.TEXT}

    file: ContentPath | tuple[ContentPath, ...] = Field(description="The main file, or several.")
    drop_ins: tuple[ContentPath, ...] = Field(
        default=(), description="Directories whose *.conf are read after it, sorted by name."
    )
    name: Pattern = Field(description="A regular expression that the whole name has to match.")
    keys: tuple[_Key, ...] = Field(
        default=(), description="Keys in lower case; each is a field of the records."
    )

    def fields_of(self) -> Mapping[str, Kind]:
        return {**self.FIELDS, **dict.fromkeys(self.keys, Kind.TEXT)}

    def requests(self) -> tuple[Request, ...]:
        paths = (*as_list(self.file), *(f"{d}/*.conf" for d in self.drop_ins))
        return tuple(Request("content", path) for path in paths)

    def select(self, snapshot: Snapshot) -> Selection:
        main, problem = read_files(snapshot, as_list(self.file))
        merged, merge_problem = merge_drop_ins(snapshot, self.drop_ins)
        if problem or merge_problem:
            return Selection(could_not=problem or merge_problem)
        sections = read_sections((*main, *merged)).values()
        matching = [s for s in sections if re.fullmatch(self.name, s.name)]
        return Selection(tuple(self._record(section) for section in matching))

    def _record(self, section: Section) -> Record:
        values: dict[str, Value] = {"name": section.name}
        values |= {key: section.values.get(key) for key in self.keys}
        sources = {"name": section.source} | {
            key: section.sources[key] for key in self.keys if key in section.sources
        }
        return Record(f"[{section.name}]", values, sources, section.source.text)


DNF_MAIN: Final = "/etc/dnf/dnf.conf"
REPOSITORIES: Final = (
    "/etc/yum.repos.d/*.repo",
    "/etc/yum/repos.d/*.repo",
    "/etc/distro.repos.d/*.repo",
)
"""dnf.conf(5), reposdir: the directories that are read unless the main section names others."""

_YES: Final = frozenset({"1", "yes", "true", "on"})
_NO: Final = frozenset({"0", "no", "false", "off"})


class RepositorySubject(Subject):
    """The repositories of dnf, each with what is in force for it: its own word, else that of the
    main section of dnf.conf(5), else the default of dnf.
    """

    LABEL: ClassVar[str] = "repository"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "id": Kind.TEXT,
        "enabled": Kind.FLAG,
        "gpgcheck": Kind.FLAG,
        "repo_gpgcheck": Kind.FLAG,
        "sslverify": Kind.FLAG,
        "url": Kind.TEXT,
    }

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in (*REPOSITORIES, DNF_MAIN))

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = read_files(snapshot, REPOSITORIES)
        main, main_problem = read_files(snapshot, (DNF_MAIN,))
        if problem or main_problem:
            return Selection(could_not=problem or main_problem)
        defaults = read_sections(main).get("main")
        if defaults is not None and "reposdir" in defaults.values:
            unseen = f"{DNF_MAIN} names other directories of repositories."
            return Selection(could_not=CouldNot(Reason.INCOMPLETE, unseen))
        sections = read_sections(files)
        return Selection(
            tuple(_repository(s, defaults) for name, s in sections.items() if name != "main")
        )


def _repository(section: Section, defaults: Section | None) -> Record:
    values: dict[str, Value] = {"id": section.name}
    sources: dict[str, Source] = {"id": section.source}
    for key, default in (
        ("enabled", True), ("gpgcheck", False), ("repo_gpgcheck", False), ("sslverify", True)
    ):  # fmt: skip
        holder = section if key in section.values or key == "enabled" else defaults
        values[key] = default
        if holder is not None and key in holder.values:
            values[key] = _flag(holder.values[key], f"[{holder.name}] {key}")
            sources[key] = holder.sources[key]
    for key in ("baseurl", "metalink", "mirrorlist"):
        if key in section.values:
            values["url"] = section.values[key]
            sources["url"] = section.sources[key]
            break
    return Record(f"[{section.name}]", values, sources, section.source.text)


def _flag(text: str, name: str) -> Value:
    word = text.strip().lower()
    if word in _YES | _NO:
        return word in _YES
    return CouldNot(Reason.UNPARSABLE, f"{name} is {text[:40]!r}, which dnf does not know.")

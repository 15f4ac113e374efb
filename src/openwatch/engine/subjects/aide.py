"""AIDE: which files it watches, and what it compares of them (aide.conf(5))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import Path, read_files

MAIN_FILES: Final = ("/etc/aide/aide.conf", "/etc/aide.conf")
DROP_INS: Final = "/etc/aide/aide.conf.d/*"
HASHES: Final = frozenset(
    {
        "md5", "sha1", "sha256", "sha512", "sha512_256", "sha3_256", "sha3_512", "rmd160", "tiger",
        "haval", "gost", "crc32", "crc32b", "whirlpool", "stribog256", "stribog512",
    }
)  # fmt: skip
_ATTRIBUTES: Final = HASHES | frozenset(
    {
        "p", "ftype", "i", "l", "n", "u", "g", "s", "b", "m", "a", "c", "S", "I", "ANF", "ARF",
        "acl", "selinux", "xattrs", "e2fsattrs", "caps", "growing", "compressed", "X",
    }
)  # fmt: skip
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "R": frozenset(["p", "ftype", "i", "l", "n", "u", "g", "s", "m", "c", "md5", "X"]),
    "L": frozenset(["p", "ftype", "i", "l", "n", "u", "g", "X"]),
    ">": frozenset(["p", "ftype", "l", "u", "g", "i", "n", "s", "growing", "X"]),
    "H": HASHES - {"sha3_256", "sha3_512", "sha512_256"},
    "E": frozenset(),
    "X": frozenset({"acl", "selinux", "xattrs", "e2fsattrs", "caps"}),
}
"""aide.conf(5), default groups: what X holds depends on how AIDE was built."""

_MACRO: Final = re.compile(r"@@\{([A-Za-z0-9_]+)\}")
_GROUP: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*)")
_RULE: Final = re.compile(r"(=|!|-)?(/(?:\\.|[^\s\\])*)(?:\s+([a-zA-Z,0]+=?[a-z0-9=]*))?\s+(\S+)")
_NEGATIVE: Final = re.compile(r"(!|-)(/(?:\\.|[^\s\\])*)(?:\s.*)?")
_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")
_OPTIONS: Final = frozenset(
    {
        "database", "database_in", "database_out", "database_new", "database_attrs",
        "database_add_metadata", "gzip_dbout", "verbose", "log_level", "report_level",
        "report_url", "report_format", "report_base16", "report_detailed_init", "report_quiet",
        "report_append", "report_summarize_changes", "report_grouped", "report_ignore_added_attrs",
        "report_ignore_removed_attrs", "report_ignore_changed_attrs", "report_force_attrs",
        "report_ignore_e2fsattrs", "report_attributes", "summarize_changes", "grouped",
        "root_prefix", "warn_dead_symlinks", "acl_no_symlink_follow", "config_version",
        "config_check_warn_unrestricted_rules", "ignore_list", "num_workers", "recstop",
        "syslog_format", "ignore_database_corruption",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AideRule:
    """One selection line: ``kind`` is "" (path and what is below), "=" (itself) or "!" (not)."""

    kind: str
    pattern: str
    attributes: frozenset[str]
    source: Source


@dataclass(frozen=True, slots=True)
class AideConfig:
    """The selection lines in the order in which AIDE reads them."""

    rules: tuple[AideRule, ...]
    unseen: CouldNot | None = None


def read_config(snapshot: Snapshot) -> AideConfig | CouldNot:
    """Return the rules of AIDE; none where it has no configuration."""
    for path in MAIN_FILES:
        files, problem = read_files(snapshot, (path,))
        if problem is not None:
            return problem
        if files:
            drop_ins, problem = read_files(snapshot, (DROP_INS,))
            return problem or parse_config(files[0], drop_ins)
    return AideConfig(())


def requests() -> tuple[Request, ...]:
    """Return the files of the configuration."""
    return tuple(Request("content", path) for path in (*MAIN_FILES, DROP_INS))


class _Reader:
    """Reads the files as AIDE does: macros and groups are known from where they are defined on."""

    def __init__(self, drop_ins: tuple[FileContent, ...]) -> None:
        self.drop_ins = drop_ins
        self.macros: dict[str, str] = {}
        self.groups: dict[str, frozenset[str]] = {}
        self.rules: list[AideRule] = []
        self.unseen: CouldNot | None = None

    def read(self, file: FileContent, *, included: bool = False) -> None:
        if file.text.startswith("#!"):
            # @@x_include: what the script would print is known to nobody but itself.
            self._unseen(f"{file.path} is a program that writes rules.")
            return
        skipping: list[bool] = []
        for number, raw in file.lines():
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            line = _MACRO.sub(lambda match: self.macros.get(match.group(1), ""), line)
            if line.startswith("@@"):
                self._directive(line, skipping, included=included)
            elif not any(skipping):
                self._line(line, Source(file.path, number, raw.strip()))

    def _directive(self, line: str, skipping: list[bool], *, included: bool) -> None:
        word, *rest = line.split()
        match word:
            case "@@ifdef" | "@@ifndef":
                defined = bool(rest) and rest[0] in self.macros
                skipping.append(defined is (word == "@@ifndef"))
            case "@@ifhost" | "@@ifnhost" | "@@if":
                skipping.append(False)
                self._unseen(f"{line[:60]!r} depends on the host that runs it.")
            case "@@else" if skipping:
                skipping[-1] = not skipping[-1]
            case "@@endif" if skipping:
                skipping.pop()
            case _ if any(skipping):
                return
            case "@@define" if rest:
                self.macros[rest[0]] = " ".join(rest[1:])
            case "@@undef" if rest:
                self.macros.pop(rest[0], None)
            case "@@include" | "@@x_include":
                self._include(rest, included=included)
            case _:
                return

    def _include(self, words: list[str], *, included: bool) -> None:
        where = words[0] if words else ""
        if included or where.rstrip("/") != DROP_INS.rpartition("/")[0]:
            self._unseen(f"The included file {where[:60]} is not read.")
            return
        pattern = words[1] if len(words) > 1 else "."
        for file in self.drop_ins:
            if not _REPEATED_GROUP.search(pattern) and _searches(
                pattern, file.path.rpartition("/")[2]
            ):
                self.read(file, included=True)

    def _line(self, line: str, source: Source) -> None:
        if line[0] in "/=!-":
            self._rule(line, source)
            return
        group = _GROUP.fullmatch(line)
        if group is not None and group.group(1) not in _OPTIONS:
            self.groups[group.group(1)] = self._attributes(group.group(2))

    def _rule(self, line: str, source: Source) -> None:
        if _REPEATED_GROUP.search(line):
            # Such a pattern can take a matcher for ever; nobody needs one to name a file.
            self._unseen(f"{source.path}:{source.line} repeats a group.")
        elif negative := _NEGATIVE.fullmatch(line):
            kind = "!" if negative.group(1) == "!" else "-"
            self.rules.append(AideRule(kind, negative.group(2), frozenset(), source))
        elif rule := _RULE.fullmatch(line):
            attributes = self._attributes(rule.group(4))
            self.rules.append(AideRule(rule.group(1) or "", rule.group(2), attributes, source))
        else:
            self._unseen(f"{source.path}:{source.line} is no rule that is understood.")

    def _attributes(self, expression: str) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for sign, name in re.findall(r"([+-]?)\s*([A-Za-z0-9_>]+)", expression.partition("#")[0]):
            known = self.groups.get(name) or _GROUPS.get(name) or frozenset({name} & _ATTRIBUTES)
            found = found - known if sign == "-" else found | known
        return found

    def _unseen(self, why: str) -> None:
        self.unseen = self.unseen or CouldNot(Reason.INCOMPLETE, why)


def parse_config(main: FileContent, drop_ins: tuple[FileContent, ...]) -> AideConfig:
    """Return the rules of a main file and of the files that it includes."""
    reader = _Reader(drop_ins)
    reader.read(main)
    return AideConfig(tuple(reader.rules), reader.unseen)


def rule_for(config: AideConfig, path: str) -> AideRule | None:
    """Return the rule by which AIDE watches a path, ``None`` when it does not.

    Rules hang in a tree by the directory before their first special character. A rule with ``=``
    counts first, but only for what is in its own directory; then, from the directory of the path
    upwards, the first of the others. A negative rule that matches wins over all. Patterns are
    anchored at their beginning alone.
    """
    parents = [path[:i] for i in range(1, len(path)) if path[i] == "/"]
    for rule in config.rules:
        if rule.kind == "!" and any(_matches(rule.pattern, p) for p in (*parents, path)):
            return None
        if rule.kind == "-" and _matches(rule.pattern, path):
            return None
    upwards = (*reversed(parents), "/")
    for kind, nodes in (("=", upwards[:1]), ("", upwards)):
        for node in nodes:
            for rule in config.rules:
                here = rule.kind == kind and _node(rule.pattern) == node
                if here and _matches(rule.pattern, path):
                    return rule
    return None


def _node(pattern: str) -> str:
    """Return the directory before the first special character of a pattern."""
    plain = re.split(r"[\[(*+?^$|{]", pattern, maxsplit=1)[0]
    return plain.rpartition("/")[0] or "/"


def literal(pattern: str) -> str | None:
    """Return the one path that a pattern names, ``None`` where it names several."""
    plain = pattern.removesuffix("$")
    return None if re.search(r"(?<!\\)[\[(*+?^$|{]", plain) else re.sub(r"\\(.)", r"\1", plain)


def _matches(pattern: str, path: str) -> bool:
    try:
        return re.match(pattern, path) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _searches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except (re.error, RecursionError, OverflowError):
        return False


class AideFileSubject(Subject):
    """What AIDE compares of each path: ``watched`` at all, and the attributes."""

    LABEL: ClassVar[str] = "aide_file"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "watched": Kind.FLAG,
        "attributes": Kind.WORDS,
        "exists": Kind.FLAG,
    }

    path: Path | tuple[Path, ...] = Field(description="Plain paths, as they are without links.")

    def _paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path

    def requests(self) -> tuple[Request, ...]:
        return (*requests(), *(Request("stat", path) for path in self._paths()))

    def select(self, snapshot: Snapshot) -> Selection:
        config = read_config(snapshot)
        return Selection(tuple(self._record(snapshot, config, path) for path in self._paths()))

    def _record(self, snapshot: Snapshot, config: AideConfig | CouldNot, path: str) -> Record:
        stat: tuple[object, ...] | CouldNot = snapshot.read(Request("stat", path))
        exists: Value = stat if isinstance(stat, CouldNot) else bool(stat)
        requests = {"exists": Request("stat", path)}
        if isinstance(config, CouldNot):
            values: dict[str, Value] = {"watched": config, "attributes": config, "exists": exists}
            return Record(path, values, requests=requests)
        rule = rule_for(config, path)
        # A line about the path itself counts whatever else the configuration would say.
        if config.unseen is not None and (rule is None or literal(rule.pattern) != path):
            values = {"watched": config.unseen, "attributes": config.unseen, "exists": exists}
            return Record(path, values, requests=requests)
        values = {"watched": rule is not None, "attributes": None, "exists": exists}
        if rule is None:
            return Record(path, values, raw="no rule", requests=requests)
        values["attributes"] = rule.attributes
        sources = {"watched": rule.source, "attributes": rule.source}
        return Record(path, values, sources, rule.source.text, requests)


class AideRuleSubject(Subject):
    """The selection lines of AIDE, but for the negative ones."""

    LABEL: ClassVar[str] = "aide_rule"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "pattern": Kind.TEXT,
        "attributes": Kind.WORDS,
        "hashes": Kind.WORDS,
    }

    def requests(self) -> tuple[Request, ...]:
        return requests()

    def select(self, snapshot: Snapshot) -> Selection:
        config = read_config(snapshot)
        if isinstance(config, CouldNot):
            return Selection(could_not=config)
        if config.unseen is not None:
            return Selection(could_not=config.unseen)
        return Selection(tuple(_rule_record(r) for r in config.rules if r.kind in ("", "=")))


def _rule_record(rule: AideRule) -> Record:
    values: dict[str, Value] = {
        "pattern": rule.pattern,
        "attributes": rule.attributes,
        "hashes": rule.attributes & HASHES or None,
    }
    name = f"{rule.source.path}:{rule.source.line}"
    return Record(name, values, dict.fromkeys(values, rule.source), rule.source.text)

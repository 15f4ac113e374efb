"""Limits of limits.conf(5), as pam_limits(8) reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import read_files

MAIN_FILE: Final = "/etc/security/limits.conf"
DROP_INS: Final = "/etc/security/limits.d/*.conf"

_UNLIMITED: Final = frozenset({"-1", "unlimited", "infinity"})


class LimitSubject(Subject):
    """One item of limits.conf(5); each domain (a user, a group, ``*``) that names it is a record.

    limits.conf is read first and limits.d after it, sorted by name; of two lines for one domain
    and type the last one counts. ``hard`` and ``soft`` are texts: `unlimited` where there is no
    limit.
    """

    LABEL: ClassVar[str] = "limit"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "domain": Kind.TEXT,
        "hard": Kind.TEXT,
        "soft": Kind.TEXT,
        "value": Kind.TEXT,
    }

    item: str = Field(pattern=r"^[a-z]+$", description="For example core or maxlogins.")

    def title(self) -> str:
        return f"limit {self.item}"

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", MAIN_FILE), Request("content", DROP_INS))

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = read_files(snapshot, (MAIN_FILE, DROP_INS))
        if problem is not None:
            return Selection(could_not=problem)
        domains: dict[str, dict[str, tuple[str, Source]]] = {}
        for domain, kind, value, source in self._lines(files):
            values = domains.setdefault(domain, {})
            # maxlogins has no two kinds: whichever line is last is `value`.
            for name in ("hard", "soft") if kind == "-" else (kind,):
                values[name] = (value, source)
            values["value"] = (value, source)
        return Selection(tuple(self._record(d, values) for d, values in domains.items()))

    def _lines(self, files: Iterable[FileContent]) -> Iterator[tuple[str, str, str, Source]]:
        for file in files:
            for number, raw in file.lines():
                words = raw.partition("#")[0].split()
                # limits.conf(5): a domain with "-" and nothing more is under no limit at all.
                if len(words) == 2 and words[1] == "-":
                    words += [self.item, "unlimited"]
                # pam_limits takes the first four words, whatever follows.
                if len(words) < 4 or words[2].lower() != self.item:
                    continue
                domain, kind, _, value = words[:4]
                if kind.lower() in ("hard", "soft", "-"):
                    value = "unlimited" if value.lower() in _UNLIMITED else value
                    yield domain, kind.lower(), value, Source(file.path, number, raw.strip())

    def _record(self, domain: str, found: Mapping[str, tuple[str, Source]]) -> Record:
        values: dict[str, Value] = dict.fromkeys(self.FIELDS)
        values |= {"domain": domain} | {name: value for name, (value, _) in found.items()}
        sources = {name: source for name, (_, source) in found.items()}
        sources["domain"] = found["value"][1]
        return Record(f"{domain} {self.item}", values, sources, found["value"][1].text)

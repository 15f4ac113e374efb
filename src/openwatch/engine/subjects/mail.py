"""Postfix: parameters of main.cf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject
from openwatch.engine.subjects.files import read_files

_MAIN: Final = "/etc/postfix/main.cf"


class PostfixSubject(Subject):
    """A parameter of postconf(5). The last line counts; a line that begins with a blank goes on
    with the one before. ``items``: its words, with commas or blanks between.
    """

    LABEL: ClassVar[str] = "postfix"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"value": Kind.TEXT, "items": Kind.WORDS}

    key: str = Field(pattern=r"^[a-z0-9_]+$")

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", _MAIN),)

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = read_files(snapshot, (_MAIN,))
        if problem is not None:
            return Selection((Record(self.key, {"value": problem, "items": problem}),))
        found = [hit for file in files for hit in _parameters(file) if hit[0] == self.key]
        if not found:
            return Selection((Record(self.key, {"value": None, "items": None}, raw="not set"),))
        _, value, source = found[-1]
        items = frozenset(word for word in re.split(r"[,\s]+", value) if word)
        sources = {"value": source, "items": source}
        return Selection((Record(self.key, {"value": value, "items": items}, sources, value),))


def _parameters(file: FileContent) -> Iterator[tuple[str, str, Source]]:
    """Yield key, value and source of each logical line (postconf(5): File Format)."""
    logical: list[tuple[int, str]] = []
    for number, raw in file.lines():
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        if raw[0] in " \t" and logical:
            start, text = logical[-1]
            logical[-1] = start, f"{text} {raw.strip()}"
        else:
            logical.append((number, raw.strip()))
    for number, text in logical:
        key, separator, value = text.partition("=")
        if separator:
            yield key.strip(), value.strip(), Source(file.path, number, text)

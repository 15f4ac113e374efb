"""The keys that open accounts by SSH, by type and strength."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.authorised_keys import AuthorisedKey, AuthorisedKeys, KeyFile
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.sshd import SshdSubject

_DIRECTIVE = SshdSubject(key="authorizedkeysfile")


class AuthorisedKeySubject(Subject):
    """The keys in the files that AuthorizedKeysFile of sshd_config(5) names, for every account of
    passwd(5); not those that a program or a directory hands to the server. ``options`` are names
    alone. ``owned``: by the user, or by root.
    """

    LABEL: ClassVar[str] = "authorised_key"
    NOUN: ClassVar[str] = "authorised key"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "user": Kind.TEXT,
        "uid": Kind.NUMBER,
        "path": Kind.TEXT,
        "mode": Kind.MODE,
        "owned": Kind.FLAG,
        "type": Kind.TEXT,
        "bits": Kind.NUMBER,
        "strength": Kind.NUMBER,
        "options": Kind.WORDS,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("authorised_keys"), *_DIRECTIVE.requests())

    def select(self, snapshot: Snapshot) -> Selection:
        found: AuthorisedKeys | CouldNot = snapshot.read(Request("authorised_keys"))
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        records = [record for file in found.files for record in self._of(file)]
        problems = (*found.problems, *_elsewhere(snapshot, found.patterns))
        unseen = (
            Record(str(p), dict.fromkeys(self.FIELDS, p), unseen=p) for p in dict.fromkeys(problems)
        )
        return Selection((*records, *unseen))

    def _of(self, file: KeyFile) -> Iterator[Record]:
        for user, uid in file.accounts:
            if file.problem is not None:
                values: dict[str, Value] = dict.fromkeys(self.FIELDS, file.problem)
                values |= {"user": user, "uid": uid, "path": file.path}
                yield Record(file.path, values, unseen=file.problem)
            for key in file.keys:
                yield _record(file, key, user, uid)


def _record(file: KeyFile, key: AuthorisedKey, user: str, uid: int) -> Record:
    known = key.key
    shown = f"{key.type} of {user}"
    values: dict[str, Value] = {
        "user": user,
        "uid": uid,
        "path": file.path,
        "mode": file.mode,
        "owned": file.owner in (uid, 0),
        "type": known if isinstance(known, CouldNot) else known.type,
        "bits": known if isinstance(known, CouldNot) else known.bits,
        "strength": known if isinstance(known, CouldNot) else known.strength,
        "options": key.options,
    }
    source = Source(file.path, key.line, shown)
    return Record(f"{file.path}:{key.line}", values, dict.fromkeys(values, source), shown)


def _elsewhere(snapshot: Snapshot, patterns: str) -> Iterator[CouldNot]:
    """Yield why some connections may be opened by other files than those that were looked at."""
    effective, *conditional = _DIRECTIVE.select(snapshot).records
    value = effective.values["value"]
    if isinstance(value, CouldNot):
        yield value
    elif value != patterns.lower():
        yield CouldNot(Reason.INCOMPLETE, "The server is started with other files of keys.")
    for record in conditional:
        value = record.values["value"]
        if isinstance(value, CouldNot):
            yield value
        elif value != patterns.lower():
            what = f"{record.name} names other files, which were not looked at."
            yield CouldNot(Reason.INCOMPLETE, what)

"""The keys by which an SSH server proves who it is, judged by their public halves."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from openwatch.engine.certificates import Key
from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.probes.sshd import Directives
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.ssh_keys import public_key
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value

PRIVATE: Final = "/etc/ssh/ssh_host_*_key"
PUBLIC: Final = f"{PRIVATE}.pub"
_ELSEWHERE: Final = CouldNot(Reason.INCOMPLETE, f"The public half is not at {PUBLIC}.")


class SshHostKeySubject(Subject):
    """The host keys that sshd(8) is configured with and that are there. ``strength`` in bits as
    NIST SP 800-57 counts them. A key without its public half beside it is unknown.
    """

    LABEL: ClassVar[str] = "ssh_host_key"
    NOUN: ClassVar[str] = "SSH host key"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "path": Kind.TEXT,
        "type": Kind.TEXT,
        "bits": Kind.NUMBER,
        "strength": Kind.NUMBER,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", PUBLIC), Request("stat", PRIVATE), Request("sshd"))

    def select(self, snapshot: Snapshot) -> Selection:
        public: tuple[FileContent, ...] | CouldNot = snapshot.read(Request("content", PUBLIC))
        private: tuple[FileStat, ...] | CouldNot = snapshot.read(Request("stat", PRIVATE))
        server: Directives | CouldNot = snapshot.read(Request("sshd"))
        for fact in (public, private, server):
            if isinstance(fact, CouldNot):
                return Selection(could_not=fact)
        assert not isinstance(public, CouldNot)
        assert not isinstance(private, CouldNot)
        assert not isinstance(server, CouldNot)
        halves = {file.path.removesuffix(".pub"): file for file in public}
        there = {file.path for file in private}
        named = dict.fromkeys(server.get("hostkey", ()))
        # sshd_config(5): a key that is not there is passed over; elsewhere nobody looked.
        paths = [p for p in named if p in there or not fnmatchcase(p, PRIVATE)]
        return Selection(tuple(_record(path, halves.get(path)) for path in paths))


def _record(path: str, file: FileContent | None) -> Record:
    key = _key(file)
    if isinstance(key, CouldNot):
        values: dict[str, Value] = {"path": path, "type": key, "bits": key, "strength": key}
        return Record(path, values, raw=str(key))
    values = {"path": path, "type": key.type, "bits": key.bits, "strength": key.strength}
    return Record(path, values, raw=f"{key.type} {key.bits} {path}")


def _key(file: FileContent | None) -> Key | CouldNot:
    if file is None:
        return _ELSEWHERE
    if file.could_not is not None:
        return file.could_not
    return public_key(file.text)

"""The keys by which an SSH server proves who it is, judged by their public halves."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from openwatch.engine.certificates import Key
from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.probes.sshd import Directives
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value

PRIVATE: Final = "/etc/ssh/ssh_host_*_key"
PUBLIC: Final = f"{PRIVATE}.pub"
_UNPARSABLE: Final = CouldNot(Reason.UNPARSABLE, "This is not a public key of SSH.")
_ELSEWHERE: Final = CouldNot(Reason.INCOMPLETE, f"The public half is not at {PUBLIC}.")
_FIXED: Final = {
    "ssh-ed25519": Key("ed25519", 256),
    "ssh-ed448": Key("ed448", 456),
    "ecdsa-sha2-nistp256": Key("ec", 256),
    "ecdsa-sha2-nistp384": Key("ec", 384),
    "ecdsa-sha2-nistp521": Key("ec", 521),
}
"""Types of keys that have one size (RFC 5656, RFC 8709)."""

_SIZED: Final = {"ssh-rsa": ("rsa", 2), "ssh-dss": ("dsa", 1)}
"""RFC 4253, 6.6: e and n of RSA, p first of DSA; the field that is as long as the key."""


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


def public_key(line: str) -> Key | CouldNot:
    """Return the type and size of a public key as ``ssh-keygen`` writes it: type, base64, comment.

    The size of RSA and DSA is counted, and the type has to stand in the blob as well.
    """
    words = line.split(maxsplit=2)
    if len(words) < 2:
        return _UNPARSABLE
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (ValueError, binascii.Error):
        return _UNPARSABLE
    fields = _fields(blob)
    if not fields or fields[0] != words[0].encode("utf-8", "replace"):
        return _UNPARSABLE
    if fixed := _FIXED.get(words[0]):
        return fixed
    kind, field = _SIZED.get(words[0], ("", 0))
    if not kind or len(fields) <= field:
        return _UNPARSABLE
    return Key(kind, int.from_bytes(fields[field]).bit_length())


def _fields(blob: bytes) -> list[bytes] | None:
    """Return the strings of a blob (RFC 4251, 5: length, bytes); ``None``: it is cut or longer."""
    fields: list[bytes] = []
    position = 0
    while position < len(blob):
        size = int.from_bytes(blob[position : position + 4])
        position += 4 + size
        if position > len(blob):
            return None
        fields.append(blob[position - size : position])
    return fields

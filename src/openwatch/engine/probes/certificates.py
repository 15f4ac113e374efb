"""X.509 certificates: those that services are configured with and authorities that were added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from openwatch.engine.certificates import Certificate, read_certificate
from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.certificate_program import (
    MAX_CERTIFICATES,
    MAX_FILE_BYTES,
    SERVICES,
    program,
)

ROLES: Final = ("own", "key", "authority", "anchor", "include")


@dataclass(frozen=True, slots=True)
class Use:
    """A file that a directive names, or that lies in a directory of authorities.

    ``line`` is 0 where no line of a file names it. ``path`` is as the directive has it, below the
    directory of the service where it is relative.
    """

    service: str
    role: str
    configured: str
    line: int
    directive: str
    path: str


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """One file. ``certificates``: in their order; ``problem``: why there may be more than those."""

    path: str
    exists: bool
    mode: int = 0
    uid: int = -1
    gid: int = -1
    owner: str = ""
    group: str = ""
    bundle: bool = False
    holds_key: bool = False
    certificates: tuple[Certificate | CouldNot, ...] = ()
    problem: CouldNot | None = None


@dataclass(frozen=True, slots=True)
class Certificates:
    """What is used for what, and what the files hold."""

    uses: tuple[Use, ...]
    files: Mapping[str, CertificateFile]


def was_read(use: Use) -> bool:
    """Return whether the files that a directive includes were among those that were read."""
    patterns = (p for name, _, files in SERVICES if name == use.service for p in files.split())
    return any(_covers(pattern, use.path) for pattern in patterns)


def _covers(pattern: str, path: str) -> bool:
    """Return whether all that a path or pattern matches is matched by another pattern."""
    wide, narrow = pattern.split("/"), path.split("/")
    return len(wide) == len(narrow) and all(map(fnmatchcase, narrow, wide))


class CertificatesProbe(TableProbe):
    """Directives that name certificates, and the certificates; of private keys only owner and mode.

    The bundle that the distribution makes of the authorities that it ships is left out.
    """

    name = "certificates"
    command = "cat CERTIFICATES"
    seconds = 20
    max_bytes = 4 * 1024 * 1024
    body = program()

    def parse(self, text: str) -> Certificates | CouldNot:
        lines = text.split("\n")
        if lines[-2:] != ["#end", ""] or "#files" not in lines:
            return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
        middle = lines.index("#files")
        try:
            uses = tuple(_use(line) for line in lines[:middle])
            files = {file.path: file for file in _files(lines[middle + 1 : -2])}
        except _BrokenError as broken:
            return CouldNot(broken.reason, str(broken))
        return Certificates(uses, files)


class _BrokenError(ValueError):
    reason: Reason = Reason.UNPARSABLE


class _RefusedError(_BrokenError):
    reason = Reason.TOOL_FAILED


def _use(line: str) -> Use:
    if line.startswith("broken|"):
        raise _RefusedError(f"The configuration of {line[7:60]} could not be read.")
    parts = line.split("|", 6)
    if len(parts) != 7 or parts[0] != "use" or parts[2] not in ROLES or not parts[4].isdecimal():
        raise _BrokenError(f"Unexpected line {line[:80]!r}.")
    _, service, role, configured, number, directive, path = parts
    return Use(service, role, configured, int(number), directive, path)


@dataclass(slots=True)
class _Open:
    """A file while its lines are read."""

    head: tuple[str, ...]
    kind: str = ""
    body: list[str] = field(default_factory=list[str])
    found: list[Certificate | CouldNot] = field(default_factory=list["Certificate | CouldNot"])
    holds_key: bool = False
    problem: CouldNot | None = None

    def closed(self) -> CertificateFile:
        if self.kind:
            raise _BrokenError(f"A certificate of {self.head[-1]} has no end.")
        mode, uid, gid, owner, group, path = self.head
        try:
            return CertificateFile(
                path, True, int(mode, 8), int(uid), int(gid), owner, group,
                holds_key=self.holds_key, certificates=tuple(self.found), problem=self.problem,
            )  # fmt: skip
        except ValueError:
            raise _BrokenError(f"stat printed {'|'.join(self.head)[:80]!r}.") from None


def _files(lines: list[str]) -> Iterator[CertificateFile]:
    current: _Open | None = None
    for line in lines:
        alone = _alone(line)
        head = line[1:].split("|", 5) if line[:1] == "=" else []
        if alone is None and not head:
            if current is None:
                raise _BrokenError(f"Unexpected line {line[:80]!r}.")
            _read(current, line)
            continue
        if current is not None:
            yield current.closed()
        current = None
        if alone is not None:
            yield alone
        elif len(head) == 6 and head[5].startswith("/"):
            current = _Open(tuple(head))
        else:
            raise _BrokenError(f"stat printed {line[:80]!r}.")
    if current is not None:
        yield current.closed()


def _alone(line: str) -> CertificateFile | None:
    """Return a file of which one line says everything."""
    path = line[1:]
    if not path.startswith("/"):
        return None
    match line[0]:
        case "-":
            return CertificateFile(path, exists=False)
        case "b":
            return CertificateFile(path, exists=True, bundle=True)
        case "!":
            refused = CouldNot(Reason.DENIED, f"{path} could not be looked at.")
            return CertificateFile(path, exists=True, problem=refused)
        case _:
            return None


def _read(file: _Open, line: str) -> None:
    path = file.head[-1]
    match line[:1]:
        case " " if file.kind:
            file.body.append(line[1:])
        case "." if file.kind and line == ".":
            file.found.append(_decoded(file.kind, file.body, path))
            file.kind, file.body = "", []
        case "*" if not file.kind and line[1:] in ("pem", "trusted", "der"):
            file.kind = line[1:]
        case "?" if not file.kind:
            file.found.append(
                CouldNot(Reason.UNPARSABLE, f"{path} has something that is no certificate.")
            )
        case "k" if line == "k":
            file.holds_key = True
        case "t" if line == "t":
            many = f"{path} holds more than {MAX_CERTIFICATES} certificates."
            file.problem = CouldNot(Reason.TRUNCATED, many)
        case "+" if line == "+":
            large = f"{path} is larger than {MAX_FILE_BYTES} bytes."
            file.problem = CouldNot(Reason.TRUNCATED, large)
        case "!" if line == "!":
            file.problem = CouldNot(Reason.DENIED, f"{path} could not be opened.")
        case _:
            raise _BrokenError(f"Unexpected line {line[:80]!r}.")


_SEQUENCE: Final = 0x30
_LONG_LENGTH: Final = 0x82


def _decoded(kind: str, body: list[str], path: str) -> Certificate | CouldNot:
    text = "".join(body)
    try:
        data = bytes.fromhex(text) if kind == "der" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return CouldNot(Reason.UNPARSABLE, f"A certificate of {path} is damaged.")
    if kind == "trusted" and data[:2] == bytes((_SEQUENCE, _LONG_LENGTH)):
        # openssl-x509(1): what the certificate is trusted for follows it.
        data = data[: 4 + int.from_bytes(data[2:4])]
    return read_certificate(data)

"""Which host keys are trusted: OpenSSH known-hosts files, and accept-new in memory."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate
from hashlib import sha1, sha256
from pathlib import Path
from typing import Final

from openwatch.engine.transport import errors
from openwatch.engine.transport.model import SSH_PORT, HostKey, HostKeyVerdict, place
from openwatch.kit.errors import OpenWatchError

_HASHED: Final = "|1|"
"""sshd(8), known hosts: ``|1|salt|hash`` is HMAC-SHA1 of the name."""


def host_key(public_key: str) -> HostKey:
    """Return the key of a one-line OpenSSH public key; a comment is dropped.

    Raises ValueError for anything else.
    """
    words = public_key.split()
    if len(words) < 2:
        raise ValueError("not an OpenSSH public key line")
    algorithm, blob = words[:2]
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise ValueError("not an OpenSSH public key line") from error
    return HostKey(algorithm, f"{algorithm} {blob}", fingerprint(raw))


def fingerprint(public_key: bytes) -> str:
    """Return the SHA-256 fingerprint of a key in its wire form, as OpenSSH prints it."""
    return "SHA256:" + base64.b64encode(sha256(public_key).digest()).decode().rstrip("=")


def key_unknown(address: str, port: int, key: HostKey) -> OpenWatchError:
    """The error for a key of a server of which none is known."""
    return OpenWatchError(
        errors.KEY_UNKNOWN,
        where=place(address, port),
        address=address,
        port=port,
        algorithm=key.algorithm,
        fingerprint=key.fingerprint,
    )


def key_changed(
    address: str, port: int, key: HostKey, *, expected: Iterable[HostKey], known_in: str
) -> OpenWatchError:
    """The error for a key that differs from all that are known; ``known_in`` says where they are.

    A key of another type than the known ones counts as changed too: such a server was asked for
    the known types first, so it no longer has them.
    """
    return OpenWatchError(
        errors.KEY_CHANGED,
        where=place(address, port),
        address=address,
        port=port,
        algorithm=key.algorithm,
        fingerprint=key.fingerprint,
        expected=" or ".join(f"{known.algorithm} {known.fingerprint}" for known in expected),
        known_in=known_in,
    )


class AcceptNew:
    """Trusts the first key that each server shows, for as long as this object lives."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], HostKey] = {}

    async def check(self, address: str, port: int, key: HostKey) -> None:
        known = self._known.setdefault((address.lower(), port), key)
        if known.public_key != key.public_key:
            raise key_changed(
                address, port, key, expected=[known], known_in="seen earlier in this run"
            )

    async def key_types(self, address: str, port: int) -> tuple[str, ...]:
        known = self._known.get((address.lower(), port))
        return (known.algorithm,) if known else ()


class Marker(StrEnum):
    """The markers of a known-hosts line, sshd(8)."""

    NONE = ""
    CERT_AUTHORITY = "@cert-authority"
    REVOKED = "@revoked"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """One line of a known-hosts file."""

    marker: Marker
    patterns: str
    key: HostKey
    line: int

    def matches(self, name: str) -> bool:
        """Whether the line speaks of ``name``: ``host`` or, for other ports, ``[host]:port``."""
        if self.patterns.startswith(_HASHED):
            return _matches_hash(self.patterns, name)
        matched = False
        for pattern in self.patterns.lower().split(","):
            negated = pattern.startswith("!")
            if _matches_pattern(pattern.removeprefix("!"), name):
                if negated:
                    return False
                matched = True
        return matched


def _matches_hash(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed[len(_HASHED) :].split("|"))
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), sha1).digest(), digest)


def _matches_pattern(pattern: str, name: str) -> bool:
    if not any(wildcard in pattern for wildcard in "*?"):
        return pattern == name
    # Brackets are part of [host]:port here, not a character class.
    return re.match(translate(pattern.replace("[", "[[]")), name) is not None


def parse_known_hosts(text: str) -> tuple[KnownHost, ...]:
    """Return the usable lines of a known-hosts file; others are passed over, as ssh does."""
    return tuple(
        known
        for number, line in enumerate(text.splitlines(), start=1)
        if (known := _parse_line(line.strip(), number))
    )


def _parse_line(line: str, number: int) -> KnownHost | None:
    words = line.split()
    marker = Marker.NONE
    if words and words[0].startswith("@"):
        if words[0] not in set(Marker):
            return None
        marker = Marker(words.pop(0))
    if len(words) < 3 or words[0].startswith("#"):
        return None
    try:
        key = host_key(" ".join(words[1:3]))
    except ValueError:
        return None
    return KnownHost(marker, words[0], key, number)


class KnownHostsFile:
    """The host keys of an OpenSSH known-hosts file, hashed names and patterns included.

    With ``accept_new``, the key of a server of which no key is known is written to the file.
    Lines of certificate authorities are passed over: OpenWatch asks servers for plain keys only.
    """

    def __init__(self, path: Path, *, accept_new: bool = False) -> None:
        self._path = path
        self._accept_new = accept_new
        self._writing = asyncio.Lock()

    async def check(self, address: str, port: int, key: HostKey) -> None:
        async with self._writing:
            known = self._lines_for(address, port)
            self._refuse_revoked(address, port, key)
            match _verdict(known, key):
                case HostKeyVerdict.TRUSTED:
                    return
                case HostKeyVerdict.CHANGED:
                    raise key_changed(
                        address,
                        port,
                        key,
                        expected=[line.key for line in known],
                        known_in=f"{self._path} line {known[0].line}",
                    )
                case HostKeyVerdict.UNKNOWN:
                    if self._known_for_default_port(address, port, key):
                        return
                    if not self._accept_new:
                        raise key_unknown(address, port, key)
                    self._append(f"{_name(address, port)} {key.public_key}\n")

    async def key_types(self, address: str, port: int) -> tuple[str, ...]:
        known = self._lines_for(address, port) or self._lines_for(address, SSH_PORT)
        return tuple(dict.fromkeys(line.key.algorithm for line in known))

    def _lines_for(self, address: str, port: int) -> list[KnownHost]:
        name = _name(address, port)
        return [line for line in self._read() if line.marker is Marker.NONE and line.matches(name)]

    def _known_for_default_port(self, address: str, port: int, key: HostKey) -> bool:
        """Whether the same key is known for the host without a port: ssh(1) accepts it then."""
        known = self._lines_for(address, SSH_PORT) if port != SSH_PORT else []
        return _verdict(known, key) is HostKeyVerdict.TRUSTED

    def _refuse_revoked(self, address: str, port: int, key: HostKey) -> None:
        names = (_name(address, port), _name(address, SSH_PORT))
        for line in self._read():
            is_key = line.marker is Marker.REVOKED and line.key.public_key == key.public_key
            if is_key and any(line.matches(name) for name in names):
                raise OpenWatchError(
                    errors.KEY_REVOKED,
                    where=place(address, port),
                    address=address,
                    port=port,
                    algorithm=key.algorithm,
                    fingerprint=key.fingerprint,
                    known_in=f"{self._path} line {line.line}",
                )

    def _read(self) -> tuple[KnownHost, ...]:
        try:
            return parse_known_hosts(self._path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable(error) from error

    def _append(self, line: str) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, (_missing_newline(file) + line).encode())
            finally:
                os.close(file)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> OpenWatchError:
        return OpenWatchError(
            errors.KNOWN_HOSTS_UNREADABLE,
            path=self._path,
            detail=(error.strerror or "unknown error").lower(),
        )


def _missing_newline(file: int) -> str:
    """Return the newline that a file's last line lacks, lest two lines become one."""
    size = os.fstat(file).st_size
    return "\n" if size and os.pread(file, 1, size - 1) != b"\n" else ""


def _name(address: str, port: int) -> str:
    """Return the name of a server in known-hosts files."""
    address = address.lower()
    return address if port == SSH_PORT else f"[{address}]:{port}"


def _verdict(known: Iterable[KnownHost], key: HostKey) -> HostKeyVerdict:
    keys = {line.key.public_key for line in known}
    if key.public_key in keys:
        return HostKeyVerdict.TRUSTED
    return HostKeyVerdict.CHANGED if keys else HostKeyVerdict.UNKNOWN

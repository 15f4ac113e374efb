"""Secrets at rest and signatures.

Envelope encryption: every value has its own data key, which the master key wraps. Both layers are
AES-256-GCM (NIST SP 800-38D) and bind the context, so a sealed value that is copied into another
row or column does not open. Replacing the master key re-wraps 32 bytes per value.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import stat
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.hashing import sha256_hex

KEY_FILE_MODE: Final = register(
    "keys.file_mode",
    status=500,
    message="The key file {path} can be read by others (mode {mode:04o}).",
    fix="Run `chmod 600 {path}`. If others had access to this machine, replace the keys.",
)
KEY_FILE_OWNER: Final = register(
    "keys.file_owner",
    status=500,
    message="The key file {path} belongs to another user (uid {owner}).",
    fix="Start OpenWatch as the user who owns the data directory, or run `chown` on it.",
)
KEY_FILE_DAMAGED: Final = register(
    "keys.file_damaged",
    status=500,
    message="The key file {path} cannot be used: {problem}.",
    fix="Restore the file from a backup; without it the stored credentials cannot be read.",
)
KEY_UNKNOWN: Final = register(
    "keys.unknown",
    status=500,
    message="A stored secret was sealed with the key {key_id}, which this installation lacks.",
    fix="Restore the keys folder that belongs to this database from a backup.",
)
SEALED_DAMAGED: Final = register(
    "keys.sealed_damaged",
    status=500,
    message="A stored secret does not open: it was changed, moved or cut short.",
    fix="Enter the secret again, and look for what changed the database.",
)

KEY_BYTES: Final = 32  # AES-256
NONCE_BYTES: Final = 12  # NIST SP 800-38D, section 5.2.1.1: 96 bits
TAG_BYTES: Final = 16
KEY_ID_BYTES: Final = 8
MAGIC: Final = b"OWS1"
_HEADER: Final = struct.Struct(f">4s{KEY_ID_BYTES}s")
_WRAPPED_BYTES: Final = NONCE_BYTES + KEY_BYTES + TAG_BYTES
_PRIVATE_MODE: Final = 0o600

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key (RFC 8032); ``key_id`` names its public half."""

    key_id: str
    public_key_bytes: bytes
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Return the key that the 32-byte ``seed`` stands for."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return cls(sha256_hex(public)[: KEY_ID_BYTES * 2], public, private)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``."""
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one installation: master keys by id (the first one seals) and the signing key."""

    _masters: dict[bytes, AESGCM] = field(repr=False)
    signing_key: SigningKey

    @classmethod
    def load(cls, data_dir: Path) -> Keyring:
        """Read the keys under ``data_dir/keys``; make those that do not exist yet.

        Raises ``keys.file_mode``, ``keys.file_owner`` or ``keys.file_damaged``.
        """
        folder = data_dir / "keys"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        masters = _read_or_create(folder, "master.json", make=_new_master, parse=_parse_masters)
        seed = _read_or_create(folder, "signing.json", make=_new_seed, parse=_parse_seed)
        return cls(masters, SigningKey.from_seed(seed))

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Encrypt ``plaintext`` so that it opens only under the same ``context``.

        ``context`` names the row and column, such as ``credential:<uuid>:password``.
        """
        key_id, master = next(iter(self._masters.items()))
        header = _HEADER.pack(MAGIC, key_id)
        data_key = os.urandom(KEY_BYTES)
        bound = header + context.encode()
        wrapped = _encrypt(master, data_key, bound)
        return header + wrapped + _encrypt(AESGCM(data_key), plaintext, bound)

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return what ``seal`` was given.

        Raises ``keys.unknown`` (another installation's key) or ``keys.sealed_damaged`` (changed,
        cut short, or sealed under another context).
        """
        if len(sealed) < _HEADER.size + _WRAPPED_BYTES + NONCE_BYTES + TAG_BYTES:
            raise OpenWatchError(SEALED_DAMAGED)
        header, rest = sealed[: _HEADER.size], sealed[_HEADER.size :]
        magic, key_id = cast(tuple[bytes, bytes], _HEADER.unpack(header))
        if magic != MAGIC:
            raise OpenWatchError(SEALED_DAMAGED)
        master = self._masters.get(key_id)
        if master is None:
            raise OpenWatchError(KEY_UNKNOWN, key_id=key_id.hex())
        bound = header + context.encode()
        try:
            data_key = _decrypt(master, rest[:_WRAPPED_BYTES], bound)
            return _decrypt(AESGCM(data_key), rest[_WRAPPED_BYTES:], bound)
        except InvalidTag:
            raise OpenWatchError(SEALED_DAMAGED) from None


def _encrypt(key: AESGCM, plaintext: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plaintext, bound)


def _decrypt(key: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)


def _new_master() -> dict[str, Any]:
    key = {"id": os.urandom(KEY_ID_BYTES).hex(), "key": _encode(os.urandom(KEY_BYTES))}
    return {"version": 1, "keys": [key]}


def _parse_masters(document: dict[str, Any]) -> dict[bytes, AESGCM]:
    masters = {bytes.fromhex(k["id"]): AESGCM(_decode(k["key"])) for k in document["keys"]}
    if not masters or any(len(key_id) != KEY_ID_BYTES for key_id in masters):
        raise ValueError("it names no key")
    return masters


def _new_seed() -> dict[str, Any]:
    return {"version": 1, "algorithm": "ed25519", "seed": _encode(os.urandom(KEY_BYTES))}


def _parse_seed(document: dict[str, Any]) -> bytes:
    seed = _decode(document["seed"])
    if document["algorithm"] != "ed25519" or len(seed) != KEY_BYTES:
        raise ValueError("it holds no Ed25519 seed")
    return seed


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _read_or_create(
    folder: Path,
    name: str,
    *,
    make: Callable[[], dict[str, Any]],
    parse: Callable[[dict[str, Any]], T],
) -> T:
    path = folder / name
    if not path.exists():
        _create_once(folder, path, make)
    raw = _read_private(path)
    try:
        document = json.loads(raw)
        if document["version"] != 1:
            raise ValueError(f"its version is {document['version']!r}, not 1")
        return parse(document)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        # The text of the error may quote the key, so only its kind is told.
        problem = str(error) if type(error) is ValueError else type(error).__name__
        raise OpenWatchError(KEY_FILE_DAMAGED, path=path, problem=problem) from None


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        mode = stat.S_IMODE(about.st_mode)
        if mode & 0o077:
            raise OpenWatchError(KEY_FILE_MODE, path=path, mode=mode)
        if about.st_uid != os.geteuid() and os.geteuid() != 0:
            raise OpenWatchError(KEY_FILE_OWNER, path=path, owner=about.st_uid)
        return file.read()


def _create_once(folder: Path, path: Path, make: Callable[[], dict[str, Any]]) -> None:
    """Write the file whole and durable, or leave none: a lost key is lost data."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                os.fchmod(file.fileno(), _PRIVATE_MODE)
                json.dump(make(), file)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

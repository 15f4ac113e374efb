"""Private keys to log in with: read, checked and described before a host is contacted."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncssh

from openwatch.engine.transport import errors
from openwatch.engine.transport.model import Login
from openwatch.kit.errors import OpenWatchError

MAX_AUTH_TRIES: Final = 6
"""sshd_config(5): the default of MaxAuthTries; each key that is offered counts as one."""

AGENT_SOCKET: Final = "SSH_AUTH_SOCK"
"""ssh-agent(1): the variable that names the agent's socket."""

_CERTIFICATE: Final = re.compile(r"^\S+-cert-v01@openssh\.com \S+.*$", re.MULTILINE)
_PRIVATE: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_PUBLIC: Final = re.compile(
    r"^(ssh|ecdsa|sk-ssh|sk-ecdsa)-\S+ AAAA|-----BEGIN [A-Z0-9 ]*PUBLIC KEY"
)
_ENCRYPTED: Final = "assphrase must be specified"
"""How asyncssh tells an encrypted key that it got no passphrase for."""
_PUTTY: Final = "PuTTY-User-Key-File"


@dataclass(frozen=True, slots=True)
class PrivateKeyInfo:
    """What may be shown of a private key."""

    algorithm: str
    fingerprint: str
    has_certificate: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key file and the certificate beside it, as :class:`.model.Login` takes them."""

    private_key: str
    certificate: str | None = None

    def __repr__(self) -> str:
        return f"Identity(certificate={self.certificate is not None})"


def read_identity(path: Path) -> Identity:
    """Return the private key in ``path`` and, when there is one, ``<path>-cert.pub``.

    Raises ``credential.key_invalid`` when the file cannot be read.
    """
    beside = path.with_name(f"{path.name}-cert.pub")
    try:
        private_key = path.read_text(encoding="utf-8", errors="replace")
        certificate = beside.read_text(encoding="utf-8") if beside.is_file() else None
    except OSError as error:
        detail = f"{path} cannot be read ({(error.strerror or 'unknown error').lower()})"
        raise OpenWatchError(errors.KEY_INVALID, detail=detail) from error
    return Identity(private_key, certificate)


def inspect_private_key(text: str, *, passphrase: str | None = None) -> PrivateKeyInfo:
    """Return what may be shown of a private key.

    Raises ``credential.key_invalid``, ``credential.key_encrypted`` and
    ``credential.passphrase_wrong``. Opening an encrypted key takes up to a second of CPU.
    """
    key = _import(text, passphrase)
    return PrivateKeyInfo(
        algorithm=key.get_algorithm(),
        fingerprint=key.get_fingerprint("sha256"),
        has_certificate=_CERTIFICATE.search(text) is not None,
    )


def key_pairs(login: Login) -> list[asyncssh.SSHKeyPair]:
    """Return what to offer for a login's key: with its certificate first, then by itself.

    Raises as :func:`inspect_private_key` does.
    """
    if not login.private_key:
        return []
    key = _import(login.private_key, login.passphrase)
    beside = _CERTIFICATE.search(login.certificate or login.private_key)
    if beside is None:
        return list(asyncssh.load_keypairs([key]))
    try:
        certificate = asyncssh.import_certificate(beside.group())
        return list(asyncssh.load_keypairs([(key, certificate)]))
    except (asyncssh.KeyImportError, ValueError) as error:
        raise OpenWatchError(
            errors.KEY_INVALID, detail="the certificate beside it does not belong to it"
        ) from error


@asynccontextmanager
async def offer(login: Login, *, where: str) -> AsyncGenerator[list[asyncssh.SSHKeyPair]]:
    """Yield the keys to offer, in their order: the login's own, then those of the agent.

    There are never so many that the server would refuse before the password has had its turn.
    Raises as :func:`key_pairs` does, ``credential.missing`` when there is neither key nor
    password, and ``credential.agent_unavailable`` when that is for want of an agent.
    """
    own = await asyncio.to_thread(key_pairs, login) if login.private_key else []
    agent = await _open_agent(needed=not (own or login.password)) if login.use_agent else None
    try:
        seen = {pair.key_public_data for pair in own}
        held: Sequence[asyncssh.SSHKeyPair] = await agent.get_keys() if agent else ()
        pairs = [*own, *(pair for pair in held if pair.key_public_data not in seen)]
        if not pairs and not login.password:
            detail = "the SSH agent holds no key" if agent else "neither key nor password is given"
            raise OpenWatchError(errors.CREDENTIAL_MISSING, where=where, detail=detail)
        yield pairs[: MAX_AUTH_TRIES - bool(login.password)]
    finally:
        if agent is not None:
            agent.close()


async def _open_agent(*, needed: bool) -> asyncssh.SSHAgentClient | None:
    path = os.environ.get(AGENT_SOCKET)
    try:
        if path:
            return await asyncssh.connect_agent(path)
        detail = f"{AGENT_SOCKET} is not set"
    except (OSError, asyncssh.Error):
        detail = f"nothing answers at {path}"
    if needed:
        raise OpenWatchError(errors.AGENT_UNAVAILABLE, detail=detail)
    return None


def _import(text: str, passphrase: str | None) -> asyncssh.SSHKey:
    if not _PRIVATE.search(text):
        raise OpenWatchError(errors.KEY_INVALID, detail=_what_it_is_instead(text))
    text = text.strip() + "\n"
    try:
        return asyncssh.import_private_key(text)
    except ValueError as error:
        if _ENCRYPTED not in str(error):
            raise OpenWatchError(
                errors.KEY_INVALID, detail="it is damaged or of an unknown type"
            ) from None
    if not passphrase:
        raise OpenWatchError(errors.KEY_ENCRYPTED)
    try:
        return asyncssh.import_private_key(text, passphrase)
    except ValueError:
        raise OpenWatchError(errors.PASSPHRASE_WRONG) from None


def _what_it_is_instead(text: str) -> str:
    if not text.strip():
        return "it is empty"
    if _PUBLIC.search(text):
        return "this is the public key, the private one is in the file without .pub"
    if _PUTTY in text:
        return "this is a PuTTY key, which PuTTYgen exports as an OpenSSH key"
    return "it has no BEGIN PRIVATE KEY line"

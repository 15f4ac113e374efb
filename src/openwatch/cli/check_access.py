"""Whom ``openwatch check`` asks and how it logs in: hosts, keys and passwords of one command."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from openwatch.cli.errors import usage_error
from openwatch.engine.transport import (
    Deadlines,
    HostKeys,
    Identity,
    Login,
    Target,
    inspect_private_key,
    read_identity,
)
from openwatch.kit.errors import OpenWatchError

_LOCAL_NAMES: Final = frozenset({"localhost", "local"})
_KEY_NAMES: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
_HOST: Final = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<name>[^:@\s\[\]]+)|"
    r"(?P<bare6>[0-9a-fA-F]*:[0-9a-fA-F:.]+))(?::(?P<port>\d{1,5}))?\Z"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A host as it was named on the command line."""

    text: str
    address: str
    port: int | None
    user: str | None

    @property
    def local(self) -> bool:
        return self.address in _LOCAL_NAMES and self.port is None and self.user is None


@dataclass(frozen=True, slots=True)
class Access:
    """How to log in: the same for all hosts of one command. Secrets do not show in ``repr``."""

    user: str
    port: int
    identity: Identity | None
    passphrase: str | None = field(repr=False)
    password: str | None = field(repr=False)
    sudo_password: str | None = field(repr=False)
    use_agent: bool
    jump: tuple[Place, ...]
    host_keys: HostKeys
    deadlines: Deadlines

    def target(self, place: Place) -> Target:
        """Return the target of a host, behind the jump hosts of this command."""
        jump = tuple(
            Target(hop.address, port=hop.port or 22, login=self._login(hop)) for hop in self.jump
        )
        port = place.port or self.port
        return Target(place.address, port=port, login=self._login(place), jump=jump)

    def _login(self, place: Place) -> Login:
        return Login(
            username=place.user or self.user,
            private_key=self.identity.private_key if self.identity else None,
            passphrase=self.passphrase,
            password=self.password,
            sudo_password=self.sudo_password,
            use_agent=self.use_agent,
            certificate=self.identity.certificate if self.identity else None,
        )


def parse_place(text: str) -> Place:
    """Return the host that ``[USER@]HOST[:PORT]`` names; ends the command when it names none."""
    match = _HOST.match(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 0 < port < 65536):
        usage_error(f"{text!r} is not [USER@]HOST[:PORT].", "Write IPv6 as [::1]:22.")
    address = match["v6"] or match["name"] or match["bare6"]
    return Place(text, address, port, match["user"])


def find_identity(chosen: Path | None) -> tuple[Identity | None, str | None]:
    """Return the key to log in with and its passphrase: the chosen one, else the user's default.

    A default key that is encrypted is used only when somebody is there to open it; the agent may
    hold it, and a connection says what is missing if it does not.
    """
    for path in [chosen] if chosen else [Path("~/.ssh", name) for name in _KEY_NAMES]:
        if chosen is None and not path.expanduser().is_file():
            continue
        identity = read_identity(path.expanduser())
        try:
            inspect_private_key(identity.private_key)
        except OpenWatchError as error:
            if error.code != "credential.key_encrypted" or not sys.stdin.isatty():
                if chosen is None:
                    continue
                raise
            return identity, getpass.getpass(f"Passphrase of {path}: ")
        return identity, None
    return None, None


def ask_secret(prompt: str) -> str:
    """Return what a person types without an echo; ends the command where there is nobody."""
    if not sys.stdin.isatty():
        usage_error("There is no terminal to ask for a password.", "Use --password-file.")
    return getpass.getpass(prompt)


def find_password(ask: bool, file: Path | None, places: Sequence[Place]) -> str | None:
    """Return the SSH password from the terminal or the first line of a file, if one is wanted."""
    if ask:
        who = places[0].text if len(places) == 1 else f"{len(places)} hosts"
        return ask_secret(f"SSH password for {who}: ")
    if file is None:
        return None
    try:
        return file.expanduser().read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        usage_error(f"The password file {file} cannot be read: {why}.", "Check --password-file.")

"""The accounts that every lab host has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Opens accounts of lab hosts only; these are reachable from this machine alone.
PASSWORD: Final = "Correct-Horse-9-Battery"
PASSPHRASE: Final = "lab-passphrase"


@dataclass(frozen=True, slots=True)
class Account:
    """One account: how it logs in and what sudo lets it do (a line of sudoers, or none)."""

    name: str
    says: str
    has_password: bool = False
    shell: str = "/bin/bash"
    sudoers: tuple[str, ...] = ()
    must_change_password: bool = False
    noisy: bool = False


ACCOUNTS: Final = (
    Account("scan", "key; sudo without a password", sudoers=("scan ALL=(ALL:ALL) NOPASSWD: ALL",)),
    Account(
        "scanpw",
        "key, password or keyboard-interactive; sudo asks for the password",
        has_password=True,
        sudoers=("scanpw ALL=(ALL:ALL) ALL",),
    ),
    Account("nosudo", "key or password; sudo refuses it", has_password=True),
    Account(
        "reqtty",
        "key; sudo without a password, but only from a terminal",
        sudoers=("Defaults:reqtty requiretty", "reqtty ALL=(ALL:ALL) NOPASSWD: ALL"),
    ),
    Account(
        "noisy",
        "key; start-up files print to stdout and stderr",
        sudoers=("noisy ALL=(ALL:ALL) NOPASSWD: ALL",),
        noisy=True,
    ),
    Account("dead", "key; the shell is nologin", shell="/usr/sbin/nologin"),
    Account(
        "expired", "key; the password must be changed", has_password=True, must_change_password=True
    ),
)

NOISE: Final = 'echo "*** stdout noise ***"; echo "*** stderr noise ***" >&2\n'

"""The SSH keys of a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.accounts import PASSPHRASE
from lab.machine import run
from lab.place import Place

# Those named id_* open every account of every host; the stranger's opens none.
KEY: Final = "id_ed25519"
ENCRYPTED_KEY: Final = "id_encrypted"
RSA_KEY: Final = "id_rsa"
STRANGERS_KEY: Final = "stranger"
_MADE_AS: Final = {
    KEY: ("ed25519", ""),
    ENCRYPTED_KEY: ("ed25519", PASSPHRASE),
    RSA_KEY: ("rsa", ""),
    STRANGERS_KEY: ("ed25519", ""),
}


def make_keys(place: Place) -> None:
    """Make the keys that are not there."""
    place.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, (kind, passphrase) in _MADE_AS.items():
        path = place.keys / name
        if not path.exists():
            run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", str(path))


def key_path(place: Place, name: str = KEY) -> Path:
    return place.keys / name

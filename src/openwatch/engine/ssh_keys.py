"""Public keys as SSH writes them: their type and size."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from openwatch.engine.certificates import Key
from openwatch.engine.facts import CouldNot, Reason

_UNPARSABLE: Final = CouldNot(Reason.UNPARSABLE, "This is not a public key of SSH.")
_FIXED: Final = {
    "ssh-ed25519": Key("ed25519", 256),
    "ssh-ed448": Key("ed448", 456),
    "ecdsa-sha2-nistp256": Key("ec", 256),
    "ecdsa-sha2-nistp384": Key("ec", 384),
    "ecdsa-sha2-nistp521": Key("ec", 521),
    "sk-ssh-ed25519@openssh.com": Key("ed25519", 256),
    "sk-ecdsa-sha2-nistp256@openssh.com": Key("ec", 256),
}
"""Types of keys that have one size (RFC 5656, RFC 8709, OpenSSH: PROTOCOL.u2f)."""

_SIZED: Final = {"ssh-rsa": ("rsa", 2), "ssh-dss": ("dsa", 1)}
"""RFC 4253, 6.6: e and n of RSA, p first of DSA; the field that is as long as the key."""


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

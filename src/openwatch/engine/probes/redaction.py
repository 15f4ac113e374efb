"""Redaction: what is secret in the text of a file does not stay in a fact."""

from __future__ import annotations

import hashlib
import re
from typing import Final

REDACTED: Final = "<redacted>"

_CRYPT_HASH: Final = re.compile(
    rb"(\$(?:[0-9a-z]{1,4}|sha1|md5|argon2(?:id?|d)|pbkdf2(?:-[a-z0-9]+)?|scrypt)\$)"
    rb"[^\s:$][^\s:]*"
)
_LDAP_HASH: Final = re.compile(
    rb"(?i)(\{(?:S?MD5|S?SHA(?:256|384|512)?|CRYPT|ARGON2|PBKDF2[A-Z0-9-]*)\})[^\s\"']+"
)
_GRUB_HASH: Final = re.compile(rb"(grub\.pbkdf2\.[a-z0-9]+\.)[0-9A-Fa-f.]+")
_PRIVATE_KEY: Final = re.compile(
    rb"(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)(?:(?!-----END )[^\n]|\n )+"
)
"""A line of a file stands behind a blank: a key without an end ends with its file."""
_SETTING: Final = re.compile(
    rb"(?im)^([^\S\n]*(?:-[^\S\n]+)?[\"']?[\w.-]*"
    rb"(?:password|passwd|passphrase|secret|token|authtok|bindpw|psk|wep-key)[\w.-]{0,256}[\"']?"
    rb"[^\S\n]*[=:][^\S\n]*)(?![\"']?(?:yes|no|true|false|on|off|)[\"']?[^\S\n]*$)(?=\S)[^\n]+"
)
"""``name = value`` with a telling name, but for a flag: PasswordAuthentication is no secret."""
_ARGUMENT: Final = re.compile(
    rb"(?i)((?<![\w.-])[\w.-]*(?:pass|password|passwd|passphrase|secret|token|authtok|bindpw|psk|pwd|"
    rb"(?:secret|access|api|private|shared)[\w-]*key)\d?=)"
    rb"(\"[^\"\n]+\"|'[^'\n]+'|[^\s,;&\"'<]+)"
)
"""``…,password=value`` in the middle of a line: fstab(5), PAM arguments, exported variables."""
_TELLING: Final = (
    b"pass", b"secret", b"token", b"authtok", b"bindpw", b"rootpw", b"psk", b"pwd", b"key",
    b"masterauth",
)  # fmt: skip
"""What every name holds that ``_NAMED`` look for: elsewhere their search is slow and in vain."""
_BARE: Final = re.compile(
    rb"(?im)^([^\S\n]*(?:rootbindpw|bindpw|rootpw|requirepass|masterauth)[^\S\n]+)\S[^\n]*"
)
"""Readers that take a blank for the equals sign: nslcd.conf(5), slapd.conf(5)."""
_GRUB_PASSWORD: Final = re.compile(
    rb"(?m)^([^\S\n]*password[^\S\n]+"
    rb"(?!(?:required|requisite|sufficient|optional|include|substack)\b|\[|-)"
    rb"\S+[^\S\n]+)\S+[^\S\n]*$"
)
"""``password USER CLEARTEXT`` of GRUB; in a PAM file the second word is a control."""
_KEY: Final = re.compile(
    rb"(?im)^([^\S\n]*[\w.-]*(?:private|pre-?shared|api|access)[_-]?key[\"']?"
    rb"[^\S\n]*[=:][^\S\n]*)(?![\"']?[/~])(?=\S)[^\n]+"
)
"""``PrivateKey = …`` of WireGuard; a path names where a key is, and is none."""
_QUOTED: Final = re.compile(
    rb"(?i)((?:password|passwd|passphrase|secret|token|psk|api[_-]?key)[\"']?"
    rb"(?:[^\S\n]*:[^\S\n]*|[^\S\n]+))(?:\"[^\"\n]+\"|'[^'\n]+')"
)
"""In the middle of a line of JSON, YAML or named.conf(5)."""
_OPTION: Final = re.compile(
    rb"(?i)((?<!\S)--?[\w-]*(?:password|passwd|passphrase|secret|token|api-?key)[^\S\n]+)"
    rb"(?:\"[^\"\n]+\"|'[^'\n]+'|[^\s\"'-][^\s]*)"
)
"""``--password VALUE`` of the commands of timers, cron, units and sudoers."""
_SHORT_OPTION: Final = re.compile(
    rb"(\bsshpass[^\S\n]+-p[^\S\n]*"
    rb"|\bmysql(?:dump|admin)?(?:[^\S\n]+(?:[^\s-]|-[^\sp])\S*){0,16}[^\S\n]+-p"
    rb"|(?<!\S)(?:-u|--user)(?:[^\S\n]*|=)[\"']?[^\s:\"']+:)[^\s\"']+"
)
"""sshpass(1), mysql(1), and ``-u USER:PASSWORD`` of curl(1)."""
_AUTHORIZATION: Final = re.compile(rb"(?i)(\bauthorization:[^\S\n]*\w+[^\S\n]+)[^\s\"']+")
_URL_PASSWORD: Final = re.compile(rb"(://[^/\s:@]*:)[^/\s]+(?=@)")
_URL_TOKEN: Final = re.compile(rb"(://)[^/\s:@]{20,}(?=@)")
"""A user name of so many letters is a token."""
_ISCSI: Final = re.compile(rb"(\biscsi:[^\s:@/]{1,256}:)[^\s@]{1,256}(?=@)")
"""dracut.cmdline(7): netroot=iscsi:USER:PASSWORD@…"""
_LOG_DATABASE: Final = re.compile(rb"(:om(?:mysql|pgsql):(?:[^,\s]+,){3})[^;\s]+")

_BEFORE: Final = (_CRYPT_HASH, _LDAP_HASH, _GRUB_HASH, _PRIVATE_KEY)
_NAMED: Final = (_SETTING, _KEY, _ARGUMENT, _BARE, _QUOTED, _OPTION)
"""None of them looks beyond a line."""
_AFTER: Final = (
    _GRUB_PASSWORD, _SHORT_OPTION, _AUTHORIZATION, _URL_PASSWORD, _URL_TOKEN, _ISCSI, _LOG_DATABASE,
)  # fmt: skip


def redact(output: bytes) -> bytes:
    """Return text without password hashes, private keys, passwords in URLs and the values of
    secret settings; ``<redacted>`` stands in place of each.
    """
    digest = hashlib.sha256(output).digest()
    seen = _SEEN.get(digest, _NEW)
    if seen is not _NEW:
        return output if seen is None else seen
    text = _redacted(output)
    if len(text) <= _MOST_REMEMBERED:
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
        _SEEN[digest] = None if text == output else text
    return text


_NEW: Final = b"new"
_MOST_SEEN: Final = 1024
_MOST_REMEMBERED: Final = 16 * 1024
_SEEN: Final[dict[bytes, bytes | None]] = {}
"""What became of texts, by their SHA-256: most hosts of a fleet have the same files. ``None`` for a
text that holds no secret; of one that does only what is left is remembered."""


def _redacted(output: bytes) -> bytes:
    text = _hidden(_BEFORE, output)
    if _tells(text):
        lines = text.split(b"\n")
        text = b"\n".join(_hidden(_NAMED, line) if _tells(line) else line for line in lines)
    return _hidden(_AFTER, text)


def _tells(line: bytes) -> bool:
    small = line.lower()
    return any(word in small for word in _TELLING)


def _hidden(patterns: tuple[re.Pattern[bytes], ...], text: bytes) -> bytes:
    for pattern in patterns:
        text = pattern.sub(rb"\1<redacted>", text)
    return text

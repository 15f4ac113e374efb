"""The keys that open accounts by SSH, without who they belong to.

Of a line only its type, its key and the names of its options are kept: a comment is a person, and
what an option says may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from openwatch.engine.certificates import Key
from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe, quote
from openwatch.engine.probes.people import REMOTE
from openwatch.engine.ssh_keys import public_key

MAX_KEYS: Final = 1000
"""More keys in one file are reported as truncated."""

_LINES: Final = rf"""
FNR == 1 {{ print "= " FILENAME }}
/^[ \t]*#/ || !/[ \t]AAAA[A-Za-z0-9+\/]/ {{ next }}
++n[FILENAME] > {MAX_KEYS} || length($0) > 16384 {{
  if (!(FILENAME in cut)) print "+ " FILENAME; cut[FILENAME] = 1; next }}
{{ print "L " FNR " " $0 }}
"""
"""awk(1): lines with a key, which begins with the length of its type: AAAA in base64. What a link
to a file of others would show has none.
"""

_BODY: Final = (
    REMOTE + r"""
command -v sshd >/dev/null 2>&1 || exit 127
k=$(sshd -T 2>/dev/null | sed -n 's/^authorizedkeysfile //p')
[ -n "$k" ] || { echo 'sshd -T names no authorizedkeysfile' >&2; exit 1; }
printf 'P %s\n' "$k"
files=
named() {
  f= rest=$1
  while :; do
    case $rest in *%*) f=$f${rest%%\%*}; rest=${rest#*\%};; *) f=$f$rest; break;; esac
    case $rest in h*) f=$f$home;; u*) f=$f$name;; U*) f=$f$uid;; %*) f=$f%;;
    *) return 1;; esac
    rest=${rest#?}
  done
  case $f in /*) ;; *) f=$home/$f;; esac
}
while IFS=: read -r name pw uid gid gecos home shell || [ -n "$name" ]; do
  case $name in ''|[#+-]*) continue;; esac
  case $uid$gid in ''|*[!0-9]*) continue;; esac
  case $home in ?*/) home=${home%/};; esac
  for p in $k; do
    [ "$p" != none ] || continue
    named "$p" || { printf '? %s\n' "$p"; continue; }
    if remote "$f"; then printf '~%s|%s|%s\n' "$name" "$uid" "$f"
    elif [ -f "$f" ]; then printf '@%s|%s|%s\n' "$name" "$uid" "$f"; files=$files$nl$f; fi
  done
done </etc/passwd
IFS=$nl
set -- $files
[ $# = 0 ] || {
  stat -L -c 'F %a|%u|%g|%n' -- "$@"
  find -L "$@" -maxdepth 0 -type f ! -size -1024 | sed 's/^/+ /'
  find -L "$@" -maxdepth 0 -type f -size -1024 """
    f"-exec awk {quote(_LINES)} {{}} +\n"
    r"""}
echo '.'
"""
)


@dataclass(frozen=True, slots=True)
class AuthorisedKey:
    """One key. ``type`` as it stands in the file."""

    line: int
    type: str
    options: frozenset[str]
    key: Key | CouldNot


@dataclass(slots=True)
class KeyFile:
    """A file of keys, and who it opens: user and uid."""

    path: str
    accounts: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    mode: int = 0
    owner: int = -1
    group: int = -1
    keys: list[AuthorisedKey] = field(default_factory=list[AuthorisedKey])
    problem: CouldNot | None = None


@dataclass(frozen=True, slots=True)
class AuthorisedKeys:
    """All files of keys that are there, and the names by which the server looks for them."""

    patterns: str
    files: tuple[KeyFile, ...]
    problems: tuple[CouldNot, ...] = ()


class AuthorisedKeysProbe(TableProbe):
    """The files that AuthorizedKeysFile of sshd_config(5) names, for each account of passwd(5)."""

    name = "authorised_keys"
    command = "sshd -T, and the keys in the files that its authorizedkeysfile names"
    seconds = 30
    max_bytes = 8 * 1024 * 1024
    body = _BODY

    def clean(self, output: bytes) -> bytes:
        lines = (_cleaned(line) for line in output.split(b"\n"))
        return b"\n".join(line for line in lines if line is not None)

    def parse(self, text: str) -> AuthorisedKeys | CouldNot:
        lines = text.split("\n")
        if lines[-2:] != [".", ""] or not lines[0].startswith("P "):
            return CouldNot(Reason.UNPARSABLE, "The answer is not whole.")
        reader = _Reader()
        for line in lines[1:-2]:
            if not reader.take(line):
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        if any(file.owner < 0 for file in reader.files.values() if file.problem is None):
            return CouldNot(Reason.INCOMPLETE, "A file of keys went away meanwhile.")
        files = tuple(reader.files[path] for path in sorted(reader.files))
        return AuthorisedKeys(lines[0][2:], files, tuple(dict.fromkeys(reader.problems)))


_LINE: Final = re.compile(rb"L ([0-9]{1,9}) (.*)", re.DOTALL)
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9@.-]{2,63}")
_OPTION: Final = re.compile(r"[a-z0-9@.-]{1,64}")


def _cleaned(line: bytes) -> bytes | None:
    """Return a line without what belongs to a person; ``None`` for one that is no key."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None if line.startswith(b"L ") else line
    split = split_line(found[2].decode("utf-8", "replace"))
    if split is None:
        return None
    options, kind, blob = split
    names = ",".join(sorted(options)) or "-"
    return b"L " + found[1] + f" {names} {kind} {blob}".encode()


def split_line(text: str) -> tuple[frozenset[str], str, str] | None:
    """Return the names of the options, the type and the key of a line (sshd(8): AUTHORIZED_KEYS
    FILE FORMAT); ``None`` where the server finds no key in it.
    """
    text = text.strip(" \t\r")
    if found := _key(text):
        return frozenset(), *found
    names, position, quoted, start = set[str](), 0, False, 0
    while position < len(text) and (quoted or text[position] not in " \t"):
        match text[position]:
            case "\\" if text[position + 1 : position + 2] == '"':
                position += 1
            case '"':
                quoted = not quoted
            case "," if not quoted:
                names.add(_option(text[start:position]))
                start = position + 1
            case _:
                pass
        position += 1
    names.add(_option(text[start:position]))
    found = _key(text[position:].strip(" \t"))
    return None if found is None else (frozenset(names - {"-"}), *found)


def _option(text: str) -> str:
    name = text.partition("=")[0].lower()
    return name if _OPTION.fullmatch(name) else "?"


def _key(text: str) -> tuple[str, str] | None:
    words = text.split(maxsplit=2)
    if len(words) < 2 or not _TYPE.fullmatch(words[0]) or not words[1].startswith("AAAA"):
        return None
    if not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", words[1]):
        return None
    return words[0], words[1]


@dataclass(slots=True)
class _Reader:
    files: dict[str, KeyFile] = field(default_factory=dict[str, KeyFile])
    problems: list[CouldNot] = field(default_factory=list[CouldNot])
    current: KeyFile | None = None

    def take(self, line: str) -> bool:
        """Return whether a line says something."""
        kind, _, rest = line.partition(" ")
        match kind:
            case _ if line[:1] in ("@", "~"):
                return self._account(line)
            case "?":
                what = f"What {rest} stands for is not known."
                self.problems.append(CouldNot(Reason.INCOMPLETE, what))
                return True
            case "F":
                return self._stat(rest)
            case "=" | "+" if rest in self.files:
                self.current = self.files[rest]
                if kind == "+":
                    what = f"{rest} is too long to be read."
                    self.current.problem = CouldNot(Reason.TRUNCATED, what)
                return True
            case "L" if self.current is not None:
                return self._key(self.current, rest)
            case _:
                return False

    def _account(self, line: str) -> bool:
        parts = line[1:].split("|", 2)
        if len(parts) != 3 or not re.fullmatch("[0-9]{1,20}", parts[1]):
            return False
        file = self.files.setdefault(parts[2], KeyFile(parts[2]))
        file.accounts.append((parts[0], int(parts[1])))
        if line[0] == "~":
            what = f"{parts[2]} is on a file system of another host."
            file.problem = CouldNot(Reason.INCOMPLETE, what)
        return True

    def _stat(self, text: str) -> bool:
        found = re.fullmatch(r"([0-7]{1,6})\|([0-9]{1,20})\|([0-9]{1,20})\|(/.*)", text)
        if found is None or found[4] not in self.files:
            return False
        file = self.files[found[4]]
        file.mode, file.owner, file.group = int(found[1], 8), int(found[2]), int(found[3])
        return True

    def _key(self, file: KeyFile, text: str) -> bool:
        words = text.split(" ")
        if len(words) != 4 or not re.fullmatch("[0-9]{1,9}", words[0]):
            return False
        names = frozenset(words[1].split(",")) - {"-"}
        key = public_key(f"{words[2]} {words[3]}")
        file.keys.append(AuthorisedKey(int(words[0]), words[2], names, key))
        return True

"""Home directories of people, and what in them can hand an account to somebody else.

Only local file systems are looked at. Of the files of users only those are named that deviate from
the strictest mode that a benchmark asks for; no content leaves the host but the lines of start-up
files that set a search path or a mask. Of private keys only the header is read, on the host.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe, quote
from openwatch.engine.probes.people import PEOPLE
from openwatch.engine.probes.redaction import redact

MAX_FILES: Final = 200
"""More deviating files of one home are reported as truncated."""

MAX_TREE: Final = 10
"""Of files deeper in a home the first ones are enough to find it at fault."""

INIT_FILES: Final = (
    ".bash_login", ".bash_profile", ".bashrc", ".cshrc", ".kshrc", ".login", ".profile",
    ".tcshrc", ".zlogin", ".zprofile", ".zshenv", ".zshrc",
)  # fmt: skip

_KEY: Final = r"""
FNR == 1 { k = 0; sub(/\r$/, "")
  if ($0 == "-----BEGIN OPENSSH PRIVATE KEY-----") k = 1
  else if ($0 ~ /^-----BEGIN ENCRYPTED /) k = 0
  else if ($0 ~ /^-----BEGIN .*PRIVATE KEY-----$/) k = 2
  else if ($0 ~ /^PuTTY-User-Key-File-/) k = 3
  next }
FNR == 2 && k == 1 && index($0, "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU") == 1 { print "K " FILENAME }
FNR == 2 && k == 2 && !/^Proc-Type: 4,ENCRYPTED/ { print "K " FILENAME }
FNR <= 3 && k == 3 && /^Encryption: none/ { print "K " FILENAME }
"""
"""awk(1): the names of private keys without a passphrase. A key of OpenSSH is not encrypted when
its cipher is "none", which stands in its first 32 bytes (PROTOCOL.key).
"""

_STRANGE: Final = rf"""
!b && /^$/ {{ b = 1; next }}
{{ f = $0; sub(/^[^|]*\|[^|]*\|[^|]*\|/, "", f) }}
!b {{ if (f in u && u[f] != $2 "|" $3) u[f] = "shared"; else u[f] = $2 "|" $3; next }}
{{ d = f; sub(/\/[^\/]*$/, "", d)
  if ($1 ~ /^(0|[04]0|[0-7][04]0)$/ && u[d] == $2 "|" $3) next
  if (++c[d] <= {MAX_FILES + 1}) print "D " $0 }}
"""
"""awk(1): of all dot files those that are not their user's own, or have a mode beyond 0740."""

_LINES: Final = r"""
FNR == 1 { print "F " FILENAME }
/^[ \t]*#/ { next }
/(^|[^A-Za-z0-9_])(PATH|path|umask)([^A-Za-z0-9_]|$)/ { print "I " FNR " " substr($0, 1, 2000) }
"""

_WORDS: Final = r"""
/^[ \t]*#/ { next }
{ n = split($0, w, /[^A-Za-z0-9_.\/~$+@%}{-]+/)
  for (j = 1; j <= n; j++)
    if (w[j] ~ /^(\/|~\/|\$HOME\/|\$[{]HOME[}]\/)./ && !((FILENAME, w[j]) in s) && \
        ++c[FILENAME] <= 200) { s[FILENAME, w[j]] = 1; print FILENAME "|" w[j] } }
"""

_HOMES: Final = (
    r"""
who= homes= odd= init= keys=
one() {
  case $home in ?*/) home=${home%/};; esac
  l="@$name|$uid|$gid|$home"
  printf '%s\n' "$l"
  case $home in /*) ;; *) echo 'H undefined'; return;; esac
  if remote "$home"; then echo 'H remote'; return; fi
  if [ ! -d "$home" ]; then
    if [ -e "$home" ] || [ -L "$home" ]; then echo 'H other'; else echo 'H absent'; fi
    return
  fi
  homes="$homes$nl$home"
  [ "$home" != / ] || return
  who="$who$nl$l"
  set +f
  for f in "$home"/.*"$nl"* "$home"/.ssh/*"$nl"*; do
    if [ -e "$f" ] || [ -L "$f" ]; then echo '?'; break; fi
  done
  set -f
  for f in .forward .netrc .rhosts .shosts; do
    if [ -e "$home/$f" ] || [ -L "$home/$f" ]; then odd="$odd$nl$home/$f"; fi
  done
  # A link, such as one to /dev/null, keeps no history here.
  f=$home/.bash_history
  if [ -f "$f" ] && [ ! -L "$f" ]; then odd="$odd$nl$f"; fi
  """
    f"for f in {' '.join(INIT_FILES)}; do"
    r"""
    [ ! -f "$home/$f" ] || init="$init$nl$home/$f"
  done
  if remote "$home/.ssh"; then echo '~'
  elif [ -d "$home/.ssh" ]; then keys="$keys$nl$home/.ssh/"; fi
}
people
IFS=$nl
set -- $homes; [ $# = 0 ] || stat -L -c 'H %a|%u|%g|%n' -- "$@"
set -- $odd; [ $# = 0 ] || stat -c 'S %a|%u|%g|%n' -- "$@"
set --; for l in $who; do l=${l#*|*|*|}; set -- "$@" "$l/"; done
[ $# = 0 ] || { printf '%s\n\n' "${who#"$nl"}"
  find "$@" -maxdepth 1 -name '.?*' ! -name "*$nl*" -type f \
    -exec stat -c '%a|%u|%g|%n' {} + 2>/dev/null; } | """
    f"awk -F'|' {quote(_STRANGE)}\n"
    r"""set -- $keys; [ $# = 0 ] ||
  find "$@" -maxdepth 1 ! -name "*$nl*" -type f -size -64 """
    f"-exec awk {quote(_KEY)} {{}} + | head -n {MAX_FILES}"
    r"""
set -- $init
[ $# = 0 ] || { w=
  find -L "$@" -maxdepth 0 ! -size -1024 | sed 's/^/+ /'
  find -L "$@" -maxdepth 0 -size -1024 """
    f"-exec awk {quote(_LINES)} {{}} +\n"
    r"""  p=$(find -L "$@" -maxdepth 0 -size -1024 """
    f"-exec awk {quote(_WORDS)} {{}} +)"
    r"""
  set --
  for x in $p; do
    f=${x%|*}; w=${x##*|}
    case $w in '~/'*) w=${f%/*}/${w#'~/'};; '$HOME/'*) w=${f%/*}/${w#'$HOME/'};;
    '${HOME}/'*) w=${f%/*}/${w#'${HOME}/'};; esac
    remote "$w" && continue
    [ ! -f "$w" ] || set -- "$@" "$f|$w"
  done
  q="$*"; set --; for x in $q; do set -- "$@" "${x##*|}"; done
  [ $# = 0 ] || { o=$nl$(find -L "$@" -maxdepth 0 -perm -0002)$nl
    for x in $q; do case $o in *"$nl${x##*|}$nl"*) echo "W $x";; esac; done; }
}
echo '.'
"""
)

_TREE: Final = (
    r"""
one() {
  [ "$uid" != 0 ] || return
  case $home in ?*/) home=${home%/};; esac
  printf '@%s|%s|%s|%s\n' "$name" "$uid" "$gid" "$home"
  case $home in /|[!/]*|'') return;; esac
  if remote "$home"; then echo 'H remote'; return; fi
  [ -d "$home" ] || return
  ng=; for g in $(id -G -- "$name" 2>/dev/null || echo "$gid"); do ng="$ng ! -gid $g"; done
  for k in M G; do
    case $k in
    M) e='( -perm -0020 -o -perm -0004 -o -perm -0002 -o -perm -0001 )';;
    G) e="( $ng )";;
    esac
    find "$home/" -xdev -mindepth 1 '(' -name '.*' -o -name "*$nl*" ')' -prune -o \
      '(' -type f -o -type d ')' $e -print 2>/dev/null | """
    f"head -n {MAX_TREE}"
    r""" |
    tr '\n' '\000' | xargs -0 -r stat -c "$k %a|%u|%g|%n" -- 2>/dev/null
  done
}
people
echo '.'
"""
)


@dataclass(frozen=True, slots=True)
class HomeFile:
    """A file of a home. ``uid`` and ``gid`` are numbers: names may be known to a directory."""

    path: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class InitLine:
    """A line of a start-up file that sets a search path or a mask."""

    path: str
    number: int
    text: str


@dataclass(slots=True)
class Home:
    """One home. ``state`` is directory, absent, other, undefined or remote."""

    user: str
    uid: int
    gid: int
    path: str
    state: str = ""
    mode: int = 0
    owner: int = -1
    group: int = -1
    files: list[HomeFile] = field(default_factory=list[HomeFile])
    special: list[HomeFile] = field(default_factory=list[HomeFile])
    init_files: list[str] = field(default_factory=list[str])
    lines: list[InitLine] = field(default_factory=list[InitLine])
    programs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """A start-up file, and a program that it names and everybody may write."""
    open_keys: list[str] = field(default_factory=list[str])
    """Private keys without a passphrase."""
    too_open: list[HomeFile] = field(default_factory=list[HomeFile])
    of_strangers: list[HomeFile] = field(default_factory=list[HomeFile])
    problem: CouldNot | None = None


class _HomesProbe(TableProbe):
    """Shared by both walks: the accounts, and what was found below their homes."""

    def parse(self, text: str) -> tuple[Home, ...] | CouldNot:
        lines = text.split("\n")
        if lines[-2:] != [".", ""]:
            return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
        reader = _Reader()
        for line in lines[:-2]:
            if not reader.take(line):
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        if any(not home.state for home in reader.homes) and self.name == "homes":
            return CouldNot(Reason.UNPARSABLE, "Of a home nothing is said.")
        return tuple(reader.homes)


class HomesProbe(_HomesProbe):
    """Each home, its dot files, start-up files and keys."""

    name = "homes"
    command = "stat HOMES, and the dot files in them"
    seconds = 60
    max_bytes = 4 * 1024 * 1024
    body = PEOPLE + _HOMES

    def clean(self, output: bytes) -> bytes:
        return redact(output)


class HomeTreeProbe(_HomesProbe):
    """Files and directories in homes that are too open, or of a group that is not the user's."""

    name = "home_tree"
    command = "find HOMES -xdev"
    seconds = 120
    max_bytes = 1024 * 1024
    body = PEOPLE + _TREE


_STATES: Final = frozenset({"absent", "other", "undefined", "remote"})
_STRANGE_BITS: Final = 0o7037


@dataclass(slots=True)
class _Reader:
    """Gives what a line says to the homes that it is about: more than one where they are shared."""

    homes: list[Home] = field(default_factory=list[Home])
    file: str = ""

    def take(self, line: str) -> bool:
        """Return whether a line says something."""
        kind, _, rest = line.partition(" ")
        match kind:
            case _ if line.startswith("@"):
                return self._account(line[1:])
            case "H":
                return self._state(rest)
            case "D" | "S" | "M" | "G":
                return self._found(kind, rest)
            case "F":
                self.file = rest
                return self._each(rest, lambda home: home.init_files.append(rest))
            case "I":
                return self._line(rest)
            case "W":
                file, bar, program = rest.rpartition("|")
                return bool(bar) and self._each(
                    file, lambda home: home.programs.append((file, program))
                )
            case "K":
                directory = rest.rpartition("/")[0]
                return self._each(directory, lambda home: home.open_keys.append(rest))
            case "+":
                problem = CouldNot(Reason.TRUNCATED, f"{rest} is too long to be read.")
                return self._each(rest, lambda home: setattr(home, "problem", problem))
            case "~" if self.homes:
                path = self.homes[-1].path
                self.homes[-1].problem = CouldNot(
                    Reason.INCOMPLETE, f"{path}/.ssh is on a file system of another host."
                )
                return True
            case "?" if self.homes:
                path = self.homes[-1].path
                self.homes[-1].problem = CouldNot(
                    Reason.UNPARSABLE, f"A file in {path} has a line break in its name."
                )
                return True
            case _:
                return False

    def _each(self, path: str, do: Callable[[Home], None]) -> bool:
        """Do something for each home that holds a path itself."""
        directory = path.rpartition("/")[0]
        mine = [home for home in self.homes if home.path == directory]
        for home in mine:
            do(home)
        return bool(mine)

    def _account(self, line: str) -> bool:
        parts = line.split("|", 3)
        if len(parts) != 4 or not (parts[1].isdigit() and parts[2].isdigit()):
            return False
        self.homes.append(Home(parts[0], int(parts[1]), int(parts[2]), parts[3]))
        return True

    def _state(self, text: str) -> bool:
        if text in _STATES and self.homes:
            self.homes[-1].state = text
            return True
        file = _file(text)
        mine = [home for home in self.homes if file is not None and home.path == file.path]
        for home in mine:
            assert file is not None
            home.state = "directory"
            home.mode, home.owner, home.group = file.mode, file.uid, file.gid
        return bool(mine)

    def _line(self, text: str) -> bool:
        number, _, line = text.partition(" ")
        if not number.isdigit():
            return False
        found = InitLine(self.file, int(number), line)
        return self._each(self.file, lambda home: home.lines.append(found))

    def _found(self, kind: str, text: str) -> bool:
        file = _file(text)
        if file is None or not self.homes:
            return False
        match kind:
            case "M":
                self.homes[-1].too_open.append(file)
            case "G":
                self.homes[-1].of_strangers.append(file)
            case "S":
                return self._each(file.path, lambda home: home.special.append(file))
            case _:
                return self._each(file.path, lambda home: _keep(home, file))
        return True


def _keep(home: Home, file: HomeFile) -> None:
    """Keep a dot file that deviates, for the user of this home."""
    if (file.uid, file.gid) == (home.uid, home.gid) and not file.mode & _STRANGE_BITS:
        return
    home.files.append(file)
    if len(home.files) > MAX_FILES:
        home.problem = CouldNot(Reason.TRUNCATED, f"{home.path} holds too many dot files.")


def _file(text: str) -> HomeFile | None:
    found = re.fullmatch(r"([0-7]+)\|(\d+)\|(\d+)\|(/.*)", text)
    if found is None:
        return None
    return HomeFile(found[4], int(found[1], 8), int(found[2]), int(found[3]))

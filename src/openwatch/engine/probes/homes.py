"""Home directories of people, and what in them can hand an account to somebody else.

Only local file systems are looked at. Of the files of users only those are named that deviate from
the strictest mode that a benchmark asks for; no content leaves the host but the lines of start-up
files that set a search path or a mask. Of private keys only the header is read, on the host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.mounts import REMOTE_TYPES
from openwatch.engine.probes.redaction import redact

MAX_FILES: Final = 200
"""More deviating files of one home are reported as truncated."""

MAX_TREE: Final = 10
"""Of files deeper in a home the first ones are enough to find it at fault."""

INIT_FILES: Final = (
    ".bash_login", ".bash_profile", ".bashrc", ".cshrc", ".kshrc", ".login", ".profile",
    ".tcshrc", ".zlogin", ".zprofile", ".zshenv", ".zshrc",
)  # fmt: skip

_PEOPLE: Final = (
    r"""
[ "$(id -u)" = 0 ] || { echo 'must be root' >&2; exit 1; }
nl='
'
min=$(sed -nE 's/^[[:space:]]*UID_MIN[[:space:]]+([0-9]+).*/\1/p' /etc/login.defs 2>/dev/null |
  tail -n 1)
far=
while read -r a b c d target opts rest; do
  t=${rest#*- }; t=${t%% *}
  case $t in """
    f"{'|'.join(REMOTE_TYPES)})"
    r""" far="$far$nl$target";; esac
done </proc/self/mountinfo
remote() {
  r=1; IFS=$nl; set -f
  for m in $far; do case $1/ in "$m"/*) r=0;; esac; done
  unset IFS; set +f
  return $r
}
people() {
  while IFS=: read -r name pw uid gid gecos home shell || [ -n "$name" ]; do
    case $name in ''|[#+-]*) continue;; esac
    case $uid$gid in ''|*[!0-9]*) continue;; esac
    case $shell in */nologin|*/false|*/true|/dev/null) continue;; esac
    [ "$uid" = 0 ] || { [ "$uid" -ge "${min:-1000}" ] && [ "$uid" != 65534 ]; } || continue
    one
  done </etc/passwd
}
"""
)
"""Whose homes are looked at: root, and accounts from UID_MIN of login.defs(5) with a shell."""

_HOMES: Final = (
    r"""
b='-perm -4000 -o -perm -2000 -o -perm -1000 -o -perm -0020 -o -perm -0010 -o -perm -0004'
b="$b -o -perm -0002 -o -perm -0001"
one() {
  case $home in ?*/) home=${home%/};; esac
  printf '@%s|%s|%s|%s\n' "$name" "$uid" "$gid" "$home"
  case $home in /*) ;; *) echo 'H undefined'; return;; esac
  if remote "$home"; then echo 'H remote'; return; fi
  if [ ! -d "$home" ]; then
    if [ -e "$home" ] || [ -L "$home" ]; then echo 'H other'; else echo 'H absent'; fi
    return
  fi
  stat -L -c 'H %a|%u|%g' -- "$home"
  [ "$home" != / ] || return
  [ -z "$(find "$home/" -maxdepth 1 -name ".*$nl*" 2>/dev/null)" ] || echo '?'
  set -f
  find "$home/" -maxdepth 1 -name '.?*' ! -name "*$nl*" -type f \
    '(' $b -o ! -uid "$uid" -o ! -gid "$gid" ')' -exec stat -c 'D %a|%u|%g|%n' {} + \
    2>/dev/null | """
    f"head -n {MAX_FILES + 1}"
    r"""
  set +f
  for f in .forward .netrc .rhosts .shosts; do
    f=$home/$f
    if [ -e "$f" ] || [ -L "$f" ]; then stat -c 'S %a|%u|%g|%n' -- "$f"; fi
  done
  # A link, such as one to /dev/null, keeps no history here.
  f=$home/.bash_history
  if [ -f "$f" ] && [ ! -L "$f" ]; then stat -c 'S %a|%u|%g|%n' -- "$f"; fi
  """
    f"for f in {' '.join(INIT_FILES)}; do"
    r"""
    k=${f#.}; f=$home/$f
    [ -f "$f" ] || continue
    echo "F $f"
    # Most start-up files are those that every account gets: what was read once is known.
    eval "p=\$f_$k"
    if [ -n "$p" ] && cmp -s -- "$p" "$f" 2>/dev/null; then eval "l=\$l_$k w=\$w_$k"
    else
      c=$(head -c 262144 "$f" | tr -d '\000' | sed 's/^[[:space:]]*#.*//')
      l=
      case $c in *PATH*|*path*|*umask*)
        l=$(printf '%s\n' "$c" | sed -nE \
          '/(^|[^A-Za-z0-9_])(PATH|path|umask)([^A-Za-z0-9_]|$)/{=;s/^/ /;p;}');; esac
      w=$(printf '%s\n' "$c" | tr -c 'A-Za-z0-9_./~${}+@%-' '\n' |
        grep -E '^(/|~/|\$HOME/|\$\{HOME\}/)' | sort -u | head -n 200)
      eval "f_$k=\$f l_$k=\$l w_$k=\$w"
    fi
    [ -z "$l" ] || printf '%s\n' "$l"
    set --
    for w in $w; do
      case $w in '~/'*) w=$home/${w#'~/'};; '$HOME/'*) w=$home/${w#'$HOME/'};;
      '${HOME}/'*) w=$home/${w#'${HOME}/'};; esac
      remote "$w" && continue
      [ ! -f "$w" ] || set -- "$@" "$w"
    done
    [ $# = 0 ] || find -L "$@" -maxdepth 0 -perm -0002 2>/dev/null | sed 's/^/W /'
  done
  remote "$home/.ssh" && return
  n=0
  for f in "$home"/.ssh/* "$home"/.ssh/.[!.]*; do
    [ -f "$f" ] || continue
    case $f in *"$nl"*) echo '?'; continue;; esac
    n=$((n+1)); [ $n -le 500 ] || { echo '+'; break; }
    k=$(head -c 400 "$f" | tr -d '\000\r')
    case $k in
    "-----BEGIN OPENSSH PRIVATE KEY-----${nl}b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"*) echo "K $f";;
    "-----BEGIN OPENSSH PRIVATE KEY-----$nl"*|"-----BEGIN ENCRYPTED PRIVATE KEY"*) ;;
    "-----BEGIN "*"PRIVATE KEY-----${nl}Proc-Type: 4,ENCRYPTED"*) ;;
    "-----BEGIN "*"PRIVATE KEY-----$nl"*) echo "K $f";;
    "PuTTY-User-Key-File-"*"Encryption: none"*) echo "K $f";;
    esac
  done
}
people
echo '.'
"""
)
"""An OpenSSH key is not encrypted when its cipher is "none": PROTOCOL.key, the first 32 bytes."""

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
  set -f
  for k in M G; do
    case $k in
    M) e='( -perm -0020 -o -perm -0004 -o -perm -0002 -o -perm -0001 )';;
    G) e="( $ng )";;
    esac
    find "$home/" -xdev -mindepth 1 '(' -name '.*' -o -name "*$nl*" ')' -prune -o \
      '(' -type f -o -type d ')' $e -print 2>/dev/null | """
    f"head -n {MAX_TREE}"
    r""" |
    while IFS= read -r f; do stat -c "$k %a|%u|%g|%n" -- "$f" 2>/dev/null; done
  done
  set +f
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
    """Shared by both walks: one block for each account."""

    def parse(self, text: str) -> tuple[Home, ...] | CouldNot:
        lines = text.split("\n")
        if lines[-2:] != [".", ""]:
            return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
        homes: list[Home] = []
        for line in lines[:-2]:
            if line.startswith("@"):
                home = _home(line[1:])
                if home is None:
                    return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
                homes.append(home)
            elif not homes or not _take(homes[-1], line):
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        return tuple(homes)


class HomesProbe(_HomesProbe):
    """Each home, its dot files, start-up files and keys."""

    name = "homes"
    command = "stat HOMES, and the dot files in them"
    seconds = 60
    max_bytes = 4 * 1024 * 1024
    body = _PEOPLE + _HOMES

    def clean(self, output: bytes) -> bytes:
        return redact(output)


class HomeTreeProbe(_HomesProbe):
    """Files and directories in homes that are too open, or of a group that is not the user's."""

    name = "home_tree"
    command = "find HOMES -xdev"
    seconds = 120
    max_bytes = 1024 * 1024
    body = _PEOPLE + _TREE


def _home(line: str) -> Home | None:
    parts = line.split("|", 3)
    if len(parts) != 4 or not (parts[1].isdigit() and parts[2].isdigit()):
        return None
    return Home(parts[0], int(parts[1]), int(parts[2]), parts[3])


_STATES: Final = frozenset({"absent", "other", "undefined", "remote"})


def _take(home: Home, line: str) -> bool:
    """Add what a line says to a home; return whether it says something."""
    kind, _, rest = line.partition(" ")
    match kind:
        case "H":
            return _state(home, rest)
        case "D" | "S" | "M" | "G":
            return _file(home, kind, rest)
        case "F":
            home.init_files.append(rest)
        case "W" if home.init_files:
            home.programs.append((home.init_files[-1], rest))
        case "K":
            home.open_keys.append(rest)
        case "?":
            home.problem = CouldNot(
                Reason.UNPARSABLE, f"A file in {home.path} has a line break in its name."
            )
        case "+":
            home.problem = CouldNot(Reason.TRUNCATED, f"{home.path} holds too many files.")
        case "" if home.lines and home.init_files:
            last = home.lines.pop()
            home.lines.append(InitLine(last.path, last.number, rest))
        case number if number.isdigit() and home.init_files and not rest:
            home.lines.append(InitLine(home.init_files[-1], int(number), ""))
        case _:
            return False
    return True


def _state(home: Home, text: str) -> bool:
    if text in _STATES:
        home.state = text
        return True
    found = re.fullmatch(r"([0-7]+)\|(\d+)\|(\d+)", text)
    if found is None:
        return False
    home.state = "directory"
    home.mode, home.owner, home.group = int(found[1], 8), int(found[2]), int(found[3])
    return True


def _file(home: Home, kind: str, text: str) -> bool:
    found = re.fullmatch(r"([0-7]+)\|(\d+)\|(\d+)\|(/.*)", text)
    if found is None:
        return False
    file = HomeFile(found[4], int(found[1], 8), int(found[2]), int(found[3]))
    lists = {"D": home.files, "S": home.special, "M": home.too_open, "G": home.of_strangers}
    lists[kind].append(file)
    if len(home.files) > MAX_FILES:
        home.problem = CouldNot(Reason.TRUNCATED, f"{home.path} holds too many dot files.")
    return True

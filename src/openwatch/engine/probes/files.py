"""Files: the metadata of listed paths and the content of listed files; both take globs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason
from openwatch.engine.probes.paths import PathProbe, head_of, line_break
from openwatch.engine.probes.redaction import redact

MAX_FILE_BYTES: Final = 512 * 1024
"""The largest configuration file that is read whole."""

MAX_FILES_PER_GLOB: Final = 500
"""A pattern that matches more files than this is reported as truncated."""

_AGAIN: Final = b"#again"
_LAST_LINE: Final = re.compile(rb"(?m)^( .*\n)(?=[^ \n])")
"""The last line of a file that does not end it with a newline: an empty line follows all others."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """stat(1) of one path; ``mode`` holds the twelve permission bits."""

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    owner: str
    group: str
    empty: bool


@dataclass(frozen=True, slots=True)
class FileContent:
    """The text of one file, or why it could not be read."""

    path: str
    text: str
    could_not: CouldNot | None = None

    def lines(self) -> Iterable[tuple[int, str]]:
        """Return the lines with their numbers, counted from 1. Only a newline ends a line: a form
        feed or U+2028 in a comment does not.
        """
        return enumerate(self.text.split("\n"), start=1)


class StatProbe(PathProbe):
    """Metadata of a path, or of all that a pattern matches (symbolic links are followed)."""

    name = "stat"
    verb = "stat"
    seconds = 20
    max_bytes = 4 * 1024 * 1024
    # The same stat -c format is understood by GNU coreutils and by busybox. No size and no time: a
    # log that grows is no change of the host. One process for all paths; a link to nowhere and one
    # that is refused are asked for alone, and only root can tell these two apart.
    each = r"""
t() { stat -L -c '=%a|%u|%g|%U|%G|%F|%n' -- "$@" 2>/dev/null; }
q() {
  p=$1; k=$2; shift 2; parent "$p" "$k"
  printf '@%s %s\n' "$s" "$p"
  case "$*" in *"$nl"*) printf '?%s\n.\n' "$p"; return;; esac
  for f do
    if [ -e "$f" ]; then printf '%s\n' "$f"
    elif [ -L "$f" ]; then
      t "$f" || if [ "$u" = 0 ]; then printf '~%s\n' "$f"; else printf '!%s\n' "$f"; fi
    fi
  done
  echo .
}
"""
    all = r"""
if command -v xargs >/dev/null 2>&1; then
  files | tr '\n' '\0' | xargs -0 stat -L -c '=%a|%u|%g|%U|%G|%F|%n' -- 2>/dev/null
else files | while IFS= read -r f; do t "$f"; done; fi
"""

    def told(self, answer: bytes, *, whole: bool) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for line in answer.split(b"\n")[:-1]:
            fields = line.split(b"|", 6)
            if line.startswith(b"=") and len(fields) == 7:
                found[fields[6]] = line + b"\n"
        return found

    def read(self, fact: Fact) -> tuple[FileStat, ...] | CouldNot:
        """Return the files that the path or pattern matches, or why they could not be seen."""
        head = head_of(fact)
        if isinstance(head, CouldNot):
            return head
        found: list[FileStat] = []
        for line in head:
            if line.startswith("~"):
                continue
            if line.startswith("?"):
                return line_break(line[1:])
            if line.startswith("!"):
                return CouldNot(Reason.DENIED, f"stat of {line[1:]} was refused.")
            stat = _parse_stat(line[1:]) if line.startswith("=") else None
            if stat is None:
                return CouldNot(Reason.UNPARSABLE, f"stat printed {line[:80]!r}.")
            found.append(stat)
        return tuple(found)


class ContentProbe(PathProbe):
    """The text of a file, or of all files that a pattern matches, in sorted order."""

    name = "content"
    verb = "cat"
    seconds = 20
    max_bytes = 16 * 1024 * 1024
    # Each line of a file is printed behind a blank, so that no content can pass for a frame. What
    # looks empty is read at once: files of the kernel have no size.
    each = rf"""
one() {{
  printf '=%s\n' "$1"; sed 's/^/ /' "$1" || printf '!%s\n' "$1"
  echo
}}
q() {{
  p=$1; k=$2; shift 2; parent "$p" "$k"
  printf '@%s %s\n' "$s" "$p"
  n=0
  for f do
    case $f in *"$nl"*) printf '?%s\n' "$p"; continue;; esac
    if [ ! -f "$f" ]; then
      # A link to /dev/null hides the files of the same name in other directories.
      if [ -L "$f" ] && [ -c "$f" ]; then printf '=%s\n\n' "$f"
      elif [ -L "$f" ] && [ ! -e "$f" ] && [ "$u" != 0 ]; then printf '!%s\n' "$f"; fi
      continue
    fi
    n=$((n+1)); [ $n -le {MAX_FILES_PER_GLOB} ] || {{ printf '+%s\n' "$f"; break; }}
    case $big in *"
$f
"*) printf '+%s\n' "$f"; continue;; esac
    if [ ! -r "$f" ]; then printf '!%s\n' "$f"
    elif [ -s "$f" ]; then printf '%s\n' "$f"
    else one "$f"; fi
  done
  echo .
}}
"""
    # GNU sed names the files itself and reads all in one process; others get a process a file. One
    # that failed on a file may have left out others, or a part of one: then all are read once more.
    all = rf"""
each() {{ files | while IFS= read -r f; do one "$f"; done; }}
g=$(printf x | sed -s -n F 2>/dev/null)
if [ -n "$g" ] && command -v xargs >/dev/null 2>&1; then
  files | tr '\n' '\0' |
    xargs -0 sh -c 'sed -s -e 1F -e "s/^/ /" -- "$@"; r=$?; echo; exit $r' sh ||
    {{ echo '{_AGAIN.decode()}'; each; }}
else each; fi
"""

    def told(self, answer: bytes, *, whole: bool) -> dict[bytes, bytes]:
        first, again, second = (b"\n" + answer).partition(b"\n" + _AGAIN + b"\n")
        found: dict[bytes, list[bytes]] = {}
        current: list[bytes] = []
        for line in (second if again else first).split(b"\n")[:-1]:
            match line[:1]:
                case b"/":
                    current = found.setdefault(line, [b"=" + line + b"\n"])
                case b"=":
                    current = found.setdefault(line[1:], [line + b"\n"])
                case b" " | b"!":
                    current.append(line + b"\n")
                case _:
                    continue
        if found and not whole:
            found.popitem()  # the answer was cut inside of it
        return {path: b"".join(lines) + b"\n" for path, lines in found.items()}

    def first(self, words: Sequence[str]) -> str:
        # One process tells the sizes of all files; the names of large ones stand in $big.
        return (
            f"big=$(stat -L -c '%s|%n' -- {' '.join(words)} 2>/dev/null |\n"
            "while IFS='|' read -r b f; do\n"
            f'[ "$b" -gt {MAX_FILE_BYTES} ] && echo "$f"; done 2>/dev/null)\n'
            'big="\n$big\n"\n'
        )

    def clean(self, block: bytes) -> bytes:
        return redact(_LAST_LINE.sub(rb"\1\n", block))

    def read(self, fact: Fact) -> tuple[FileContent, ...] | CouldNot:
        """Return the files that the path or pattern matches, sorted by path."""
        head = head_of(fact)
        if isinstance(head, CouldNot):
            return head
        texts: dict[str, list[str]] = {}
        problems: dict[str, CouldNot] = {}
        current: list[str] | None = None
        for line in head:
            kind, rest = line[:1], line[1:]
            match kind:
                case " " if current is not None:
                    current.append(rest)
                case "=" if rest.startswith("/"):
                    current = texts.setdefault(rest, [])
                case "!":
                    problems[rest] = CouldNot(Reason.DENIED, f"{rest} could not be opened.")
                case "?":
                    problems[rest] = line_break(rest)
                case "+":
                    problems[rest] = CouldNot(Reason.TRUNCATED, f"{rest} is beyond the limits.")
                case "":
                    continue
                case _:
                    return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        paths = sorted(texts.keys() | problems.keys())
        return tuple(
            FileContent(path, "\n".join(texts.get(path, [])), problems.get(path)) for path in paths
        )


def _parse_stat(line: str) -> FileStat | None:
    parts = line.split("|", 6)
    if len(parts) != 7 or not parts[6].startswith("/"):
        return None
    mode, uid, gid, owner, group, kind, path = parts
    try:
        return FileStat(
            path=path,
            type="regular file" if kind == "regular empty file" else kind,
            mode=int(mode, 8),
            uid=int(uid),
            gid=int(gid),
            owner=owner,
            group=group,
            empty=kind == "regular empty file",
        )
    except ValueError:
        return None

"""Files: the metadata of listed paths and the content of listed files; both take globs.

"Not there" and "could not look" are told apart by asking for the parent directory as well: an
unreadable directory makes an existing file invisible to stat(1) and to a glob.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes.base import Item, Probe, failure, quote
from openwatch.engine.probes.redaction import redact

MAX_FILE_BYTES: Final = 512 * 1024
"""The largest configuration file that is read whole."""

MAX_FILES_PER_GLOB: Final = 500
"""A pattern that matches more files than this is reported as truncated."""

_SAFE_GLOB: Final = re.compile(r"/[A-Za-z0-9_@%+=:,./*?\[\]{}~ -]*\Z")

# Sets $s to what can be said of the directory that holds a path: ok, denied, or partial (a pattern
# over several directories, seen by a user who may not enter them all). It walks up to the first
# directory that exists: a missing parent is an answer, a closed one is not.
_PARENT: Final = r"""
nl='
'
u=$(id -u)
parent() {
  if [ "$2" = deep ]; then
    [ "$u" = 0 ] || { s=partial; return; }
    # Root is a stranger on file systems of others, such as homes on NFS.
    IFS=; for d in ${1%/*}; do
      if [ -d "$d" ] && [ ! -x "$d" ]; then unset IFS; s=partial; return; fi
    done; unset IFS
  fi
  d=$1
  while :; do
    d=${d%/*}; [ -n "$d" ] || d=/
    case $d in *[*?[]*) continue;; esac
    if [ -d "$d" ]; then
      if [ -x "$d" ] && { [ "$2" = path ] || [ -r "$d" ]; }; then s=ok; else s=denied; fi
      return
    fi
    [ "$d" = / ] && { s=ok; return; }
  done
}
"""


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


def _check(path: str) -> str:
    if not _SAFE_GLOB.match(path):
        raise ValueError(f"not an absolute path or pattern of plain characters: {path!r}")
    return path


def _word(path: str) -> str:
    """Return the path as a shell word in which only glob characters are live."""
    return re.sub(r"[^A-Za-z0-9_@%+=:,./*?\[\]-]", lambda m: "\\" + m.group(), _check(path))


class _PathProbe(Probe):
    """Shared by both file probes: one item for all paths, one block of the answer per request."""

    verb: str
    seconds: int
    max_bytes: int
    each: str

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        return (self._item(requests),)

    def _item(self, requests: Sequence[Request]) -> Item:
        words = [_word(request.subject) for request in requests]
        steps = [
            f"q {quote(request.subject)} {_kind(request.subject)} {word}"
            for request, word in zip(requests, words, strict=True)
        ]
        body = _PARENT + self.first(words) + self.each + "\n".join(steps) + "\nexit 0"
        return Item(self.name, body, self.verb, self.seconds, self.max_bytes)

    def first(self, words: Sequence[str]) -> str:
        """Return what is done once for all paths, before they are gone through."""
        return ""

    def clean(self, block: bytes) -> bytes:
        """Return a block without secrets."""
        return block

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        item = self._item(requests)
        result = results.get(item.id)
        problem = failure(item, result)
        blocks = _blocks(b"" if result is None else result.output)
        for request in requests:
            block = blocks.get(request.subject)
            # A block counts only when the answer was not cut inside of it.
            missing = None if block is not None else problem or CouldNot(Reason.INCOMPLETE)
            yield Fact(
                request=request,
                command=f"{self.verb} {request.subject}",
                output=self.clean(block or b""),
                exit_status=None if result is None else result.exit_status,
                could_not=missing,
                seconds=0.0 if result is None else result.seconds / max(1, len(requests)),
            )


class StatProbe(_PathProbe):
    """Metadata of a path, or of all that a pattern matches (symbolic links are followed)."""

    name = "stat"
    verb = "stat"
    seconds = 20
    max_bytes = 4 * 1024 * 1024
    # The same stat -c format is understood by GNU coreutils and by busybox. No size and no time: a
    # log that grows is no change of the host. One process for all that a pattern matches, unless
    # one of them is a link to nowhere or is refused; only root can tell these two apart.
    each = r"""
t() { stat -L -c '=%a|%u|%g|%U|%G|%F|%n' -- "$@" 2>/dev/null; }
q() {
  p=$1; k=$2; shift 2; parent "$p" "$k"
  printf '@%s %s\n' "$s" "$p"
  case "$*" in *"$nl"*) echo "?$p"; echo .; return;; esac
  if o=$(t "$@"); then printf '%s\n' "$o"
  else for f do
    [ -e "$f" ] || [ -L "$f" ] || continue
    t "$f" || { if [ -L "$f" ] && [ "$u" = 0 ]; then echo "~$f"; else echo "!$f"; fi; }
  done; fi
  echo .
}
"""

    def read(self, fact: Fact) -> tuple[FileStat, ...] | CouldNot:
        """Return the files that the path or pattern matches, or why they could not be seen."""
        head = _head(fact)
        if isinstance(head, CouldNot):
            return head
        found: list[FileStat] = []
        for line in head:
            if line.startswith("~"):
                continue
            if line.startswith("?"):
                return _line_break(line[1:])
            if line.startswith("!"):
                return CouldNot(Reason.DENIED, f"stat of {line[1:]} was refused.")
            stat = _parse_stat(line[1:]) if line.startswith("=") else None
            if stat is None:
                return CouldNot(Reason.UNPARSABLE, f"stat printed {line[:80]!r}.")
            found.append(stat)
        return tuple(found)


class ContentProbe(_PathProbe):
    """The text of a file, or of all files that a pattern matches, in sorted order."""

    name = "content"
    verb = "cat"
    seconds = 20
    max_bytes = 16 * 1024 * 1024
    # Each line of a file is printed behind a blank, so that no content can pass for a frame. The
    # bare echo ends a last line that has no newline; it is an empty line otherwise.
    each = rf"""
q() {{
  p=$1; k=$2; shift 2; parent "$p" "$k"
  printf '@%s %s\n' "$s" "$p"
  n=0
  for f do
    case $f in *"$nl"*) echo "?$p"; continue;; esac
    if [ ! -f "$f" ]; then
      # A link to /dev/null hides the files of the same name in other directories.
      if [ -L "$f" ] && [ -c "$f" ]; then printf '=%s\n\n' "$f"
      elif [ -L "$f" ] && [ ! -e "$f" ] && [ "$u" != 0 ]; then echo "!$f"; fi
      continue
    fi
    n=$((n+1)); [ $n -le {MAX_FILES_PER_GLOB} ] || {{ echo "+$f"; break; }}
    case $big in *"
$f
"*) echo "+$f"; continue;; esac
    if [ -r "$f" ]; then
      echo "=$f"; sed 's/^/ /' "$f" || echo "!$f"
      echo
    else echo "!$f"; fi
  done
  echo .
}}
"""

    def first(self, words: Sequence[str]) -> str:
        # One process tells the sizes of all files; the names of large ones stand in $big.
        return (
            f"big=$(stat -L -c '%s|%n' -- {' '.join(words)} 2>/dev/null |\n"
            "while IFS='|' read -r b f; do\n"
            f'[ "$b" -gt {MAX_FILE_BYTES} ] && echo "$f"; done 2>/dev/null)\n'
            'big="\n$big\n"\n'
        )

    def clean(self, block: bytes) -> bytes:
        return redact(block)

    def read(self, fact: Fact) -> tuple[FileContent, ...] | CouldNot:
        """Return the files that the path or pattern matches, sorted by path."""
        head = _head(fact)
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
                    problems[rest] = _line_break(rest)
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


def _line_break(pattern: str) -> CouldNot:
    """A name with a line break could pass for any line of an answer: it is never printed."""
    return CouldNot(Reason.UNPARSABLE, f"{pattern} matches a name with a line break.")


def _kind(path: str) -> str:
    """Return ``path``, ``glob`` (in the last part only) or ``deep`` (in a directory part)."""
    directory, _, name = path.rpartition("/")
    if re.search(r"[*?\[]", directory):
        return "deep"
    return "glob" if re.search(r"[*?\[]", name) else "path"


def _blocks(output: bytes) -> dict[str, bytes]:
    """Return the finished blocks of an answer by their subject; a cut block is left out."""
    blocks: dict[str, bytes] = {}
    for part in re.split(rb"(?m)^(?=@)", output):
        head, _, body = part.partition(b"\n")
        _, _, subject = head.partition(b" ")
        if subject and (body == b".\n" or body.endswith(b"\n.\n")):
            blocks[subject.decode("utf-8", "backslashreplace")] = part
    return blocks


def _head(fact: Fact) -> list[str] | CouldNot:
    """Return the lines of a block, or why its directory could not be looked into."""
    if fact.could_not is not None:
        return fact.could_not
    lines = fact.output.decode("utf-8", "backslashreplace").split("\n")
    state = lines[0].partition(" ")[0]
    body = lines[1:-2]
    if lines[-2:] != [".", ""]:
        return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
    match state:
        case "@ok":
            return body
        case "@denied" if body:
            return body
        case "@denied":
            return CouldNot(
                Reason.DENIED, f"The directory of {fact.request.subject} may not be entered."
            )
        case "@partial":
            return CouldNot(
                Reason.DENIED, f"Not every directory of {fact.request.subject} may be entered."
            )
        case _:
            return CouldNot(Reason.UNPARSABLE, f"Unexpected state {state[:40]!r}.")


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

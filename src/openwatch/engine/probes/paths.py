"""Questions about paths and patterns: what both file probes share.

"Not there" and "could not look" are told apart by asking for the parent directory as well: an
unreadable directory makes an existing file invisible to stat(1) and to a glob.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes.base import Item, Probe, decoded, failure, quote

_SAFE_GLOB: Final = re.compile(r"/[A-Za-z0-9_@%+=:,./*?\[\]{}~ -]*\Z")

_FILES: Final = b"#files"
_END: Final = b"#end"


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


def _check(path: str) -> str:
    if not _SAFE_GLOB.match(path):
        raise ValueError(f"not an absolute path or pattern of plain characters: {path!r}")
    return path


def _word(path: str) -> str:
    """Return the path as a shell word in which only glob characters are live."""
    return re.sub(r"[^A-Za-z0-9_@%+=:,./*?\[\]-]", lambda m: "\\" + m.group(), _check(path))


class PathProbe(Probe):
    """Shared by both file probes: one item for all paths, one block of the answer per request.

    A block names files; what the host says of them follows all blocks, behind ``#files``, from one
    process for all files. A block that already says it (a line that begins with ``=``) stays as
    it is.
    """

    verb: str
    seconds: int
    max_bytes: int
    each: str
    all: str

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        return (self._item(requests),)

    def _item(self, requests: Sequence[Request]) -> Item:
        words = [_word(request.subject) for request in requests]
        steps = [
            f"q {quote(request.subject)} {_kind(request.subject)} {word}"
            for request, word in zip(requests, words, strict=True)
        ]
        body = (
            f"{_PARENT}{self.first(words)}{self.each}o=$(\n" + "\n".join(steps) + "\n)\n"
            f"printf '%s\\n' \"$o\" '{_FILES.decode()}'\n"
            f"files() {{ printf '%s\\n' \"$o\" | sed -n '/^\\//p' | sort -u; }}\n"
            f"{self.all}echo '{_END.decode()}'\nexit 0"
        )
        return Item(self.name, body, self.verb, self.seconds, self.max_bytes)

    def first(self, words: Sequence[str]) -> str:
        """Return what is done once for all paths, before they are gone through."""
        return ""

    def clean(self, block: bytes) -> bytes:
        """Return a block without secrets."""
        return block

    @abstractmethod
    def told(self, answer: bytes, *, whole: bool) -> dict[bytes, bytes]:
        """Return what stands behind ``#files`` by path: the lines that stand for its name."""

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        item = self._item(requests)
        result = results.get(item.id)
        problem = failure(item, result)
        named, _, answer = (b"" if result is None else result.output).partition(
            b"\n" + _FILES + b"\n"
        )
        blocks = _blocks(named if named.endswith(b"\n") or not named else named + b"\n")
        whole = answer.endswith(_END + b"\n")
        told = self.told(answer, whole=whole)
        for request in requests:
            block = _resolved(blocks.get(request.subject), told, whole=whole)
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


def line_break(pattern: str) -> CouldNot:
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


def _resolved(block: bytes | None, told: Mapping[bytes, bytes], *, whole: bool) -> bytes | None:
    """Return a block with what was told of the files that it names; ``None``: not all was told.

    Of a file that is missing from a whole answer the host refused to tell.
    """
    if block is None or b"\n/" not in block:
        return block
    lines: list[bytes] = []
    for line in block.removesuffix(b"\n").split(b"\n"):
        if not line.startswith(b"/"):
            lines.append(line + b"\n")
        elif line in told:
            lines.append(told[line])
        elif whole:
            lines.append(b"!" + line + b"\n")
        else:
            return None
    return b"".join(lines)


def head_of(fact: Fact) -> list[str] | CouldNot:
    """Return the lines of a block, or why its directory could not be looked into."""
    if fact.could_not is not None:
        return fact.could_not
    lines = decoded(fact.output).split("\n")
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

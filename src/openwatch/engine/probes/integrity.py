"""Whether the files of a package are what the package brought."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.base import BlockProbe, Item, decoded, quote

_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*\Z")
_LINE: Final = re.compile(r"(?P<tests>[SM5DLUGTPC.?]{8,9})\s+(?:(?P<kind>[a-z])\s+)?(?P<path>/.*)")
_MISSING: Final = re.compile(r"missing\s+(?:(?P<kind>[a-z])\s+)?(?P<path>/.*?)(?: \(.*\))?")


@dataclass(frozen=True, slots=True)
class Deviation:
    """A file that is not as its package brought it. ``None``: that was not looked at."""

    path: str
    missing: bool
    content: bool | None
    mode: bool | None
    owner: bool | None
    group: bool | None
    configuration: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """What rpm(8) or dpkg(1) says of one package; only the files that deviate are listed."""

    installed: bool
    deviations: tuple[Deviation, ...]


class VerifyProbe(BlockProbe):
    """``rpm -V`` or ``dpkg -V`` of named packages: all of their files are read."""

    name = "verify"

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        for request in requests:
            if not _PACKAGE.match(request.subject):
                raise ValueError(f"not the name of a package: {request.subject!r}")
        steps = "\n".join(f"v {quote(r.subject)}" for r in requests)
        # The exit status only says whether something deviates; what cannot be asked is said.
        body = (
            r"""
case "$(. /etc/os-release 2>/dev/null; echo " $ID $ID_LIKE ")" in
*" debian "*|*" ubuntu "*) f=dpkg;; *) f=rpm;; esac
command -v $f >/dev/null 2>&1 || exit 127
v() {
  echo "@$1 $f"
  if [ $f = rpm ]; then
    if rpm -q "$1" >/dev/null 2>&1; then rpm -V --nodeps --noscripts "$1" 2>&1; else echo absent; fi
  else
    case $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) in
    installed) dpkg -V "$1" 2>&1;; *) echo absent;; esac
  fi
  echo .
}
"""
            + steps
            + "\nexit 0"
        )
        return (Item(self.name, body, "rpm", 60, 1024 * 1024),)

    def command(self, request: Request) -> str:
        return f"rpm -V {request.subject}"

    def read(self, fact: Fact) -> Verified | CouldNot:
        if fact.could_not is not None:
            return fact.could_not
        lines = decoded(fact.output).split("\n")
        if lines[-2:] != [".", ""] or lines[0] not in ("rpm", "dpkg"):
            return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
        if lines[1:-2] == ["absent"]:
            return Verified(installed=False, deviations=())
        found: list[Deviation] = []
        for line in lines[1:-2]:
            if line.rstrip().endswith("(Permission denied)"):
                return CouldNot(Reason.DENIED, line[:120])
            deviation = _deviation(line)
            if deviation is None:
                return CouldNot(Reason.TOOL_FAILED, f"Unexpected line {line[:120]!r}.")
            found.append(deviation)
        return Verified(installed=True, deviations=tuple(found))


def _deviation(line: str) -> Deviation | None:
    """Return what a line says: a letter for a test that failed, ``.`` for one that held, ``?`` for
    one that was not done (rpm(8): VERIFY OPTIONS; dpkg prints the same form).
    """
    if match := _MISSING.fullmatch(line.rstrip()):
        return Deviation(
            match["path"], missing=True, content=True, mode=None, owner=None, group=None,
            configuration=match["kind"] == "c",
        )  # fmt: skip
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        return None
    tests = match["tests"]

    def said(letter: str, place: int) -> bool | None:
        if tests[place] == "?":
            return None
        return tests[place] == letter

    return Deviation(
        path=match["path"],
        missing=False,
        content=said("5", 2),
        mode=said("M", 1),
        owner=said("U", 5),
        group=said("G", 6),
        configuration=match["kind"] == "c",
    )

"""Block devices and what they are made of, symbolic links, and what the processor can do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.base import BlockProbe, Item, TableProbe, decoded, quote
from openwatch.engine.probes.redaction import redact


@dataclass(frozen=True, slots=True)
class Block:
    """One block device, as the kernel knows it (sysfs)."""

    name: str
    removable: bool
    """The medium can be taken out, or the whole device hangs on USB."""
    dm_uuid: str
    dm_name: str
    parent: str
    """The disk that a partition lies on; empty for a whole device."""
    slaves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blocks:
    """All block devices, their names below /dev/disk, and where memory is swapped to."""

    devices: Mapping[str, Block]
    links: Mapping[str, str]
    """``uuid/1234-ABCD`` to the name of a device."""
    swaps: tuple[str, ...]

    def find(self, source: str) -> Block | None:
        """Return the device that fstab(5) or mountinfo names, or ``None``."""
        kind, tag, value = source.partition("=")
        if tag and kind.lower() in _TAGS:
            name = self.links.get(f"{kind.lower()}/{value.strip(_QUOTES)}")
        elif source.startswith("/dev/disk/by-"):
            name = self.links.get(source.removeprefix("/dev/disk/by-"))
        else:
            name = source.removeprefix("/dev/").removeprefix("mapper/")
        if name is None:
            return None
        # LVM: a hyphen in the name of a group or volume is doubled in that of the mapping.
        mapped = "-".join(part.replace("-", "--") for part in name.split("/"))
        by_map = next((d for d in self.devices.values() if d.dm_name in (name, mapped)), None)
        return self.devices.get(name) or by_map

    def below(self, device: Block) -> tuple[Block, ...]:
        """Return the devices that a device lies on directly."""
        names = device.slaves or ((device.parent,) if device.parent else ())
        return tuple(self.devices[name] for name in names if name in self.devices)

    def encrypted(self, device: Block, _above: frozenset[str] = frozenset()) -> bool:
        """Return whether whatever is written to a device is encrypted on its way to each disk."""
        if device.dm_uuid.startswith(_ENCRYPTED):
            return True
        if device.name in _above:
            return False
        below = self.below(device)
        seen = _above | {device.name}
        return bool(below) and all(self.encrypted(part, seen) for part in below)

    def removable(self, device: Block, _above: frozenset[str] = frozenset()) -> bool:
        """Return whether a device, or one that it lies on, can be taken away."""
        if device.removable:
            return True
        if device.name in _above:
            return False
        seen = _above | {device.name}
        return any(self.removable(part, seen) for part in self.below(device))


_TAGS: Final = frozenset({"uuid", "label", "partuuid", "partlabel"})
_QUOTES: Final = "\"'"
_ENCRYPTED: Final = ("CRYPT-LUKS", "CRYPT-PLAIN-", "CRYPT-BITLK-", "CRYPT-TCRYPT-", "CRYPT-FVAULT2")
"""Kinds of cryptsetup(8) that encrypt; CRYPT-VERITY and CRYPT-INTEGRITY only protect."""


class BlocksProbe(TableProbe):
    """sysfs and /dev/disk; no device is opened."""

    name = "blocks"
    command = "lsblk"
    body = r"""
nl='
'
cd /sys/class/block 2>/dev/null || { echo '#end'; exit 0; }
for d in *; do
  case $d in ram[0-9]*|loop[0-9]*|zram[0-9]*|\*) continue;; esac
  r=0; u=; n=; s=; p=
  w=$(cd -P "$d" 2>/dev/null && pwd) || continue
  [ ! -e "$d/partition" ] || { p=${w%/*}; p=${p##*/}; }
  { read -r r <"$d/removable"; } 2>/dev/null
  case $w in */usb[0-9]*/*) r=1;; esac
  { read -r u <"$d/dm/uuid"; } 2>/dev/null
  { read -r n <"$d/dm/name"; } 2>/dev/null
  for x in "$d"/slaves/*; do [ ! -e "$x" ] || s="$s ${x##*/}"; done
  printf 'block|%s|%s|%s|%s|%s|%s\n' "$d" "$r" "$u" "$n" "$p" "${s# }"
done
for k in uuid label partuuid partlabel; do
  for f in "/dev/disk/by-$k"/*; do
    case $f in *"$nl"*) continue;; esac
    [ ! -L "$f" ] || { t=$(readlink "$f"); printf 'link|%s/%s|%s\n' "$k" "${f##*/}" "${t##*/}"; }
  done
done
if [ -r /proc/swaps ]; then
  while read -r f x; do
    case $f in /dev/zram*) ;; /*) printf 'swap|%s\n' "$f";; esac
  done </proc/swaps
fi
echo '#end'
"""

    def clean(self, output: bytes) -> bytes:
        head, mark, rest = output.partition(b"#end\n")
        lines = sorted(set(head.splitlines(keepends=True)))
        return redact(b"".join(lines)) + mark + rest

    def parse(self, text: str) -> Blocks | CouldNot:
        rows = text.split("\n")
        if rows[-2:] != ["#end", ""]:
            return CouldNot(Reason.UNPARSABLE, "The list of block devices is cut short.")
        devices: dict[str, Block] = {}
        links: dict[str, str] = {}
        swaps: list[str] = []
        for row in rows[:-2]:
            match row.split("|"):
                case ["block", name, removable, uuid, mapped, parent, slaves] if name:
                    devices[name] = Block(
                        name, removable == "1", uuid, mapped, parent, tuple(slaves.split())
                    )
                case ["link", name, target] if target:
                    links[_unescape(name)] = target
                case ["swap", name]:
                    swaps.append(name)
                case _:
                    return CouldNot(Reason.UNPARSABLE, f"Unexpected line {row[:80]!r}.")
        return Blocks(devices, links, tuple(swaps))


def _unescape(text: str) -> str:
    """Return a name below /dev/disk without the escapes of udev (``\\x20``)."""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)


@dataclass(frozen=True, slots=True)
class Link:
    """One path: whether something is there, and where it points to when it is a link."""

    path: str
    exists: bool
    target: str | None


_LINK_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_@%+=:,.~-]+)*/[A-Za-z0-9_@%+=:,.*?~-]+\Z")
"""A pattern stands only in the last part: a closed directory could hide what one above finds."""


class LinkProbe(BlockProbe):
    """Where symbolic links point to; of a pattern, all that it matches."""

    name = "link"

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        for request in requests:
            if not _LINK_PATH.match(request.subject):
                raise ValueError(f"not a path that can be asked for: {request.subject!r}")
        steps = "\n".join(f"q {quote(r.subject)} {r.subject}" for r in requests)
        body = (
            r"""
nl='
'
q() {
  p=$1; shift
  printf '@%s\n' "$p"
  d=${p%/*}
  while case $d in *[*?]*) :;; *) [ -n "$d" ] && [ ! -d "$d" ];; esac do d=${d%/*}; done
  [ -x "${d:-/}" ] && [ -r "${d:-/}" ] || echo '!'
  for f do
    case $f in *"$nl"*) echo '!'; continue;; esac
    if [ -L "$f" ]; then t=$(readlink "$f"); case $t in *"$nl"*) echo '!';; *)
      printf '>%s|%s\n' "$f" "$t";; esac
    elif [ -e "$f" ]; then printf '=%s\n' "$f"; fi
  done
  echo .
}
"""
            + steps
            + "\nexit 0"
        )
        return (Item(self.name, body, "readlink", 10, 1024 * 1024),)

    def command(self, request: Request) -> str:
        return f"readlink {request.subject}"

    def read(self, fact: Fact) -> tuple[Link, ...] | CouldNot:
        """Return what the path or pattern matches, in sorted order."""
        if fact.could_not is not None:
            return fact.could_not
        found: list[Link] = []
        lines = decoded(fact.output).split("\n")
        if lines[-2:] != [".", ""]:
            return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
        for line in lines[:-2]:
            mark, rest = line[:1], line[1:]
            path, bar, target = rest.partition("|")
            match mark:
                case "!":
                    return CouldNot(Reason.DENIED, f"{fact.request.subject} could not be seen.")
                case ">" if bar and path.startswith("/"):
                    found.append(Link(path, exists=True, target=target))
                case "=" if rest.startswith("/"):
                    found.append(Link(rest, exists=True, target=None))
                case _:
                    return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        return tuple(found)


class ProcessorProbe(TableProbe):
    """The flags of the first processor; its clock and its load are left out."""

    name = "processor"
    command = "grep -m1 flags /proc/cpuinfo"
    body = (
        "[ -r /proc/cpuinfo ] || exit 1\n"
        "uname -m\n"
        "sed -nE '/^(flags|Features)[[:space:]]*:/{s/^[^:]*://p;q;}' /proc/cpuinfo\n"
        "echo '#end'"
    )

    def parse(self, text: str) -> tuple[str, frozenset[str]] | CouldNot:
        """Return the machine as uname(1) calls it, and the flags of its processor."""
        rows = text.split("\n")
        if rows[-2:] != ["#end", ""] or len(rows) < 3:
            return CouldNot(Reason.UNPARSABLE, "The answer about the processor is cut short.")
        return rows[0].strip(), frozenset(" ".join(rows[1:-2]).split())

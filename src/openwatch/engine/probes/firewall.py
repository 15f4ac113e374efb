"""The packet filter of the kernel and the network interfaces that it guards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.netfilter import Ruleset, iptables, nftables
from openwatch.engine.probes.base import TableProbe

_PROMISCUOUS: Final = 0x100
_LOOPBACK: Final = 0x8
_UP: Final = 0x1
"""include/uapi/linux/if.h: IFF_PROMISC, IFF_LOOPBACK, IFF_UP."""

_COUNTED: Final = frozenset({"handle", "counter", "expires", "last", "used", "metainfo", "index"})
"""What nft(8) prints of a rule or an element that changes by itself."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface. ``port``: it belongs to a bridge, a bond or another interface."""

    name: str
    up: bool
    loopback: bool
    promiscuous: bool
    port: bool


class InterfacesProbe(TableProbe):
    """The network interfaces and their flags (sysfs(5), /sys/class/net). The flags of sysfs tell
    of a sniffer as well; those that ip(8) shows do not.
    """

    name = "interfaces"
    command = "cat /sys/class/net/*/flags"
    body = (
        "[ -d /sys/class/net ] || { echo '#none'; echo '#end'; exit 0; }\n"
        "for d in /sys/class/net/*; do\n"
        ' [ -e "$d/flags" ] || continue\n'
        ' read -r f < "$d/flags" || exit 1\n'
        ' p=; if [ -e "$d/brport" ] || [ -e "$d/master" ]; then p=port; fi\n'
        ' echo "${d##*/} $f $p"\n'
        "done; echo '#end'"
    )

    def parse(self, text: str) -> tuple[Interface, ...] | CouldNot:
        """Return the interfaces, sorted by name."""
        lines = text.rstrip("\n").split("\n")
        if lines[-1] != "#end":
            return CouldNot(Reason.UNPARSABLE, "The list of interfaces is cut short.")
        if lines[0] == "#none":
            return CouldNot(Reason.INCOMPLETE, "/sys/class/net is not there.")
        found: list[Interface] = []
        for line in lines[:-1]:
            match = re.fullmatch(r"(\S{1,32}) 0x([0-9a-fA-F]{1,8}) (port)?", line)
            if match is None:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            flags = int(match[2], 16)
            found.append(
                Interface(
                    name=match[1],
                    up=bool(flags & _UP),
                    loopback=bool(flags & _LOOPBACK),
                    promiscuous=bool(flags & _PROMISCUOUS),
                    port=match[3] is not None,
                )
            )
        return tuple(sorted(found, key=lambda interface: interface.name))


class FirewallProbe(TableProbe):
    """The rules that the kernel has: those of nftables, and those of iptables in its own words.

    Rules of iptables that live in nftables show there with holes (``xt``), so that they are asked
    for a second time. The older interface of iptables has tables of its own.
    """

    name = "firewall"
    command = "nft -j list ruleset; iptables-save; ip6tables-save"
    seconds = 20
    max_bytes = 8 * 1024 * 1024
    body = r"""
has() { command -v "$1" >/dev/null 2>&1; }
# Asking nft would load nf_tables: what is not in the kernel has no rules.
n=yes
if [ ! -d /sys/module/nf_tables ] && [ -d /sys/module ]; then
  b=/lib/modules/$(uname -r)/modules.builtin
  [ -r "$b" ] && ! grep -q '/nf_tables\.ko' "$b" && n=no
fi
if [ $n = no ]; then echo '#nft off'
elif has nft; then echo '#nft on'; nft -j list ruleset || exit; echo
else echo '#nft missing'; fi
save() { echo "#save $1 $2"; "$3" || exit; echo '#saved'; }
for f in ip ip6; do
  t=${f}tables
  v=; has $t-save && v=$($t -V 2>/dev/null)
  if [ $n = yes ]; then
    if has $t-nft-save; then save $f nft $t-nft-save
    else case $v in *nf_tables*) save $f nft $t-save;; esac; fi
  fi
  # /proc/net names the tables of the older interface, and only once it is in use.
  [ -e /proc/net/${f}_tables_names ] || continue
  o=$(cat /proc/net/${f}_tables_names) || exit
  [ -n "$o" ] || continue
  if has $t-legacy-save; then save $f legacy $t-legacy-save
  else case $v in
    ''|*nf_tables*) echo "#unseen $f";;
    *) save $f legacy $t-save;;
  esac; fi
done
echo '#end'
"""

    def clean(self, output: bytes) -> bytes:
        """Return the rules without counters, handles and what else changes by itself."""
        lines: list[bytes] = []
        for line in output.split(b"\n"):
            if line.startswith(b"{"):
                lines.append(_without_counters(line))
            elif not line.startswith(b"# "):
                lines.append(re.sub(rb" \[\d+:\d+\]$", b"", line))
        return b"\n".join(lines)

    def parse(self, text: str) -> Ruleset | CouldNot:
        """Return the rules of the kernel; what of them could not be seen is said in them."""
        lines = text.rstrip("\n").split("\n")
        if lines[-1] != "#end" or not lines[0].startswith("#nft "):
            return CouldNot(Reason.UNPARSABLE, "The rules of the packet filter are cut short.")
        try:
            return _ruleset(lines)
        except ValueError as error:
            return CouldNot(Reason.UNPARSABLE, f"The rules of the packet filter: {error}.")
        except RecursionError:
            return CouldNot(Reason.UNPARSABLE, "The packet filter is nested too deep.")


def _without_counters(line: bytes) -> bytes:
    try:
        document = _still(json.loads(line))
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return line


def _still(value: Any) -> Any:
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        kept = {k: _still(v) for k, v in entries.items() if k not in _COUNTED}
        flags = entries.get("flags")
        if isinstance(flags, list) and {"timeout", "dynamic"} & set(map(str, cast("Any", flags))):
            kept.pop("elem", None)
        return kept
    if isinstance(value, list):
        items = [_still(item) for item in cast("list[Any]", value)]
        return [item for item in items if item != {}]
    return value


def _ruleset(lines: list[str]) -> Ruleset:
    """Return the chains of all blocks of an answer. Raises ``ValueError``."""
    state = lines[0].removeprefix("#nft ")
    held = nftables.Read()
    unseen = "nft is not on the host" if state == "missing" else ""
    if state == "on":
        document = next((line for line in lines[1:] if line.startswith("{")), "")
        held = nftables.read(document)
    chains = dict(held.chains)
    for family, kind, block in _blocks(lines):
        saved = iptables.read(block, family, kind)
        if kind == "legacy":
            chains |= saved
            continue
        # What nftables shows whole is read there; iptables knows no tables but its own.
        foreign = held.foreign if state == "on" else {chain.scope for chain in saved.values()}
        chains |= {key: chain for key, chain in saved.items() if chain.scope in foreign}
    for line in lines:
        if line.startswith("#unseen "):
            unseen = f"the older tables of {line.removeprefix('#unseen ')}"
    return Ruleset(chains, unseen)


def _blocks(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    head: list[str] | None = None
    block: list[str] = []
    for line in lines:
        if line.startswith("#save "):
            head, block = line.split()[1:], []
        elif line == "#saved" and head is not None:
            if len(head) != 2:
                raise ValueError(f"unexpected line {' '.join(head)[:80]!r}")
            yield head[0], head[1], "\n".join(block)
            head = None
        elif head is not None:
            block.append(line)
    if head is not None:
        raise ValueError("the saved rules are cut short")

"""Listening sockets, from the kernel's own tables: no program is needed for them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe

_TCP_LISTEN: Final = "0A"
_UDP_UNCONNECTED: Final = "07"
"""include/net/tcp_states.h: TCP_LISTEN, and TCP_CLOSE, which an unconnected UDP socket has."""


@dataclass(frozen=True, slots=True, order=True)
class Socket:
    """One listening socket."""

    protocol: str
    address: str
    port: int
    uid: int

    @property
    def loopback(self) -> bool:
        address = ipaddress.ip_address(self.address)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class SocketsProbe(TableProbe):
    """TCP sockets that listen and UDP sockets that are bound (proc(5), /proc/net)."""

    name = "sockets"
    command = "cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6"
    body = (
        "case $(uname -m) in s390*|ppc|ppc64|sparc*|mips|mips64|parisc*|m68k) echo '#big';; esac\n"
        "for t in tcp tcp6 udp udp6; do\n"
        ' f=/proc/net/$t; if [ -e "$f" ]; then echo "#$t";'
        " case $t in tcp*) s=0A;; *) s=07;; esac\n"
        # One process takes the few that listen out of the many that are connected.
        ' w=$(grep -E "^ *[0-9]+: [^ ]+ [^ ]+ $s " "$f"); [ $? -le 1 ] || exit 1\n'
        # Only the columns that stay the same while a socket lives, so that the answer of an
        # unchanged host is unchanged: local address, state, uid.
        ' printf "%s\\n" "$w" | while read -r i l r st q tr rt u rest; do'
        ' [ -z "$l" ] || echo "$l $st $u"; done | sort -u; fi\ndone; echo "#end"'
    )

    def parse(self, text: str) -> tuple[Socket, ...] | CouldNot:
        protocol = ""
        sockets: set[Socket] = set()
        lines = text.rstrip("\n").split("\n")
        if not lines or lines[-1] != "#end":
            return CouldNot(Reason.UNPARSABLE, "The socket tables are cut short.")
        if "#tcp" not in lines:
            return CouldNot(Reason.UNPARSABLE, "The kernel shows no TCP table.")
        # The kernel prints an address as numbers of its own byte order.
        little_endian = lines[0] != "#big"
        for line in lines[:-1]:
            if line.startswith("#"):
                protocol = line[1:]
                continue
            socket = _parse(protocol, line, little_endian=little_endian)
            if socket is None:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            sockets.add(socket)
        return tuple(sorted(sockets))


def _parse(protocol: str, line: str, *, little_endian: bool) -> Socket | None:
    parts = line.split()
    if len(parts) != 3:
        return None
    local, state, uid = parts
    address, _, port = local.partition(":")
    wanted = _TCP_LISTEN if protocol.startswith("tcp") else _UDP_UNCONNECTED
    if state != wanted or not uid.isdigit():
        return None
    try:
        return Socket(
            protocol[:3], _address(address, little_endian=little_endian), int(port, 16), int(uid)
        )
    except ValueError:
        return None


def _address(text: str, *, little_endian: bool) -> str:
    """Return the address that the kernel prints as host-order 32-bit words in hexadecimal."""
    raw = bytes.fromhex(text)
    if len(raw) not in (4, 16):
        raise ValueError("not an address")
    step = -1 if little_endian else 1
    words = b"".join(raw[i : i + 4][::step] for i in range(0, len(raw), 4))
    return str(ipaddress.ip_address(words))

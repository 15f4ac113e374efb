"""What of a running host decides about a packet: rules, interfaces and ports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.netfilter import Fate, Packet, Ruleset, fate
from openwatch.engine.probes.firewall import Interface
from openwatch.engine.probes.network import Socket
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.firewall_boot import unnamed_ports

_INNER: Final = re.compile(
    r"docker\d+|br-[0-9a-f]{12}|virbr\d+(?:-nic)?|veth.*|cni.*|podman\d+|lxcbr\d+|lxdbr\d+|cali.+"
    r"|cilium.*|flannel.*|vnet\d+|tap.*"
)
"""Interfaces that container and virtual machine managers make inside of the host."""

_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "input": ("prerouting", "input"),
    "forward": ("prerouting", "forward"),
    "output": ("output",),
}
"""The hooks by which a packet goes. One of them that drops it is enough."""


def unknown(detail: str) -> CouldNot:
    """Return that something that decides is not known."""
    return CouldNot(Reason.INCOMPLETE, detail)


def through(ruleset: Ruleset, hook: str, packet: Packet) -> Fate:
    """Return what becomes of a packet that goes by a hook."""
    fates = {fate(ruleset, one, packet) for one in _PATHS[hook]}
    for one in (Fate.DROP, Fate.UNKNOWN):
        if one in fates:
            return one
    return Fate.ACCEPT


def _outer(interfaces: Iterable[Interface]) -> tuple[str, ...]:
    return tuple(i.name for i in interfaces if not i.loopback and not _INNER.fullmatch(i.name))


@dataclass(frozen=True, slots=True)
class Seen:
    """What of the running host decides: rules, interfaces to the outside, ports without a rule."""

    ruleset: Ruleset
    outer: tuple[str, ...]
    ports: tuple[int, ...]
    sockets: tuple[Socket, ...] | CouldNot


def seen_on(snapshot: Snapshot) -> Seen | CouldNot:
    """Return what decides on a host, or why that is not known."""
    ruleset: Ruleset | CouldNot = snapshot.read(Request("firewall"))
    interfaces: tuple[Interface, ...] | CouldNot = snapshot.read(Request("interfaces"))
    if isinstance(ruleset, CouldNot):
        return ruleset
    if isinstance(interfaces, CouldNot):
        return interfaces
    ports = unnamed_ports(ruleset)
    outer = _named(ruleset, _outer(interfaces))
    return Seen(ruleset, outer, ports, snapshot.read(Request("sockets")))


def _named(ruleset: Ruleset, interfaces: Iterable[str]) -> tuple[str, ...]:
    """Return the interfaces that some rule is about: all others are treated alike."""
    patterns = {
        value
        for test in ruleset.tests
        if test.field in ("iif", "oif")
        for value in test.values or ()
        if isinstance(value, str)
    }
    return tuple(name for name in interfaces if any(fnmatchcase(name, p) for p in patterns))

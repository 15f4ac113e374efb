"""The firewall as it works on packets, and the ports that it guards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.netfilter import Effect, Fate, Packet, Rule, Ruleset, Test, fate
from openwatch.engine.netfilter.model import Network
from openwatch.engine.probes.firewall import Interface
from openwatch.engine.probes.network import Socket
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects import firewall_boot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value
from openwatch.engine.subjects.firewall_boot import FAMILIES, HOOKS, strangers, summary

_RULES: Final = (Request("firewall"), Request("interfaces"), Request("sockets"))

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

_LOOPBACK: Final = {"ip": "127.0.0.1", "ip6": "::1"}


def _unknown(detail: str) -> CouldNot:
    return CouldNot(Reason.INCOMPLETE, detail)


def _through(ruleset: Ruleset, hook: str, packet: Packet) -> Fate:
    fates = {fate(ruleset, one, packet) for one in _PATHS[hook]}
    for one in (Fate.DROP, Fate.UNKNOWN):
        if one in fates:
            return one
    return Fate.ACCEPT


def _flag(found: Fate, wanted: Fate) -> Value:
    if found is Fate.UNKNOWN:
        return _unknown("A rule asks for something that is not known here.")
    return found is wanted


def _outer(interfaces: Iterable[Interface]) -> tuple[str, ...]:
    return tuple(i.name for i in interfaces if not i.loopback and not _INNER.fullmatch(i.name))


class FirewallSubject(Subject):
    """What the firewall does with packets now, for each family (ip, ip6) and hook (input, forward,
    output). ``policy``: with one that opens a connection that no rule names; what is rejected is
    dropped.
    """

    LABEL: ClassVar[str] = "firewall"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "family": Kind.TEXT,
        "hook": Kind.TEXT,
        "policy": Kind.TEXT,
        "base_chain": Kind.FLAG,
        "established": Kind.FLAG,
        "loopback": Kind.FLAG,
        "spoofed_loopback": Kind.TEXT,
    }

    def requests(self) -> tuple[Request, ...]:
        return (*_RULES, Request("capabilities"), *_NO_IPV6)

    def select(self, snapshot: Snapshot) -> Selection:
        families = _families(snapshot)
        if isinstance(families, CouldNot):
            return Selection(could_not=families)
        seen = _seen(snapshot)
        return Selection(
            tuple(
                Record(
                    name=f"{family} {hook}",
                    values={"family": family, "hook": hook, **self._running(seen, family, hook)},
                    raw=_chains(seen, family, hook),
                )
                for family in families
                for hook in HOOKS
            )
        )

    def _running(self, seen: _Seen | CouldNot, family: str, hook: str) -> dict[str, Value]:
        if isinstance(seen, CouldNot):
            return dict.fromkeys(_RUNNING, seen)
        ruleset, ports = seen.ruleset, seen.ports
        chains = ruleset.base_chains(family, hook)
        packets = strangers(ports, family, hook, interfaces=seen.outer)
        opening = next(strangers(ports, family, hook, interfaces=()))
        known = replace(opening, state="established")
        own = ip_address(_LOOPBACK[family])
        inner = Packet(family, "tcp", "lo", "lo", own, own, dport=ports[-1])
        return {
            "policy": summary({_through(ruleset, hook, packet) for packet in packets}),
            "base_chain": bool(chains) or (_unknown(ruleset.unseen) if ruleset.unseen else False),
            "established": _flag(_through(ruleset, hook, known), Fate.ACCEPT),
            "loopback": _flag(_through(ruleset, hook, inner), Fate.ACCEPT),
            "spoofed_loopback": _spoofed(seen, family) if hook == "input" else None,
        }


_NO_IPV6: Final = (
    Request("sysctl", "net.ipv6.conf.all.disable_ipv6"),
    Request("sysctl", "net.ipv6.conf.default.disable_ipv6"),
)


def _families(snapshot: Snapshot) -> tuple[str, ...] | CouldNot:
    """Return the families that the host speaks: IPv6 may be off for all interfaces."""
    capabilities = snapshot.capabilities
    if isinstance(capabilities, CouldNot):
        return capabilities
    if "ipv6" not in capabilities:
        return FAMILIES[:1]
    switches: list[str | CouldNot | None] = [snapshot.read(request) for request in _NO_IPV6]
    for switch in switches:
        if isinstance(switch, CouldNot):
            return switch
    return FAMILIES[:1] if all(switch == "1" for switch in switches) else FAMILIES


class FirewallBootSubject(Subject):
    """What the tools that are started at boot will load, for each family and hook. ``policy``:
    what becomes of a packet that no rule names; ``base_chain``: nftables.service makes a chain.
    """

    LABEL: ClassVar[str] = "firewall_boot"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "family": Kind.TEXT,
        "hook": Kind.TEXT,
        "policy": Kind.TEXT,
        "base_chain": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return (*firewall_boot.requests(), Request("capabilities"), *_NO_IPV6)

    def select(self, snapshot: Snapshot) -> Selection:
        families = _families(snapshot)
        if isinstance(families, CouldNot):
            return Selection(could_not=families)
        boot = firewall_boot.after_boot(snapshot)
        chains = firewall_boot.boot_chains(snapshot)
        return Selection(
            tuple(
                self._record((family, hook), boot, chains) for family in families for hook in HOOKS
            )
        )

    def _record(
        self,
        key: tuple[str, str],
        boot: firewall_boot.Boot,
        chains: frozenset[tuple[str, str]] | CouldNot,
    ) -> Record:
        values: dict[str, Value] = {
            "family": key[0],
            "hook": key[1],
            "policy": boot.policies[key],
            "base_chain": chains if isinstance(chains, CouldNot) else key in chains,
        }
        sources = {"policy": boot.sources[key]} if key in boot.sources else {}
        return Record(f"{key[0]} {key[1]} after a boot", values, sources)


_RUNNING: Final = ("policy", "base_chain", "established", "loopback", "spoofed_loopback")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of the running host decides: rules, interfaces to the outside, ports without a rule."""

    ruleset: Ruleset
    outer: tuple[str, ...]
    ports: tuple[int, ...]
    sockets: tuple[Socket, ...] | CouldNot


def _seen(snapshot: Snapshot) -> _Seen | CouldNot:
    ruleset: Ruleset | CouldNot = snapshot.read(Request("firewall"))
    interfaces: tuple[Interface, ...] | CouldNot = snapshot.read(Request("interfaces"))
    if isinstance(ruleset, CouldNot):
        return ruleset
    if isinstance(interfaces, CouldNot):
        return interfaces
    ports = firewall_boot.unnamed_ports(ruleset)
    outer = _named(ruleset, _outer(interfaces))
    return _Seen(ruleset, outer, ports, snapshot.read(Request("sockets")))


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


def _spoofed(seen: _Seen, family: str) -> Value:
    """What becomes of packets from the network that say to come from the host itself: dropped
    where a rule is about these addresses, or where not even an open port would take them. What
    takes them whatever their port comes before such a rule.
    """
    address = ip_address(_LOOPBACK[family])
    tried = {("tcp", port) for port in seen.ports}
    if not _rule_against(seen.ruleset, family, address):
        if isinstance(seen.sockets, CouldNot):
            return seen.sockets
        tried |= {(s.protocol, s.port) for s in seen.sockets if not s.loopback}
    return summary(
        {
            _through(
                seen.ruleset,
                "input",
                Packet(family, protocol, name, None, address, dport=port, spoofed=True),
            )
            for name in (None, *seen.outer)
            for protocol, port in tried
        }
    )


_LOOPBACK_PREFIX: Final = {"ip": 8, "ip6": 128}


def _rule_against(ruleset: Ruleset, family: str, address: IPv4Address | IPv6Address) -> bool:
    return any(
        test.field == "saddr"
        and any(
            isinstance(n, Network)
            and n.version == address.version
            and address in n
            and n.prefixlen >= _LOOPBACK_PREFIX[family]
            for n in test.values or ()
        )
        for chain in ruleset.chains.values()
        if family in chain.families
        for rule in chain.rules
        if rule.effect is Effect.DROP
        for match in rule.matches
        if not match.negated
        for test in match.tests()
    )


class OpenPortSubject(Subject):
    """The ports on which the host listens for others, for each family. ``named``: a rule of the
    firewall is about the port; ``accepted``: a stranger may connect to it; ``limited``: the rule
    about it stops who comes too often; ``client``: it is most likely the socket of a client that
    waits for an answer, and nobody else can reach it.
    """

    LABEL: ClassVar[str] = "open_port"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "service": Kind.TEXT,
        "protocol": Kind.TEXT,
        "port": Kind.NUMBER,
        "family": Kind.TEXT,
        "named": Kind.FLAG,
        "accepted": Kind.FLAG,
        "limited": Kind.FLAG,
        "client": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("sockets"), Request("firewall"), Request("interfaces"))

    def select(self, snapshot: Snapshot) -> Selection:
        sockets: tuple[Socket, ...] | CouldNot = snapshot.read(Request("sockets"))
        if isinstance(sockets, CouldNot):
            return Selection(could_not=sockets)
        seen = _seen(snapshot)
        return Selection(
            tuple(
                _open_port(protocol, port, family, seen)
                for protocol, port, family in sorted(_listening(sockets))
            )
        )


def _chains(seen: _Seen | CouldNot, family: str, hook: str) -> str:
    if isinstance(seen, CouldNot):
        return ""
    chains = seen.ruleset.base_chains(family, hook)
    lines = [f"{chain.scope} {chain.name}: policy {chain.policy.value}" for chain in chains]
    return "\n".join(lines) or "no base chain"


def _listening(sockets: Iterable[Socket]) -> set[tuple[str, int, str]]:
    """A socket on ``::`` takes IPv4 as well, unless another one is there for that."""
    found: set[tuple[str, int, str]] = set()
    for socket in sockets:
        if not socket.loopback:
            family = "ip6" if ":" in socket.address else "ip"
            found.add((socket.protocol, socket.port, family))
            if socket.address == "::":
                found.add((socket.protocol, socket.port, "ip"))
    return found


_EPHEMERAL: Final = range(32768, 61000)
"""ip_local_port_range: where the kernel takes the ports of clients from, if nobody says otherwise.
A client of UDP, such as one of NTP or DNS, looks like a server while it waits."""

_JUDGED: Final[tuple[str, ...]] = ("named", "accepted", "limited", "client")


def _open_port(protocol: str, port: int, family: str, seen: _Seen | CouldNot) -> Record:
    service = f"{port}/{protocol}"
    values: dict[str, Value] = {
        "service": service, "protocol": protocol, "port": port, "family": family,
    }  # fmt: skip
    name = f"{service} ({family})"
    facts: dict[str, Request] = dict.fromkeys(_JUDGED, Request("firewall"))
    passing = protocol == "udp" and port in _EPHEMERAL
    if isinstance(seen, CouldNot):
        client = seen if passing else False
        return Record(
            name, values | dict.fromkeys(facts, seen) | {"client": client}, requests=facts
        )
    ruleset = seen.ruleset
    about = _about(ruleset, protocol, port, family)
    unseen = _unknown(ruleset.unseen) if ruleset.unseen else False
    values["named"] = bool(about) or unseen
    values["limited"] = any(_limits(rule) for rule in about) or unseen
    far = next(strangers(seen.ports, family, "input", interfaces=())).source
    found = summary(
        {
            _through(ruleset, "input", Packet(family, protocol, i, source=far, dport=port))
            for i in (None, *seen.outer)
        }
    )
    values["accepted"] = found if isinstance(found, CouldNot) else found == firewall_boot.ACCEPT
    closed = found if isinstance(found, CouldNot) else found == firewall_boot.DROP
    values["client"] = closed if passing else False
    return Record(name, values, raw=f"listens on {service}", requests=facts)


def _limits(rule: Rule) -> bool:
    return rule.limited or rule.target in ("ufw-user-limit", "ufw6-user-limit")


def _about(ruleset: Ruleset, protocol: str, port: int, family: str) -> list[Rule]:
    """Return the rules that decide about a port; those of ufw that lead back to its policy, and
    those that only log, do not.
    """
    return [
        rule
        for chain in ruleset.chains.values()
        if family in chain.families and chain.type != "nat" and not chain.scope.endswith(" nat")
        for rule in chain.rules
        if rule.effect is not Effect.NOTHING
        and "skip-to-policy" not in rule.target
        and _names(rule, protocol, port, family)
    ]


def _names(rule: Rule, protocol: str, port: int, family: str) -> bool:
    named = False
    for match in rule.matches:
        if match.negated:
            continue
        options = [o for o in match.options if _fits(o, protocol, port, family)]
        if not options:
            return False
        named = named or any(t.field == "dport" for option in options for t in option)
    return named


def _fits(option: Iterable[Test], protocol: str, port: int, family: str) -> bool:
    wide = firewall_boot.WIDE
    for test in option:
        if test.values is None:
            continue
        match test.field:
            case "proto" if protocol not in test.values:
                return False
            case "family" if family not in test.values:
                return False
            case "dport" if not any(
                isinstance(v, tuple) and v[0] <= port <= v[1] and v[1] - v[0] < wide
                for v in test.values
            ):
                return False
            case _:
                continue
    return True

"""The firewall as it works on packets, now and after a boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.netfilter import Effect, Fate, Packet, Ruleset
from openwatch.engine.netfilter.model import Network
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects import firewall_boot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value
from openwatch.engine.subjects.firewall_boot import FAMILIES, HOOKS, strangers, summary
from openwatch.engine.subjects.firewall_running import Seen, seen_on, through, unknown

_RULES: Final = (Request("firewall"), Request("interfaces"), Request("sockets"))

_LOOPBACK: Final = {"ip": "127.0.0.1", "ip6": "::1"}


def _flag(found: Fate, wanted: Fate) -> Value:
    if found is Fate.UNKNOWN:
        return unknown("A rule asks for something that is not known here.")
    return found is wanted


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
        seen = seen_on(snapshot)
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

    def _running(self, seen: Seen | CouldNot, family: str, hook: str) -> dict[str, Value]:
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
            "policy": summary({through(ruleset, hook, packet) for packet in packets}),
            "base_chain": bool(chains) or (unknown(ruleset.unseen) if ruleset.unseen else False),
            "established": _flag(through(ruleset, hook, known), Fate.ACCEPT),
            "loopback": _flag(through(ruleset, hook, inner), Fate.ACCEPT),
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


def _spoofed(seen: Seen, family: str) -> Value:
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
            through(
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


def _chains(seen: Seen | CouldNot, family: str, hook: str) -> str:
    if isinstance(seen, CouldNot):
        return ""
    chains = seen.ruleset.base_chains(family, hook)
    lines = [f"{chain.scope} {chain.name}: policy {chain.policy.value}" for chain in chains]
    return "\n".join(lines) or "no base chain"

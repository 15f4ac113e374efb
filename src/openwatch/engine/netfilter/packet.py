"""What becomes of a packet: the rules are followed as the kernel follows them.

A packet is let through when every base chain at the hook accepts it; one that drops it is enough
(nft(8): "accept" ends a base chain, "drop" ends everything). What a rule asks that is not known of
the packet may be so or not: both ways are followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from openwatch.engine.logic import conjunction
from openwatch.engine.netfilter.model import Chain, Effect, Literal, Match, Network, Ruleset, Test


class Fate(StrEnum):
    """What becomes of a packet."""

    ACCEPT = "accept"
    DROP = "drop"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet, as far as a rule may ask. ``None``: an interface or address that none names."""

    family: str
    protocol: str = "tcp"
    iif: str | None = None
    oif: str | None = None
    source: IPv4Address | IPv6Address | None = None
    destination: IPv4Address | IPv6Address | None = None
    sport: int = 40000
    dport: int = 0
    state: str = "new"
    spoofed: bool = False
    """Its source address cannot have come in by this interface."""


_MAX_STEPS: Final = 20_000
"""Rules that are followed for one packet, all branches together: more is no answer."""
_MAX_DEPTH: Final = 32
"""The kernel itself follows 16 jumps (NFT_JUMP_STACK_SIZE)."""

_CONTINUE: Final = "continue"
_RETURN: Final = "return"


class _TooMuchError(Exception):
    """The rules were not followed to their end."""


def fate(ruleset: Ruleset, hook: str, packet: Packet) -> Fate:
    """Return what all base chains at a hook together do with a packet."""
    fates: list[set[str]] = []
    walk = _Walk(ruleset, packet)
    for chain in ruleset.base_chains(packet.family, hook):
        ends: set[str]
        try:
            ends = walk.chain(chain, 0)
        except _TooMuchError:
            ends = {Fate.ACCEPT, Fate.DROP}
        if ends & {_CONTINUE, _RETURN}:
            ends -= {_CONTINUE, _RETURN}
            ends.add(Fate.DROP if chain.policy is Effect.DROP else Fate.ACCEPT)
        if ends == {Fate.DROP}:
            return Fate.DROP
        fates.append(ends)
    if ruleset.unseen or any(Fate.DROP in ends for ends in fates):
        return Fate.UNKNOWN
    return Fate.ACCEPT


@dataclass(slots=True)
class _Walk:
    ruleset: Ruleset
    packet: Packet
    steps: int = 0

    def chain(self, chain: Chain, depth: int) -> set[str]:
        """Return all possible ends of a chain: accept, drop, or on to the one that called it."""
        if depth > _MAX_DEPTH:
            raise _TooMuchError
        ends: set[str] = set()
        for rule in chain.rules:
            self.steps += 1
            if self.steps > _MAX_STEPS:
                raise _TooMuchError
            matched = conjunction(_match(match, self.packet) for match in rule.matches)
            if matched is False:
                continue
            effects = self._effect(chain, rule.effect, rule.target, depth)
            ends |= effects - {_CONTINUE}
            if matched and _CONTINUE not in effects:
                return ends
        return ends | {_CONTINUE}

    def _effect(self, chain: Chain, effect: Effect, target: str, depth: int) -> set[str]:
        match effect:
            case Effect.ACCEPT:
                return {Fate.ACCEPT}
            case Effect.DROP:
                return {Fate.DROP}
            case Effect.NOTHING:
                return {_CONTINUE}
            case Effect.RETURN:
                return {_RETURN}
            case Effect.UNKNOWN:
                return {Fate.ACCEPT, Fate.DROP, _CONTINUE}
            case Effect.JUMP | Effect.GOTO:
                called = self.ruleset.chains.get((chain.scope, target))
                if called is None:
                    return {Fate.ACCEPT, Fate.DROP, _CONTINUE}
                ends = self.chain(called, depth + 1)
                back = bool(ends & {_CONTINUE, _RETURN})
                ends -= {_CONTINUE, _RETURN}
                if back:
                    # After a goto the packet goes on where a jump would have returned to.
                    ends.add(_CONTINUE if effect is Effect.JUMP else _RETURN)
                return ends


def _match(match: Match, packet: Packet) -> bool | None:
    truths = [conjunction(_test(test, packet) for test in option) for option in match.options]
    truth: bool | None = any(truth is True for truth in truths)
    if not truth and None in truths:
        truth = None
    return not truth if match.negated and truth is not None else truth


def _test(test: Test, packet: Packet) -> bool | None:
    if test.values is None:
        return None
    match test.field:
        case "iif" | "oif":
            name = packet.iif if test.field == "iif" else packet.oif
            return name is not None and any(
                isinstance(v, str) and fnmatchcase(name, v) for v in test.values
            )
        case "saddr" | "daddr":
            address = packet.source if test.field == "saddr" else packet.destination
            return _address(address, test.values)
        case "sport" | "dport":
            if packet.protocol not in ("tcp", "udp"):
                return False
            port = packet.sport if test.field == "sport" else packet.dport
            return _number(port, test.values)
        case "flags":
            return _flags(test, packet)
        case "spoofed":
            return packet.spoofed
        case "extension":
            # No header of an option, a fragment or a route goes before that of TCP or UDP.
            return False
        case "mark":
            return _number(0, test.values)
        case _:
            return _word(test, packet)


def _word(test: Test, packet: Packet) -> bool | None:
    known = {
        "proto": packet.protocol,
        "family": packet.family,
        "state": packet.state,
        "type": "local" if packet.destination is None else _type(packet.destination),
        "direction": "original" if packet.state == "new" else "reply",
        "status": "",
    }
    if test.field not in known:
        return None
    return known[test.field] in (test.values or ())


def _type(address: IPv4Address | IPv6Address) -> str:
    return "multicast" if address.is_multicast else "local"


def _address(address: IPv4Address | IPv6Address | None, values: tuple[Literal, ...]) -> bool | None:
    networks = [value for value in values if isinstance(value, Network)]
    if len(networks) != len(values):
        return None
    if address is not None:
        return any(address.version == n.version and address in n for n in networks)
    if any(n.prefixlen == 0 for n in networks):
        return True
    # The addresses of the host are not known here; that one of them is no multicast is.
    return None if any(not n.network_address.is_multicast for n in networks) else False


def _number(number: int, values: tuple[Literal, ...]) -> bool | None:
    ranges = [value for value in values if isinstance(value, tuple)]
    if any(low <= number <= high for low, high in ranges):
        return True
    return None if len(ranges) != len(values) else False


def _flags(test: Test, packet: Packet) -> bool | None:
    if packet.protocol != "tcp":
        return False
    own = {"syn"} if packet.state == "new" else {"ack"}
    wanted = {value for value in test.values or () if isinstance(value, str)}
    if test.mask is None:
        return bool(own & wanted)
    return own & test.mask == wanted

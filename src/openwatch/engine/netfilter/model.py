"""Chains, rules and matches: the parts of nftables and iptables that decide about a packet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Final

Network = IPv4Network | IPv6Network
Range = tuple[int, int]
Literal = str | Range | Network
"""A value that a field of a packet is compared with: a word, whole numbers from-to, a network."""


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: a field of the packet is one of these values.

    ``values`` of ``None``: nobody can say. An interface may end in ``*``. ``flags`` are compared
    under ``mask``.
    """

    __test__ = False

    field: str
    values: tuple[Literal, ...] | None = None
    mask: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Alternatives of tests that hold together; or the opposite of that."""

    options: tuple[tuple[Test, ...], ...]
    negated: bool = False

    def tests(self) -> tuple[Test, ...]:
        """Return all tests of all alternatives."""
        return tuple(test for option in self.options for test in option)


UNKNOWN: Final = Match(((Test("unknown"),),))


class Effect(StrEnum):
    """What a rule does with a packet that it matches. A rejected packet is dropped as well."""

    ACCEPT = "accept"
    DROP = "drop"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: all of its matches have to hold."""

    matches: tuple[Match, ...]
    effect: Effect
    target: str = ""
    limited: bool = False
    """Whether it counts packets and stops at a rate: a limit, a meter, a list of recent ones."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain; one with a hook is a base chain, to which the kernel gives packets.

    ``scope`` names what jumps stay in: a table of nftables, or of iptables with its family.
    """

    scope: str
    name: str
    families: frozenset[str]
    rules: tuple[Rule, ...] = ()
    type: str = ""
    hook: str = ""
    priority: int = 0
    policy: Effect = Effect.ACCEPT


@dataclass(frozen=True)
class Ruleset:
    """All chains of a host. ``unseen`` says what else there may be that was not looked at."""

    chains: Mapping[tuple[str, str], Chain] = field(default_factory=dict[tuple[str, str], Chain])
    unseen: str = ""

    def base_chains(self, family: str, hook: str) -> tuple[Chain, ...]:
        """Return the base chains that filter packets of a family at a hook, in their order."""
        return self._base_chains.get((family, hook), ())

    @cached_property
    def _base_chains(self) -> Mapping[tuple[str, str], tuple[Chain, ...]]:
        found: dict[tuple[str, str], list[Chain]] = {}
        for chain in self.chains.values():
            if chain.hook and chain.type != "nat":
                for family in chain.families:
                    found.setdefault((family, chain.hook), []).append(chain)
        return {
            key: tuple(sorted(chains, key=lambda chain: (chain.priority, chain.scope, chain.name)))
            for key, chains in found.items()
        }

    @cached_property
    def tests(self) -> tuple[Test, ...]:
        """All tests of all rules."""
        return tuple(
            test
            for chain in self.chains.values()
            for rule in chain.rules
            for match in rule.matches
            for test in match.tests()
        )

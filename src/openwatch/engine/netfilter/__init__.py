"""The packet filter of the kernel: its rules as data, and what they do with a packet."""

from openwatch.engine.netfilter.model import Chain, Effect, Match, Rule, Ruleset, Test
from openwatch.engine.netfilter.packet import Fate, Packet, fate

__all__ = ["Chain", "Effect", "Fate", "Match", "Packet", "Rule", "Ruleset", "Test", "fate"]

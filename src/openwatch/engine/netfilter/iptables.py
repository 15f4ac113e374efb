"""Reads the output of iptables-save(8) and ip6tables-save(8) into chains."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Final

from openwatch.engine.netfilter.model import (
    UNKNOWN,
    Chain,
    Effect,
    Literal,
    Match,
    Rule,
    Test,
)

_HOOKS: Final[Mapping[str, str]] = {
    "INPUT": "input", "OUTPUT": "output", "FORWARD": "forward", "PREROUTING": "prerouting",
    "POSTROUTING": "postrouting",
}  # fmt: skip
_PRIORITIES: Final[Mapping[str, int]] = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
"""include/uapi/linux/netfilter_ipv4.h"""

_EFFECTS: Final[Mapping[str, Effect]] = {
    "ACCEPT": Effect.ACCEPT,
    "DROP": Effect.DROP,
    "REJECT": Effect.DROP,
    "RETURN": Effect.RETURN,
    "TARPIT": Effect.DROP,
    "QUEUE": Effect.UNKNOWN,
    "NFQUEUE": Effect.UNKNOWN,
    "SYNPROXY": Effect.UNKNOWN,
}
_HARMLESS: Final = frozenset(
    {"LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CT", "NOTRACK", "SET", "TCPMSS", "DSCP", "TOS",
     "TTL", "HL", "CLASSIFY", "AUDIT", "TRACE", "SECMARK", "CONNSECMARK", "CHECKSUM", "TEE"}
)  # fmt: skip
"""Targets after which the packet goes on to the next rule."""

_PROTOCOLS: Final[Mapping[str, str]] = {
    "6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp",
}  # fmt: skip

_NO_PARAMETER: Final = frozenset(
    {"--set", "--update", "--rcheck", "--remove", "--rttl", "--rsource", "--rdest", "--syn",
     "--loose", "--validmark", "--accept-local", "--invert", "--fragment", "-f", "--random",
     "--log-uid", "--log-tcp-options", "--log-ip-options", "--log-tcp-sequence", "--socket-exists",
     "--limit-iface-in", "--limit-iface-out", "--transparent", "--nowildcard", "--physdev-is-in",
     "--physdev-is-out", "--physdev-is-bridged", "--return-nomatch", "--notrack",
     "--save-mark", "--restore-mark", "--clamp-mss-to-pmtu"}
)  # fmt: skip
_RATES: Final = frozenset({"limit", "recent", "hashlimit", "connlimit"})


def read(text: str, family: str, kind: str = "nft") -> dict[tuple[str, str], Chain]:
    """Return the chains of a saved ruleset of one family (``ip``, ``ip6``).

    ``kind`` keeps tables of the older interface (``legacy``) apart from those that nftables holds.
    Raises ``ValueError`` when a line is none of iptables-save.
    """
    chains: dict[tuple[str, str], Chain] = {}
    rules: dict[tuple[str, str], list[Rule]] = {}
    table = ""
    for line in text.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        scope = f"{family} {table}" + (" (legacy)" if kind == "legacy" else "")
        if words[0].startswith("*"):
            table = words[0][1:]
        elif not table:
            raise ValueError(f"unexpected line {line[:80]!r}")
        elif words[0].startswith(":") and len(words) >= 2:
            chain = _chain(scope, table, family, words[0][1:], words[1])
            chains[scope, chain.name] = chain
        elif words[0] == "COMMIT":
            table = ""
        elif words[0] == "-A" or words[0].startswith("["):
            name, rule = _rule(line)
            rules.setdefault((scope, name), []).append(rule)
        else:
            raise ValueError(f"unexpected line {line[:80]!r}")
    if table:
        raise ValueError("the saved rules are cut short")
    for key, own in rules.items():
        chain = chains.get(key)
        if chain is None:
            raise ValueError(f"a rule of the unknown chain {key[1]}")
        chains[key] = Chain(
            chain.scope, chain.name, chain.families, tuple(own),
            chain.type, chain.hook, chain.priority, chain.policy,
        )  # fmt: skip
    return chains


def _chain(scope: str, table: str, family: str, name: str, policy: str) -> Chain:
    hook = _HOOKS.get(name, "") if policy != "-" else ""
    return Chain(
        scope=scope,
        name=name,
        families=frozenset({family}),
        type="nat" if table == "nat" else "filter",
        hook=hook,
        priority=_PRIORITIES.get(table, 0),
        policy=Effect.DROP if policy == "DROP" else Effect.ACCEPT,
    )


def _rule(line: str) -> tuple[str, Rule]:
    try:
        words = shlex.split(line)
    except ValueError:
        raise ValueError(f"a rule without an end: {line[:80]!r}") from None
    if words and words[0].startswith("["):
        words = words[1:]
    if len(words) < 2 or words[0] != "-A":
        raise ValueError(f"unexpected line {line[:80]!r}")
    return words[1], _Options(words[2:]).rule()


class _Options:
    """The words of one rule, read from left to right."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.matches: list[Match] = []
        self.effect, self.target = Effect.NOTHING, ""
        self.limited = False
        self.module = ""

    def rule(self) -> Rule:
        position, negated = 0, False
        while position < len(self.words):
            word = self.words[position]
            position += 1
            if word == "!":
                negated = True
                continue
            if not word.startswith("-"):
                self.matches.append(UNKNOWN)
                continue
            if word in _NO_PARAMETER:
                self._flag(word, negated=negated)
            else:
                count = 2 if word in ("--tcp-flags", "--match-set") else 1
                values = self.words[position : position + count]
                position += count
                self._option(word, values, negated=negated)
            negated = False
        return Rule(tuple(self.matches), self.effect, self.target, self.limited)

    def _flag(self, word: str, *, negated: bool) -> None:
        match word:
            case "--syn":
                test = Test("flags", ("syn",), frozenset({"fin", "syn", "rst", "ack"}))
                self.matches.append(Match(((test,),), negated))
            case "--update" | "--rcheck" | "--remove":
                # Of a stranger nothing was seen before.
                self.matches.append(Match(((),), negated=not negated))
            case "--invert":
                self.matches.append(Match(((Test("spoofed", ("yes",)),),)))
            case "-f" | "--fragment":
                self.matches.append(Match(((),), negated=not negated))
            case "--socket-exists" | "--transparent" | "--nowildcard":
                self.matches.append(UNKNOWN)
            case _ if word.startswith("--physdev"):
                self.matches.append(UNKNOWN)
            case _:
                return

    def _option(self, word: str, values: list[str], *, negated: bool) -> None:
        value = values[0] if values else ""
        match word:
            case "-j" | "-g" | "--jump" | "--goto":
                self._verdict(value, goto=word in ("-g", "--goto"))
            case "-m" | "--match":
                self.module = value
                self.limited = self.limited or value in _RATES
                if value not in _KNOWN_MODULES:
                    self.matches.append(UNKNOWN)
            case "--comment":
                return
            case _ if self.effect is not Effect.NOTHING or self.target:
                return
            case "--connlimit-above" | "--hashlimit-above":
                self.matches.append(Match(((),), negated=not negated))
            case _ if self.module in _RATES and word not in _PLAIN:
                # The first packet in a while is within every limit.
                return
            case _:
                test = _test(word, values)
                self.matches.append(Match((test,), negated))

    def _verdict(self, target: str, *, goto: bool) -> None:
        if target in _EFFECTS:
            self.effect, self.target = _EFFECTS[target], target
        elif target in _HARMLESS:
            self.effect, self.target = Effect.NOTHING, target
        else:
            self.effect, self.target = Effect.GOTO if goto else Effect.JUMP, target


_KNOWN_MODULES: Final = _RATES | {
    "tcp", "udp", "icmp", "icmp6", "icmpv6", "ipv6-icmp", "conntrack", "state", "multiport",
    "comment", "addrtype", "mark", "connmark", "pkttype", "rpfilter", "physdev", "iprange", "set",
    "hl", "ttl", "rt", "owner", "frag", "socket", "mh", "hbh",
}  # fmt: skip
_PLAIN: Final = frozenset(
    {"-p", "--protocol", "-s", "--source", "-d", "--destination", "-i", "-o", "--in-interface",
     "--out-interface", "--dport", "--sport", "--dports", "--sports", "--ctstate", "--state",
     "--ports", "--tcp-flags", "--mark", "--dst-type"}
)  # fmt: skip


def _test(word: str, values: list[str]) -> tuple[Test, ...]:
    value = values[0] if values else ""
    match word:
        case "-i" | "--in-interface" | "-o" | "--out-interface":
            field = "iif" if word in ("-i", "--in-interface") else "oif"
            return (Test(field, (f"{value[:-1]}*" if value.endswith("+") else value,)),)
        case "-p" | "--protocol":
            name = value.lower()
            return () if name in ("all", "0") else (Test("proto", (_PROTOCOLS.get(name, name),)),)
        case "-s" | "--source" | "-d" | "--destination":
            field = "saddr" if word in ("-s", "--source") else "daddr"
            return (Test(field, _networks(value)),)
        case "--dport" | "--dports" | "--destination-port" | "--destination-ports":
            return (Test("dport", _ports(value)),)
        case "--sport" | "--sports" | "--source-port" | "--source-ports":
            return (Test("sport", _ports(value)),)
        case "--ctstate" | "--state":
            return (Test("state", tuple(v.lower() for v in value.split(","))),)
        case "--tcp-flags" if len(values) == 2:
            mask, wanted = (_flags(v) for v in values)
            return (Test("flags", tuple(wanted), frozenset(mask)),)
        case "--dst-type" | "--pkt-type":
            kinds = {"LOCAL": "local", "UNICAST": "local", "HOST": "local"}
            return (Test("type", tuple(kinds.get(v.upper(), v.lower()) for v in value.split(","))),)
        case "--icmp-type" | "--icmpv6-type":
            return (Test("proto", ("icmp", "ipv6-icmp")), Test("unknown"))
        case _ if word.startswith(("--rt-", "--frag", "--ahspi", "--mh-", "--hbh-", "--dst-len")):
            return (Test("extension", ()),)
        case "--mark":
            return (Test("mark", _ports(value.partition("/")[0])),)
        case _:
            return (Test("unknown"),)


def _flags(text: str) -> list[str]:
    words = [word.lower() for word in text.split(",")]
    if words == ["all"]:
        return ["fin", "syn", "rst", "psh", "ack", "urg"]
    return [] if words == ["none"] else words


def _ports(text: str) -> tuple[Literal, ...] | None:
    ranges: list[Literal] = []
    for part in text.split(","):
        low, colon, high = part.partition(":")
        try:
            first = int(low or "0", 0)
            ranges.append((first, int(high or "65535", 0) if colon else first))
        except ValueError:
            return None
    return tuple(ranges)


def _networks(text: str) -> tuple[Literal, ...] | None:
    try:
        return tuple(ip_network(part, strict=False) for part in text.split(","))
    except ValueError:
        return None

"""Reads `nft -j list ruleset` (libnftables-json(5)) into chains.

What is not understood becomes a match or an effect that nobody knows: never one that is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final, cast

from openwatch.engine.netfilter.model import (
    UNKNOWN,
    Chain,
    Effect,
    Literal,
    Match,
    Rule,
    Test,
)

_FAMILIES: Final[Mapping[str, frozenset[str]]] = {
    "ip": frozenset({"ip"}),
    "ip6": frozenset({"ip6"}),
    "inet": frozenset({"ip", "ip6"}),
}
"""Tables of other families (arp, bridge, netdev) see no packet at the hooks of a host."""

_VERDICTS: Final[Mapping[str, Effect]] = {
    "accept": Effect.ACCEPT,
    "drop": Effect.DROP,
    "reject": Effect.DROP,
    "return": Effect.RETURN,
    "continue": Effect.NOTHING,
    "jump": Effect.JUMP,
    "goto": Effect.GOTO,
    "queue": Effect.UNKNOWN,
    "synproxy": Effect.UNKNOWN,
}
_HARMLESS: Final = frozenset(
    {"counter", "log", "notrack", "ct helper", "ct timeout", "ct expectation", "mangle", "comment",
     "flow", "fwd", "dup", "last", "quota"}
)  # fmt: skip
"""Statements after which the packet goes on to the next rule."""

_MAX_ALTERNATIVES: Final = 20_000

_Json = Mapping[str, Any]


@dataclass(slots=True)
class Read:
    """The chains of all tables; the tables of which a rule is known to iptables alone; the sets."""

    chains: dict[tuple[str, str], Chain] = field(default_factory=dict[tuple[str, str], Chain])
    foreign: set[str] = field(default_factory=set[str])
    sets: dict[tuple[str, str], list[Any] | None] = field(
        default_factory=dict[tuple[str, str], "list[Any] | None"]
    )


def read(text: str) -> Read:
    """Return the chains of a ruleset. Raises ``ValueError`` when it is none."""
    try:
        objects = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("nft printed no ruleset") from None
    if not isinstance(objects, list):
        raise ValueError("nft printed no list of objects")
    found = Read()
    rules: dict[tuple[str, str], list[Rule]] = {}
    for kind, body in _objects(cast("list[Any]", objects)):
        key = (_scope(body), str(body.get("name")))
        match kind:
            case "chain":
                found.chains[key] = _chain(body, key)
            case "set" | "map":
                flags = str(body.get("flags"))
                changing = "timeout" in flags or "dynamic" in flags
                elements = body.get("elem")
                listed = cast("list[Any]", elements) if isinstance(elements, list) else []
                found.sets[key] = None if changing else listed
            case _:
                continue
    for kind, body in _objects(cast("list[Any]", objects)):
        if kind == "rule" and str(body.get("family")) in _FAMILIES:
            expressions = body.get("expr")
            if _has_xt(expressions):
                found.foreign.add(_scope(body))
            key = (_scope(body), str(body.get("chain")))
            rules.setdefault(key, []).extend(_Reader(found, _scope(body)).rules(expressions))
    for key, own in rules.items():
        chain = found.chains.get(key)
        if chain is None:
            raise ValueError(f"a rule of the unknown chain {key[1]}")
        found.chains[key] = Chain(
            chain.scope, chain.name, chain.families, tuple(own),
            chain.type, chain.hook, chain.priority, chain.policy,
        )  # fmt: skip
    return found


def _objects(objects: Iterable[Any]) -> Iterator[tuple[str, _Json]]:
    for entry in objects:
        if not isinstance(entry, dict):
            raise ValueError("an object of the ruleset is none")
        for kind, body in cast("dict[str, Any]", entry).items():
            known = str(_table(body).get("family")) in _FAMILIES
            if known and kind in ("chain", "rule", "set", "map"):
                yield kind, _table(body)


def _table(value: Any) -> _Json:
    """Return a JSON object; of anything else an empty one."""
    return cast("_Json", value) if isinstance(value, dict) else {}


def _scope(body: _Json) -> str:
    return f"{body.get('family')} {body.get('table')}"


def _chain(body: _Json, key: tuple[str, str]) -> Chain:
    priority = body.get("prio", 0)
    return Chain(
        scope=key[0],
        name=key[1],
        families=_FAMILIES[str(body.get("family"))],
        type=str(body.get("type", "")),
        hook=str(body.get("hook", "")),
        priority=priority if isinstance(priority, int) else 0,
        policy=Effect.DROP if body.get("policy") == "drop" else Effect.ACCEPT,
    )


def _has_xt(expressions: Any) -> bool:
    return isinstance(expressions, list) and any(
        isinstance(e, dict) and "xt" in e for e in cast("list[Any]", expressions)
    )


@dataclass(slots=True)
class _Reader:
    read: Read
    scope: str

    def rules(self, expressions: Any) -> Iterator[Rule]:
        """Yield the rules that one rule of nftables stands for: a verdict map is several."""
        if not isinstance(expressions, list):
            yield Rule((UNKNOWN,), Effect.UNKNOWN)
            return
        matches: list[Match] = []
        limited = False
        for entry in cast("list[Any]", expressions):
            if not isinstance(entry, dict) or len(cast("_Json", entry)) != 1:
                matches.append(UNKNOWN)
                continue
            ((name, body),) = cast("_Json", entry).items()
            if name in _HARMLESS:
                continue
            if name in ("limit", "meter", "ct count", "set"):
                limited = limited or name != "set" or "stmt" in str(body)
                # The first packet in a while is within every limit.
                if "'inv': True" in str(body):
                    matches.append(Match(((),), negated=True))
                continue
            if name == "vmap":
                for more, effect, target in self._map(body):
                    yield Rule((*matches, more), effect, target, limited)
                return
            if name in _VERDICTS:
                target = _table(body).get("target")
                yield Rule(tuple(matches), _VERDICTS[name], str(target or ""), limited)
                return
            matches.append(self._match(body) if name == "match" else UNKNOWN)
        yield Rule(tuple(matches), Effect.NOTHING, limited=limited)

    def _map(self, body: Any) -> Iterator[tuple[Match, Effect, str]]:
        data = _table(body).get("data")
        entries = self._elements(data)
        if entries is None:
            yield UNKNOWN, Effect.UNKNOWN, ""
            return
        for entry in entries:
            pair = cast("list[Any]", entry) if isinstance(entry, list) else []
            verdict = pair[1] if len(pair) == 2 else None
            if not isinstance(verdict, dict) or len(cast("_Json", verdict)) != 1:
                yield UNKNOWN, Effect.UNKNOWN, ""
                continue
            ((name, parameters),) = cast("_Json", verdict).items()
            target = _table(parameters).get("target")
            match = Match(tuple(self._options(_table(body).get("key"), pair[0])))
            yield match, _VERDICTS.get(name, Effect.UNKNOWN), str(target or "")

    def _match(self, body: Any) -> Match:
        if not isinstance(body, dict):
            return UNKNOWN
        parts = cast("_Json", body)
        if parts.get("op") not in ("==", "!=", "in"):
            return UNKNOWN
        options = tuple(self._options(parts.get("left"), parts.get("right")))
        return Match(options, negated=parts.get("op") == "!=")

    def _elements(self, right: Any) -> list[Any] | None:
        """Return the elements of a set, named or not; ``None``: they change by themselves."""
        if isinstance(right, str) and right.startswith("@"):
            return self.read.sets.get((self.scope, right[1:]))
        if isinstance(right, dict) and "set" in right:
            inner = cast("_Json", right)["set"]
            if isinstance(inner, list):
                return cast("list[Any]", inner)
            return self._elements(inner) if isinstance(inner, str) else None
        return [right]

    def _options(self, left: Any, right: Any) -> Iterator[tuple[Test, ...]]:
        elements = self._elements(right)
        if elements is None:
            # A set that packets fill, such as one of banned addresses: a stranger is not in it.
            fields = {test.field for part in _parts(left) for test in _field(part, [])}
            if "saddr" not in fields:
                yield (Test("unknown"),)
            return
        if len(elements) > _MAX_ALTERNATIVES:
            yield (Test("unknown"),)
            return
        if len(parts := _parts(left)) > 1:
            for element in elements:
                values = _parts(_plain(element))
                if len(values) != len(parts):
                    yield (Test("unknown"),)
                    continue
                pairs = zip(parts, values, strict=True)
                yield tuple(test for part, value in pairs for test in _field(part, [value]))
            return
        plain = [_plain(element) for element in elements]
        if isinstance(right, list):
            # `ct state established,related` is a list of flags.
            plain = [_plain(element) for element in cast("list[Any]", right)]
        yield tuple(_field(left, plain))


def _parts(expression: Any) -> list[Any]:
    if isinstance(expression, dict) and "concat" in expression:
        return cast("list[Any]", cast("_Json", expression)["concat"])
    return [expression]


def _plain(element: Any) -> Any:
    """Return an element of a set without its counter, time-out and comment."""
    inner = _table(element).get("elem")
    return element if inner is None else _table(inner).get("val")


_META: Final[Mapping[str, str]] = {
    "iif": "iif", "iifname": "iif", "oif": "oif", "oifname": "oif", "l4proto": "proto",
    "nfproto": "family", "protocol": "family", "pkttype": "type", "mark": "mark",
}  # fmt: skip
_FAMILY_NAMES: Final = {"ipv4": "ip", "ipv6": "ip6", "ip": "ip", "ip6": "ip6"}
_PACKET_TYPES: Final = {"host": "local", "unicast": "local"}
_PROTOCOLS: Final = {"6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp"}


def _field(left: Any, right: list[Any]) -> list[Test]:
    """Return the tests that comparing an expression with these values stands for."""
    if not isinstance(left, dict) or len(cast("_Json", left)) != 1:
        return [Test("unknown")]
    ((kind, body),) = cast("_Json", left).items()
    if kind == "&":
        return _masked(body, right)
    parts = _table(body)
    key = str(parts.get("key", parts.get("field", "")))
    match kind:
        case "meta" if key in _META:
            return [_named(_META[key], right)]
        case "ct" if key in ("state", "direction", "status"):
            return [Test(key, tuple(str(value) for value in right))]
        case "ct" if key == "mark":
            return [Test("mark", _literals(right, _number))]
        case "fib" if parts.get("result") == "type" and parts.get("flags") == ["daddr"]:
            return [_named("type", right)]
        case "fib" if "saddr" in str(parts.get("flags")) and right in ([False], [0]):
            return [Test("spoofed", ("yes",))]
        case "exthdr" | "rt" | "tcp option":
            return [Test("extension", ())]
        case "payload":
            return _payload(str(parts.get("protocol")), key, right)
        case _:
            return [Test("unknown")]


def _named(field_name: str, right: list[Any]) -> Test:
    if field_name == "mark":
        return Test("mark", _literals(right, _number))
    if any(not isinstance(value, str | int) for value in right):
        return Test("unknown")
    words = [str(value) for value in right]
    names = {"family": _FAMILY_NAMES, "type": _PACKET_TYPES, "proto": _PROTOCOLS}
    translate = names.get(field_name, {})
    return Test(field_name, tuple(translate.get(word, word) for word in words))


def _payload(protocol: str, key: str, right: list[Any]) -> list[Test]:
    match protocol, key:
        case (("ip" | "ip6"), ("saddr" | "daddr")):
            return [Test("family", (protocol,)), Test(key, _literals(right, _network))]
        case (("ip" | "ip6"), ("protocol" | "nexthdr")):
            return [Test("family", (protocol,)), _named("proto", right)]
        case (("tcp" | "udp"), ("sport" | "dport")):
            return [Test("proto", (protocol,)), Test(key, _literals(right, _number))]
        case "th", ("sport" | "dport"):
            return [Test(key, _literals(right, _number))]
        case "tcp", "flags":
            return [
                Test("proto", ("tcp",)), Test("flags", tuple(str(value) for value in right)),
            ]  # fmt: skip
        case (("icmp" | "icmpv6"), _):
            return [Test("proto", ("icmp" if protocol == "icmp" else "ipv6-icmp",))]
        case (("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "esp" | "ah"), _):
            return [Test("proto", (protocol,)), Test("unknown")]
        case (("ip" | "ip6"), _):
            return [Test("family", (protocol,)), Test("unknown")]
        case _:
            return [Test("unknown")]


def _masked(body: Any, right: list[Any]) -> list[Test]:
    operands = cast("list[Any]", body) if isinstance(body, list) else []
    if len(operands) != 2 or "'field': 'flags'" not in str(operands[0]):
        return [Test("unknown")]
    mask = frozenset(str(v) for v in _several(operands[1]))
    values = tuple(str(v) for value in right for v in _several(value))
    return [Test("proto", ("tcp",)), Test("flags", values, mask)]


def _several(value: Any) -> list[Any]:
    if isinstance(value, dict) and "|" in value:
        return [v for part in cast("list[Any]", cast("_Json", value)["|"]) for v in _several(part)]
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _literals(
    right: list[Any], convert: Callable[[Any], Literal | None]
) -> tuple[Literal, ...] | None:
    values = [convert(value) for value in right]
    return None if None in values else tuple(value for value in values if value is not None)


def _number(value: Any) -> Literal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value, value
    ends = _table(value).get("range")
    if isinstance(ends, list):
        low, high = [*cast("list[Any]", ends), None, None][:2]
        if isinstance(low, int) and isinstance(high, int):
            return low, high
    return None


def _network(value: Any) -> Literal | None:
    text = value
    if prefix := _table(_table(value).get("prefix")):
        text = f"{prefix.get('addr')}/{prefix.get('len')}"
    try:
        return ip_network(str(text), strict=False)
    except ValueError:
        return None

"""The ports on which the host listens, and what the firewall does about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.netfilter import Effect, Packet, Rule, Ruleset, Test
from openwatch.engine.probes.network import Socket
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects import firewall_boot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value
from openwatch.engine.subjects.firewall_boot import strangers, summary
from openwatch.engine.subjects.firewall_running import Seen, seen_on, through, unknown


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
        seen = seen_on(snapshot)
        return Selection(
            tuple(
                _open_port(protocol, port, family, seen)
                for protocol, port, family in sorted(_listening(sockets))
            )
        )


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


def _open_port(protocol: str, port: int, family: str, seen: Seen | CouldNot) -> Record:
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
    unseen = unknown(ruleset.unseen) if ruleset.unseen else False
    values["named"] = bool(about) or unseen
    values["limited"] = any(_limits(rule) for rule in about) or unseen
    far = next(strangers(seen.ports, family, "input", interfaces=())).source
    found = summary(
        {
            through(ruleset, "input", Packet(family, protocol, i, source=far, dport=port))
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

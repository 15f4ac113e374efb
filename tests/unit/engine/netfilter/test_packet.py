"""What becomes of a packet, by rulesets that real tools wrote and by small ones."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot
from openwatch.engine.netfilter import (
    Chain,
    Effect,
    Fate,
    Match,
    Packet,
    Rule,
    Ruleset,
    Test,
    fate,
    iptables,
    nftables,
    script,
)
from openwatch.engine.netfilter.model import UNKNOWN
from openwatch.engine.probes.firewall import FirewallProbe

RECORDED = Path(__file__).parent / "recorded"
FAR = {"ip": ip_address("203.0.113.77"), "ip6": ip_address("2001:db8::77")}
HOST = {"ip": ip_address("127.0.0.1"), "ip6": ip_address("::1")}


def recorded(name: str) -> Ruleset:
    found = FirewallProbe().parse((RECORDED / f"{name}.txt").read_text("utf-8"))
    assert isinstance(found, Ruleset), found
    return found


def stranger(family: str, port: int, **more: Any) -> Packet:
    return Packet(family, **{"iif": "eth0", "source": FAR[family], "dport": port, **more})


@pytest.mark.ac("engine-16")
@pytest.mark.parametrize("family", ["ip", "ip6"])
@pytest.mark.parametrize("name", ["ufw", "firewalld", "firewalld-drop"])
def test_rules_that_tools_wrote(name: str, family: str) -> None:
    """ufw, and firewalld with its default zone and with the zone drop: SSH alone is let in."""
    rules = recorded(name)
    assert fate(rules, "input", stranger(family, 22)) is Fate.ACCEPT
    assert fate(rules, "input", stranger(family, 220)) is Fate.DROP
    assert fate(rules, "input", stranger(family, 22, protocol="udp")) is Fate.DROP
    assert fate(rules, "input", stranger(family, 50000, state="established")) is Fate.ACCEPT
    assert fate(rules, "forward", stranger(family, 22)) is Fate.DROP
    own = stranger(family, 3306, iif="lo", source=HOST[family], destination=HOST[family])
    assert fate(rules, "input", own) is Fate.ACCEPT
    outgoing = Packet(family, oif="eth0", destination=FAR[family], dport=443)
    assert fate(rules, "output", outgoing) is Fate.ACCEPT


Expressions = list[dict[str, Any]]


def kernel(*rules: Expressions, policy: str = "accept", **sets: list[Any]) -> Ruleset:
    place = {"family": "inet", "table": "t"}
    base = {"name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": policy}
    objects: list[dict[str, Any]] = [
        {"chain": {**place, **base}},
        {"chain": {**place, "name": "sub"}},
    ]
    objects += [{"set": {**place, "name": n, "elem": e}} for n, e in sets.items()]
    objects += [{"rule": {**place, "chain": "in", "expr": rule}} for rule in rules]
    return Ruleset(nftables.read(json.dumps({"nftables": objects})).chains)


def match(left: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
STATE = {"ct": {"key": "state"}}
BOTH = {"concat": [SADDR, DPORT]}
ACCEPT: dict[str, Any] = {"accept": None}
DROP: dict[str, Any] = {"drop": None}


def vmap(data: Any) -> dict[str, Any]:
    return {"vmap": {"key": DPORT, "data": data}}


@pytest.mark.ac("engine-16")
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([[match(DPORT, 22), DROP]], Fate.DROP),
        ([[match(DPORT, 220), DROP]], Fate.ACCEPT),
        ([[match(DPORT, 22, "!="), DROP]], Fate.ACCEPT),
        ([[match(DPORT, {"range": [20, 30]}), DROP]], Fate.DROP),
        ([[match(DPORT, "@ports"), DROP]], Fate.DROP),
        ([[match(DPORT, "@elsewhere"), DROP]], Fate.UNKNOWN),
        ([[match(SADDR, "@elsewhere"), DROP]], Fate.ACCEPT),
        ([[match(STATE, ["established", "related"], "in"), DROP]], Fate.ACCEPT),
        ([[match(STATE, "new", "in"), DROP]], Fate.DROP),
        ([[match(SADDR, "203.0.113.77"), DROP]], Fate.DROP),
        ([[match(SADDR, "203.0.113.7"), DROP]], Fate.ACCEPT),
        ([[match(SADDR, {"prefix": {"addr": "203.0.113.0", "len": 24}}), DROP]], Fate.DROP),
        ([[match(BOTH, {"set": [{"concat": ["203.0.113.77", 22]}]}), DROP]], Fate.DROP),
        ([[match(BOTH, {"set": [{"concat": ["203.0.113.77", 23]}]}), DROP]], Fate.ACCEPT),
        ([[ACCEPT], [DROP]], Fate.ACCEPT),
        ([[DROP], [ACCEPT]], Fate.DROP),
        ([[{"log": {}}, {"limit": {"rate": 1}}], [DROP]], Fate.DROP),
        ([[{"limit": {"rate": 1, "inv": True}}, DROP]], Fate.ACCEPT),
        ([[{"jump": {"target": "sub"}}], [DROP]], Fate.DROP),
        ([[{"goto": {"target": "sub"}}], [DROP]], Fate.ACCEPT),
        ([[{"jump": {"target": "none"}}]], Fate.UNKNOWN),
        ([[{"xt": None}, DROP]], Fate.UNKNOWN),
        ([[{"xt": None}, ACCEPT], [ACCEPT]], Fate.ACCEPT),
        ([[{"news": 1}, DROP]], Fate.UNKNOWN),
        ([[{"queue": None}]], Fate.UNKNOWN),
        ([[{"reject": {"type": "tcp reset"}}]], Fate.DROP),
        ([[vmap({"set": [[22, DROP], [23, ACCEPT]]})]], Fate.DROP),
        ([[vmap({"set": [[23, DROP], [24, ACCEPT]]})]], Fate.ACCEPT),
        ([[vmap("@later")]], Fate.UNKNOWN),
    ],
)
def test_rules_of_nftables(rules: list[Expressions], expected: Fate) -> None:
    assert fate(kernel(*rules, ports=[21, 22]), "input", stranger("ip", 22)) is expected


@pytest.mark.ac("engine-16")
def test_every_base_chain_has_a_say() -> None:
    lax, strict = kernel(policy="accept").chains, kernel(policy="drop").chains
    both = {**lax, **{("other", key[1]): chain for key, chain in strict.items()}}
    assert fate(Ruleset(lax), "input", stranger("ip", 22)) is Fate.ACCEPT
    assert fate(Ruleset(both), "input", stranger("ip", 22)) is Fate.DROP


@pytest.mark.ac("engine-16")
def test_no_rules_let_everything_through_unless_some_were_not_seen() -> None:
    assert fate(Ruleset(), "input", stranger("ip", 22)) is Fate.ACCEPT
    assert fate(Ruleset(unseen="a table"), "input", stranger("ip", 22)) is Fate.UNKNOWN
    unseen = Ruleset(kernel(policy="drop").chains, "a table")
    assert fate(unseen, "input", stranger("ip", 22)) is Fate.DROP


SAVED = "*filter\n:INPUT {policy} [0:0]\n:sub - [0:0]\n{rules}COMMIT\n"


@pytest.mark.ac("engine-16")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-p tcp -m tcp --dport 22 -j ACCEPT", Fate.ACCEPT),
        ("-p udp -m udp --dport 22 -j ACCEPT", Fate.DROP),
        ("-p tcp -m multiport --dports 21,22 -j ACCEPT", Fate.ACCEPT),
        ("-p tcp -m tcp --dport 20:30 -j ACCEPT", Fate.ACCEPT),
        ("-p tcp -m tcp ! --dport 22 -j ACCEPT", Fate.DROP),
        ("-i eth+ -j ACCEPT", Fate.ACCEPT),
        ("-i eth1 -j ACCEPT", Fate.DROP),
        ("! -i lo -j ACCEPT", Fate.ACCEPT),
        ("-s 203.0.113.0/24 -j ACCEPT", Fate.ACCEPT),
        ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", Fate.DROP),
        ("-m conntrack --ctstate NEW -m limit --limit 3/min -j ACCEPT", Fate.ACCEPT),
        ("-m recent --update --seconds 30 --hitcount 6 --name D --rsource -j DROP", Fate.DROP),
        ("-m string --string x --algo bm -j ACCEPT", Fate.UNKNOWN),
        ('-m comment --comment "a -j DROP in words" -j ACCEPT', Fate.ACCEPT),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", Fate.ACCEPT),
        ("-j sub", Fate.DROP),
        ("-j LOG --log-prefix ACCEPT", Fate.DROP),
        ("-p icmp -m icmp --icmp-type 8 -j ACCEPT", Fate.DROP),
        ("-m rt --rt-type 0 -j ACCEPT", Fate.DROP),
    ],
)
def test_rules_of_iptables(rule: str, expected: Fate) -> None:
    rules = Ruleset(iptables.read(SAVED.format(policy="DROP", rules=f"-A INPUT {rule}\n"), "ip"))
    assert fate(rules, "input", stranger("ip", 22)) is expected


@pytest.mark.ac("engine-16")
@pytest.mark.parametrize(
    "text",
    ["nonsense\n", "*filter\n:INPUT ACCEPT\n", "*filter\n-A INPUT -j 'x\nCOMMIT\n",
     "*filter\n-A NOWHERE -j DROP\nCOMMIT\n"],
)  # fmt: skip
def test_what_no_iptables_printed_is_no_ruleset(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        iptables.read(text, "ip")


def test_a_loop_of_jumps_comes_to_an_end() -> None:
    rules = SAVED.format(policy="DROP", rules="-A INPUT -j sub\n-A sub -j sub\n-A sub -j sub\n")
    assert fate(Ruleset(iptables.read(rules, "ip")), "input", stranger("ip", 22)) is Fate.UNKNOWN


TESTS = st.sampled_from(
    [
        Test("dport", ((22, 22),)), Test("dport", ((80, 90),)), Test("iif", ("eth0",)),
        Test("iif", ("lo",)), Test("state", ("new",)), Test("state", ("established",)),
        Test("proto", ("udp",)), Test("extension", ()),
    ]
)  # fmt: skip
MATCHES = st.builds(lambda test, negated: Match(((test,),), negated), TESTS, st.booleans())
RULES = st.builds(
    Rule,
    st.lists(MATCHES, max_size=2).map(tuple),
    st.sampled_from([Effect.ACCEPT, Effect.DROP, Effect.NOTHING, Effect.RETURN, Effect.JUMP]),
    st.just("sub"),
)


def ruleset(rules: list[Rule], inner: list[Rule], policy: Effect) -> Ruleset:
    families = frozenset({"ip"})
    base = Chain("t", "in", families, tuple(rules), "filter", "input", 0, policy)
    safe = tuple(rule for rule in inner if rule.effect is not Effect.JUMP)
    return Ruleset({("t", "in"): base, ("t", "sub"): Chain("t", "sub", families, safe)})


@pytest.mark.ac("engine-16")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(RULES, max_size=6),
    st.lists(RULES, max_size=3),
    st.sampled_from([Effect.ACCEPT, Effect.DROP]),
    st.data(),
)
def test_to_know_less_never_turns_a_fate_into_the_other(
    rules: list[Rule], inner: list[Rule], policy: Effect, data: st.DataObject
) -> None:
    packet = stranger("ip", 22)
    known = fate(ruleset(rules, inner, policy), "input", packet)
    assert known is not Fate.UNKNOWN
    blind = [
        Rule((UNKNOWN,), rule.effect, rule.target) if data.draw(st.booleans()) else rule
        for rule in rules
    ]
    assert fate(ruleset(blind, inner, policy), "input", packet) in (known, Fate.UNKNOWN)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.sampled_from(
        ["ip", "inet", "tcp", "dport", "drop", "accept", "@x", "==", "t", "in", "lo"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["rule", "chain", "set", "expr", "match", "left", "right", "op", "vmap", "key",
             "data", "family", "table", "name", "elem", "payload", "protocol", "field", "meta",
             "jump", "target", "xt", "limit", "ct", "&", "|", "concat", "range", "prefix"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@pytest.mark.ac("engine-16")
@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=6))
def test_no_answer_of_nft_breaks_the_reader(objects: list[Any]) -> None:
    text = f"#nft on\n{json.dumps({'nftables': objects})}\n#end\n"
    probe = FirewallProbe()
    found = probe.parse(probe.clean(text.encode()).decode())
    if isinstance(found, Ruleset):
        assert isinstance(fate(found, "input", stranger("ip", 22)), Fate)
    else:
        assert isinstance(found, CouldNot)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=" *:-A#\nfilterINPUTDROPCOMMIT[]0!ij\"'", max_size=120))
def test_no_text_breaks_a_reader(text: str) -> None:
    probe = FirewallProbe()
    answer = f"#nft off\n#save ip legacy\n{text}\n#saved\n#end\n"
    assert isinstance(probe.parse(answer), Ruleset | CouldNot)
    assert isinstance(probe.parse(text), Ruleset | CouldNot)
    assert isinstance(script.read(text), script.Script)


@pytest.mark.parametrize("depth", [50_000])
def test_deep_nesting_is_no_ruleset(depth: int) -> None:
    text = '#nft on\n{"nftables":' + "[" * depth + "]" * depth + "}\n#end\n"
    probe = FirewallProbe()
    assert isinstance(probe.parse(probe.clean(text.encode()).decode()), CouldNot)


@pytest.mark.ac("engine-16")
def test_counters_and_handles_are_no_change_of_the_host() -> None:
    def answer(packets: int, handle: int) -> bytes:
        rule = {
            "family": "ip", "table": "t", "chain": "c", "handle": handle,
            "expr": [{"counter": {"packets": packets, "bytes": 9}}, {"drop": None}],
        }  # fmt: skip
        banned = {"family": "ip", "table": "t", "name": "b", "flags": ["timeout"],
                  "elem": [{"elem": {"val": "192.0.2.1", "expires": packets}}]}  # fmt: skip
        text = json.dumps({"nftables": [{"rule": rule}, {"set": banned}]})
        return f"#nft on\n{text}\n#save ip nft\n:INPUT DROP [{packets}:7]\n#end\n".encode()

    probe = FirewallProbe()
    assert probe.clean(answer(1, 2)) == probe.clean(answer(77, 3))


SCRIPT = """
#!/usr/sbin/nft -f
flush ruleset
include "/etc/nftables.d/*.nft"
table inet filter {
    # chain input { type filter hook input priority 0; policy drop; }
    set ports { type inet_service; elements = { 22, 80 } }
    chain input {
        type filter hook input priority filter; policy accept;
        tcp dport { 22, 80 } accept
        counter reject with icmpx type admin-prohibited
    }
    chain other { tcp dport 1 drop; }
    chain output { type filter hook output priority 0; policy accept; ip daddr 192.0.2.1 drop }
}
add table ip6 six
add chain ip6 six forward { type filter hook forward priority 0 ; policy drop ; }
"""


@pytest.mark.ac("engine-16")
def test_scripts_of_nft() -> None:
    found = script.read(SCRIPT)
    assert found.includes == ("/etc/nftables.d/*.nft",)
    both, six = frozenset({"ip", "ip6"}), frozenset({"ip6"})
    assert found.chains == (
        script.BaseChain(both, "input", drops=True),
        script.BaseChain(both, "output", drops=False),
        script.BaseChain(six, "forward", drops=True),
    )

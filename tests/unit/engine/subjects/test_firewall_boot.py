"""The firewall after the next boot, as the tools that load it read their own files."""

from __future__ import annotations

from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact
from openwatch.engine.probes.firewall import InterfacesProbe
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects import firewall_boot

UFW = {
    "/etc/ufw/ufw.conf": "ENABLED=yes\n",
    "/etc/default/ufw": 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n'
    'DEFAULT_FORWARD_POLICY="REJECT"\n',
}
ZONES = {
    "/etc/firewalld/firewalld.conf": "DefaultZone=home\n",
    "/usr/lib/firewalld/zones/home.xml": "<zone>\n</zone>\n",
    "/usr/lib/firewalld/zones/trusted.xml": '<zone target="ACCEPT">\n</zone>\n',
}


def host(units: dict[str, str], files: dict[str, str]) -> Snapshot:
    facts: list[Fact] = []
    for request in firewall_boot.requests():
        if request.probe == "unit":
            state = units.get(request.subject, "")
            load = "masked" if state == "masked" else "loaded" if state else "not-found"
            text = (
                f"Id={request.subject}\nNames={request.subject}\nLoadState={load}\n"
                f"ActiveState=inactive\nUnitFileState={state}\n"
            )
        else:
            text = f"@ok {request.subject}\n"
            for path, content in sorted(files.items()):
                same_depth = path.count("/") == request.subject.count("/")
                if same_depth and fnmatchcase(path, request.subject):
                    text += f"={path}\n" + "".join(f" {x}\n" for x in content.split("\n")) + "\n"
            text += ".\n"
        facts.append(Fact(request, "x", text.encode("utf-8", "replace")))
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def policies(units: dict[str, str], files: dict[str, str]) -> dict[str, object]:
    boot = firewall_boot.after_boot(host(units, files))
    return {f"{family} {hook}": policy for (family, hook), policy in boot.policies.items()}


def same(first: str, forward: str, output: str) -> dict[str, object]:
    return {
        f"{family} {hook}": policy
        for family in ("ip", "ip6")
        for hook, policy in (("input", first), ("forward", forward), ("output", output))
    }


@pytest.mark.ac("engine-16")
@pytest.mark.parametrize(
    ("units", "files", "expected"),
    [
        ({}, UFW, same("accept", "accept", "accept")),
        ({"ufw.service": "enabled"}, UFW, same("drop", "drop", "accept")),
        ({"ufw.service": "masked"}, UFW, same("accept", "accept", "accept")),
        ({"ufw.service": "enabled"}, {**UFW, "/etc/ufw/ufw.conf": "ENABLED=no\n"},
         same("accept", "accept", "accept")),
        ({"ufw.service": "enabled"}, {}, same("accept", "accept", "accept")),
        ({"firewalld.service": "enabled"}, ZONES, same("drop", "drop", "accept")),
        ({"firewalld.service": "enabled"},
         {**ZONES, "/etc/firewalld/zones/home.xml": '<zone target="ACCEPT">\n</zone>'},
         same("accept", "accept", "accept")),
        ({"firewalld.service": "enabled"},
         {**ZONES, "/etc/firewalld/zones/home.xml": '<!-- <zone target="ACCEPT"> --><zone/>'},
         same("drop", "drop", "accept")),
        ({"firewalld.service": "enabled"},
         {**ZONES, "/etc/firewalld/zones/trusted.xml":
          '<zone target="ACCEPT"><interface name="eth0"/></zone>'},
         same("accept", "accept", "accept")),
        ({"nftables.service": "enabled"},
         {"/etc/nftables.conf": "table inet f { chain i { type filter hook input priority 0; policy"
          " drop; } }"},
         same("drop", "accept", "accept")),
        ({"nftables.service": "enabled"}, {}, same("accept", "accept", "accept")),
        ({"ufw.service": "enabled", "nftables.service": "enabled"},
         {**UFW, "/etc/nftables.conf": "table inet f { chain o { type filter hook output"
          " priority 0; policy drop; } }"},
         same("drop", "drop", "drop")),
    ],
)  # fmt: skip
def test_tools_and_their_files(
    units: dict[str, str], files: dict[str, str], expected: dict[str, object]
) -> None:
    assert policies(units, files) == expected


@pytest.mark.ac("engine-16")
def test_ufw_without_ipv6_lets_none_of_it_through() -> None:
    files = {**UFW, "/etc/default/ufw": UFW["/etc/default/ufw"].replace("IPV6=yes", "IPV6=no")}
    found = policies({"ufw.service": "enabled"}, files)
    assert (found["ip output"], found["ip6 output"]) == ("accept", "drop")


@pytest.mark.ac("engine-16")
@pytest.mark.parametrize(
    ("units", "files"),
    [
        ({"nftables.service": "enabled"}, {"/etc/nftables.conf": 'include "/opt/rules.nft"\n'}),
        ({"firewalld.service": "enabled"}, {"/etc/firewalld/firewalld.conf": "DefaultZone=x\n"}),
        ({"netfilter-persistent.service": "enabled"}, {"/etc/iptables/rules.v4": "nonsense\n"}),
    ],
)
def test_what_was_not_seen_or_understood_is_unknown(
    units: dict[str, str], files: dict[str, str]
) -> None:
    assert isinstance(policies(units, files)["ip input"], CouldNot)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(firewall_boot.FILES), st.text(max_size=150))
def test_no_text_breaks_a_reader(pattern: str, text: str) -> None:
    path = pattern.replace("*", "x")
    units: dict[str, str] = dict.fromkeys(firewall_boot.UNITS, "enabled")
    for policy in policies(units, {**ZONES, path: text}).values():
        assert policy in ("accept", "drop") or isinstance(policy, CouldNot)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="eth0lo x1f3\n#end port-", max_size=60))
def test_no_answer_breaks_the_reader_of_interfaces(text: str) -> None:
    assert isinstance(InterfacesProbe().parse(text), tuple | CouldNot)

"""The firewall after the next boot: what the tool that is started then will load.

ufw(8), firewalld(1), nftables.service, netfilter-persistent(8) and iptables.service have their own
files. A tool that is not started at boot loads nothing, whatever its files say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.netfilter import Fate, Packet, Ruleset, fate, iptables
from openwatch.engine.netfilter.script import BaseChain
from openwatch.engine.netfilter.script import read as read_script
from openwatch.engine.probes.files import FileContent
from openwatch.engine.probes.software import ENABLED_STATES, Unit
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Source
from openwatch.engine.subjects.files import logical_lines, read_files
from openwatch.engine.subjects.settings import Format, split_setting

UNITS: Final = (
    "ufw.service", "firewalld.service", "nftables.service", "netfilter-persistent.service",
    "iptables.service", "ip6tables.service",
)  # fmt: skip

UFW_CONF: Final = "/etc/ufw/ufw.conf"
UFW_DEFAULTS: Final = "/etc/default/ufw"
FIREWALLD_CONF: Final = "/etc/firewalld/firewalld.conf"
ZONES: Final = ("/usr/lib/firewalld/zones/*.xml", "/etc/firewalld/zones/*.xml")
NFT_MAIN: Final = ("/etc/sysconfig/nftables.conf", "/etc/nftables.conf")
NFT_FILES: Final = (
    *NFT_MAIN, "/etc/nftables.rules", "/etc/nftables/*", "/etc/nftables.d/*",
)  # fmt: skip
SAVED: Final[Mapping[str, Mapping[str, str]]] = {
    "netfilter-persistent.service": {
        "ip": "/etc/iptables/rules.v4", "ip6": "/etc/iptables/rules.v6",
    },
    "iptables.service": {"ip": "/etc/sysconfig/iptables"},
    "ip6tables.service": {"ip6": "/etc/sysconfig/ip6tables"},
}  # fmt: skip

FILES: Final = (
    UFW_CONF, UFW_DEFAULTS, FIREWALLD_CONF, *ZONES, *NFT_FILES,
    *(path for files in SAVED.values() for path in files.values()),
)  # fmt: skip

ACCEPT: Final = "accept"
DROP: Final = "drop"

_Policies = dict[tuple[str, str], "str | CouldNot"]
HOOKS: Final = ("input", "forward", "output")
FAMILIES: Final = ("ip", "ip6")


@dataclass(slots=True)
class Boot:
    """What becomes of a packet that no rule names, by family and hook, once the host has booted,
    and the lines that say so.
    """

    policies: _Policies
    sources: dict[tuple[str, str], Source] = field(default_factory=dict[tuple[str, str], Source])


def requests() -> tuple[Request, ...]:
    """Return the facts that tell how the firewall is after the next boot."""
    return (
        *(Request("unit", name) for name in UNITS),
        *(Request("content", path) for path in FILES),
    )


def after_boot(snapshot: Snapshot) -> Boot:
    """Return the policies that hold after the next boot. One tool that drops is enough."""
    boot = Boot({(f, h): ACCEPT for f in FAMILIES for h in HOOKS})
    for name in UNITS:
        started = started_at_boot(snapshot, name)
        if started is False:
            continue
        tool: Boot | CouldNot = started if isinstance(started, CouldNot) else _tool(snapshot, name)
        if isinstance(tool, Boot):
            for key, policy in tool.policies.items():
                if boot.policies[key] == DROP:
                    continue
                if key in tool.sources and (policy != ACCEPT or key not in boot.sources):
                    boot.sources[key] = tool.sources[key]
                if policy != ACCEPT:
                    boot.policies[key] = policy
            continue
        for key, policy in boot.policies.items():
            if policy != DROP:
                boot.policies[key] = tool
    return boot


def started_at_boot(snapshot: Snapshot, name: str) -> bool | CouldNot:
    """Return whether systemd starts a unit at the next boot."""
    unit: Unit | CouldNot = snapshot.read(Request("unit", name))
    if isinstance(unit, CouldNot):
        return unit
    return unit.load_state != "masked" and unit.unit_file_state in ENABLED_STATES


def _tool(snapshot: Snapshot, unit: str) -> Boot | CouldNot:
    match unit:
        case "ufw.service":
            return _ufw(snapshot)
        case "firewalld.service":
            return _firewalld(snapshot)
        case "nftables.service":
            return _nftables(snapshot)
        case _:
            return _saved(snapshot, unit)


def _assignments(file: FileContent, form: Format) -> Iterator[tuple[str, str, Source]]:
    for number, line in logical_lines(file):
        yield *split_setting(line, form), Source(file.path, number, line)


def settings_of(
    snapshot: Snapshot, path: str, form: Format = Format.SHELL
) -> dict[str, tuple[str, Source]] | CouldNot:
    """Return the settings of a file; the last one of a name counts."""
    files, problem = read_files(snapshot, (path,))
    if problem is not None:
        return problem
    found = (setting for file in files for setting in _assignments(file, form))
    return {key: (value, source) for key, value, source in found}


def _ufw(snapshot: Snapshot) -> Boot | CouldNot:
    """ufw-init-functions: with IPV6=no everything but the loopback is dropped for IPv6."""
    main, defaults = settings_of(snapshot, UFW_CONF), settings_of(snapshot, UFW_DEFAULTS)
    if isinstance(main, CouldNot):
        return main
    if isinstance(defaults, CouldNot):
        return defaults
    if main.get("ENABLED", ("", None))[0] not in ("yes", "YES"):
        return Boot({})
    boot = Boot({})
    for hook in HOOKS:
        found = defaults.get(f"DEFAULT_{hook.upper()}_POLICY")
        policy = DROP if found and found[0].upper() in ("DROP", "REJECT") else ACCEPT
        for family in FAMILIES:
            boot.policies[family, hook] = policy
            if found:
                boot.sources[family, hook] = found[1]
    ipv6 = defaults.get("IPV6")
    if ipv6 is None or ipv6[0] not in ("yes", "YES"):
        boot.policies |= {("ip6", hook): DROP for hook in HOOKS}
        boot.sources |= {("ip6", hook): ipv6[1] for hook in HOOKS if ipv6}
    return boot


_TARGET: Final = re.compile(r"<zone\b[^>]*\btarget\s*=\s*[\"']([^\"']*)[\"']")
_BOUND: Final = re.compile(r"<interface\b[^>]*\bname\s*=\s*[\"']([^\"']+)[\"']")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


def _firewalld(snapshot: Snapshot) -> Boot | CouldNot:
    """firewalld.zone(5): without a target what no rule names is rejected; what the host itself
    sends is let through.
    """
    main = settings_of(snapshot, FIREWALLD_CONF, Format.EQUALS)
    if isinstance(main, CouldNot):
        return main
    zones: dict[str, FileContent] = {}
    for pattern in ZONES:
        files, problem = read_files(snapshot, (pattern,))
        if problem is not None:
            return problem
        zones |= {file.path.rpartition("/")[2].removesuffix(".xml"): file for file in files}
    default, source = main.get("DefaultZone", ("public", None))
    if default not in zones:
        return CouldNot(Reason.INCOMPLETE, f"The default zone {default} has no file.")
    policy = DROP
    for name, file in zones.items():
        text = _COMMENT.sub("", file.text)
        target = _TARGET.search(text)
        used = name == default or any(i != "lo" for i in _BOUND.findall(text))
        if used and target is not None and target[1] == "ACCEPT":
            policy, source = ACCEPT, Source(file.path, 1, target[0])
    boot = Boot({})
    for family in FAMILIES:
        for hook in ("input", "forward"):
            boot.policies[family, hook] = policy
            if source is not None:
                boot.sources[family, hook] = source
    return boot


def _nftables(snapshot: Snapshot) -> Boot | CouldNot:
    files, problem = read_files(snapshot, NFT_FILES)
    if problem is not None:
        return problem
    known = {file.path: file for file in files}
    main = next((known[path] for path in NFT_MAIN if path in known), None)
    boot = Boot({})
    if main is None:
        return boot
    reader = _Scripts(known)
    for chain, path in reader.read(main, 0):
        for family in chain.families:
            if chain.hook in HOOKS and chain.drops:
                boot.policies[family, chain.hook] = DROP
                boot.sources[family, chain.hook] = Source(path, 1, f"hook {chain.hook}")
    if reader.unseen:
        unseen = CouldNot(Reason.INCOMPLETE, f"{reader.unseen} is included and was not looked at.")
        for family in FAMILIES:
            for hook in HOOKS:
                boot.policies.setdefault((family, hook), unseen)
    return boot


def boot_chains(snapshot: Snapshot) -> frozenset[tuple[str, str]] | CouldNot:
    """Return family and hook of the base chains that nftables.service makes."""
    files, problem = read_files(snapshot, NFT_FILES)
    if problem is not None:
        return problem
    known = {file.path: file for file in files}
    main = next((known[path] for path in NFT_MAIN if path in known), None)
    if main is None:
        return frozenset()
    reader = _Scripts(known)
    found = {(f, c.hook) for c, _ in reader.read(main, 0) for f in c.families}
    return frozenset(found)


_DEPTH: Final = 16
"""nft(8) nests includes up to 16 deep."""


@dataclass(slots=True)
class _Scripts:
    files: Mapping[str, FileContent]
    unseen: str = ""

    def read(self, file: FileContent, depth: int) -> Iterator[tuple[BaseChain, str]]:
        script = read_script(file.text)
        for chain in script.chains:
            yield chain, file.path
        for include in script.includes:
            path = include if include.startswith("/") else f"/etc/{include.removeprefix('./')}"
            seen = any(fnmatchcase(path, known) or path == known for known in NFT_FILES)
            seen = seen and not re.search(r"[*?\[]", path.rpartition("/")[0])
            if not seen or depth >= _DEPTH:
                self.unseen = path
                continue
            for name, included in self.files.items():
                if fnmatchcase(name, path):
                    yield from self.read(included, depth + 1)


def _saved(snapshot: Snapshot, unit: str) -> Boot | CouldNot:
    boot = Boot({})
    for family, path in SAVED[unit].items():
        files, problem = read_files(snapshot, (path,))
        if problem is not None:
            return problem
        for file in files:
            try:
                ruleset = Ruleset(iptables.read(file.text, family))
            except ValueError as error:
                return CouldNot(Reason.UNPARSABLE, f"{path}: {error}.")
            for hook in HOOKS:
                policy = rest(ruleset, family, hook)
                boot.policies[family, hook] = policy
                boot.sources[family, hook] = Source(path, 1, f"hook {hook}")
    return boot


def rest(ruleset: Ruleset, family: str, hook: str) -> str | CouldNot:
    """Return what becomes of packets that no rule names: any that is let through decides."""
    packets = strangers(unnamed_ports(ruleset), family, hook, interfaces=())
    return summary({fate(ruleset, hook, packet) for packet in packets})


def summary(fates: set[Fate]) -> str | CouldNot:
    """Return ``accept`` when one packet is let through, ``drop`` when none is."""
    if Fate.ACCEPT in fates:
        return ACCEPT
    if Fate.UNKNOWN in fates:
        return CouldNot(Reason.INCOMPLETE, "A rule asks for something that is not known here.")
    return DROP


_STRANGER: Final = {"ip": "203.0.113.77", "ip6": "2001:db8::77"}
_ELSEWHERE: Final = {"ip": "198.51.100.77", "ip6": "2001:db8:ffff::77"}
"""Addresses for documentation (RFC 5737, RFC 3849): no rule is about them."""


def strangers(
    ports: tuple[int, ...], family: str, hook: str, *, interfaces: tuple[str, ...]
) -> Iterator[Packet]:
    """Yield packets that open a connection nobody has a rule for, by every interface."""
    far, other = ip_address(_STRANGER[family]), ip_address(_ELSEWHERE[family])
    for name in (None, *interfaces):
        for protocol in ("tcp", "udp"):
            for port in ports:
                match hook:
                    case "input":
                        yield Packet(family, protocol, iif=name, source=far, dport=port)
                    case "output":
                        yield Packet(family, protocol, oif=name, destination=far, dport=port)
                    case _:
                        yield Packet(
                            family, protocol, iif=name, source=far, destination=other, dport=port
                        )


_CANDIDATES: Final = (tuple(range(683, 1024, 17)), tuple(range(47471, 65000, 1013)))
"""Ports to try, below and above 1024; the first that no rule names alone stands for the rest."""
WIDE: Final = 4096
"""A range of this many ports names none of them."""


def unnamed_ports(ruleset: Ruleset) -> tuple[int, ...]:
    """Return ports that no rule is about: a high one, and a low one too where a rule is about a
    wide range.
    """
    ranges = [
        value
        for test in ruleset.tests
        if test.field == "dport"
        for value in test.values or ()
        if isinstance(value, tuple)
    ]
    named = [value for value in ranges if value[1] - value[0] < WIDE]
    tried = _CANDIDATES if len(named) < len(ranges) else _CANDIDATES[-1:]
    return tuple(
        next((p for p in ports if not any(low <= p <= high for low, high in named)), ports[0])
        for ports in tried
    )

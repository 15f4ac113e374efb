"""A rule in words: what is read on each platform, where it is kept, and what it has to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from openwatch.engine.facts import Request
from openwatch.engine.probes.kernel import sysctl_path
from openwatch.engine.rules.check import Check, Quantifier
from openwatch.engine.rules.expectations import sentence
from openwatch.engine.rules.platforms import PlatformRange, platform_names
from openwatch.engine.rules.schema import Rule
from openwatch.engine.subjects.base import Kind, Subject


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation; ``depth`` is how far it stands in."""

    depth: int
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """How a rule is judged on some platforms."""

    platforms: str
    gate: tuple[Line, ...]
    lines: tuple[Line, ...]
    places: tuple[str, ...]
    """What is read there, in words: files, programs, tables of the kernel."""


def explain(rule: Rule) -> tuple[Form, ...]:
    """Return the forms of a rule, each in words, in the order in which they are tried."""
    return tuple(_form(rule, platforms, gates, judged) for platforms, gates, judged in _all(rule))


def _all(
    rule: Rule,
) -> Iterator[tuple[Sequence[PlatformRange], tuple[Check, ...], Check | str]]:
    for variant in rule.variants():
        gates = tuple(check for check in (rule.when, variant.when) if check is not None)
        yield variant.platforms or rule.platforms, gates, variant.check or variant.manual or ""


def _form(
    rule: Rule, platforms: Sequence[PlatformRange], gates: tuple[Check, ...], judged: Check | str
) -> Form:
    if isinstance(judged, str):
        lines: tuple[Line, ...] = (Line(0, f"A person judges: {judged}"),)
        requests: list[Request] = []
    else:
        lines, requests = tuple(_lines(judged, 0)), list(judged.requests())
    return Form(
        platforms=platform_names(platforms),
        gate=tuple(line for gate in gates for line in _lines(gate, 0)),
        lines=lines,
        places=tuple(dict.fromkeys(_place(request) for request in requests)),
    )


_HEADS: Final = {
    "all": "all of these hold:",
    "any": "one of these holds:",
    "none": "none of these holds:",
    "not_": "this does not hold:",
}


def _lines(check: Check, depth: int) -> Iterator[Line]:
    if check.subject is not None:
        yield Line(depth, _leaf(check, check.subject))
        return
    head = next(text for name, text in _HEADS.items() if getattr(check, name) is not None)
    yield Line(depth, head)
    for child in check.children():
        yield from _lines(child, depth + 1)


def _leaf(check: Check, subject: Subject) -> str:
    kinds = subject.fields_of()
    about = subject.title()
    if check.where:
        about += f" with {_tests(check.where, kinds)}"
    if check.count is not None:
        return f"{about}: there are {sentence(check.count, Kind.NUMBER)}"
    lead = {Quantifier.EVERY: "", Quantifier.SOME: "one has ", Quantifier.NONE: "none has "}
    none = f"; if there is none: {check.if_none}" if check.if_none else ""
    return f"{about}: {lead[check.quantifier]}{_tests(check.expect, kinds)}{none}"


def _tests(expectations: Any, kinds: Any) -> str:
    return ", ".join(
        f"{name} {sentence(expectation, kinds[name])}" for name, expectation in expectations.items()
    )


# Where the answer to a question is kept, by the name of its fact; "{}" is what is asked for.
_PLACES: Final[Mapping[str, str]] = {
    "os_release": "/etc/os-release",
    "kernel": "uname(1), /proc/cmdline",
    "boot": "the configuration of GRUB and the entries of the boot loader",
    "capabilities": "what the host is and can do",
    "stat": "{}",
    "content": "{}",
    "module": "the kernel module {}, and what modprobe(8) does with it",
    "packages": "the package database (dpkg or rpm)",
    "unit": "systemctl show {}",
    "mounts": "/proc/self/mountinfo",
    "blocks": "/sys/class/block, /dev/disk",
    "link": "{}",
    "processor": "/proc/cpuinfo",
    "apparmor": "/sys/kernel/security/apparmor, /proc",
    "context": "the SELinux label of {}",
    "device_labels": "the SELinux labels in /dev",
    "selinux_booleans": "the booleans of SELinux",
    "verify": "the files of the package {}, as rpm -V or dpkg -V compares them",
    "passwd": "/etc/passwd",
    "group": "/etc/group",
    "shadow": "/etc/shadow",
    "homes": "home directories, their dot files and keys",
    "home_tree": "the files in home directories",
    "root_path": "the directories on the search path of root",
    "sshd": "sshd -T, and the files of sshd_config(5)",
    "sockets": "/proc/net",
    "interfaces": "/sys/class/net",
    "firewall": "the rules in the kernel (nft, iptables)",
    "audit": "the rules in the kernel (auditctl)",
    "audit_log": "the directory and the files of the audit log",
    "dconf": "the system databases of dconf(7)",
    "timers": "the timers of systemd",
    "updates": "the updates that apt, dnf or zypper knows of",
    "certificates": "the certificates that services are given, and the owner and mode of keys",
    "authorised_keys": "the keys in the files that AuthorizedKeysFile of the SSH server names",
    "sweep": "all local file systems",
}


def _place(request: Request) -> str:
    if request.probe == "sysctl":
        return f"/proc/sys/{sysctl_path(request.subject)}"
    return _PLACES.get(request.probe, request.probe).format(request.subject)

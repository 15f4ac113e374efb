"""Who the host is: os-release, kernel identity and capabilities. Asked first, without privilege."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.redaction import redact

TOOLS: Final = (
    "systemctl", "dpkg-query", "rpm", "sshd", "modprobe", "sysctl", "find", "stat", "ss",
    "auditctl", "nft", "iptables", "firewall-cmd", "ufw", "apt-get", "dnf", "zypper",
    "update-crypto-policies", "getenforce", "aa-status", "chronyc", "timedatectl",
)  # fmt: skip
"""Programs whose presence rules and probes may ask about (capability ``tool.<name>``)."""

CAPABILITIES: Final = frozenset(
    {"systemd", "container", "selinux", "apparmor", "desktop", "kernel_modules", "ipv6"}
    | {f"tool.{tool}" for tool in TOOLS}
)


@dataclass(frozen=True, slots=True)
class OsRelease:
    """os-release(5): the fields that tell distributions and their versions apart."""

    id: str
    id_like: tuple[str, ...]
    version_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """uname(1) and the names of the host."""

    hostname: str
    release: str
    machine: str
    machine_id: str
    uid: int
    boot_command_line: str | None
    """``None``: the kernel does not tell it."""


class OsReleaseProbe(TableProbe):
    """os-release(5): /etc/os-release, else /usr/lib/os-release."""

    name = "os_release"
    command = "cat /etc/os-release"
    body = "if [ -r /etc/os-release ]; then cat /etc/os-release; else cat /usr/lib/os-release; fi"

    def parse(self, text: str) -> OsRelease | CouldNot:
        values: dict[str, str] = {}
        for line in text.split("\n"):
            key, separator, value = line.strip().partition("=")
            if separator and not key.startswith("#"):
                values[key] = _unquote(value.strip())
        if not values.get("ID"):
            return CouldNot(Reason.UNPARSABLE, "os-release has no ID.")
        return OsRelease(
            id=values["ID"].lower(),
            id_like=tuple(values.get("ID_LIKE", "").lower().split()),
            version_id=values.get("VERSION_ID", ""),
            name=values.get("PRETTY_NAME") or values.get("NAME", values["ID"]),
        )


class KernelProbe(TableProbe):
    """Kernel and host names, the user that asks, and the running kernel command line."""

    name = "kernel"
    command = "uname -nrm"
    body = (
        'uname -n; uname -r; uname -m; echo "$(cat /etc/machine-id 2>/dev/null)"; id -u;'
        " cat /proc/cmdline 2>/dev/null; :"
    )

    def clean(self, output: bytes) -> bytes:
        return redact(output)

    def parse(self, text: str) -> Kernel | CouldNot:
        lines = text.split("\n")
        if len(lines) < 6 or not lines[4].isdigit():
            return CouldNot(Reason.UNPARSABLE, "uname and id did not answer as POSIX says.")
        return Kernel(
            hostname=lines[0].strip(),
            release=lines[1].strip(),
            machine=lines[2].strip(),
            machine_id=lines[3].strip(),
            uid=int(lines[4]),
            boot_command_line=lines[5].strip() if len(lines) > 6 else None,
        )


class CapabilitiesProbe(TableProbe):
    """What the host can do: a closed list of names, each seen or not."""

    name = "capabilities"
    command = "command -v …"
    body: ClassVar[str] = (
        f"for t in {' '.join(TOOLS)}; do"
        ' if command -v "$t" >/dev/null 2>&1; then echo "tool.$t"; fi; done\n'
        "[ -d /run/systemd/system ] && echo systemd\n"
        "if [ -e /.dockerenv ] || [ -e /run/.containerenv ] || [ -e /run/systemd/container ];"
        " then echo container; fi\n"
        "[ -e /sys/fs/selinux/enforce ] && echo selinux\n"
        "[ -d /sys/kernel/security/apparmor ] && echo apparmor\n"
        "[ -e /proc/modules ] && echo kernel_modules\n"
        "[ -d /proc/sys/net/ipv6 ] && echo ipv6\n"
        "for f in /usr/share/xsessions/*.desktop /usr/share/wayland-sessions/*.desktop; do"
        ' [ -e "$f" ] && { echo desktop; break; }; done\n'
        "echo end"
    )

    def parse(self, text: str) -> frozenset[str] | CouldNot:
        words = text.split()
        if not words or words[-1] != "end":
            return CouldNot(Reason.UNPARSABLE, "The list of capabilities is cut short.")
        return frozenset(words[:-1]) & CAPABILITIES


def _unquote(value: str) -> str:
    """Return a shell-style value of os-release(5) without its quotes and escapes."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value.replace('\\"', '"').replace("\\$", "$").replace("\\`", "`").replace("\\\\", "\\")

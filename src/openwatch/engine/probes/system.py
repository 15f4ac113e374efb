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
    {"systemd", "container", "virtual", "desktop", "usb", "selinux", "apparmor"}
    | {"kernel_modules", "ipv6"}
    | {f"tool.{tool}" for tool in TOOLS}
)

PHYSICAL: Final = "physical"
"""The answer of a host that is no virtual machine. An answer with neither word leaves it open."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the host is and can do. Of what is ``unknown`` nobody can say whether it is there."""

    present: frozenset[str]
    unknown: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return name in self.present


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
    """What the host is and can do: a closed list of names, each seen or not; ``?name``: it cannot
    be said.
    """

    name = "capabilities"
    command = "command -v …; systemd-detect-virt --vm"
    body: ClassVar[str] = (
        f"for t in {' '.join(TOOLS)}; do"
        ' if command -v "$t" >/dev/null 2>&1; then echo "tool.$t"; fi; done\n'
        "[ -d /run/systemd/system ] && echo systemd\n"
        "if [ -e /.dockerenv ] || [ -e /run/.containerenv ] || [ -e /run/systemd/container ];"
        " then echo container\n"
        # Some managers leave no mark. Who sees the first namespace of processes is in none
        # (PROC_PID_INIT_INO of the kernel); another namespace may be a container, or a sandbox.
        "else case $(readlink /proc/self/ns/pid 2>/dev/null) in *4026531836*) ;;"
        " *) echo '?container' ;; esac; fi\n"
        "[ -e /sys/fs/selinux/enforce ] && echo selinux\n"
        "[ -d /sys/kernel/security/apparmor ] && echo apparmor\n"
        "[ -e /proc/modules ] && echo kernel_modules\n"
        "[ -d /proc/sys/net/ipv6 ] && echo ipv6\n"
        "for d in /usr/share/xsessions /usr/share/wayland-sessions; do [ -d $d ] || continue\n"
        "[ -r $d ] && [ -x $d ] || echo '?desktop'\n"
        'for f in $d/*.desktop; do [ -e "$f" ] && { echo desktop; break; }; done; done\n'
        # A bus that the kernel does not know has nothing on it. Root hubs (usb1) belong to it.
        "if [ -d /sys/bus/usb/devices ]; then\n"
        "for d in /sys/bus/usb/devices/[0-9]*-[0-9]*; do"
        ' [ -e "$d" ] && { echo usb; break; }; done\n'
        "elif [ ! -d /sys/bus ]; then echo '?usb'; fi\n"
        # systemd-detect-virt(1): `none` where there is no hypervisor, nothing where it failed.
        "v=$(systemd-detect-virt --vm 2>/dev/null)\n"
        'case $v in none) echo physical ;; ?*) echo virtual ;; "")\n'
        "if [ -e /sys/hypervisor/type ]; then\n"
        # The first domain of Xen runs on the machine itself (XENFEAT_dom0 is bit 11).
        "x=$(cat /sys/hypervisor/properties/features 2>/dev/null)\n"
        'case $x in ""|*[!0-9a-fA-F]*) grep -q control_d /proc/xen/capabilities 2>/dev/null'
        " && echo physical ;;\n"
        "*) [ $((0x$x >> 11 & 1)) = 1 ] && echo physical || echo virtual ;; esac\n"
        "elif grep -q '^flags.* hypervisor' /proc/cpuinfo 2>/dev/null"
        " || [ -e /proc/device-tree/hypervisor/compatible ]; then echo virtual\n"
        "else d=$(cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name"
        " /sys/class/dmi/id/bios_vendor 2>/dev/null)\n"
        "case $d in *QEMU*|*KVM*|*VMware*|*VirtualBox*|*innotek*|*Xen*|*Bochs*|*Parallels*|*BHYVE*|"
        "*OpenStack*|*'Virtual Machine'*|*'Apple Virtualization'*) echo virtual ;;\n"
        # Neither the processor nor the board names a hypervisor, and both were asked.
        "?*) grep -q '^flags' /proc/cpuinfo 2>/dev/null && echo physical ;; esac; fi ;; esac\n"
        "echo end"
    )

    def parse(self, text: str) -> Capabilities | CouldNot:
        words = text.split()
        if not words or words[-1] != "end":
            return CouldNot(Reason.UNPARSABLE, "The list of capabilities is cut short.")
        present = frozenset(words[:-1]) & CAPABILITIES
        unsaid = frozenset(word[1:] for word in words if word.startswith("?"))
        unknown = unsaid & CAPABILITIES - present
        if ("virtual" in present) == (PHYSICAL in words):
            # An older snapshot has neither word.
            unknown, present = unknown | {"virtual"}, present - {"virtual"}
        return Capabilities(present, unknown)


def _unquote(value: str) -> str:
    """Return a shell-style value of os-release(5) without its quotes and escapes."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value.replace('\\"', '"').replace("\\$", "$").replace("\\`", "`").replace("\\\\", "\\")

"""What the root file systems of lab hosts are made of.

An image is a Debian suite with packages and, on top, layers: scripts that run in it. Each part is
stored under a digest of all that defines it, so that a change of a definition builds anew and
labs of several checkouts share what is equal.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.accounts import ACCOUNTS, NOISE, PASSWORD
from lab.errors import LabError

ROOTFS: Final = Path(__file__).parent / "rootfs"
DIGEST_DIGITS: Final = 12
# What rules look at: a server's usual services and the tools that show its state.
PACKAGES: Final = (
    *("openssh-server", "sudo", "systemd", "systemd-sysv", "dbus", "procps", "iproute2", "cron"),
    *("rsyslog", "nftables", "acl", "attr", "e2fsprogs", "kmod", "libpam-pwquality", "auditd"),
    *("util-linux", "login", "passwd", "busybox", "logrotate"),
)
# Scanners that ours is compared with, on the host that they look at, and what they need there: the
# content of ComplianceAsCode takes a host without linux-base for a container, and skips most of it.
PEERS: Final = (
    *("openscap-scanner", "lynis", "python3"),
    *("linux-base", "grub2-common", "apparmor"),
)
# Where it goes in the image -> file of rootfs/ and mode.
FILES: Final = {
    "usr/local/sbin/lab-sysctl": ("lab-sysctl", 0o755),
    "usr/local/sbin/lab-mini-init": ("lab-mini-init", 0o755),
    "etc/systemd/system/lab-sysctl.service": ("lab-sysctl.service", 0o644),
    "etc/systemd/system/auditd.service.d/lab.conf": ("needs-a-kernel.conf", 0o644),
    "etc/systemd/system/audit-rules.service.d/lab.conf": ("needs-a-kernel.conf", 0o644),
}


@dataclass(frozen=True, slots=True)
class Image:
    """One kind of root file system."""

    name: str
    suite: str
    says: str
    packages: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def base_directory(self) -> str:
        """Name of the directory with the suite and its packages."""
        definition = {
            "suite": self.suite,
            "packages": [*PACKAGES, *self.packages],
            "files": {place: [_text(name), mode] for place, (name, mode) in FILES.items()},
            "provision": provision_script(self.suite),
        }
        what = "peers" if self.packages == PEERS else "-".join(self.packages)
        stem = f"{self.suite}-{what}" if what else self.suite
        return f"{stem}-{_digest(json.dumps(definition, sort_keys=True))}"

    @property
    def layer_directories(self) -> tuple[str, ...]:
        """Names of the directories of the layers, the lowest first."""
        below = self.base_directory
        names: list[str] = []
        for layer in self.layers:
            below = f"{layer}-{_digest(below + layer_script(layer))}"
            names.append(below)
        return tuple(names)


# name -> image. The names are what `lab up --suite` takes.
IMAGES: Final = {
    image.name: image
    for image in (
        Image("bookworm", "bookworm", "Debian 12"),
        Image("trixie", "trixie", "Debian 13"),
        Image("bullseye", "bullseye", "Debian 11"),
        Image("sudoless", "bookworm", "Debian 12 without sudo", layers=("sudoless",)),
        Image("busybox", "bookworm", "Debian 12 whose sh is busybox ash", layers=("busybox",)),
        Image(
            "rhel9",
            "bookworm",
            "Debian programs with os-release and rpm database of the RHEL 9 family",
            packages=("rpm",),
            layers=("rhel9",),
        ),
        Image("bookworm-peers", "bookworm", "Debian 12 with OpenSCAP and Lynis", packages=PEERS),
        Image("trixie-peers", "trixie", "Debian 13 with OpenSCAP and Lynis", packages=PEERS),
    )
}


def image_named(name: str) -> Image:
    """The image ``name``; ``LabError`` lists the known ones."""
    if name not in IMAGES:
        raise LabError(f"There is no image {name!r}.", f"Known are: {', '.join(IMAGES)}.")
    return IMAGES[name]


def layer_script(layer: str) -> str:
    return "set -eu\n" + _text(f"layers/{layer}.sh")


def provision_script(suite: str) -> str:
    """The shell text that makes accounts and settings; runs once, inside the new root."""
    # OpenSSH before 8.7 knows keyboard-interactive by its old name only.
    interactive = "Kbd" if suite != "bullseye" else "ChallengeResponse"
    interactive += "InteractiveAuthentication" if suite != "bullseye" else "Authentication"
    lines = [
        "set -eu",
        "umask 022",
        "rm -f /etc/ssh/ssh_host_* /etc/machine-id",
        ": >/etc/machine-id",
        "mkdir -p /etc/ssh/sshd_config.d",
        f"echo '{interactive} yes' >/etc/ssh/sshd_config.d/10-lab.conf",
        "systemctl enable lab-sysctl.service",
        "install -d -m 700 /root/.ssh",
        "install -m 600 /dev/null /root/.ssh/authorized_keys",
        "install -m 440 /dev/null /etc/sudoers.d/lab",
    ]
    for account in ACCOUNTS:
        home, name = f"/home/{account.name}", account.name
        lines += [
            f"useradd -m -s {account.shell} {name}",
            f"install -d -m 700 -o {name} -g {name} {home}/.ssh",
            f"install -m 600 -o {name} -g {name} /dev/null {home}/.ssh/authorized_keys",
        ]
        lines += [f"echo '{line}' >>/etc/sudoers.d/lab" for line in account.sudoers]
        if account.has_password:
            lines.append(f"echo '{name}:{PASSWORD}' | chpasswd")
        if account.must_change_password:
            lines.append(f"chage -d 0 {name}")
        if account.noisy:
            lines += [
                f"cat >{home}/.noise <<'NOISE'\n{NOISE}NOISE",
                f"cat {home}/.bashrc >>{home}/.noise",
                f"mv {home}/.noise {home}/.bashrc",
                f"chown {name}: {home}/.bashrc",
            ]
    lines.append("visudo -cqf /etc/sudoers.d/lab")
    return "\n".join(lines) + "\n"


def _text(name: str) -> str:
    return (ROOTFS / name).read_text()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]

"""Known misconfigurations that can be planted on a lab host, and taken away again.

They are the ground truth of end-to-end tests: after planting a set of them on a hardened host, a
scan has to find exactly these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lab.errors import LabError
from lab.host import SYSTEMD, enter, reload_sshd
from lab.image import IMAGES
from lab.state import HostRecord

APPLY_ALL: Final = "sysctl --system >/dev/null 2>&1 || true"


@dataclass(frozen=True, slots=True)
class Misconfiguration:
    """One setting that is wrong: the shell that plants it and the shell that takes it away.

    ``setting`` says what a report should show: the thing and its bad value. ``breaks`` names the
    rules that a hardened host then fails, and no others.
    """

    name: str
    says: str
    setting: str
    plant: str
    mend: str
    breaks: tuple[str, ...]
    needs_systemd: bool = False
    needs_dpkg: bool = False
    in_sshd: bool = False

    def possible_on(self, host: HostRecord) -> bool:
        """Whether the host has what the planting needs."""
        has_dpkg = "rpm" not in IMAGES[host.image].packages
        return (host.init == SYSTEMD or not self.needs_systemd) and (
            has_dpkg or not self.needs_dpkg
        )


def _sshd(name: str, option: str, value: str, says: str, *breaks: str) -> Misconfiguration:
    # sshd_config(5): the first value wins, so the file has to be read before all others.
    path = f"/etc/ssh/sshd_config.d/00-drift-{name}.conf"
    return Misconfiguration(
        name=name,
        says=says,
        setting=f"{option} {value}",
        plant=f"echo '{option} {value}' >{path}; chmod 0600 {path}",
        mend=f"rm -f {path}",
        breaks=breaks,
        in_sshd=True,
    )


def _sysctl(name: str, key: str, bad: int, good: int, says: str, *breaks: str) -> Misconfiguration:
    path = f"/etc/sysctl.d/zz-drift-{name}.conf"
    return Misconfiguration(
        name=name,
        says=says,
        setting=f"{key} = {bad}",
        # A change of ip_forward sets other keys back (ip-sysctl: "resets all configuration
        # parameters to their default state"), so all files are applied again.
        plant=f"echo '{key} = {bad}' >{path}; {APPLY_ALL}",
        mend=f"rm -f {path}; sysctl -qw {key}={good}; {APPLY_ALL}",
        breaks=breaks,
    )


def _mode(name: str, path: str, bad: str, says: str, *breaks: str) -> Misconfiguration:
    keep = f"/var/lib/lab-drift-{name}"
    return Misconfiguration(
        name=name,
        says=says,
        setting=f"{path} mode {bad}",
        plant=f"[ -e {keep} ] || stat -c %a {path} >{keep}; chmod {bad} {path}",
        mend=f'[ ! -e {keep} ] || {{ chmod "$(cat {keep})" {path}; rm {keep}; }}',
        breaks=breaks,
    )


def _service(name: str, unit: str, says: str, *breaks: str) -> Misconfiguration:
    return Misconfiguration(
        name=name,
        says=says,
        setting=f"{unit} disabled and stopped",
        plant=f"systemctl -q disable --now {unit}",
        mend=f"systemctl -q enable --now {unit}",
        breaks=breaks,
        needs_systemd=True,
    )


def _package(package: str, says: str, *breaks: str) -> Misconfiguration:
    build = f"""
d=$(mktemp -d); mkdir -m 755 $d/p $d/p/DEBIAN
printf 'Package: {package}\\nVersion: 99.0-1\\nArchitecture: all\\n' >$d/p/DEBIAN/control
printf 'Maintainer: lab <root@localhost>\\nDescription: empty stand-in\\n' >>$d/p/DEBIAN/control
dpkg-deb --build -Znone $d/p $d/p.deb >/dev/null; dpkg -i $d/p.deb >/dev/null; rm -r $d
"""
    return Misconfiguration(
        name=f"package-{package}",
        says=says,
        setting=f"package {package} installed",
        plant=build,
        mend=f"dpkg --purge {package} >/dev/null",
        breaks=breaks,
        needs_dpkg=True,
    )


MISCONFIGURATIONS: Final = {
    fault.name: fault
    for fault in (
        _sshd(
            *("root-login", "PermitRootLogin", "yes", "root may log in over SSH by password"),
            "ssh-root-login-disabled",
        ),
        _sshd(
            *("empty-login", "PermitEmptyPasswords", "yes", "SSH accepts empty passwords"),
            "ssh-empty-passwords-refused",
        ),
        _mode(
            *("cron-d-mode", "/etc/cron.d", "0777", "everybody may add jobs that root runs"),
            *("cron-directories-permissions", "world-writable-directories-sticky"),
        ),
        _sysctl(
            *("dmesg", "kernel.dmesg_restrict", 0, 1, "users read the kernel log"),
            "kernel-log-restricted",
        ),
        _sysctl(
            *("aslr", "kernel.randomize_va_space", 0, 2, "addresses are not randomised"),
            "aslr-enabled",
        ),
        _sysctl(
            *("redirects", "net.ipv4.conf.all.accept_redirects", 1, 0, "ICMP redirects rule"),
            "ipv4-redirects-refused",
        ),
        _sysctl(
            *("forwarding", "net.ipv4.ip_forward", 1, 0, "the host routes packets"),
            "ipv4-forwarding-disabled",
        ),
        Misconfiguration(
            name="password-age",
            says="passwords never expire",
            setting="PASS_MAX_DAYS 99999",
            plant="[ -e /var/lib/lab-drift-age ] || cp -p /etc/login.defs /var/lib/lab-drift-age; "
            "sed -i 's/^[[:blank:]]*PASS_MAX_DAYS.*/PASS_MAX_DAYS\\t99999/' /etc/login.defs; "
            "grep -qx 'PASS_MAX_DAYS.99999' /etc/login.defs",
            mend="[ ! -e /var/lib/lab-drift-age ] || mv /var/lib/lab-drift-age /etc/login.defs",
            breaks=("password-max-days-default",),
        ),
        Misconfiguration(
            name="second-root",
            says="an account besides root has uid 0",
            setting="account toor has uid 0",
            plant="id toor >/dev/null 2>&1 || useradd -o -u 0 -g users -M -s /bin/sh toor",
            mend="sed -i /^toor:/d /etc/passwd /etc/shadow",
            breaks=(
                "single-root-account",
                "system-accounts-no-login",
                "unique-user-ids",
            ),
        ),
        Misconfiguration(
            name="empty-password",
            says="an account has an empty password",
            setting="account guest has an empty password",
            plant="id guest >/dev/null 2>&1 || useradd -M -s /bin/sh guest; passwd -qd guest",
            mend="userdel guest",
            breaks=("home-directories-exist", "no-empty-passwords"),
        ),
        Misconfiguration(
            name="world-writable",
            says="everybody may write a program that is on the PATH of all",
            setting="/usr/local/bin/deploy mode 0777",
            plant="echo '#!/bin/sh' >/usr/local/bin/deploy; chmod 0777 /usr/local/bin/deploy",
            mend="rm -f /usr/local/bin/deploy",
            breaks=("command-files-mode", "no-world-writable-files"),
        ),
        Misconfiguration(
            name="no-sticky",
            says="everybody may delete everybody's files in a shared directory",
            setting="/srv/exchange mode 0777",
            plant="mkdir -p /srv/exchange; chmod 0777 /srv/exchange",
            mend="rmdir /srv/exchange",
            breaks=("world-writable-directories-sticky",),
        ),
        Misconfiguration(
            name="unowned",
            says="a file belongs to an account that does not exist",
            setting="/srv/orphan owned by 4242:4242",
            plant="touch /srv/orphan; chown 4242:4242 /srv/orphan",
            mend="rm -f /srv/orphan",
            breaks=(
                "no-files-without-group",
                "no-files-without-owner",
            ),
        ),
        _package(
            *("telnet", "a client that sends passwords in clear is installed"),
            "legacy-clients-absent",
        ),
        _package(
            *("nis", "the Network Information Service is installed"),
            "legacy-clients-absent",
        ),
        # After all that edits the accounts: shadow's tools copy these modes to their backup files.
        _mode(
            *("shadow-mode", "/etc/shadow", "0644", "everybody may read the password hashes"),
            "shadow-file-permissions",
        ),
        _mode(
            *("passwd-mode", "/etc/passwd", "0666", "everybody may write the account list"),
            *("no-world-writable-files", "passwd-file-permissions"),
        ),
        _service(
            *("cron-off", "cron.service", "no scheduled job runs"),
            "cron-running",
        ),
        _service(
            *("rsyslog-off", "rsyslog.service", "nothing is logged to files"),
            *("logs-sent-away", "rsyslog-service-running"),
            # Without rsyslog the journal has to be sent away by itself.
            *("journal-not-forwarded", "journal-upload-authenticated", "journal-upload-installed"),
            *("journal-upload-running", "journal-upload-url"),
        ),
    )
}


def named(names: Iterable[str]) -> list[Misconfiguration]:
    """The misconfigurations of these names in the order in which they can be planted.

    ``LabError`` lists the known ones.
    """
    wanted = set(names)
    if unknown := sorted(wanted - MISCONFIGURATIONS.keys()):
        raise LabError(
            f"There is no misconfiguration {unknown[0]!r}.",
            f"Known are: {', '.join(MISCONFIGURATIONS)}.",
        )
    return [fault for fault in MISCONFIGURATIONS.values() if fault.name in wanted]


def plant(host: HostRecord, faults: Iterable[Misconfiguration]) -> None:
    """Break each setting; planting twice is planting once."""
    faults = list(faults)
    for fault in faults:
        if not fault.possible_on(host):
            raise LabError(f"{fault.name} cannot be planted on {host.name} ({host.image}).")
    _change(host, faults, [fault.plant for fault in faults])


def mend(host: HostRecord, faults: Iterable[Misconfiguration]) -> None:
    """Take planted settings away again, the last one first."""
    faults = list(faults)[::-1]
    _change(host, faults, [fault.mend for fault in faults])


def _change(host: HostRecord, faults: list[Misconfiguration], scripts: list[str]) -> None:
    for script in scripts:
        enter(host, f"set -eu\n{script}")
    if any(fault.in_sshd for fault in faults):
        reload_sshd(host)

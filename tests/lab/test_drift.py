"""Known misconfigurations: planted, seen on the host, and gone again."""

from __future__ import annotations

import pytest

from lab.drift import MISCONFIGURATIONS
from lab.errors import LabError
from lab.session import LabHost, LabSession
from tests.lab.ssh import ssh

# How a host shows each of them, asked of the host itself.
SEEN_BY = {
    "root-login": ("sshd -T | grep ^permitrootlogin", "permitrootlogin yes"),
    "empty-login": ("sshd -T | grep ^permitemptypasswords", "permitemptypasswords yes"),
    "shadow-mode": ("stat -c %a /etc/shadow", "644"),
    "passwd-mode": ("stat -c %a /etc/passwd", "666"),
    "cron-d-mode": ("stat -c %a /etc/cron.d", "777"),
    "dmesg": ("sysctl -n kernel.dmesg_restrict", "0"),
    "aslr": ("sysctl -n kernel.randomize_va_space", "0"),
    "redirects": ("sysctl -n net.ipv4.conf.all.accept_redirects", "1"),
    "forwarding": ("sysctl -n net.ipv4.ip_forward", "1"),
    "password-age": ("grep ^PASS_MAX_DAYS /etc/login.defs", "PASS_MAX_DAYS\t99999"),
    "second-root": ("awk -F: '$3==0' /etc/passwd | wc -l", "2"),
    "empty-password": ("awk -F: '$2==\"\" {print $1}' /etc/shadow", "guest"),
    "world-writable": ("find /usr/local -type f -perm -2", "/usr/local/bin/deploy"),
    "no-sticky": ("find /srv -type d -perm -2 ! -perm -1000", "/srv/exchange"),
    "unowned": ("find /srv -nouser", "/srv/orphan"),
    "package-telnet": ("dpkg-query -Wf '${Status}' telnet", "install ok installed"),
    "package-nis": ("dpkg-query -Wf '${Status}' nis", "install ok installed"),
    "cron-off": ("systemctl is-enabled cron; systemctl is-active cron", "disabled\ninactive"),
    "rsyslog-off": (
        "systemctl is-enabled rsyslog; systemctl is-active rsyslog",
        "disabled\ninactive",
    ),
}


def shown(host: LabHost) -> dict[str, str]:
    return {
        name: host.exec(command, check=False).stdout.strip()
        for name, (command, _) in SEEN_BY.items()
    }


@pytest.mark.ac("lab-07")
@pytest.mark.parametrize("image", ["bookworm", "trixie"])
def test_each_one_is_planted_seen_and_taken_away(lab: LabSession, image: str) -> None:
    assert set(SEEN_BY) == set(MISCONFIGURATIONS)
    with lab.fresh(image) as host:
        host.harden()
        before = shown(host)
        bad = {name: value for name, (_, value) in SEEN_BY.items()}
        assert not [name for name in bad if before[name] == bad[name]], "hardened hosts have none"
        host.plant(*MISCONFIGURATIONS)
        host.plant(*MISCONFIGURATIONS)
        assert shown(host) == bad
        host.unplant(*MISCONFIGURATIONS)
        assert shown(host) == before


@pytest.mark.ac("lab-07")
def test_what_a_host_cannot_have_is_refused(lab: LabSession) -> None:
    with pytest.raises(LabError, match="package-telnet cannot be planted on rhel9"):
        lab.hosts["rhel9"].plant("package-telnet")
    with pytest.raises(LabError, match="no misconfiguration 'gremlins'"):
        lab.hosts["rhel9"].plant("gremlins")


@pytest.mark.ac("lab-14")
@pytest.mark.parametrize("image", ["bookworm", "trixie", "rhel9"])
def test_a_hardened_host_still_lets_scanners_in(lab: LabSession, image: str) -> None:
    with lab.fresh(image) as host:
        host.harden()
        host.harden()
        assert ssh(lab, host, "scan", "sudo -n id -u").stdout == "0\n"
        asked = ssh(lab, host, "scanpw", f"echo '{lab.password}' | sudo -kS -p '' id -u")
        assert asked.stdout == "0\n", asked.stderr
        assert ssh(lab, host, "root", "true").returncode == 255
        host.reboot()
        assert ssh(lab, host, "scan", "sudo -n id -u").stdout == "0\n"
        assert host.exec("systemctl is-system-running").stdout == "running\n"

"""Settings that good practice asks for, so that a lab host passes the rules that look at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lab.host import SYSTEMD, enter, reload_sshd
from lab.state import HostRecord


@dataclass(frozen=True, slots=True)
class Hardening:
    """A group of settings and the shell that makes them; applying twice is applying once."""

    name: str
    apply: str
    needs_systemd: bool = False


SSHD: Final = """
cat >/etc/ssh/sshd_config.d/01-harden.conf <<'CONF'
PermitRootLogin prohibit-password
PermitEmptyPasswords no
X11Forwarding no
MaxAuthTries 4
ClientAliveInterval 15
ClientAliveCountMax 3
LoginGraceTime 60
MaxStartups 10:30:60
Banner /etc/issue.net
CONF
chmod 0600 /etc/ssh/sshd_config /etc/ssh/sshd_config.d/01-harden.conf
"""
SYSCTL: Final = """
cat >/etc/sysctl.d/60-harden.conf <<'CONF'
kernel.dmesg_restrict = 1
kernel.kptr_restrict = 1
kernel.randomize_va_space = 2
kernel.yama.ptrace_scope = 1
kernel.sysrq = 0
fs.suid_dumpable = 0
fs.protected_hardlinks = 1
fs.protected_symlinks = 1
net.ipv4.ip_forward = 0
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.secure_redirects = 0
net.ipv4.conf.default.secure_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv4.conf.default.accept_source_route = 0
net.ipv4.conf.all.log_martians = 1
net.ipv4.conf.default.log_martians = 1
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv4.icmp_ignore_bogus_error_responses = 1
net.ipv4.tcp_syncookies = 1
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.default.accept_redirects = 0
net.ipv6.conf.all.accept_ra = 0
net.ipv6.conf.default.accept_ra = 0
net.ipv6.conf.all.accept_source_route = 0
net.ipv6.conf.default.accept_source_route = 0
net.ipv6.conf.all.forwarding = 0
CONF
sysctl -qe -p /etc/sysctl.d/60-harden.conf
"""
ACCOUNTS: Final = """
set_default() {
  if grep -qE "^[[:blank:]]*$1[[:blank:]]" /etc/login.defs
  then sed -i -E "s/^[[:blank:]]*$1[[:blank:]].*/$1\\t$2/" /etc/login.defs
  else printf '%s\\t%s\\n' "$1" "$2" >>/etc/login.defs; fi
}
set_default PASS_MAX_DAYS 365
set_default PASS_MIN_DAYS 1
set_default PASS_WARN_AGE 7
set_default UMASK 027
set_default ENCRYPT_METHOD YESCRYPT
"""
FILES: Final = """
for path in /etc/crontab /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly \\
  /etc/cron.monthly
do
  [ ! -e "$path" ] || chmod go-rwx "$path"
done
echo 'Authorised use only. All activity may be monitored and reported.' |
  tee /etc/issue /etc/issue.net /etc/motd >/dev/null
chmod 0644 /etc/issue /etc/issue.net /etc/motd
printf 'Defaults use_pty\\nDefaults logfile="/var/log/sudo.log"\\n' >/etc/sudoers.d/harden
chmod 0440 /etc/sudoers.d/harden
"""

HARDENINGS: Final = (
    Hardening("sshd", SSHD),
    Hardening("sysctl", SYSCTL),
    Hardening("accounts", ACCOUNTS),
    Hardening("files", FILES),
)


def harden(host: HostRecord, hardenings: Iterable[Hardening] = HARDENINGS) -> tuple[str, ...]:
    """Apply what is possible on the host; return the names of what was applied."""
    applied: list[str] = []
    for hardening in hardenings:
        if hardening.needs_systemd and host.init != SYSTEMD:
            continue
        enter(host, f"set -eu\n{hardening.apply}")
        applied.append(hardening.name)
    reload_sshd(host)
    return tuple(applied)

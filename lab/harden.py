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
PermitRootLogin no
PermitEmptyPasswords no
X11Forwarding no
DisableForwarding yes
MaxAuthTries 4
MaxSessions 10
ClientAliveInterval 15
ClientAliveCountMax 3
LoginGraceTime 60
LogLevel VERBOSE
MaxStartups 10:30:60
Banner /etc/issue.net
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512,hmac-sha2-256
CONF
chmod 0600 /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf
"""
KERNEL: Final = """
cat >/etc/sysctl.d/60-harden.conf <<'CONF'
kernel.dmesg_restrict = 1
kernel.kptr_restrict = 1
kernel.kexec_load_disabled = 1
kernel.perf_event_paranoid = 3
kernel.randomize_va_space = 2
kernel.unprivileged_bpf_disabled = 1
kernel.yama.ptrace_scope = 1
kernel.sysrq = 0
fs.suid_dumpable = 0
fs.protected_hardlinks = 1
fs.protected_symlinks = 1
net.core.bpf_jit_harden = 2
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
net.ipv6.conf.default.forwarding = 0
CONF
sysctl -qe -p /etc/sysctl.d/60-harden.conf
"""
MODULES: Final = """
for module in atm can cramfs dccp firewire-core freevxfs hfs hfsplus jffs2 rds sctp squashfs tipc \\
  udf usb-storage bluetooth
do
  printf 'install %s /bin/false\\nblacklist %s\\n' "$module" "$module"
done >/etc/modprobe.d/60-harden.conf
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
useradd -D -f 30
awk -F: '$2 ~ /^[$]/ {print $1}' /etc/shadow | while read -r name; do
  chage -M 365 -m 1 -W 7 -I 30 "$name"
done
"""
PASSWORDS: Final = r"""
cat >/etc/security/faillock.conf <<'CONF'
deny = 4
unlock_time = 900
even_deny_root
root_unlock_time = 60
CONF
cat >/etc/security/pwquality.conf <<'CONF'
minlen = 14
difok = 2
maxrepeat = 3
maxsequence = 3
dictcheck = 1
enforce_for_root
CONF
cat >/usr/share/pam-configs/faillock-count <<'CONF'
Name: Count failed attempts
Default: yes
Priority: 0
Auth-Type: Primary
Auth:
	[default=die] pam_faillock.so authfail
CONF
cat >/usr/share/pam-configs/faillock-look <<'CONF'
Name: Look at the count of failed attempts
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
	requisite pam_faillock.so preauth
Account-Type: Primary
Account:
	required pam_faillock.so
CONF
sed -i 's/ nullok\b//' /usr/share/pam-configs/unix
DEBIAN_FRONTEND=noninteractive pam-auth-update --package --force \
  --enable faillock-look faillock-count unix pwquality 2>/dev/null
groupadd -f sugroup
grep -q use_uid /etc/pam.d/su ||
  sed -i '1i auth required pam_wheel.so use_uid group=sugroup' /etc/pam.d/su
"""
CRASHES: Final = """
mkdir -p /etc/security/limits.d /etc/systemd/coredump.conf.d /etc/systemd/system.conf.d
echo '* hard core 0' >/etc/security/limits.d/60-harden.conf
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' >/etc/systemd/coredump.conf.d/60-harden.conf
printf '[Manager]\nCtrlAltDelBurstAction=none\n' >/etc/systemd/system.conf.d/60-harden.conf
ln -sf /dev/null /etc/systemd/system/ctrl-alt-del.target
"""
LOGS: Final = """
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nCompress=yes\nForwardToSyslog=yes\n' \
  >/etc/systemd/journald.conf.d/60-harden.conf
systemctl restart systemd-journald.service
# An address for documentation (RFC 5737): there is no log host in a lab.
echo '*.* @@192.0.2.1:514' >/etc/rsyslog.d/60-harden.conf
systemctl restart rsyslog.service
"""
# The files only: a lab host has no audit system that would read them.
AUDIT: Final = """
set_action() {
  sed -i -E "s/^[[:blank:]]*$1[[:blank:]]*=.*/$1 = $2/" /etc/audit/auditd.conf
}
set_action max_log_file_action keep_logs
set_action space_left_action email
set_action admin_space_left_action halt
set_action disk_full_action halt
set_action disk_error_action halt
{
  for path in /etc/group /etc/passwd /etc/gshadow /etc/shadow /etc/security/opasswd \
    /etc/nsswitch.conf /etc/pam.conf /etc/pam.d /etc/sudoers /etc/sudoers.d /etc/localtime \
    /var/run/utmp /var/log/wtmp /var/log/btmp /var/log/lastlog /var/run/faillock \
    /etc/apparmor /etc/apparmor.d /etc/selinux /usr/share/selinux
  do
    echo "-w $path -p wa -k changes"
  done
  for arch in b64 b32; do
    echo "-a always,exit -F arch=$arch -S adjtimex,settimeofday -k time"
    echo "-a always,exit -F arch=$arch -S clock_settime -F a0=0x0 -k time"
    echo "-a always,exit -F arch=$arch -S init_module,finit_module,delete_module" \
      "-F auid>=1000 -F auid!=unset -k modules"
  done
  echo '-e 2'
} >/etc/audit/rules.d/60-harden.rules
chmod 0640 /etc/audit/rules.d/60-harden.rules
touch /var/log/audit/audit.log
chmod 0640 /var/log/audit/audit.log
"""
FILES: Final = """
for path in /etc/crontab /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly \\
  /etc/cron.monthly /etc/cron.yearly
do
  [ ! -e "$path" ] || chmod go-rwx "$path"
done
for path in /etc/cron.allow /etc/at.allow; do
  : >>"$path"; chmod 0640 "$path"; chown root:root "$path"; rm -f "${path%allow}deny"
done
chmod 0750 /home/*
grep -q TMOUT /etc/profile || echo 'TMOUT=900; readonly TMOUT; export TMOUT' >>/etc/profile
echo 'Authorised use only. All activity may be monitored and reported.' |
  tee /etc/issue /etc/issue.net /etc/motd >/dev/null
chmod 0644 /etc/issue /etc/issue.net /etc/motd
"""
SUDO: Final = """
[ ! -d /etc/sudoers.d ] || {
  printf 'Defaults use_pty\\nDefaults logfile="/var/log/sudo.log"\\n' >/etc/sudoers.d/harden
  chmod 0440 /etc/sudoers.d/harden
}
"""
MOUNTS: Final = """
for point in /tmp /var/tmp /dev/shm; do
  grep -qE "^tmpfs $point " /etc/fstab 2>/dev/null ||
    echo "tmpfs $point tmpfs nosuid,nodev,noexec,mode=1777 0 0" >>/etc/fstab
  mountpoint -q "$point" || mount "$point"
  mount -o remount,nosuid,nodev,noexec "$point"
done
# A bind mount stands in for a partition of its own.
for point in /home /var/log/audit; do
  mkdir -p "$point"
  grep -qE "^$point $point " /etc/fstab ||
    echo "$point $point none bind,nosuid,nodev 0 0" >>/etc/fstab
  mountpoint -q "$point" || mount "$point"
  mount -o remount,bind,nosuid,nodev,noexec "$point"
done
"""
FIREWALL: Final = """
systemctl -q enable --now nftables.service
"""

HARDENINGS: Final = (
    Hardening("sshd", SSHD),
    Hardening("kernel", KERNEL),
    Hardening("modules", MODULES),
    Hardening("accounts", ACCOUNTS),
    Hardening("passwords", PASSWORDS),
    Hardening("crashes", CRASHES),
    Hardening("logs", LOGS, needs_systemd=True),
    Hardening("audit", AUDIT),
    Hardening("files", FILES),
    Hardening("sudo", SUDO),
    Hardening("mounts", MOUNTS, needs_systemd=True),
    Hardening("firewall", FIREWALL, needs_systemd=True),
)

# Rules that a hardened Debian host of the lab does not pass all the same, and why.
CANNOT_HAVE: Final = {
    "aide-installed": "its packages are many times larger than the rest of an image",
    "aide-runs-regularly": "it is not installed",
    "apparmor-enabled": "the machine's kernel is not the host's own",
    "apparmor-no-complaining-profiles": "the machine's kernel is not the host's own",
    "audit-service-running": "the kernel has one audit system and gives it to no container",
    "one-time-synchronisation": "a host of the lab must not set the machine's clock",
    "sudo-asks-for-password": "the account scan is there to scan without one",
}


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

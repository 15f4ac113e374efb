"""Auditing: the rules and the state that the kernel has now, and where auditd keeps its log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.files import FileStat

STATUS_KEYS: Final = (
    "enabled", "failure", "rate_limit", "backlog_limit", "loginuid_immutable",
)  # fmt: skip
"""What auditctl(8) -s tells that somebody has set; the rest are counters and a process id."""

NO_RULES: Final = "No rules"


@dataclass(frozen=True, slots=True)
class KernelAudit:
    """What auditctl(8) tells: ``rules`` as it prints them, ``status`` by name.

    ``missing`` says why there is nothing to tell: the host has no auditctl, or its kernel cannot
    audit. Neither is an error of the measurement: on such a host nothing is recorded.
    """

    rules: tuple[str, ...] = ()
    status: Mapping[str, int] | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Where auditd.conf(5) puts the log. ``files`` holds each pair of name without number and
    permissions once, so that a rotated log is no change of the host.
    """

    path: str
    directory: FileStat | None
    files: tuple[FileStat, ...]
    megabytes: int | None
    """Size of the file system that holds the log; ``None``: there is no directory."""
    mount_point: str | None


class AuditProbe(TableProbe):
    """auditctl(8): the state of auditing and the rules that the kernel has loaded."""

    name = "audit"
    command = "auditctl -s; auditctl -l"
    # Some versions end with 0 although the kernel refused: what they print decides.
    body = r"""
command -v auditctl >/dev/null 2>&1 || { echo '#missing tool'; exit 0; }
s=$(auditctl -s 2>&1); r=$?
case $s in
enabled\ [0-9]*) ;;
*"support not in kernel"*|*"rotocol not supported"*) echo '#missing kernel'; exit 0;;
*) printf '%s\n' "$s" >&2; [ "$r" = 0 ] && r=1; exit "$r";;
esac
l=$(auditctl -l 2>&1); r=$?
case $l in
-*|"No rules"*) ;;
*) printf '%s\n' "$l" >&2; [ "$r" = 0 ] && r=1; exit "$r";;
esac
printf '#status\n%s\n#rules\n%s\n#end\n' "$s" "$l"
"""

    def clean(self, output: bytes) -> bytes:
        head, mark, rules = output.partition(b"#rules\n")
        kept = (line for line in head.split(b"\n") if line.startswith(_KEPT))
        return b"".join(line + b"\n" for line in kept) + mark + rules if mark else output

    def parse(self, text: str) -> KernelAudit | CouldNot:
        lines = text.split("\n")[:-1]
        if lines == ["#missing tool"]:
            return KernelAudit(missing="auditctl is not on the host")
        if lines == ["#missing kernel"]:
            return KernelAudit(missing="the kernel offers no auditing here")
        if "#rules" not in lines or lines[0] != "#status" or lines[-1] != "#end":
            return CouldNot(Reason.UNPARSABLE, "auditctl did not answer as auditctl(8) says.")
        place = lines.index("#rules")
        status = dict(_STATUS.findall("\n".join(lines[1:place])))
        rules = tuple(line for line in lines[place + 1 : -1] if line and line != NO_RULES)
        strange = next((rule for rule in rules if not rule.startswith("-")), None)
        if "enabled" not in status or strange is not None:
            return CouldNot(Reason.UNPARSABLE, f"Unexpected line {(strange or text)[:80]!r}.")
        return KernelAudit(rules, {key: int(value) for key, value in status.items()})


_KEPT: Final = (b"#", *(f"{key} ".encode() for key in STATUS_KEYS))
_STATUS: Final = re.compile(r"(?m)^([a-z_]+) ([0-9]{1,10})\b")


class AuditLogProbe(TableProbe):
    """The directory and the files of the audit log, where auditd.conf(5) says that they are."""

    name = "audit_log"
    command = "stat LOG-DIRECTORY LOG-FILES; df LOG-DIRECTORY"
    body = r"""
c=/etc/audit/auditd.conf
if [ ! -r $c ]; then
  d=/etc/audit; [ -d $d ] || d=/etc
  if [ -e $c ] || [ ! -x $d ]; then echo "$c: Permission denied" >&2; exit 1; fi
  echo '#no configuration'; exit 0
fi
f=$(sed -n 's/^[[:blank:]]*[Ll][Oo][Gg]_[Ff][Ii][Ll][Ee][[:blank:]]*=[[:blank:]]*//p' $c |
  tail -n 1 | sed 's/[[:blank:]]*$//')
: "${f:=/var/log/audit/audit.log}"
case $f in /*/*) ;; *) f=/var/log/audit/audit.log;; esac
d=${f%/*}
echo "#log $f"
if [ ! -d "$d" ]; then
  p=$d; while [ ! -d "$p" ]; do p=${p%/*}; [ -n "$p" ] || p=/; done
  if [ ! -x "$p" ]; then echo "$p: Permission denied" >&2; exit 1; fi
  echo '#end'; exit 0
fi
stat -L -c '=%a|%u|%g|%U|%G|%F|%n' -- "$d" || exit 1
if [ ! -r "$d" ] || [ ! -x "$d" ]; then echo "$d: Permission denied" >&2; exit 1; fi
df -P -k "$d" | awk 'NR == 2 { for (i = 6; i <= NF; i++) p = p (i > 6 ? " " : "") $i
  printf "#disk %d %s\n", $2 / 1024, p }'
for l in "$f"*; do
  [ -f "$l" ] && stat -L -c '=%a|%u|%g|%U|%G|%F|%n' -- "$l"
done | sed -e 's/regular empty file/regular file/' -e 's/\.[0-9][0-9]*$/.N/' | sort -u
echo '#end'
"""

    def parse(self, text: str) -> AuditLog | CouldNot | None:
        """Return the log; ``None`` where there is no auditd.conf(5)."""
        lines = text.split("\n")[:-1]
        if lines == ["#no configuration"]:
            return None
        if len(lines) < 2 or not lines[0].startswith("#log /") or lines[-1] != "#end":
            return CouldNot(Reason.UNPARSABLE, "The place of the audit log was not told.")
        disk = next((m for line in lines if (m := _DISK.match(line))), None)
        stats = [_stat(line) for line in lines[1:-1] if not line.startswith("#disk ")]
        files = [stat for stat in stats if stat is not None]
        if len(files) != len(stats) or bool(files) is not (disk is not None):
            return CouldNot(Reason.UNPARSABLE, "stat or df did not answer as POSIX says.")
        return AuditLog(
            path=lines[0].removeprefix("#log "),
            directory=files[0] if files else None,
            files=tuple(files[1:]),
            megabytes=int(disk.group(1)) if disk else None,
            mount_point=disk.group(2) if disk else None,
        )


_DISK: Final = re.compile(r"#disk ([0-9]{1,15}) (/.*)\Z")
_STAT: Final = re.compile(
    r"=([0-7]{1,4})\|([0-9]{1,10})\|([0-9]{1,10})\|([^|]*)\|([^|]*)\|([^|]*)\|(/.*)\Z"
)


def _stat(line: str) -> FileStat | None:
    match = _STAT.match(line)
    if match is None:
        return None
    mode, uid, gid, owner, group, kind, path = match.groups()
    return FileStat(
        path=path, type=kind, mode=int(mode, 8), uid=int(uid), gid=int(gid), owner=owner,
        group=group, empty=False,
    )  # fmt: skip

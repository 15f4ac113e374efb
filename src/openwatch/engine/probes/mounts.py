"""Mounted file systems (live) and the one shared walk over the local ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.redaction import redact

REMOTE_TYPES: Final = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "9p", "ceph", "glusterfs", "lustre",
    "fuse.*", "fuse", "autofs", "davfs", "gfs", "gfs2", "ocfs2",
)  # fmt: skip
"""File systems that are not the host's own: walking them would walk somebody else's disk."""

PSEUDO_TYPES: Final = (
    "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "debugfs", "tracefs", "securityfs",
    "pstore", "bpf", "configfs", "selinuxfs", "binfmt_misc", "hugetlbfs", "rpc_pipefs", "nsfs",
    "efivarfs", "squashfs", "iso9660", "ramfs",
)  # fmt: skip

CONTAINER_MOUNTS: Final = (
    "*/merged", "*/rootfs", "/run/*", "/var/lib/docker/*", "/var/lib/containers/*",
    "/var/lib/containerd/*",
)  # fmt: skip
"""Where the overlays of containers are mounted; any other overlay is a part of the host's tree."""

LIBRARY_DIRECTORIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
COMMAND_DIRECTORIES: Final = (
    "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/local/bin", "/usr/local/sbin",
)  # fmt: skip
SYSTEM_DIRECTORIES: Final = (*LIBRARY_DIRECTORIES, *COMMAND_DIRECTORIES)
"""Where whatever belongs to somebody but root, or is writable by its group, is reported."""

_OCTAL: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo (proc(5)); of stacked mounts the last one is in use."""

    target: str
    type: str
    source: str
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """One file or directory that the walk reported."""

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    known_owner: bool | None
    """``None``: a directory service that does not list its entries may know the owner."""
    known_group: bool | None


class MountsProbe(TableProbe):
    """The mounts of the host."""

    name = "mounts"
    command = "cat /proc/self/mountinfo"
    body = "cat /proc/self/mountinfo"

    def clean(self, output: bytes) -> bytes:
        lines = (_BOOT_ONLY.sub(b"", line) for line in redact(output).split(b"\n") if line)
        kept = (line for line in lines if not _SESSION_MOUNT.match(line))
        # Of two mounts on one place the later one counts: the sort is stable.
        return b"".join(line + b"\n" for line in sorted(kept, key=_target))

    def parse(self, text: str) -> dict[str, Mount] | CouldNot:
        mounts: dict[str, Mount] = {}
        for line in text.split("\n")[:-1]:
            left, separator, right = line.partition(" - ")
            before, after = left.split(" "), right.split(" ")
            if not separator or len(before) < 3 or len(after) < 3:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            target = unescape(before[1])
            options = frozenset(before[2].split(",")) | frozenset(after[2].split(","))
            mounts[target] = Mount(target, after[0], unescape(after[1]), options)
        if "/" not in mounts:
            return CouldNot(Reason.UNPARSABLE, "No file system is mounted on /.")
        return mounts


_BOOT_ONLY: Final = re.compile(
    rb"^\d+ \d+ \d+:\d+ (?=/)| (?:shared|master|propagate_from):\d+(?= )"
    rb"|(?<=,)(?:fd|pgrp|pipe_ino)=\d+,?"
)
"""Mount ids, device numbers, peer groups and the pipes of autofs: another boot, other numbers."""
_SESSION_MOUNT: Final = re.compile(rb"\S+ /run/user/\d+[/ ]")
"""What logind mounts for a user who is logged in, the scan account for one."""


def _target(line: bytes) -> bytes:
    return line.split(b" ", 2)[1] if line.count(b" ") > 1 else b""


_WALK: Final = (
    r"""
n() { printf '%s\n' "$1" | cut -d: -f3 | grep -E '^[0-9]+$' | sort -un; }
p=$(getent passwd 2>/dev/null || cat /etc/passwd) || exit 1
g=$(getent group 2>/dev/null || cat /etc/group) || exit 1
p=$(n "$p"); g=$(n "$g")
nu=; for i in $p; do nu="$nu ! -uid $i"; done
ng=; for i in $g; do ng="$ng ! -gid $i"; done
# Red Hat names sss in nsswitch.conf of hosts that never joined a directory.
d=$(sed -nE 's/^(passwd|group)://p' /etc/nsswitch.conf 2>/dev/null)
case $d in
*ldap*|*winbind*|*nis*) echo '#directory';;
*sss*) for f in /etc/sssd/sssd.conf /etc/sssd/conf.d/*.conf; do
  [ ! -e "$f" ] || { echo '#directory'; break; }; done;;
esac
echo '#uids' $p
echo '#gids' $g
set -f
nl='
'
# Sets $c to the lines $1, each behind a line break, without the line $2.
without() {
  c=$1$nl
  while case $c in *"$nl$2$nl"*) ;; *) false;; esac; do
    c=${c%%"$nl$2$nl"*}$nl${c#*"$nl$2$nl"}
  done
  c=${c%"$nl"}
}
m= r= v= x=
while read -r a b c d target opts rest; do
  w=y; t=${rest#*- }; t=${t%% *}
  case $t in """
    f"{'|'.join(REMOTE_TYPES)}) w=r;; {'|'.join(PSEUDO_TYPES)}) w=;;\n"
    f"  overlay) case $target in {'|'.join(CONTAINER_MOUNTS)}) w=;; esac;; esac"
    r"""
  case $target in /) w=y;; /proc|/proc/*|/sys|/sys/*) w=;; esac
  # proc(5): blanks in mountinfo are octal escapes, \040; printf writes them \0040.
  case $target in *\\*)
    target=$(printf '%b.' "$(printf %s "$target" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')")
    target=${target%.};; esac
  case $target in *"$nl"*) echo "a mount point has a line break in its name" >&2; exit 1;; esac
  # Of stacked mounts the last one is in use, and it may be remote.
  case "$nl$v$nl" in *"$nl$target$nl"*)
    without "$m" "$target"; m=$c; without "$r" "$target"; r=$c; without "$x" "$target"; x=$c;; esac
  v="$v$nl$target"
  case $w in
  y) m="$m$nl$target"; [ "$t" != btrfs ] || x="$x$nl$target";;
  *) [ "$w" != r ] || r="$r$nl$target"
     case $target/ in """
    f"{'|'.join(f'{d}/*' for d in ('/usr', '/lib', '/lib64', '/bin', '/sbin'))}"
    r""") echo "#skipped $target";; esac;; esac
done </proc/self/mountinfo
[ -n "$m" ] || { echo "no file system is mounted" >&2; exit 1; }
# Only to look at the root of a file system whose server is dead hangs for good, and find(1) looks
# at every mount point: the walk goes around what is remote. Listing a directory looks at no entry.
around() {
  l="$l$nl$1"
  for f in "${1%/}"/* "${1%/}"/.[!.]* "${1%/}"/..?*; do
    case $f in *"$nl"*) echo "$1 has a name with a line break" >&2; exit 1;; esac
    case "$nl$v$nl" in *"$nl$f$nl"*) continue;; esac
    case "$nl$r" in
    *"$nl$f/"*) around "$f";;
    *) if [ -L "$f" ] || [ -e "$f" ]; then s="$s$nl$f"; n="$n$nl$f"; fi;; esac
  done
}
start() {
  set +f
  case "$nl$r" in
  *"$nl${1%/}/"*) around "$1";;
  *) s="$s$nl$1"; n="$n$nl$1";; esac
  set -f
}
IFS=$nl; s= l= n= q=
for t in $m; do
  n=; start "$t"
  case "$nl$x$nl" in *"$nl$t$nl"*) q="$q$n";; esac
done
# A subvolume of btrfs is a device of its own, which find(1) does not enter; its root is always
# inode 256. Read-only ones are snapshots: what is in them has been judged, and nobody can mend it.
while [ -n "$q" ]; do
  set -- $q; q=
  for t in $(find "$@" -xdev -type d -inum 256 -print0 2>/dev/null | tr '\n\0' '\001\n'); do
    case $t in *"$(printf '\001')"*)
      echo "a subvolume has a line break in its name" >&2; exit 1;; esac
    case "$nl$v$nl$s$nl" in *"$nl$t$nl"*) continue;; esac
    [ -w "$t" ] || continue
    n=; start "$t"; q="$q$n"
  done
done
set -- $s
unset IFS
# "! -perm -0" is true of nothing. Without it GNU find takes the paths for the cheapest question and
# compares the name of every file before it asks for its owner.
a=
for d in """
    f"{' '.join(SYSTEM_DIRECTORIES)}"
    r"""; do a="$a -o -path $d -o -path $d/*"; done
e="( -type f -o -type d ) ( -perm -0002 -o -perm -4000 -o -perm -2000
 -o ( -uid +0 $nu ) -o ( -gid +0 $ng ) -o -name .shosts -o -name shosts.equiv
 -o ( -uid +0 -o -gid +0 -o -perm -0020 ) ( ! -perm -0 $a ) )"
echo '#files'
if find / -maxdepth 0 -printf x >/dev/null 2>&1; then
  w() { find "$@" $e -printf '%y|%m|%U|%G|%p\0'; }
else
  w() { find "$@" $e -exec stat -c '%F|%a|%u|%g|%n' {} + | tr '\n' '\0'; }
fi
IFS=$nl
for d in $l; do unset IFS; w "$d" -maxdepth 0 || exit; IFS=$nl; done
unset IFS
w "$@" -xdev
"""
)


class SweepProbe(TableProbe):
    """One walk over all local file systems for all questions about trees.

    It reports what is world-writable, set-uid or set-gid, or owned by an id that getent(1) does
    not know; in the directories of the system what is not root's alone to change; and the lists of
    trusted hosts of hosts.equiv(5). Integer comparisons replace ``-nouser``, which looks every id
    up in the databases.
    """

    name = "sweep"
    command = "find LOCAL-FILE-SYSTEMS -xdev"
    seconds = 240
    max_bytes = 4 * 1024 * 1024
    body = _WALK

    def clean(self, output: bytes) -> bytes:
        # One line a file, sorted: the walk has no order of its own, a name may hold a newline, and
        # the walks of two file systems both report the mount point between them. The names of
        # the private /tmp of services are drawn anew at each start.
        head, mark, files = output.partition(_FILES_MARK)
        names = sorted({_PRIVATE_TMP.sub(rb"\1\2", name) for name in files.split(b"\0") if name})
        lines = (n.replace(b"\\", b"\\\\").replace(b"\n", b"\\n") + b"\n" for n in names)
        return head + mark + b"".join(lines)

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        result = results.get(self.name)
        for fact in TableProbe.facts(self, requests, results):
            yield fact if result is None else _weigh(fact, result)

    def parse(self, text: str) -> tuple[Found, ...] | CouldNot:
        head, mark, files = text.partition(_FILES_MARK.decode())
        if not mark:
            return CouldNot(Reason.UNPARSABLE, "The walk did not begin.")
        uids, gids = _ids(head, "#uids"), _ids(head, "#gids")
        stranger = None if "#directory" in head.split("\n") else False
        found: list[Found] = []
        for line in files.split("\n")[:-1]:
            record = _found(line, uids, gids, stranger)
            if record is None:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            found.append(record)
        return tuple(found)


_FILES_MARK: Final = b"#files\n"
_SKIPPED: Final = "#skipped "


def unwalked(fact: Fact) -> tuple[str, ...]:
    """Return the mount points at or below the directories of the system that were not walked."""
    head = fact.output.decode("utf-8", "backslashreplace").partition(_FILES_MARK.decode())[0]
    lines = (line for line in head.split("\n") if line.startswith(_SKIPPED))
    return tuple(line.removeprefix(_SKIPPED) for line in lines)


_VANISHED: Final = b"No such file or directory"
_PRIVATE_TMP: Final = re.compile(
    rb"(?<=/)(systemd-private-)[0-9a-f]{32}-([^/]+)-[A-Za-z0-9]{6}(?=/|\Z)"
)
_PORTAL: Final = re.compile(rb"/run/user/\d+/")


def _weigh(fact: Fact, result: ItemResult) -> Fact:
    """Return the fact with what find(1) complained of taken into account.

    Files that vanish while it walks are no loss. A per-user FUSE mount refuses even root.
    """
    lines = [line for line in result.errors.splitlines() if line.strip()]
    serious = [line for line in lines if not (line.endswith(_VANISHED) or _PORTAL.search(line))]
    could_not = fact.could_not
    if could_not is not None and could_not.reason in (Reason.DENIED, Reason.TOOL_FAILED):
        could_not = None if result.exit_status == 1 and not serious else could_not
    if could_not is None and serious:
        could_not = CouldNot(Reason.DENIED, serious[0].decode("utf-8", "replace")[:200])
    return replace(fact, could_not=could_not)


def _ids(head: str, key: str) -> frozenset[int]:
    for line in head.split("\n"):
        name, _, rest = line.partition(" ")
        if name == key:
            return frozenset(int(word) for word in rest.split() if word.isdigit())
    return frozenset()


def _found(
    line: str, uids: frozenset[int], gids: frozenset[int], stranger: bool | None
) -> Found | None:
    parts = line.split("|", 4)
    if len(parts) != 5 or not parts[4].startswith("/"):
        return None
    kind, mode, uid, gid, path = parts
    try:
        return Found(
            path=path,
            type="directory" if kind in ("d", "directory") else "regular file",
            mode=int(mode, 8),
            uid=int(uid),
            gid=int(gid),
            known_owner=int(uid) in uids or stranger,
            known_group=int(gid) in gids or stranger,
        )
    except ValueError:
        return None


def unescape(text: str) -> str:
    """Return a field of mountinfo or fstab(5) with its octal escapes resolved."""
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)

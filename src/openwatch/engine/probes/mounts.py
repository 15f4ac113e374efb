"""Mounted file systems (live) and the one shared walk over the local ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes.base import TableProbe

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
    known_owner: bool
    known_group: bool


class MountsProbe(TableProbe):
    """The mounts of the host."""

    name = "mounts"
    command = "cat /proc/self/mountinfo"
    body = "cat /proc/self/mountinfo"

    def clean(self, output: bytes) -> bytes:
        # Mount ids and device numbers change from boot to boot and decide nothing.
        lines = (re.sub(rb"^\d+ \d+ \d+:\d+ ", b"", line) for line in output.splitlines())
        return b"".join(line + b"\n" for line in lines)

    def parse(self, text: str) -> dict[str, Mount] | CouldNot:
        mounts: dict[str, Mount] = {}
        for line in text.splitlines():
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


class SweepProbe(TableProbe):
    """One walk over all local file systems for all questions about trees.

    It reports what is world-writable, set-uid or set-gid, or owned by an id that getent(1) does
    not know. Integer comparisons replace ``-nouser``, which looks every id up in the databases.
    """

    name = "sweep"
    command = "find LOCAL-FILE-SYSTEMS -xdev"
    seconds = 240
    max_bytes = 4 * 1024 * 1024
    body = (
        "n() { printf '%s\\n' \"$1\" | cut -d: -f3 | grep -E '^[0-9]+$' | sort -un; }\n"
        "p=$(getent passwd 2>/dev/null || cat /etc/passwd) || exit 1\n"
        "g=$(getent group 2>/dev/null || cat /etc/group) || exit 1\n"
        'p=$(n "$p"); g=$(n "$g")\n'
        'nu=; for i in $p; do nu="$nu ! -uid $i"; done\n'
        'ng=; for i in $g; do ng="$ng ! -gid $i"; done\n'
        "grep -E '^(passwd|group):.*(sss|ldap|winbind|nis)' /etc/nsswitch.conf >/dev/null 2>&1 &&"
        " echo '#directory'\n"
        "echo '#uids' $p\n"
        "echo '#gids' $g\n"
        "set -f; m=$(while read -r a b c d target opts rest; do\n"
        " t=${rest#*- }; t=${t%% *}\n"
        f" case $t in {'|'.join(REMOTE_TYPES)}|{'|'.join(PSEUDO_TYPES)}) continue;;\n"
        '  overlay) [ "$target" = / ] || continue;; esac\n'
        " case $target in /proc|/proc/*|/sys|/sys/*) continue;; esac\n"
        ' printf "%s\\n" "$target"; done </proc/self/mountinfo | sort -u)\n'
        'e="( -type f -o -type d ) ( -perm -0002 -o -perm -4000 -o -perm -2000'
        ' -o ( -uid +0 $nu ) -o ( -gid +0 $ng ) )"\n'
        "echo '#files'\n"
        "if find / -maxdepth 0 -printf x >/dev/null 2>&1; then\n"
        " find $m -xdev $e -printf '%y|%m|%U|%G|%p\\0'\n"
        "else find $m -xdev $e -exec stat -c '%F|%a|%u|%g|%n' {} + | tr '\\n' '\\0'; fi"
    )

    def clean(self, output: bytes) -> bytes:
        # One line a file, sorted: the walk has no order of its own, a name may hold a newline, and
        # the walks of two file systems both report the mount point between them.
        head, mark, files = output.partition(_FILES_MARK)
        names = sorted({name for name in files.split(b"\0") if name})
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
        found: list[Found] = []
        for line in files.split("\n")[:-1]:
            record = _found(line, uids, gids)
            if record is None:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            found.append(record)
        stranger = any(not (f.known_owner and f.known_group) for f in found)
        if stranger and "#directory" in head.split("\n"):
            return CouldNot(
                Reason.INCOMPLETE,
                "Some owners may be known to a directory service that does not list its entries.",
            )
        return tuple(found)


_FILES_MARK: Final = b"#files\n"
_VANISHED: Final = b"No such file or directory"
_PORTAL: Final = re.compile(rb"/run/user/\d+/")


def _weigh(fact: Fact, result: ItemResult) -> Fact:
    """Return the fact with what find(1) complained of taken into account.

    Files that vanish while it walks are no loss. A per-user FUSE mount refuses even root.
    """
    lines = [line for line in result.errors.splitlines() if line.strip()]
    skipped = [line for line in lines if line.startswith(b"#skipped")]
    harmless = (_VANISHED, b"#skipped")
    serious = [
        line for line in lines if not (any(h in line for h in harmless) or _PORTAL.search(line))
    ]
    could_not = fact.could_not
    if could_not is not None and could_not.reason in (Reason.DENIED, Reason.TOOL_FAILED):
        could_not = None if result.exit_status == 1 and not serious else could_not
    if could_not is None and serious:
        could_not = CouldNot(Reason.DENIED, serious[0].decode("utf-8", "replace")[:200])
    if could_not is None and skipped:
        could_not = CouldNot(
            Reason.INCOMPLETE, "A file system with a blank in its path was not walked."
        )
    return replace(fact, could_not=could_not)


def _ids(head: str, key: str) -> frozenset[int]:
    for line in head.split("\n"):
        name, _, rest = line.partition(" ")
        if name == key:
            return frozenset(int(word) for word in rest.split() if word.isdigit())
    return frozenset()


def _found(line: str, uids: frozenset[int], gids: frozenset[int]) -> Found | None:
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
            known_owner=int(uid) in uids,
            known_group=int(gid) in gids,
        )
    except ValueError:
        return None


def unescape(text: str) -> str:
    """Return a field of mountinfo or fstab(5) with its octal escapes resolved."""
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)

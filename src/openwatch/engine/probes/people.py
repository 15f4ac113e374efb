"""Accounts of people, and what of their files is on other hosts: shell that probes begin with."""

from __future__ import annotations

from typing import Final

from openwatch.engine.probes.mounts import REMOTE_TYPES

REMOTE: Final = (
    r"""
[ "$(id -u)" = 0 ] || { echo 'must be root' >&2; exit 1; }
for t in awk find sed stat tr xargs; do command -v $t >/dev/null 2>&1 || exit 127; done
set -f
nl='
'
min=$(sed -nE 's/^[[:space:]]*UID_MIN[[:space:]]+([0-9]+).*/\1/p' /etc/login.defs 2>/dev/null |
  tail -n 1)
far=
while read -r a b c d target opts rest; do
  t=${rest#*- }; t=${t%% *}
  case $t in """
    f"{'|'.join(REMOTE_TYPES)})"
    r""" far="$far$nl$target";; esac
done </proc/self/mountinfo
remote() {
  r=1; ifs=$IFS; IFS=$nl
  for m in $far; do case $1/ in "$m"/*) r=0;; esac; done
  IFS=$ifs
  return $r
}
"""
)
"""Defines remote, which tells whether a path is on a file system of another host; no globs."""

PEOPLE: Final = (
    REMOTE
    + r"""
people() {
  while IFS=: read -r name pw uid gid gecos home shell || [ -n "$name" ]; do
    case $name in ''|[#+-]*) continue;; esac
    case $uid$gid in ''|*[!0-9]*) continue;; esac
    case $shell in */nologin|*/false|*/true|/dev/null) continue;; esac
    [ "$uid" = 0 ] || { [ "$uid" -ge "${min:-1000}" ] && [ "$uid" != 65534 ]; } || continue
    one
  done </etc/passwd
}
"""
)
"""Whose homes are looked at: root, and accounts from UID_MIN of login.defs(5) with a shell."""

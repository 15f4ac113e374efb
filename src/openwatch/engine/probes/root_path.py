"""The directories that the start-up files of root name, for the search path of root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe

FILES: Final = (
    "/etc/login.defs", "/etc/environment", "/etc/profile", "/etc/profile.d/*.sh",
    "/etc/bash.bashrc", "/etc/bashrc", "/root/.bash_profile", "/root/.bash_login",
    "/root/.profile", "/root/.bashrc",
)  # fmt: skip
"""Where a login as root gets its PATH from: login(1), pam_env(8), sh(1) and bash(1), in order."""

MAX_DIRECTORIES: Final = 500


@dataclass(frozen=True, slots=True)
class PathDirectory:
    """A path that may stand on the search path; ``type`` is empty where there is nothing."""

    path: str
    type: str
    mode: int
    uid: int


class RootPathProbe(TableProbe):
    """stat(1) of every absolute path in a line that sets a variable in those files.

    Which of them are on the search path is decided by whoever reads the files.
    """

    name = "root_path"
    command = "stat DIRECTORIES-OF-PATH"
    body = (
        "[ \"$(id -u)\" = 0 ] || { echo 'must be root' >&2; exit 1; }\n"
        f"l=; set --; for f in {' '.join(FILES)}; do\n"
        r"""  [ ! -f "$f" ] || set -- "$@" "$f"
done
set -f
[ $# = 0 ] || l=$(sed -nE -e '/PATH/p;/pathmunge/p' \
    -e '/^[[:space:]]*(export[[:space:]]+)?[A-Za-z_][A-Za-z0-9_]*=/p' -- "$@" |
  sed 's#\${HOME}#/root#g;s#\$HOME#/root#g;s#~/#/root/#g' |
  tr -c 'A-Za-z0-9_./+@%-' '\n' | grep '^/' | sort -u | """
        f"head -n {MAX_DIRECTORIES}"
        r""")
set --
for d in $l; do
  if [ -e "$d" ]; then set -- "$@" "$d"; else echo "-$d"; fi
done
[ $# = 0 ] || stat -L -c '=%a|%u|%F|%n' -- "$@"
echo '.'
"""
    )

    def parse(self, text: str) -> dict[str, PathDirectory] | CouldNot:
        lines = text.split("\n")
        if lines[-2:] != [".", ""]:
            return CouldNot(Reason.UNPARSABLE, "The answer does not end as it should.")
        found: dict[str, PathDirectory] = {}
        for line in lines[:-2]:
            directory = _directory(line)
            if directory is None:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            found[directory.path] = directory
        return found


def _directory(line: str) -> PathDirectory | None:
    if line.startswith("-/"):
        return PathDirectory(line[1:], "", 0, -1)
    parts = line[1:].split("|", 3)
    if not line.startswith("=") or len(parts) != 4 or not parts[3].startswith("/"):
        return None
    try:
        return PathDirectory(parts[3], parts[2], int(parts[0], 8), int(parts[1]))
    except ValueError:
        return None

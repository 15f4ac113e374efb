"""dconf: whether the compiled system databases say what their keyfiles say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe

DCONF_STATES: Final = frozenset({"current", "stale", "missing", "empty", "denied"})


class DconfProbe(TableProbe):
    """The state of each system database of dconf(7): ``current``, ``stale`` (a keyfile is newer),
    ``missing`` (never compiled), ``empty`` (nothing to compile) or ``denied``.
    """

    name = "dconf"
    command = "find /etc/dconf/db -newer …"
    # The times are compared on the host: an unchanged host gives unchanged bytes.
    body = r"""d=/etc/dconf/db
if [ -d $d ]; then
  if [ ! -r $d ] || [ ! -x $d ]; then echo "$d: Permission denied" >&2; exit 1; fi
  for k in $d/*.d; do
    [ -d "$k" ] || continue
    n=${k#$d/}; n=${n%.d}
    case $n in *[!A-Za-z0-9_.-]*) continue;; esac
    if ! o=$(find -L "$k" -type f 2>/dev/null); then echo "$n denied"
    elif [ -z "$o" ]; then echo "$n empty"
    elif [ ! -f "$d/$n" ]; then echo "$n missing"
    elif ! o=$(find -L "$k" -newer "$d/$n" 2>/dev/null); then echo "$n denied"
    elif [ -n "$o" ]; then echo "$n stale"
    else echo "$n current"; fi
  done
fi
echo end"""

    def parse(self, text: str) -> Mapping[str, str] | CouldNot:
        """Return the state of each database by its name."""
        lines = text.split("\n")
        if lines[-2:] != ["end", ""]:
            return CouldNot(Reason.UNPARSABLE, "The list of databases is cut short.")
        states: dict[str, str] = {}
        for line in lines[:-2]:
            name, _, state = line.partition(" ")
            if not name or state not in DCONF_STATES:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            states[name] = state
        return states

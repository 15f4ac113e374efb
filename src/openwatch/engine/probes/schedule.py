"""systemd timers: what they start, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.redaction import redact
from openwatch.engine.probes.software import ENABLED_STATES

_CALENDAR: Final = re.compile(r"OnCalendar=([^;}]*?)\s*[;}]")
_MONOTONIC: Final = re.compile(r"(On\w+USec)=([^;}]*?)\s*[;}]")
_ARGV: Final = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_MOVING: Final = re.compile(
    rb"\s*; (?:next_elapse|start_time|stop_time|pid|code|status)=[^;}\n]*(?=[;}])"
)
"""What systemd tells of the last and the next run: it changes by itself."""


@dataclass(frozen=True, slots=True)
class Timer:
    """One timer and the commands of the unit that it starts."""

    name: str
    enabled: bool
    active: bool
    calendar: tuple[str, ...]
    monotonic: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


class TimersProbe(TableProbe):
    """All timers of systemd, whether they are enabled and active, and what they start."""

    name = "timers"
    command = "systemctl show '*.timer'"
    seconds = 20
    body = r"""command -v systemctl >/dev/null 2>&1 || exit 127
c='systemctl --no-pager'
p=$($c show -p UnitPath --value) && [ -n "$p" ] || exit 1
# To list them systemctl list-unit-files has all units read, of every kind: 250 ms of a CPU.
t=$(for d in $p; do
  for f in "$d"/*.timer; do
    if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\n' "${f##*/}"; fi
  done
done | sort -u)
set --
for n in $t; do
  case $n in *@.timer|*[!A-Za-z0-9@_.:-]*) ;; *.timer) set -- "$@" "$n";; esac
done
echo '#timers'
if [ $# -gt 0 ]; then
  s=$($c show -p Id,ActiveState,UnitFileState,Unit,TimersCalendar,TimersMonotonic -- "$@") || exit 1
  printf '%s\n' "$s"
  echo; echo '#units'
  u=$(printf '%s\n' "$s" | sed -n 's/^Unit=//p')
  set --
  for n in $u; do
    case $n in *[!A-Za-z0-9@_.:-]*) ;; *.*) set -- "$@" "$n";; esac
  done
  if [ $# -gt 0 ]; then $c show -p Id,ExecStart -- "$@" || exit 1; fi
fi
echo; echo '#end'"""

    def clean(self, output: bytes) -> bytes:
        return redact(_MOVING.sub(b" ", output))

    def parse(self, text: str) -> tuple[Timer, ...] | CouldNot:
        """Return the timers by name."""
        if not text.startswith("#timers\n") or not text.endswith("#end\n"):
            return CouldNot(Reason.UNPARSABLE, "The list of timers is cut short.")
        timers, _, units = text.partition("\n#units\n")
        commands: dict[str, list[str]] = {}
        for block in _blocks(units.removesuffix("#end\n")):
            commands.setdefault(_one(block, "Id"), []).extend(
                argv for line in block.get("ExecStart", ()) for argv in _ARGV.findall(line)
            )
        found: list[Timer] = []
        for block in _blocks(timers.removeprefix("#timers\n").removesuffix("#end\n")):
            name = _one(block, "Id")
            if not name.endswith(".timer"):
                return CouldNot(Reason.UNPARSABLE, f"systemctl named a timer {name[:60]!r}.")
            found.append(
                Timer(
                    name=name,
                    enabled=_one(block, "UnitFileState") in ENABLED_STATES,
                    active=_one(block, "ActiveState") == "active",
                    calendar=_all(_CALENDAR, block.get("TimersCalendar", ())),
                    monotonic=tuple(
                        (key, value)
                        for line in block.get("TimersMonotonic", ())
                        for key, value in _MONOTONIC.findall(line)
                    ),
                    commands=tuple(commands.get(_one(block, "Unit"), ())),
                )
            )
        return tuple(sorted(found, key=lambda timer: timer.name))


def _blocks(text: str) -> list[Mapping[str, list[str]]]:
    blocks: list[Mapping[str, list[str]]] = []
    for part in text.split("\n\n"):
        block: dict[str, list[str]] = {}
        for line in part.splitlines():
            key, separator, value = line.partition("=")
            if separator:
                block.setdefault(key, []).append(value)
        if block:
            blocks.append(block)
    return blocks


def _one(block: Mapping[str, list[str]], key: str) -> str:
    return block.get(key, [""])[-1]


def _all(pattern: re.Pattern[str], lines: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found for line in lines for found in pattern.findall(line))

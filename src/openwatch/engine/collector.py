"""The collector: one POSIX sh program that asks a host for many facts in one round trip.

The program works on dash, bash and busybox ash. It is one brace group, so a shell that receives
only a part of it parses an error and runs nothing. It writes no file on the host.

What a process costs is most of what a small item costs, so quick items share one shell, and its
limits. Whatever such a limit cuts is asked for again in a second round trip, each item alone.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from openwatch.engine.errors import HOST_GARBAGE, HOST_INCOMPLETE
from openwatch.engine.facts import Fact, Request
from openwatch.engine.frames import FrameReader, ItemResult
from openwatch.engine.probes import PROBES, Item
from openwatch.engine.probes.base import quote
from openwatch.engine.transport import Transport
from openwatch.kit.errors import OpenWatchError

NONCE_BYTES: Final = 16
NICENESS: Final = 10

QUICK_SECONDS: Final = 20
QUICK_BYTES: Final = 4 * 1024 * 1024
"""Items with limits up to these may share a shell."""

_PROLOGUE: Final = r"""{
unset N; N=@NONCE@
LC_ALL=C; export LC_ALL
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin; export PATH
unset ENV BASH_ENV CDPATH IFS GREP_OPTIONS POSIXLY_CORRECT MODPROBE_OPTIONS
unset DPKG_ROOT DPKG_ADMINDIR RPM_CONFIGDIR SYSTEMD_COLORS SYSTEMD_LOG_LEVEL; umask 077
exec </dev/null 9>&1
renice -n @NICE@ -p $$ >/dev/null 2>&1
case $(timeout --version 2>/dev/null) in *'GNU coreutils'*) G=y T=k;; *) G= T=;; esac
if [ $T ] || timeout -k 1 5 true >/dev/null 2>&1; then T=k
elif timeout 5 true >/dev/null 2>&1; then T=p
else T=; fi
mark() { printf '\n%s %s\n' "$N" "$*"; printf '\n%s %s\n' "$N" "$*" >&2; }
limit() {
  case $T in
  k) timeout -k 2 "$1" sh -c "$2" ;;
  p) timeout "$1" sh -c "$2" ;;
  *) sh -c "$2" & j=$!
     (sleep "$1"; kill -9 $j) >/dev/null 2>&1 & w=$!
     wait $j; r=$?
     kill $w 2>/dev/null
     return $r ;;
  esac
}
item() {
  mark item "$1"
  c=$({ { limit "$2" "$4" 3>&- 9>&-; echo $? >&3; } | head -c "$3" >&9; } 3>&1)
  mark end "$1" "$c"
}
# The nonce goes through a pipe: whoever read it on a command line could forge marks by file names.
S='read -r N; exec </dev/null
mark() { printf "\n%s %s\n" "$N" "$*"; printf "\n%s %s\n" "$N" "$*" >&2; }
while [ $# -gt 0 ]; do
  mark item "$1"; ( eval "set --
$4" ); mark ended "$1" $? .
  shift 4
done'
# Only timeout(1) of GNU ends all processes of a group: elsewhere each item has one of its own.
group() {
  if [ "$G" ]; then
    s=$1; b=$2; shift 2
    printf '%s\n' "$N" | timeout -k 2 $s sh -c "$S" sh "$@" 9>&- | head -c $b >&9
  else
    shift 2
    while [ $# -gt 0 ]; do item "$1" "$2" "$3" "$4"; shift 4; done
  fi
}
mark begin
"""

_EPILOGUE: Final = "mark done\n}; exit 0\n"

ItemProgress = Callable[[int, int], None]
"""Called with the number of finished items and of all items."""


def program(items: Iterable[Item], nonce: str, *, together: bool = False) -> bytes:
    """Return the collector program for these items.

    Each item alone costs the host timeout(1), a shell and head(1). ``together`` runs quick items in
    one shell, under the strictest of their limits: what ends there has kept its own. What a limit
    of the group cut has no end, and is to be asked for again, alone.
    """
    every = list(items)
    quick = [item for item in every if together and _is_quick(item)]
    steps = [f"item {_words(item)}\n" for item in every if item not in quick]
    if quick:
        seconds = min(item.seconds for item in quick)
        max_bytes = min(item.max_bytes for item in quick)
        words = " ".join(_words(item) for item in quick)
        steps.insert(0, f"group {seconds} {max_bytes} {words}\n")
    prologue = _PROLOGUE.replace("@NONCE@", nonce).replace("@NICE@", str(NICENESS))
    return (prologue + "".join(steps) + _EPILOGUE).encode()


def _is_quick(item: Item) -> bool:
    return item.seconds <= QUICK_SECONDS and item.max_bytes <= QUICK_BYTES


def _words(item: Item) -> str:
    return f"{item.id} {item.seconds} {item.max_bytes} {quote(item.body)}"


def grouped(requests: Iterable[Request]) -> dict[str, list[Request]]:
    """Return the distinct requests by probe, probes in the order of the registry."""
    by_probe: dict[str, list[Request]] = defaultdict(list)
    for request in sorted(set(requests)):
        by_probe[request.probe].append(request)
    return {name: by_probe[name] for name in PROBES if name in by_probe}


async def collect(
    transport: Transport,
    requests: Sequence[Request],
    *,
    privileged: bool,
    deadline: float | None = None,
    on_item: ItemProgress | None = None,
    together: bool = True,
) -> tuple[Fact, ...]:
    """Ask the host for all ``requests`` in one run and return one fact for each.

    Quick items go ``together``; what a limit that they share has cut is asked for in a second run.

    Raises the transport's errors, ``host.not_understood`` when nothing of our program ran, and
    ``host.incomplete_answer`` when it ended early: a part of an answer is never data.
    """
    groups = grouped(requests)
    items = [item for name, asked in groups.items() for item in PROBES[name].items(asked)]
    began = time.monotonic()
    results: dict[str, ItemResult] = {}
    left = items
    while left:
        seconds = None if deadline is None else max(1.0, deadline - (time.monotonic() - began))
        nonce = secrets.token_hex(NONCE_BYTES)
        reader = FrameReader(nonce, on_item=_counter(on_item, len(items) - len(left), len(items)))
        await transport.run(
            program(left, nonce, together=together),
            privileged=privileged,
            receive=reader.receive,
            deadline=seconds,
        )
        if not reader.begun:
            raise OpenWatchError(HOST_GARBAGE)
        if not reader.done:
            raise OpenWatchError(HOST_INCOMPLETE)
        results |= reader.results
        # What a limit of its group cut is asked for once more, under its own limits.
        cut = [item for item in left if together and not _ended(reader.results.get(item.id))]
        left, together = cut, False
    return tuple(
        fact for name, asked in groups.items() for fact in PROBES[name].facts(asked, results)
    )


def _ended(result: ItemResult | None) -> bool:
    return result is not None and result.exit_status is not None


def _counter(on_item: ItemProgress | None, before: int, total: int) -> Callable[[int], None]:
    """Return what is told how many items of one program have ended."""

    def finished(count: int) -> None:
        if on_item is not None:
            on_item(before + count, total)

    return finished

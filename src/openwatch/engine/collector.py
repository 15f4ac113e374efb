"""The collector: one POSIX sh program that asks a host for many facts in one round trip.

The program works on dash, bash and busybox ash. It is one brace group, so a shell that receives
only a part of it parses an error and runs nothing. It writes no file on the host.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from openwatch.engine.errors import HOST_GARBAGE, HOST_INCOMPLETE
from openwatch.engine.facts import Fact, Request
from openwatch.engine.frames import FrameReader
from openwatch.engine.probes import PROBES, Item
from openwatch.engine.probes.base import quote
from openwatch.engine.transport import Transport
from openwatch.kit.errors import OpenWatchError

NONCE_BYTES: Final = 16
NICENESS: Final = 10

_PROLOGUE: Final = r"""{
unset N; N=@NONCE@
LC_ALL=C; export LC_ALL
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin; export PATH
unset ENV BASH_ENV CDPATH IFS GREP_OPTIONS POSIXLY_CORRECT MODPROBE_OPTIONS
unset DPKG_ROOT DPKG_ADMINDIR RPM_CONFIGDIR SYSTEMD_COLORS SYSTEMD_LOG_LEVEL; umask 077
exec </dev/null 9>&1
renice -n @NICE@ -p $$ >/dev/null 2>&1
if timeout -k 1 5 true >/dev/null 2>&1; then T=k
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
mark begin
"""

_EPILOGUE: Final = "mark done\n}; exit 0\n"

ItemProgress = Callable[[int, int], None]
"""Called with the number of finished items and of all items."""


def program(items: Iterable[Item], nonce: str) -> bytes:
    """Return the collector program for these items."""
    steps = [
        f"item {item.id} {item.seconds} {item.max_bytes} {quote(item.body)}\n" for item in items
    ]
    prologue = _PROLOGUE.replace("@NONCE@", nonce).replace("@NICE@", str(NICENESS))
    return (prologue + "".join(steps) + _EPILOGUE).encode()


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
) -> tuple[Fact, ...]:
    """Ask the host for all ``requests`` in one run and return one fact for each.

    Raises the transport's errors, ``host.not_understood`` when nothing of our program ran, and
    ``host.incomplete_answer`` when it ended early: a part of an answer is never data.
    """
    groups = grouped(requests)
    items = [item for name, asked in groups.items() for item in PROBES[name].items(asked)]
    nonce = secrets.token_hex(NONCE_BYTES)

    def finished(count: int) -> None:
        if on_item is not None:
            on_item(count, len(items))

    reader = FrameReader(nonce, on_item=finished)
    await transport.run(
        program(items, nonce), privileged=privileged, receive=reader.receive, deadline=deadline
    )
    if not reader.begun:
        raise OpenWatchError(HOST_GARBAGE)
    if not reader.done:
        raise OpenWatchError(HOST_INCOMPLETE)
    return tuple(
        fact for name, asked in groups.items() for fact in PROBES[name].facts(asked, reader.results)
    )

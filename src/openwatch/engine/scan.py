"""One scan of one host: detect, collect, assess.

Detecting and collecting take a round trip each. Should a limit that items share have cut some, one
more asks for these alone, once in a scan: at most three round trips, and one way to root.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from openwatch.engine.assess import Memo, Outcome, assess
from openwatch.engine.assess.assess import concerns
from openwatch.engine.collector import collect
from openwatch.engine.facts import Fact, Request
from openwatch.engine.rules import Corpus
from openwatch.engine.rules.variables import Layer
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.transport import PrivilegeMode, Traffic, Transport
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError

IDENTITY: Final = (Request("os_release"), Request("kernel"), Request("capabilities"))

DEFAULT_DEADLINE_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: ``done`` of ``total`` steps of a stage."""

    stage: Literal["detect", "collect", "assess"]
    done: int
    total: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one scan gave, and what it cost."""

    snapshot: Snapshot
    outcomes: tuple[Outcome, ...]
    traffic: Traffic
    seconds: Mapping[str, float]


async def take_snapshot(
    transport: Transport,
    requests: Callable[[Snapshot], Iterable[Request]],
    *,
    on_progress: OnProgress | None = None,
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
) -> tuple[Snapshot, dict[str, float]]:
    """Return a snapshot of the host and the seconds that detection and collection took.

    ``requests`` says, from what was detected, which facts are wanted. A host on which the scan
    account has no privilege is still looked at; what needs root is then ``denied``.
    """
    before = transport.traffic.round_trips
    report = on_progress or _silent
    began = time.monotonic()
    report(Progress("detect", 0, 1))
    identity = await collect(
        transport, IDENTITY, privileged=False, deadline=min(deadline_seconds, 60.0)
    )
    detected = make_snapshot(identity, taken_at=now(), privilege="none")
    report(Progress("detect", 1, 1))
    detect_seconds = time.monotonic() - began
    wanted = sorted(set(requests(detected)) - set(IDENTITY))
    left = max(1.0, deadline_seconds - detect_seconds)
    detected_at_once = transport.traffic.round_trips - before <= 1
    facts, problem = await _collect(
        transport, wanted, report, deadline=left, together=detected_at_once
    )
    privilege = PrivilegeMode.NONE if problem else (transport.privilege or PrivilegeMode.NONE)
    snapshot = make_snapshot(
        (*identity, *facts), taken_at=now(), privilege=privilege.value, privilege_problem=problem
    )
    collect_seconds = time.monotonic() - began - detect_seconds
    return snapshot, {"detect": detect_seconds, "collect": collect_seconds}


async def _collect(
    transport: Transport,
    wanted: list[Request],
    report: OnProgress,
    *,
    deadline: float,
    together: bool,
) -> tuple[tuple[Fact, ...], str | None]:
    """Return the facts, and why they were collected without privilege where they were."""

    def on_item(done: int, total: int) -> None:
        report(Progress("collect", done, total))

    async def ask(*, privileged: bool) -> tuple[Fact, ...]:
        return await collect(
            transport,
            wanted,
            privileged=privileged,
            deadline=deadline,
            on_item=on_item,
            together=together,
        )

    if not wanted:
        return (), None
    try:
        facts = await ask(privileged=True)
    except OpenWatchError as error:
        if not error.code.startswith("privilege."):
            raise
        return await ask(privileged=False), error.message
    return facts, None


async def scan(
    transport: Transport,
    *,
    corpus: Corpus,
    layers: Sequence[Layer] = (),
    memo: Memo | None = None,
    on_progress: OnProgress | None = None,
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
) -> ScanReport:
    """Scan a host and return what was seen and judged; ``memo`` saves work, see ``assess``.

    Raises the transport's errors and those of :func:`openwatch.engine.collector.collect`.
    """
    transport.expect_privileged()
    snapshot, seconds = await take_snapshot(
        transport,
        lambda detected: concerns(corpus, detected),
        on_progress=on_progress,
        deadline_seconds=deadline_seconds,
    )
    report = on_progress or _silent
    report(Progress("assess", 0, len(corpus.rules)))
    began = time.monotonic()
    outcomes = assess(corpus, snapshot, layers, memo=memo)
    snapshot.forget()
    report(Progress("assess", len(outcomes), len(corpus.rules)))
    return ScanReport(
        snapshot=snapshot,
        outcomes=outcomes,
        traffic=transport.traffic,
        seconds=seconds | {"assess": time.monotonic() - began},
    )


def _silent(_: Progress) -> None:
    return None

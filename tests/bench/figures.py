"""What a benchmark reports, and how it is printed and kept."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).resolve().parents[2] / "bench" / "results.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``ratio`` compares it with another one of the same run."""

    group: str
    what: str
    value: float
    unit: str
    ratio: str = ""


@dataclass(slots=True)
class Stopwatch:
    """Wall clock and CPU seconds (of this process and its ended children) of a block."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass(slots=True)
class Report:
    """All figures of one run, and what was left out and why."""

    figures: list[Figure] = field(default_factory=list[Figure])
    skipped: list[str] = field(default_factory=list[str])

    def add(self, group: str, what: str, value: float, unit: str, *, ratio: str = "") -> None:
        """Add a figure."""
        self.figures.append(Figure(group, what, value, unit, ratio))

    def skip(self, what: str, why: str) -> None:
        """Say that something was not measured."""
        self.skipped.append(f"{what}: {why}")


@contextmanager
def measured() -> Iterator[Stopwatch]:
    """Measure a block."""
    watch = Stopwatch()
    wall, cpu = time.perf_counter(), _cpu()
    try:
        yield watch
    finally:
        watch.wall, watch.cpu = time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def times(slower: float, faster: float) -> str:
    """Return a ratio as it is shown: ``16.2 x``."""
    return f"{slower / faster:.1f} x" if faster else ""


def print_report(report: Report) -> None:
    """Print the figures as a table, and what is missing."""
    group = ""
    for figure in report.figures:
        if figure.group != group:
            group = figure.group
            print(f"\n{group}")
        print(f"  {figure.what:<58} {_number(figure.value):>12} {figure.unit:<8} {figure.ratio}")
    for line in report.skipped:
        print(f"\nnot measured: {line}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def write_report(report: Report) -> Path:
    """Keep the figures with what they were measured on; returns the file."""
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "kernel": platform.release(),
        },
        "figures": [asdict(figure) for figure in report.figures],
        "skipped": report.skipped,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return RESULTS

"""What a benchmark reports, and how it is printed and kept."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
MARK: Final = "<!-- Below: written by `./ow bench`, each table by the command that it names. -->"
RESULTS: Final = Path(__file__).resolve().parents[2] / "bench" / "results.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``ratio`` compares it with another one of the same run."""

    group: str
    what: str
    value: float
    unit: str
    ratio: str = ""
    run: str = ""
    measured_at: str = ""


@dataclass(slots=True)
class Stopwatch:
    """Wall clock and CPU seconds (of this process and its ended children) of a block."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass(slots=True)
class Report:
    """All figures of one run, and what was left out and why. ``run`` is what is measured now."""

    figures: list[Figure] = field(default_factory=list[Figure])
    skipped: list[str] = field(default_factory=list[str])
    run: str = ""

    def add(self, group: str, what: str, value: float, unit: str, *, ratio: str = "") -> None:
        """Add a figure."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.figures.append(Figure(group, what, value, unit, ratio, self.run, at))

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
    """Keep the figures with what they were measured on; returns the file.

    The page of the documentation that shows them gets the tables of this run in place of older
    ones of the same groups.
    """
    document = {
        "machine": {
            "cpus": os.cpu_count(),
            "load_after": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "kernel": platform.release(),
        },
        "figures": [asdict(figure) for figure in report.figures],
        "skipped": report.skipped,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), report.figures), "utf-8")
    return RESULTS


def page(text: str, figures: Sequence[Figure]) -> str:
    """Return the page with the tables of these figures; tables of other runs stay."""
    head, mark, tables = text.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK!r}")
    runs = {f"`./ow bench {figure.run}`" for figure in figures}
    sections = [
        section.strip()
        for section in re.split(r"(?m)^(?=### )", tables)
        if section.strip() and not any(run in section for run in runs)
    ]
    groups = dict.fromkeys(figure.group for figure in figures)
    sections.extend(_section([f for f in figures if f.group == group]) for group in groups)
    return f"{head}{mark}\n\n" + "\n\n".join(sections) + "\n"


def _section(figures: Sequence[Figure]) -> str:
    first = figures[0]
    rows = [
        f"| {f.what.replace('  ', '- ', 1)} | {_number(f.value)} | {f.unit} | {f.ratio} |"
        for f in figures
    ]
    return "\n".join(
        (
            f"### {first.group[:1].upper()}{first.group[1:]}",
            "",
            f"`./ow bench {first.run}`, {first.measured_at[:16].replace('T', ' ')} UTC",
            "",
            "| | | | |",
            "|---|--:|---|--:|",
            *rows,
        )
    )

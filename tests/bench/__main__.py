"""`./ow bench [GROUP …]`: measure, print a table and write bench/results.json."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from lab.errors import UnavailableError
from lab.session import LabSession, lab_session
from tests.bench import accuracy, collector, compare, engine, fleet_bench, platform
from tests.bench.figures import Report, print_report, write_report

GROUPS: tuple[str, ...] = (
    "host",
    "collector",
    "compare",
    "accuracy",
    "judging",
    "fleet",
    "platform",
    "list",
)


async def _with_hosts(
    report: Report, what: str, measure: Callable[[Report, LabSession], Awaitable[None]]
) -> None:
    try:
        with lab_session("bench") as lab:
            await measure(report, lab)
    except UnavailableError as reason:
        report.skip(what, str(reason))


async def _run(groups: list[str]) -> Report:
    report = Report()
    work = {
        "host": lambda: _with_hosts(report, "one real host", engine.one_host),
        "collector": lambda: _with_hosts(report, "the collector by item", collector.by_item),
        "accuracy": lambda: _with_hosts(report, "agreement with OpenSCAP", accuracy.accuracy),
        "compare": lambda: _with_hosts(report, "other tools on the same host", compare.compare),
        "judging": lambda: engine.judging(report),
        "fleet": lambda: engine.many_hosts(report),
        "platform": lambda: platform.platform(report),
        "list": lambda: fleet_bench.hosts_list(report),
    }
    for group in groups:
        print(f"measuring: {group}", file=sys.stderr, flush=True)
        report.run = group
        await work[group]()
    return report


def main() -> None:
    """Run the chosen groups, or all of them."""
    parser = argparse.ArgumentParser(prog="./ow bench", description=__doc__)
    parser.add_argument("group", nargs="*", choices=[*GROUPS, []], default=[], metavar="GROUP",
                        help=f"one or more of: {', '.join(GROUPS)} (default: all)")  # fmt: skip
    chosen = parser.parse_args().group or list(GROUPS)
    report = asyncio.run(_run(chosen))
    print_report(report)
    path = write_report(report)
    print(f"\nwritten to {path.relative_to(path.parents[1])}")


if __name__ == "__main__":
    main()

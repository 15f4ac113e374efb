"""How ``openwatch check`` looks on a terminal: live progress, then a table for each host."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from openwatch.cli.output import console, plain
from openwatch.engine.assess import Outcome, Verdict, count_verdicts
from openwatch.engine.facts import CouldNot
from openwatch.engine.interchange.results import HostResult, key_observation
from openwatch.engine.rules import Corpus, Severity

_STAGES: Final = {
    "connect": "connecting",
    "detect": "detecting the platform",
    "collect": "collecting facts",
    "assess": "judging",
}
_VERDICT_STYLE: Final = {
    Verdict.FAIL: "bold red",
    Verdict.ERROR: "bold yellow",
    Verdict.PASS: "green",
}
_SEVERITIES: Final = [severity.value for severity in Severity]
_FIRST: Final = {Verdict.FAIL: 0, Verdict.ERROR: 1, Verdict.MANUAL: 2, Verdict.NOT_CONFIGURED: 3}
_LISTED: Final = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.MANUAL, Verdict.NOT_CONFIGURED})


class LiveProgress:
    """Progress on stderr: bars on a terminal, one line for each finished host elsewhere."""

    def __init__(self, hosts: Sequence[str], *, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._tasks: dict[str, TaskID] = {}
        self._hosts = hosts
        self._progress: Progress | None = None

    def __enter__(self) -> LiveProgress:
        if not self._quiet and self._console.is_terminal:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.fields[host]}"),
                BarColumn(bar_width=24),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def step(self, host: str, stage: str, done: int, total: int) -> None:
        """Show how far a host is."""
        if self._progress is None:
            return
        if host not in self._tasks:
            self._tasks[host] = self._progress.add_task("", host=host, total=None)
        self._progress.update(
            self._tasks[host],
            description=_STAGES.get(stage, stage),
            completed=done,
            total=total if stage in ("collect", "assess") else None,
        )

    def finish(self, host: str, problem: str | None = None) -> None:
        """Show that a host is done, or why it is not."""
        if self._progress is not None and host in self._tasks:
            self._progress.remove_task(self._tasks.pop(host))
        elif not self._quiet and self._progress is None and len(self._hosts) > 1:
            print(f"{host}: {problem or 'scanned'}", file=sys.stderr)


def print_tables(results: Sequence[HostResult], corpus: Corpus, *, show_all: bool) -> None:
    """Print a table of findings for each host, and one line about all of them."""
    screen = console()
    for result in results:
        _print_host(screen, result, corpus, show_all=show_all)


def _print_host(screen: Console, result: HostResult, corpus: Corpus, *, show_all: bool) -> None:
    screen.print()
    if result.error is not None:
        screen.print(Text.assemble((result.host, "bold"), "  ", ("not scanned", "bold red")))
        screen.print(f"  {result.error.message}", markup=False, highlight=False)
        screen.print(f"  {result.error.fix}", style="dim", markup=False, highlight=False)
        return
    screen.print(Text.assemble((result.host, "bold"), "  ", _about(result)))
    _warn_about_privilege(screen, result)
    listed = [o for o in result.outcomes if show_all or o.verdict in _LISTED]
    if listed:
        screen.print(_table(sorted(listed, key=_weight), corpus))
    screen.print(Text(_summary(result.outcomes)))


def _about(result: HostResult) -> str:
    if result.snapshot is None:
        return ""
    identity = result.snapshot.identity
    platform = identity.platform
    name = "unknown system" if isinstance(platform, CouldNot) else platform.name
    return plain(f"{name}, kernel {identity.kernel}")


def _warn_about_privilege(screen: Console, result: HostResult) -> None:
    if result.snapshot is not None and result.snapshot.privilege_problem:
        screen.print(
            f"  Without root: {result.snapshot.privilege_problem}",
            style="yellow",
            markup=False,
            highlight=False,
        )


def _weight(outcome: Outcome) -> tuple[int, int, str]:
    rank = _FIRST.get(outcome.verdict, len(_FIRST))
    return rank, _SEVERITIES.index(outcome.severity.value), outcome.rule_id


def _table(outcomes: Sequence[Outcome], corpus: Corpus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("rule", overflow="fold")
    table.add_column("expected", overflow="fold")
    table.add_column("actual", overflow="fold")
    for outcome in outcomes:
        expected, actual, source = key_observation(outcome)
        if outcome.verdict in (Verdict.ERROR, Verdict.NOT_APPLICABLE) or _is_count(outcome):
            actual = outcome.message
        found = f"{actual}  {source}" if source else actual
        table.add_row(
            Text(outcome.verdict.value, style=_VERDICT_STYLE.get(outcome.verdict, "dim")),
            Text(outcome.severity.value),
            Text.assemble(outcome.rule_id, "\n", (corpus.rules[outcome.rule_id].title, "dim")),
            Text(plain(expected)),
            Text(plain(found)),
        )
    return table


def _is_count(outcome: Outcome) -> bool:
    """Return whether the outcome is about how many there are: the sentence names some of them."""
    return any(observation.field == "count" for observation in outcome.observations[:1])


def _summary(outcomes: Sequence[Outcome]) -> str:
    counts = count_verdicts(outcomes)
    parts = [f"{counts['pass']} pass", f"{counts['fail']} fail", f"{counts['error']} error"]
    parts += [
        f"{counts[name]} {name.replace('_', ' ')}"
        for name in ("not_applicable", "manual", "not_configured")
        if counts[name]
    ]
    judged = counts["pass"] + counts["fail"] + counts["error"]
    score = f"score {100 * counts['pass'] / judged:.1f} %" if judged else "score: no data"
    return f"{', '.join(parts)}; {score} of {judged} measured or to be measured"

"""``openwatch check``: scan hosts from the command line, with no database and no server."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from openwatch.cli.check_access import (
    Access,
    Place,
    ask_secret,
    find_identity,
    find_password,
    parse_place,
)
from openwatch.cli.check_table import LiveProgress, print_tables
from openwatch.cli.errors import usage_error
from openwatch.cli.interrupt import run_interruptible
from openwatch.cli.site_values import SiteValues, site_values
from openwatch.engine.assess import Outcome, Verdict, assess
from openwatch.engine.interchange.results import WRITERS, HostResult
from openwatch.engine.rules import Corpus, Severity, load_corpus
from openwatch.engine.scan import Progress, scan
from openwatch.engine.snapshot import read_snapshot, write_snapshot
from openwatch.engine.transport import (
    Deadlines,
    KnownHostsFile,
    Transport,
    connect_local,
    connect_ssh,
)
from openwatch.kit.errors import OpenWatchError

EXIT_FINDINGS: Final = 1
EXIT_NOT_SCANNED: Final = 3
EXIT_NOT_MEASURED: Final = 4
EXIT_NOBODY_READS: Final = 141  # 128 + SIGPIPE, as shells report it

EXIT_CODES: Final = """Exit codes: 0 every host was scanned and --fail-on (if given) found nothing;
1 a rule of the --fail-on severity or above failed; 2 the command line, a rule or a snapshot is
wrong; 3 a host could not be scanned; 4 with --fail-on-error, a rule could not be measured."""

_SEVERITY_ORDER: Final = tuple(severity.value for severity in Severity)


class OutputFormat(StrEnum):
    """The form of the output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"


def check(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(help="[USER@]HOST[:PORT] …; `localhost` is this machine, without SSH."),
    ] = None,
    *,
    user: Annotated[str, typer.Option("--user", "-u", help="Log in as this user.")] = "",
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="SSH port.")] = 22,
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", help="Private key file.")
    ] = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-password", "-k", help="Ask for the SSH password.")
    ] = False,
    ask_sudo_password: Annotated[
        bool, typer.Option("--ask-sudo-password", "-K", help="Ask for the sudo password.")
    ] = False,
    password_file: Annotated[
        Path | None,
        typer.Option(help="Read the SSH (and sudo) password from the first line of this file."),
    ] = None,
    agent: Annotated[bool, typer.Option(help="Offer the keys of the SSH agent.")] = True,
    jump: Annotated[
        str, typer.Option("--jump", "-J", help="Jump hosts, nearest first: USER@HOST:PORT,…")
    ] = "",
    known_hosts: Annotated[Path, typer.Option(help="Host keys that are trusted.")] = Path(
        "~/.ssh/known_hosts"
    ),
    strict_host_keys: Annotated[
        bool,
        typer.Option(
            "--strict-host-keys/--accept-new-host-keys",
            help="Refuse a host whose key is not known yet, or remember the key of a new host. A "
            "changed key is refused either way.",
        ),
    ] = False,
    output: Annotated[
        OutputFormat, typer.Option("--format", "-f", help="Form of the output.")
    ] = OutputFormat.TABLE,
    severity: Annotated[
        Severity | None, typer.Option(help="Only rules of this severity or above.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", "-r", help="Only this rule; may be repeated.")
    ] = None,
    framework: Annotated[
        str, typer.Option(help="Only rules that this framework cites, e.g. cis or stig_rhel9.")
    ] = "",
    show_all: Annotated[
        bool, typer.Option("--all", "-a", help="List passes and rules that do not apply too.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(help="Save the snapshot in this file (for several hosts: a directory)."),
    ] = None,
    from_snapshot: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Judge this saved snapshot; no host is asked."),
    ] = None,
    fail_on: Annotated[
        Severity | None,
        typer.Option(help="Exit with 1 when a rule of this severity or above fails."),
    ] = None,
    fail_on_error: Annotated[
        bool, typer.Option(help="Exit with 4 when a rule could not be measured.")
    ] = False,
    set_variable: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a variable; may be repeated.")
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="A file of site values: of all hosts, of groups and of single hosts."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Judge with the values that a benchmark names: cis or stig.")
    ] = "",
    rules: Annotated[
        Path | None, typer.Option(help="Use the rules in this directory, not the built-in ones.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, max=500, help="Hosts at the same time.")
    ] = 32,
    deadline: Annotated[
        float, typer.Option(min=1, help="Give a host up after this many seconds.")
    ] = 600.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Scan hosts and print what deviates, with what was expected and what was found."""
    snapshots = from_snapshot or []
    if not hosts and not snapshots:
        usage_error("Name a host, or a saved snapshot with --from.", "openwatch check localhost")
    if hosts and snapshots:
        usage_error("Hosts and --from do not go together.", "Leave one of them out.")
    if save and snapshots:
        usage_error("--save needs a host to take a snapshot of.", "Leave --from out.")
    corpus = _chosen(load_corpus(rules), rule or [], framework, severity)
    values = site_values(corpus, site=site, preset_name=preset, given=set_variable or [])
    if snapshots:
        results = [_judged(path, corpus, values) for path in snapshots]
    else:
        places = [parse_place(text) for text in dict.fromkeys(hosts or [])]
        remote = any(not place.local for place in places)
        key, passphrase = find_identity(identity) if remote else (None, None)
        access = Access(
            user=user or getpass.getuser(),
            port=port,
            identity=key,
            passphrase=passphrase,
            password=find_password(ask_password, password_file, places),
            sudo_password=ask_secret("sudo password: ") if ask_sudo_password else None,
            use_agent=agent,
            jump=tuple(parse_place(hop) for hop in jump.split(",") if hop),
            host_keys=KnownHostsFile(known_hosts.expanduser(), accept_new=not strict_host_keys),
            deadlines=Deadlines(),
        )
        results = run_interruptible(
            _scan_all(places, access, corpus, values, jobs=jobs, deadline=deadline, quiet=quiet)
        )
    _print(results, corpus, output, show_all=show_all)
    if save is not None:
        # Last: a full disk here must not cost what was found.
        _save(results, save)
    raise typer.Exit(_exit_code(results, fail_on, fail_on_error=fail_on_error))


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command(help=f"{check.__doc__}\n\n{EXIT_CODES}")(check)


def _chosen(
    corpus: Corpus, rule_ids: Sequence[str], framework: str, severity: Severity | None
) -> Corpus:
    if framework:
        corpus = corpus.cited_by(framework)
    if rule_ids:
        corpus = corpus.only(rule_ids)
    if severity is None:
        return corpus
    enough = _SEVERITY_ORDER[: _SEVERITY_ORDER.index(severity.value) + 1]
    return corpus.only([i for i, r in corpus.rules.items() if r.severity.value in enough])


def _judged(path: Path, corpus: Corpus, values: SiteValues) -> HostResult:
    snapshot = read_snapshot(path)
    name = snapshot.identity.hostname or path.name
    return HostResult(name, snapshot, assess(corpus, snapshot, values.layers(name)))


async def _scan_all(
    places: Sequence[Place],
    access: Access,
    corpus: Corpus,
    values: SiteValues,
    *,
    jobs: int,
    deadline: float,
    quiet: bool,
) -> list[HostResult]:
    free = asyncio.Semaphore(jobs)
    with LiveProgress([place.text for place in places], quiet=quiet) as live:

        async def one(place: Place) -> HostResult:
            async with free:
                return await _scan_one(place, access, corpus, values, deadline, live)

        return await asyncio.gather(*(one(place) for place in places))


async def _scan_one(
    place: Place,
    access: Access,
    corpus: Corpus,
    values: SiteValues,
    deadline: float,
    live: LiveProgress,
) -> HostResult:
    def on_progress(progress: Progress) -> None:
        live.step(place.text, progress.stage, progress.done, progress.total)

    transport: Transport | None = None
    try:
        live.step(place.text, "connect", 0, 1)
        if place.local:
            transport = connect_local(sudo_password=access.sudo_password)
        else:
            transport = await connect_ssh(
                access.target(place), host_keys=access.host_keys, deadlines=access.deadlines
            )
        report = await scan(
            transport,
            corpus=corpus,
            layers=values.layers(place.address),
            on_progress=on_progress,
            deadline_seconds=deadline,
        )
    except OpenWatchError as error:
        live.finish(place.text, error.message)
        return HostResult(place.text, None, (), error)
    finally:
        if transport is not None:
            await transport.aclose()
    live.finish(place.text)
    return HostResult(place.text, report.snapshot, report.outcomes)


def _save(results: Sequence[HostResult], path: Path) -> None:
    taken = [result for result in results if result.snapshot is not None]
    several = len(results) > 1 or path.is_dir()
    try:
        if several:
            path.mkdir(parents=True, exist_ok=True)
        for result in taken:
            assert result.snapshot is not None
            name = re.sub(r"[^A-Za-z0-9._@-]", "_", result.host) + ".snapshot.gz"
            write_snapshot(result.snapshot, path / name if several else path)
    except OSError as error:
        usage_error(f"The snapshot cannot be saved: {error}.", "Check --save.")


def _print(
    results: Sequence[HostResult], corpus: Corpus, output: OutputFormat, *, show_all: bool
) -> None:
    try:
        if output is OutputFormat.TABLE:
            print_tables(results, corpus, show_all=show_all)
        else:
            sys.stdout.write(WRITERS[output.value](results, corpus.rules))
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # Rich makes the one the other, with 1, which would tell of findings. The interpreter
        # flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(EXIT_NOBODY_READS) from None


def _exit_code(
    results: Sequence[HostResult], fail_on: Severity | None, *, fail_on_error: bool
) -> int:
    """Return the exit code. A host that was not scanned weighs more than any finding."""
    if any(result.error is not None for result in results):
        return EXIT_NOT_SCANNED
    outcomes = [outcome for result in results for outcome in result.outcomes]
    if fail_on is not None and any(_fails(outcome, fail_on) for outcome in outcomes):
        return EXIT_FINDINGS
    if fail_on_error and any(outcome.verdict is Verdict.ERROR for outcome in outcomes):
        return EXIT_NOT_MEASURED
    return 0


def _fails(outcome: Outcome, fail_on: Severity) -> bool:
    index = _SEVERITY_ORDER.index
    severe = index(outcome.severity.value) <= index(fail_on.value)
    return outcome.verdict is Verdict.FAIL and severe

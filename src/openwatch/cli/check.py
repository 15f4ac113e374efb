"""``openwatch check``: scan hosts from the command line, with no database and no server."""

from __future__ import annotations

import asyncio
import getpass
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from openwatch.cli.check_table import LiveProgress, print_tables
from openwatch.cli.errors import usage_error
from openwatch.engine.assess import Outcome, Verdict, assess
from openwatch.engine.interchange.results import WRITERS, HostResult
from openwatch.engine.rules import Corpus, Severity, load_corpus
from openwatch.engine.rules.variables import resolve
from openwatch.engine.scan import Progress, scan
from openwatch.engine.snapshot import read_snapshot, write_snapshot
from openwatch.engine.transport import (
    Deadlines,
    HostKeys,
    Identity,
    KnownHostsFile,
    Login,
    Target,
    Transport,
    connect_local,
    connect_ssh,
    inspect_private_key,
    read_identity,
)
from openwatch.kit.errors import OpenWatchError

EXIT_FINDINGS: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_SCANNED: Final = 3
EXIT_NOT_MEASURED: Final = 4

EXIT_CODES: Final = """Exit codes: 0 every host was scanned and --fail-on (if given) found nothing;
1 a rule of the --fail-on severity or above failed; 2 the command line, a rule or a snapshot is
wrong; 3 a host could not be scanned; 4 with --fail-on-error, a rule could not be measured."""

_LOCAL_NAMES: Final = frozenset({"localhost", "local"})
_SEVERITY_ORDER: Final = tuple(severity.value for severity in Severity)
_KEY_NAMES: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
_HOST: Final = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<name>[^:@\s\[\]]+)|"
    r"(?P<bare6>[0-9a-fA-F]*:[0-9a-fA-F:.]+))(?::(?P<port>\d{1,5}))?\Z"
)


class OutputFormat(StrEnum):
    """The form of the output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Place:
    """A host as it was named on the command line."""

    text: str
    address: str
    port: int | None
    user: str | None

    @property
    def local(self) -> bool:
        return self.address in _LOCAL_NAMES and self.port is None and self.user is None


@dataclass(frozen=True, slots=True)
class Access:
    """How to log in: the same for all hosts of one command. Secrets do not show in ``repr``."""

    user: str
    port: int
    identity: Identity | None
    passphrase: str | None = field(repr=False)
    password: str | None = field(repr=False)
    sudo_password: str | None = field(repr=False)
    use_agent: bool
    jump: tuple[Place, ...]
    host_keys: HostKeys
    deadlines: Deadlines

    def target(self, place: Place) -> Target:
        """Return the target of a host, behind the jump hosts of this command."""
        jump = tuple(
            Target(hop.address, port=hop.port or 22, login=self._login(hop)) for hop in self.jump
        )
        port = place.port or self.port
        return Target(place.address, port=port, login=self._login(place), jump=jump)

    def _login(self, place: Place) -> Login:
        return Login(
            username=place.user or self.user,
            private_key=self.identity.private_key if self.identity else None,
            passphrase=self.passphrase,
            password=self.password,
            sudo_password=self.sudo_password,
            use_agent=self.use_agent,
            certificate=self.identity.certificate if self.identity else None,
        )


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
    variables = resolve(corpus.variables, _variables(set_variable or []))
    if snapshots:
        results = [_judged(path, corpus, variables) for path in snapshots]
    else:
        places = [_place(text) for text in dict.fromkeys(hosts or [])]
        remote = any(not place.local for place in places)
        key, passphrase = _identity(identity) if remote else (None, None)
        access = Access(
            user=user or getpass.getuser(),
            port=port,
            identity=key,
            passphrase=passphrase,
            password=_password(ask_password, password_file, places),
            sudo_password=_ask("sudo password: ") if ask_sudo_password else None,
            use_agent=agent,
            jump=tuple(_place(hop) for hop in jump.split(",") if hop),
            host_keys=KnownHostsFile(known_hosts.expanduser(), accept_new=not strict_host_keys),
            deadlines=Deadlines(),
        )
        results = asyncio.run(
            _scan_all(places, access, corpus, variables, jobs=jobs, deadline=deadline, quiet=quiet)
        )
        if save is not None:
            _save(results, save)
    _print(results, corpus, output, show_all=show_all)
    raise typer.Exit(_exit_code(results, fail_on, fail_on_error=fail_on_error))


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command(help=f"{check.__doc__}\n\n{EXIT_CODES}")(check)


def _place(text: str) -> Place:
    match = _HOST.match(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 0 < port < 65536):
        usage_error(f"{text!r} is not [USER@]HOST[:PORT].", "Write IPv6 as [::1]:22.")
    address = match["v6"] or match["name"] or match["bare6"]
    return Place(text, address, port, match["user"])


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


def _variables(given: Iterable[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            usage_error(f"{text!r} is not NAME=VALUE.", "openwatch rules variables")
        values[name] = value
    return values


def _identity(chosen: Path | None) -> tuple[Identity | None, str | None]:
    """Return the key to log in with and its passphrase: the chosen one, else the user's default.

    A default key that is encrypted is used only when somebody is there to open it; the agent may
    hold it, and a connection says what is missing if it does not.
    """
    for path in [chosen] if chosen else [Path("~/.ssh", name) for name in _KEY_NAMES]:
        if chosen is None and not path.expanduser().is_file():
            continue
        identity = read_identity(path.expanduser())
        try:
            inspect_private_key(identity.private_key)
        except OpenWatchError as error:
            if error.code != "credential.key_encrypted" or not sys.stdin.isatty():
                if chosen is None:
                    continue
                raise
            return identity, getpass.getpass(f"Passphrase of {path}: ")
        return identity, None
    return None, None


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        usage_error("There is no terminal to ask for a password.", "Use --password-file.")
    return getpass.getpass(prompt)


def _password(ask: bool, file: Path | None, places: Sequence[Place]) -> str | None:
    if ask:
        who = places[0].text if len(places) == 1 else f"{len(places)} hosts"
        return _ask(f"SSH password for {who}: ")
    if file is None:
        return None
    try:
        return file.expanduser().read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        usage_error(f"The password file {file} cannot be read: {why}.", "Check --password-file.")


def _judged(path: Path, corpus: Corpus, variables: dict[str, Any]) -> HostResult:
    snapshot = read_snapshot(path)
    name = snapshot.identity.hostname or path.name
    return HostResult(name, snapshot, assess(corpus, snapshot, variables))


async def _scan_all(
    places: Sequence[Place],
    access: Access,
    corpus: Corpus,
    variables: dict[str, Any],
    *,
    jobs: int,
    deadline: float,
    quiet: bool,
) -> list[HostResult]:
    free = asyncio.Semaphore(jobs)
    with LiveProgress([place.text for place in places], quiet=quiet) as live:

        async def one(place: Place) -> HostResult:
            async with free:
                return await _scan_one(place, access, corpus, variables, deadline, live)

        return await asyncio.gather(*(one(place) for place in places))


async def _scan_one(
    place: Place,
    access: Access,
    corpus: Corpus,
    variables: dict[str, Any],
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
            variables=variables,
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
    if output is OutputFormat.TABLE:
        print_tables(results, corpus, show_all=show_all)
    else:
        sys.stdout.write(WRITERS[output.value](results, corpus.rules))


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

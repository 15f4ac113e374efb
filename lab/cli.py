"""The command line: ``./ow lab ...`` or ``python -m lab ...``."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lab import drift, harden, host
from lab.accounts import ACCOUNTS, PASSWORD
from lab.control import AUTO, Lab, Want, in_use
from lab.errors import LabError
from lab.host import MINI, SYSTEMD
from lab.image import IMAGES, image_named
from lab.image_build import cached, ensure_image, prune
from lab.keys import key_path
from lab.machine import require_machine
from lab.place import Place
from lab.state import HostRecord

PROGRAM: Final = "lab"
PRIVATE: Final = "private"


def main(argv: Sequence[str]) -> int:
    """Run one command; return its exit status (2: it could not be done, and stderr says why)."""
    options = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except LabError as error:
        print(f"{PROGRAM}: {error.message}", file=sys.stderr)
        if error.fix:
            print(f"  {error.fix}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; `{PROGRAM} down` removes what was made.", file=sys.stderr)
        return 130


# ------------------------------------------------------------------------------------- commands
def _up(options: argparse.Namespace) -> int:
    lab = _lab(options)
    images = _split(options.suite)
    wanted = _wanted(options.count, images)
    lab.up(wanted, init=options.init)
    _print_status(lab)
    print(f"\nlog in with: {_ssh_line(lab, lab.host(wanted[0].name))}", file=sys.stderr)
    return 0


def _down(options: argparse.Namespace) -> int:
    if options.all:
        return _down_all()
    _lab(options).down(options.host or None)
    return 0


def _down_all() -> int:
    """Labs of runs that go on are theirs to end; each other one is named as it goes."""
    require_machine(images=False)
    for place in Place.all():
        if in_use(place):
            print(f"{place.name}: belongs to a process that is running, left alone")
            continue
        Lab(place).down()
        print(f"{place.name}: removed")
    return 0


def _status(options: argparse.Namespace) -> int:
    _print_status(_lab(options))
    return 0


def _inventory(options: argparse.Namespace) -> int:
    print(json.dumps(_lab(options).inventory(), indent=1))
    return 0


def _exec(options: argparse.Namespace) -> int:
    record = _lab(options).host(options.host)
    require_machine(images=False)
    argv = [*host.enter_argv(record), "sh", "-c", " ".join(options.command)]
    os.execvp(argv[0], argv)


def _drift(options: argparse.Namespace) -> int:
    if not options.host:
        _print_table(
            ("name", "what it is", "setting"),
            [(f.name, f.says, f.setting) for f in drift.MISCONFIGURATIONS.values()],
        )
        return 0
    record = _lab(options).host(options.host)
    names = options.name or [
        fault.name for fault in drift.MISCONFIGURATIONS.values() if fault.possible_on(record)
    ]
    act = drift.mend if options.mend else drift.plant
    act(record, drift.named(names))
    print(f"{record.name}: {'mended' if options.mend else 'planted'} {', '.join(names)}")
    return 0


def _harden(options: argparse.Namespace) -> int:
    record = _lab(options).host(options.host)
    applied = harden.harden(record)
    print(f"{record.name}: {', '.join(applied)}")
    return 0


def _cut(options: argparse.Namespace) -> int:
    _lab(options).cut(options.host)
    return 0


def _mend(options: argparse.Namespace) -> int:
    _lab(options).mend(options.host)
    return 0


def _reboot(options: argparse.Namespace) -> int:
    _lab(options).reboot(options.host)
    return 0


def _rekey(options: argparse.Namespace) -> int:
    print(_lab(options).rekey(options.host))
    return 0


def _image(options: argparse.Namespace) -> int:
    require_machine()
    images = _lab(options).place.images
    if options.prune:
        for path in prune(images):
            print(f"removed {path.name}")
    for name in options.image:
        ensure_image(image_named(name), images, say=_say, rebuild=options.force)
    for path in cached(images):
        print(path)
    return 0


def _cpu(options: argparse.Namespace) -> int:
    lab = _lab(options)
    for name in lab.hosts:
        seconds = lab.cpu_seconds(name)
        print(f"{name}: {'not counted' if seconds is None else f'{seconds:.3f} s'}")
    return 0


def _sim(options: argparse.Namespace) -> int:
    from lab.sim import serve

    plays = options.recording if options.recording in ("local", "once") else Path(options.recording)
    try:
        return asyncio.run(
            serve(
                options.count,
                recording=plays,
                latency=options.latency,
                slow=options.slow,
                port=options.port,
            )
        )
    except (OSError, ValueError) as error:
        raise LabError(f"{options.recording} cannot be played: {error}.") from error


def _record(options: argparse.Namespace) -> int:
    from lab.record import record
    from openwatch.engine.rules import load_corpus
    from openwatch.engine.transport import AcceptNew, Login, Target, connect_local, connect_ssh
    from openwatch.kit.errors import OpenWatchError

    async def scan_and_write() -> None:
        if options.host:
            key = key_path(_lab(options).place).read_text()
            target = Target(
                _lab(options).host(options.host).address, login=Login("scan", private_key=key)
            )
            transport = await connect_ssh(target, host_keys=AcceptNew())
        else:
            transport = connect_local()
        try:
            (await record(transport, corpus=load_corpus())).write(options.file)
        finally:
            await transport.aclose()

    try:
        asyncio.run(scan_and_write())
    except OpenWatchError as error:
        raise LabError(error.message, error.fix) from error
    return 0


# ------------------------------------------------------------------------------------ parsing
def _parser() -> argparse.ArgumentParser:
    accounts = "\n".join(f"  {account.name:9}{account.says}" for account in ACCOUNTS)
    images = "\n".join(f"  {image.name:15}{image.says}" for image in IMAGES.values())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Linux hosts on this machine, each with its own address, sshd and users.",
        epilog=f"accounts of every host (root: key only; the password is {PASSWORD}):\n"
        f"{accounts}\n\nimages:\n{images}\n"
        f"  {PRIVATE:9}Debian 12 that only the first host can reach\n\n"
        "environment:\n"
        "  OPENWATCH_LAB_DIR     images and hosts (default /var/tmp/openwatch-lab)\n"
        "  OPENWATCH_LAB_MIRROR  Debian archive for images (default: the one this machine uses)\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--lab", default="default", metavar="NAME", help="which lab (default: %(default)s)"
    )
    commands = parser.add_subparsers(dest="command_name", required=True, metavar="COMMAND")

    up = _command(commands, "up", _up, "have N hosts running, and print all of them")
    up.add_argument("count", type=_positive, metavar="N")
    up.add_argument(
        "--suite", default="bookworm", metavar="IMAGE,...", help="images, taken in turn"
    )
    up.add_argument("--init", choices=(AUTO, SYSTEMD, MINI), default=AUTO)
    down = _command(commands, "down", _down, "stop and delete hosts, also what a killed run left")
    down.add_argument("host", nargs="*", help="only these")
    down.add_argument(
        "--all",
        action="store_true",
        help="every lab of this checkout, whoever started it by hand; not those of running tests",
    )
    _command(commands, "status", _status, "a table of the hosts")
    _command(commands, "inventory", _inventory, "addresses, keys and accounts as JSON")
    execute = _host_command(commands, "exec", _exec, "run a command as root on a host, without SSH")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    drifting = _command(
        commands, "drift", _drift, "break settings in a known way (no HOST: list them)"
    )
    drifting.add_argument("host", nargs="?")
    drifting.add_argument("name", nargs="*", help="only these")
    drifting.add_argument("--mend", action="store_true", help="take them away again")
    _host_command(commands, "harden", _harden, "set what good practice asks for")
    _host_command(commands, "cut", _cut, "pull the network cable of a host")
    _host_command(commands, "mend", _mend, "put the cable back")
    _host_command(commands, "reboot", _reboot, "power a host off and on")
    _host_command(commands, "rekey", _rekey, "give a host another SSH host key")
    _command(commands, "cpu", _cpu, "CPU seconds that each host has used")
    image = _command(commands, "image", _image, "build images, list what is cached")
    image.add_argument("image", nargs="*", choices=(*IMAGES, []), metavar="IMAGE")
    image.add_argument("--force", action="store_true", help="build again")
    image.add_argument("--prune", action="store_true", help="delete what nothing uses any more")
    simulated = _command(commands, "sim", _sim, "serve N simulated hosts until Ctrl-C (no root)")
    simulated.add_argument("count", type=_positive, metavar="N")
    simulated.add_argument(
        "--recording",
        default="once",
        metavar="FILE|local|once",
        help="what they answer: a file of `record`; or programs are executed on this machine, "
        "each time (local) or the first time only (default: %(default)s)",
    )
    simulated.add_argument("--latency", type=float, default=0.0, help="round trip in seconds")
    simulated.add_argument("--slow", type=float, default=0.0, help="seconds each answer takes")
    simulated.add_argument("--port", type=int, default=0, help="default: any free one")
    recording = _command(commands, "record", _record, "scan a host and keep its answers for `sim`")
    recording.add_argument("file", type=Path)
    recording.add_argument("--host", help="a lab host (default: this machine)")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _host_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    command = _command(commands, name, run, text)
    command.add_argument("host")
    return command


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _split(text: str) -> list[str]:
    images = [word.strip() for word in text.split(",") if word.strip()]
    for image in images:
        if image != PRIVATE:
            image_named(image)
    if not images:
        raise LabError("No image was named.", f"Known are: {', '.join(IMAGES)}.")
    return images


def _wanted(count: int, images: list[str]) -> list[Want]:
    """``count`` hosts named after their image and a number; the same call names the same hosts."""
    numbers: Counter[str] = Counter()
    wanted: list[Want] = []
    for image in itertools.islice(itertools.cycle(images), count):
        numbers[image] += 1
        private = image == PRIVATE
        name = f"{image}-{numbers[image]}"
        wanted.append(Want(name, "bookworm" if private else image, private))
    return wanted


def _lab(options: argparse.Namespace) -> Lab:
    return Lab(Place.of(options.lab), say=_say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------- output
def _print_status(lab: Lab) -> None:
    if not lab.hosts:
        print(f"no hosts in lab {lab.place.name!r}; start some: {PROGRAM} up 3")
        return
    rows = [
        (
            record.name,
            record.address,
            record.image,
            record.init,
            "off" if host.stopped(record) else "up" if host.is_up(record) else "starting",
            "the others' jump host" if record.jump else "behind it" if record.private else "",
        )
        for record in lab.hosts.values()
    ]
    _print_table(("host", "address", "image", "init", "state", ""), rows)


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print(
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _ssh_line(lab: Lab, record: HostRecord) -> str:
    key, known = key_path(lab.place), lab.place.known_hosts
    return f"ssh -i {key} -o UserKnownHostsFile={known} scan@{record.address}"

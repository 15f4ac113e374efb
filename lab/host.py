"""Making, starting and stopping one real host."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from lab import network
from lab.accounts import ACCOUNTS
from lab.errors import HostFailedError, LabError
from lab.image import IMAGES, ROOTFS
from lab.image_build import mount_overlay
from lab.machine import NSPAWN, Process, cpu_group, mounts_below, run
from lab.place import Place
from lab.state import HostRecord

SYSTEMD: Final = "systemd"
MINI: Final = "mini"
HOST_KEY_TYPES: Final = ("ed25519", "ecdsa")
# systemd(1), "Signals": asks PID 1 for a clean power-off.
POWER_OFF: Final = signal.SIGRTMIN + 4
POWER_OFF_SECONDS: Final = 15.0
START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02
SSH_PORT_IN_PROC: Final = ":0016"
LISTENING: Final = "0A"
CONSOLE_TAIL: Final = 1500
# systemd 258 and later know control groups v2 only.
NEEDS_UNIFIED: Final = frozenset({"forky", "sid"})
RELOAD_SSHD: Final = """
listener=$(pgrep -o -x sshd); rm -f /run/sshd.pid; kill -HUP "$listener"
for attempt in $(seq 250); do [ -s /run/sshd.pid ] && exit 0; sleep 0.02; done
echo 'sshd did not come back after its reload' >&2; exit 1
"""
# Children of this process that are still running: kept so that they can be reaped.
_CHILDREN: Final[dict[int, subprocess.Popen[bytes]]] = {}
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def directory(place: Place, host: HostRecord) -> Path:
    return place.hosts / host.name


def root(place: Place, host: HostRecord) -> Path:
    return directory(place, host) / "root"


def console(place: Place, host: HostRecord) -> Path:
    return directory(place, host) / "console.log"


def start(place: Place, host: HostRecord, *, lower: list[Path]) -> Process:
    """Mount, connect and boot a host; return at once, before its sshd listens.

    ``lower``: the directories of its image, the topmost layer first.
    """
    made_before = root(place, host).exists()
    for part in ("upper", "work", "root"):
        (directory(place, host) / part).mkdir(parents=True, exist_ok=True)
    if not os.path.ismount(root(place, host)):
        mount_overlay(
            root(place, host),
            lower=lower,
            upper=directory(place, host) / "upper",
            work=directory(place, host) / "work",
            # As of a disk: scanners that look for local file systems by their device find it.
            source=f"/dev/lab-{host.name}",
        )
    if not made_before:
        _personalise(place, host)
    network.connect(
        place,
        host.name,
        host.number,
        address=IPv4Address(host.address),
        private=host.private,
        jump=host.jump,
    )
    return _spawn(place, host)


def wait_until_up(place: Place, host: HostRecord) -> None:
    """Return when users can log in and all services have started; raise ``HostFailedError``."""
    deadline = time.monotonic() + START_SECONDS
    while not is_up(host):
        gone = host.process is None or not host.process.alive()
        if gone or time.monotonic() > deadline:
            why = "ended while starting" if gone else f"has no sshd after {START_SECONDS:.0f} s"
            raise HostFailedError(f"Host {host.name} {why}.{_console_end(place, host)}")
        time.sleep(POLL_SECONDS)
    if host.init == SYSTEMD:
        enter(host, "systemctl is-system-running --wait", check=False)


def is_up(host: HostRecord) -> bool:
    """Whether sshd listens and lets users in. Read from outside: the host gets no traffic."""
    init = init_process(host)
    if init is None or (Path(f"/proc/{init.pid}/root/run/nologin")).exists():
        return False
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{init.pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            return False
        for local, _, state in (line.split()[1:4] for line in lines):
            if local.endswith(SSH_PORT_IN_PROC) and state == LISTENING:
                return True
    return False


def init_process(host: HostRecord) -> Process | None:
    """The host's PID 1, as the machine sees it."""
    return host.process.child() if host.process else None


def enter(
    host: HostRecord, command: str, *, check: bool = True, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a shell command as root inside the host, without SSH."""
    done = subprocess.run(
        [*enter_argv(host), "sh", "-c", command],
        capture_output=True,
        text=True,
        errors="replace",
        input=stdin,
    )
    if check and done.returncode:
        raise LabError(
            f"On {host.name} `{command}` failed with exit status {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()[-CONSOLE_TAIL:]}"
        )
    return done


def enter_argv(host: HostRecord) -> list[str]:
    """The command that enters a host: its namespaces *and its root*, else it hits the machine."""
    init = init_process(host)
    if init is None:
        raise LabError(f"Host {host.name} is not running.", "Start it: lab up")
    home = ("env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8")
    return ["nsenter", "-t", str(init.pid), "-a", "-r", "-w", "--", *home]


def reload_sshd(host: HostRecord) -> None:
    """Let sshd read its configuration and keys again; return when it listens with them."""
    # sshd writes its pid file after it has begun to listen; a second SIGHUP before that is lost.
    enter(host, RELOAD_SSHD)


def ask_to_stop(host: HostRecord) -> None:
    if init := init_process(host):
        init.signal(POWER_OFF if host.init == SYSTEMD else signal.SIGTERM)


def stopped(host: HostRecord) -> bool:
    return host.process is None or not host.process.alive()


def finish_stop(host: HostRecord, *, deadline: float) -> None:
    """Wait for a host that was asked to stop; kill it at the deadline (monotonic seconds)."""
    while not stopped(host) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if host.process and not stopped(host):
        for process in (init_process(host), host.process):
            if process:
                process.signal(signal.SIGKILL)
        while not stopped(host):
            time.sleep(POLL_SECONDS)
    if host.process and (child := _CHILDREN.pop(host.process.pid, None)):
        child.wait()
    host.process = None


def unmount(path: Path) -> None:
    """Unmount all below ``path``; a mount that somebody still looks into goes when they leave."""
    for point in mounts_below(path):
        if run("umount", str(point), check=False).returncode:
            run("umount", "--lazy", str(point), check=False)


def delete(place: Place, host: HostRecord) -> None:
    """Remove what a stopped host has on the machine."""
    network.disconnect(place, host.name, host.number)
    unmount(directory(place, host))
    shutil.rmtree(directory(place, host), ignore_errors=True)


def new_host_keys(place: Place, host: HostRecord) -> None:
    """Give a running or unstarted host other SSH host keys; ``host.host_key`` is the new one."""
    folder = root(place, host) / "etc/ssh"
    for kind in HOST_KEY_TYPES:
        key = folder / f"ssh_host_{kind}_key"
        for old in (key, key.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", host.name, "-f", str(key))
    public = (folder / f"ssh_host_{HOST_KEY_TYPES[0]}_key.pub").read_text()
    host.host_key = " ".join(public.split()[:2])


def _personalise(place: Place, host: HostRecord) -> None:
    """What differs between two hosts of one image."""
    top = root(place, host)
    (top / "etc/hostname").write_text(f"{host.name}\n")
    (top / "etc/hosts").write_text(
        f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n{host.address} {host.name}\n"
    )
    (top / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
    # The running kernel is the machine's, whose modules a host does not have. An index of those
    # that distributions ship lets rules about modules be measured; none can be loaded.
    modules = top / "usr/lib/modules" / os.uname().release
    modules.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOTFS / "modules.dep", modules / "modules.dep")
    (modules / "modules.builtin").touch()
    new_host_keys(place, host)
    authorized = "".join(sorted(path.read_text() for path in place.keys.glob("id_*.pub")))
    for home in ("root", *(f"home/{account.name}" for account in ACCOUNTS)):
        (top / home / ".ssh/authorized_keys").write_text(authorized)


def _spawn(place: Place, host: HostRecord) -> Process:
    namespace = place.namespace(host.name)
    top = str(root(place, host))
    environment = {"PATH": os.environ.get("PATH", PATH), "LC_ALL": "C.UTF-8"}
    if host.init == SYSTEMD:
        # Else all of /proc/sys is read-only; net.* is the host's own and may be written.
        environment["SYSTEMD_NSPAWN_API_VFS_WRITABLE"] = "network"
        if IMAGES[host.image].suite in NEEDS_UNIFIED:
            environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "1"
        argv = [
            *(NSPAWN, "--quiet", "--boot", f"--directory={top}", f"--machine={host.name}"),
            f"--network-namespace-path={network.NAMESPACES / namespace}",
            *("--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off"),
            # The network namespace is the host's own: its root may manage it, as on any host.
            *("--timezone=off", "--console=pipe", "--capability=CAP_NET_ADMIN"),
        ]
    else:
        argv = [
            *("ip", "netns", "exec", namespace),
            *("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=SIGTERM"),
            *("--propagation", "private", f"--root={top}", "/usr/local/sbin/lab-mini-init"),
        ]
    group = cpu_group(f"{place.control_group}/{host.name}")
    if group:
        # The host's first process joins the group before it starts anything: all is counted.
        joins = 'echo $$ >"$0/cgroup.procs" 2>/dev/null; exec "$@"'
        argv = ["sh", "-c", joins, str(group), *argv]
    with console(place, host).open("ab") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    _CHILDREN[child.pid] = child
    process = Process.of(child.pid)
    if process is None:
        raise HostFailedError(f"Host {host.name} ended while starting.{_console_end(place, host)}")
    return process


def _console_end(place: Place, host: HostRecord) -> str:
    try:
        text = console(place, host).read_text(errors="replace").strip()
    except OSError:
        return ""
    return f" Its console says: {text[-CONSOLE_TAIL:]}" if text else ""

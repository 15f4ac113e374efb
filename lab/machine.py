"""What this machine can do, and the few system calls that the lab makes on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, UnavailableError

# Command -> Debian package that has it.
TOOLS: Mapping[str, str] = {
    "ip": "iproute2",
    "mount": "mount",
    "umount": "mount",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ssh-keygen": "openssh-client",
}
IMAGE_TOOLS: Mapping[str, str] = {"mmdebstrap": "mmdebstrap"}
NSPAWN = "systemd-nspawn"
ERROR_TAIL = 2000


def require_machine(*, images: bool = True) -> None:
    """Raise ``UnavailableError`` with the exact reason when real hosts cannot run here."""
    if reason := unavailable_because(images=images):
        raise reason


def unavailable_because(*, images: bool = True) -> UnavailableError | None:
    """Why real hosts cannot run on this machine, or None when they can."""
    if sys.platform != "linux":
        return UnavailableError(
            f"Real lab hosts need Linux, this is {sys.platform}.", "Use lab.sim."
        )
    if os.geteuid() != 0:
        return UnavailableError(
            "Real lab hosts need root: they are made of mounts and network namespaces.",
            "Run it as root, or use simulated hosts (lab.sim), which need no privilege.",
        )
    wanted = {**TOOLS, **(IMAGE_TOOLS if images else {})}
    missing = {tool: package for tool, package in wanted.items() if shutil.which(tool) is None}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        return UnavailableError(
            f"Missing on this machine: {', '.join(sorted(missing))}.",
            f"Install with: apt-get install {packages}",
        )
    if "overlay" not in Path("/proc/filesystems").read_text():
        return UnavailableError(
            "This kernel has no overlayfs, from which lab hosts are made.",
            "Load it (modprobe overlay) or use simulated hosts (lab.sim).",
        )
    return None


def has_nspawn() -> bool:
    """Whether hosts with systemd as PID 1 can be tried."""
    return shutil.which(NSPAWN) is not None


def run(
    *argv: str, check: bool = True, stdin: str = "", timeout: float | None = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command of the machine; raise ``LabError`` with the end of its stderr when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, input=stdin, timeout=timeout)
    if check and done.returncode:
        raise LabError(
            f"`{' '.join(argv)}` failed with exit status {done.returncode}: "
            f"{done.stderr.strip()[-ERROR_TAIL:]}"
        )
    return done


# ---------------------------------------------------------------------------------- processes
@dataclass(frozen=True, slots=True)
class Process:
    """A process, named so that a later process with the same number is not mistaken for it."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The running process ``pid``, or None when there is none (or only its zombie)."""
        fields = _stat(pid)
        # proc(5): field 3 is the state, field 22 the start time; the list begins with field 3.
        return None if fields is None or fields[0] in "ZX" else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        return Process.of(self.pid) == self

    def signal(self, number: int) -> None:
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def child(self) -> Process | None:
        """The first child."""
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return None
        pids = [int(word) for word in text.split()]
        return Process.of(pids[0]) if pids and self.alive() else None


def processes_naming(path: Path, commands: Iterable[str]) -> tuple[Process, ...]:
    """Running ``commands`` (names of programs) that have ``path``, or a path below it, in argv."""
    wanted = frozenset(commands)
    found: list[Process] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        names_it = any(_is_below(word.rpartition("=")[2], path) for word in argv[1:])
        if Path(argv[0]).name in wanted and names_it and (process := Process.of(int(entry.name))):
            found.append(process)
    return tuple(found)


def _is_below(word: str, path: Path) -> bool:
    return word == str(path) or word.startswith(f"{path}/")


def _stat(pid: int) -> Sequence[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


# ------------------------------------------------------------------------------------- mounts
def mounts_below(path: Path) -> tuple[Path, ...]:
    """Mount points below ``path``, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [_unescape(line.split()[4]) for line in lines]
    below = [Path(point) for point in points if point.startswith(f"{path}/")]
    return tuple(sorted(below, key=lambda point: len(point.parts), reverse=True))


def _unescape(word: str) -> str:
    """proc(5): blanks in mountinfo are octal escapes."""
    return word.encode().decode("unicode_escape") if "\\" in word else word


# ------------------------------------------------------------------------------ control groups
def cpu_group(name: str) -> Path | None:
    """The control group in which CPU time is counted, created; None when the kernel has none."""
    for root in (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup")):
        if (root / "cgroup.procs").exists():
            group = root / name
            try:
                group.mkdir(parents=True, exist_ok=True)
            except OSError:
                return None
            return group
    return None


def cpu_seconds(group: Path) -> float:
    """CPU seconds (user and system) that all processes of the group used since it was made."""
    usage = group / "cpuacct.usage"
    if usage.exists():
        return int(usage.read_text()) / 1e9
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


def remove_groups(name: str) -> None:
    """Remove a control group and the empty ones below it."""
    for root in (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup")):
        group = root / name
        if not group.is_dir():
            continue
        for directory in sorted((group, *group.rglob("*/")), reverse=True):
            try:
                directory.rmdir()
            except OSError:
                continue

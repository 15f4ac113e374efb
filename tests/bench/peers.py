"""Other tools for the same job, run side by side with ours in `./ow bench compare`.

What runs on the host comes with the lab's image. What connects from here is installed into an
environment that is thrown away: none of it is a dependency of the product or of its tests.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.machine import run
from lab.session import LabHost

FROM_HERE: Final = ("pytest", "pytest-testinfra", "ansible-core")
INSTALL_SECONDS: Final = 300.0
GIVE_UP_SECONDS: Final = 900.0
USER: Final = "scan"


@dataclass(frozen=True, slots=True)
class Checks:
    """Questions with the answers that the host gives: each tool has to confirm all of them."""

    modes: dict[str, str]
    packages: tuple[str, ...]
    settings: dict[str, str]
    services: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.modes) + len(self.packages) + len(self.settings) + len(self.services)


@dataclass(frozen=True, slots=True)
class Way:
    """How a tool reaches the host: straight, or over a line with a latency."""

    address: str
    port: int
    key: Path


class ToolFailedError(Exception):
    """A tool did not do what was asked; its last words."""


@contextmanager
def throw_away_environment() -> Iterator[Path]:
    """Install the tools that connect from here; yield the directory of their programs."""
    with tempfile.TemporaryDirectory(prefix="openwatch-bench-") as directory:
        venv.create(directory, with_pip=True)
        programs = Path(directory) / "bin"
        run(
            *(str(programs / "python"), "-m", "pip", "install", "-q"),
            *("--disable-pip-version-check", *FROM_HERE),
            timeout=INSTALL_SECONDS,
        )
        yield programs


async def on_the_host(host: LabHost, key: Path, command: str, *, good: tuple[int, ...]) -> str:
    """Run a command as root on the host over one SSH connection; return what it printed."""
    config = _ssh_config(Way(host.address, host.port, key), user="root")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ssh_config"
        path.write_text(config)
        return await _run("ssh", "-F", str(path), "target", command, good=good)


async def testinfra(programs: Path, way: Way, checks: Checks) -> None:
    """Ask all checks with pytest-testinfra; raises unless each of them passed."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "ssh_config").write_text(_ssh_config(way, user=USER))
        (place / "checks.json").write_text(_json(checks))
        (place / "test_checks.py").write_text(TESTINFRA.replace("@FILE@", str(place)))
        printed = await _run(
            *(str(programs / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("--hosts=ssh://target", f"--ssh-config={place / 'ssh_config'}", "--sudo"),
            *(f"--rootdir={place}", str(place / "test_checks.py")),
        )
    if f"{len(checks)} passed" not in printed:
        raise ToolFailedError(printed[-500:])


async def ansible(programs: Path, way: Way, checks: Checks) -> None:
    """Ask all checks with Ansible in check mode, pipelining on; raises unless each was right."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "ssh_config").write_text(_ssh_config(way, user=USER))
        (place / "inventory").write_text("target ansible_python_interpreter=/usr/bin/python3\n")
        (place / "ansible.cfg").write_text(
            f"[defaults]\nhome={place}\nlocalhost_warning=False\n[ssh_connection]\n"
            f"pipelining=True\nssh_args=-F {place / 'ssh_config'} -o ControlMaster=auto "
            "-o ControlPersist=60s\n"
        )
        (place / "checks.yml").write_text(json.dumps(_playbook(checks)))
        printed = await _run(
            *(str(programs / "ansible-playbook"), "--check", "-i", "inventory", "checks.yml"),
            cwd=place,
        )
    if f"ok={len(checks)}" not in printed or "changed=0" not in printed:
        raise ToolFailedError(printed[-500:])


# ------------------------------------------------------------------------------ what they are told
TESTINFRA: Final = """
import json, pathlib
import pytest
C = json.loads(pathlib.Path("@FILE@/checks.json").read_text())
@pytest.mark.parametrize("path,mode", C["modes"].items())
def test_mode(host, path, mode): assert host.file(path).mode == int(mode, 8)
@pytest.mark.parametrize("name", C["packages"])
def test_package(host, name): assert host.package(name).is_installed
@pytest.mark.parametrize("key,value", C["settings"].items())
def test_setting(host, key, value): assert str(host.sysctl(key)) == value
@pytest.mark.parametrize("name", C["services"])
def test_service(host, name): assert host.service(name).is_enabled
"""


def _playbook(checks: Checks) -> object:
    def says(command: str, *expected: str) -> dict[str, object]:
        task: dict[str, object] = {
            "ansible.builtin.command": command,
            "register": "said",
            "changed_when": False,
            "check_mode": False,
        }
        return task | ({"failed_when": f"said.stdout != '{expected[0]}'"} if expected else {})

    tasks: list[dict[str, object]] = [
        {"ansible.builtin.file": {"path": path, "mode": mode}}
        for path, mode in checks.modes.items()
    ]
    tasks += [says(f"dpkg-query -W -f ${{Status}} {name}", "install ok installed")
              for name in checks.packages]  # fmt: skip
    tasks += [says(f"sysctl -n {key}", value) for key, value in checks.settings.items()]
    tasks += [says(f"systemctl is-enabled {name}") for name in checks.services]
    return [{"hosts": "target", "gather_facts": False, "become": True, "tasks": tasks}]


def _json(checks: Checks) -> str:
    return json.dumps(
        {
            "modes": checks.modes,
            "packages": checks.packages,
            "settings": checks.settings,
            "services": checks.services,
        }
    )


def _ssh_config(way: Way, *, user: str) -> str:
    return (
        f"Host target\n  HostName {way.address}\n  Port {way.port}\n  User {user}\n"
        f"  IdentityFile {way.key}\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n"
        "  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
    )


async def _run(*argv: str, cwd: Path | None = None, good: tuple[int, ...] = (0,)) -> str:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
        env={"PATH": f"{Path(argv[0]).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
             "HOME": tempfile.gettempdir(), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ToolFailedError(f"not done after {GIVE_UP_SECONDS:.0f} s") from None
    text = printed.decode("utf-8", "replace")
    if process.returncode not in good:
        raise ToolFailedError(f"exit status {process.returncode}: {text[-500:]}")
    return text

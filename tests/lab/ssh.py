"""The OpenSSH client, with which the lab is checked independently of our own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.session import LabHost, LabSession

TIMEOUT = 60


def options(lab: LabSession, key: Path | None = None) -> list[str]:
    settings = {
        "UserKnownHostsFile": lab.known_hosts,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": "20",
    }
    flags = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return ["-F", "none", "-i", str(key or lab.key_path), *flags]


def ssh(
    lab: LabSession,
    host: LabHost,
    user: str,
    command: str,
    *,
    key: Path | None = None,
    jump: LabHost | None = None,
    extra: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` on the host as ``user``; exit status 255 is ssh's own failure."""
    through: list[str] = []
    if jump:
        hop = " ".join(["ssh", *options(lab, key), "-W", "%h:%p", f"scan@{jump.address}"])
        through = ["-o", f"ProxyCommand={hop}"]
    return subprocess.run(
        # ssh_config(5): the first value wins.
        ["ssh", *extra, *options(lab, key), *through, f"{user}@{host.address}", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )

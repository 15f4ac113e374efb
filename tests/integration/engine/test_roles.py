"""What a host is (container, virtual machine, desktop), asked on real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.facts import CouldNot
from openwatch.engine.probes.system import Capabilities, CapabilitiesProbe

SHELLS = (["dash"], ["bash", "--posix"], ["busybox", "ash"])


def capabilities(shell: list[str], path: Path) -> Capabilities:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not on this machine")
    done = subprocess.run(
        [*shell, "-c", CapabilitiesProbe.body],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{path}:{os.environ['PATH']}"},
    )
    found = CapabilitiesProbe().parse(done.stdout)
    assert not isinstance(found, CouldNot)
    return found


@pytest.mark.ac("engine-18")
@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("answer", "virtual"),
    [("echo none; exit 1", False), ("echo kvm", True), ("echo microsoft", True)],
)
def test_the_program_of_systemd_says_what_a_host_runs_on(
    shell: list[str], tmp_path: Path, answer: str, *, virtual: bool
) -> None:
    program = tmp_path / "systemd-detect-virt"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    found = capabilities(shell, tmp_path)
    assert ("virtual" in found) is virtual
    assert "virtual" not in found.unknown


@pytest.mark.ac("engine-18")
@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_without_that_program_processor_and_firmware_are_asked(
    shell: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "systemd-detect-virt"
    program.write_text("#!/bin/sh\necho 'Failed to check for VM' >&2\nexit 1\n")
    program.chmod(0o755)
    found = capabilities(shell, tmp_path)
    text = Path("/proc/cpuinfo").read_text()
    if not any(" hypervisor" in line for line in text.splitlines() if line.startswith("flags")):
        pytest.skip("this machine shows no hypervisor")
    assert "virtual" in found

"""The patches that wait on SUSE: what the probe's shell makes of the cache of zypper."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.updates import Updates, UpdatesProbe

SHELLS = {"dash": ["dash"], "bash": ["bash"], "ash": ["busybox", "sh"]}
ASKED = 1748649600
"""31 May 2025."""
PATCH = """  <update from="maint" status="{status}" type="{kind}" version="1"><id>{name}</id>
    <title>Update of a|b</title><severity>important</severity><release>SLE</release>
    <issued date="1747700000"/><pkglist><collection>
    <package name="{package}" {epoch}version="2.0" release="150600.3.1" arch="x86_64" src="x">
    <filename>x.rpm</filename></package></collection></pkglist></update>
"""


class SuseHost:
    """The files of zypper below a directory, and an rpm(8) that tells what is installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "repos.d").mkdir()
        (root / "bin").mkdir()
        (root / "os-release").write_text('ID="sles"\nID_LIKE="suse"\n')
        self.installed("toy x86_64 0:1.0-150600.1.1")

    def installed(self, *packages: str) -> None:
        rpm = self.root / "bin" / "rpm"
        listed = "\n".join(packages)
        rpm.write_text(
            '#!/bin/sh\n[ "$1" = -qa ] || { echo "* kernel-default"; exit 0; }\n'
            f"cat <<X\n{listed}\nX\n"
        )
        rpm.chmod(0o755)

    def repository(
        self, alias: str, *patches: str, enabled: str = "1", asked: bool = True
    ) -> Path | None:
        name = alias.replace("/", "_")
        text = f"[{alias}]\nname={alias}\nenabled={enabled}\ngpgcheck=1\n"
        (self.root / "repos.d" / f"{name}.repo").write_text(text)
        if not asked:
            return None
        data = self.root / "raw" / name / "repodata"
        data.mkdir(parents=True)
        (data / "repomd.xml").write_text("<repomd/>")
        os.utime(data / "repomd.xml", (ASKED, ASKED))
        if not patches:
            return None
        info = data / "1a2b-updateinfo.xml.gz"
        text = f"<?xml version='1.0'?>\n<updates>\n{''.join(patches)}</updates>\n"
        info.write_bytes(gzip.compress(text.encode()))
        return info

    def asked(self, shell: str) -> Updates | CouldNot:
        body = UpdatesProbe.body.replace("/etc/os-release", f"{self.root}/os-release")
        body = body.replace("/etc/zypp/repos.d", f"{self.root}/repos.d")
        body = body.replace("/var/cache/zypp/raw", f"{self.root}/raw")
        environment = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "LC_ALL": "C"}
        words = [*SHELLS[shell], "-c", body]
        done = subprocess.run(words, capture_output=True, env=environment, timeout=60, check=False)
        return UpdatesProbe().parse(done.stdout.decode())


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(SHELLS[request.param][0]) is None:
        pytest.skip(f"{request.param} is not on this machine")
    return request.param


@pytest.fixture
def host(tmp_path: Path) -> SuseHost:
    return SuseHost(tmp_path)


def patch(
    name: str, package: str = "toy", *, kind: str = "security", status: str = "stable",
    epoch: str = "",
) -> str:  # fmt: skip
    return PATCH.format(name=name, package=package, kind=kind, status=status, epoch=epoch)


def names(found: Updates | CouldNot) -> list[str]:
    assert isinstance(found, Updates), found
    return [entry.name for entry in found.entries]


def test_a_security_patch_waits_while_an_older_package_is_there(host: SuseHost, shell: str) -> None:
    host.repository(
        "SLE:Updates x/y",
        patch("wanted"),
        patch("of-what-is-not-there", "other"),
        patch("feature", kind="recommended"),
        patch("taken-back", status="retracted"),
    )
    host.repository("pool")
    found = host.asked(shell)
    assert names(found) == ["wanted"]
    assert isinstance(found, Updates)
    assert (found.asked, found.entries[0].severity) == (ASKED // 86400, "important")


@pytest.mark.parametrize("version", ["0:2.0-150600.3.1", "0:2.0-150600.10.1", "1:1.0-1"])
def test_what_is_new_enough_waits_for_nothing(host: SuseHost, shell: str, version: str) -> None:
    host.installed(f"toy x86_64 {version}", "toy i586 0:1.0-1")
    host.repository("updates", patch("there", epoch='epoch="0" '))
    assert names(host.asked(shell)) == []


def test_only_kernels_may_be_there_in_an_older_version_too(host: SuseHost, shell: str) -> None:
    both = ("0:1.0-1", "0:2.0-150600.3.1")
    host.installed(*(f"{name} x86_64 {v}" for name in ("toy", "kernel-default") for v in both))
    host.repository("updates", patch("of-toy"), patch("of-kernel", "kernel-default"))
    assert names(host.asked(shell)) == ["of-toy"]


def test_a_repository_that_is_off_does_not_count(host: SuseHost, shell: str) -> None:
    host.repository("off", patch("elsewhere", kind="security"), enabled="0")
    host.repository("updates", patch("feature", kind="recommended"))
    assert names(host.asked(shell)) == []


def test_nothing_known_is_not_nothing_pending(host: SuseHost, shell: str) -> None:
    def reason() -> Reason:
        found = host.asked(shell)
        assert isinstance(found, CouldNot)
        return found.reason

    assert reason() is Reason.INCOMPLETE
    host.repository("pool")
    assert reason() is Reason.INCOMPLETE
    info = host.repository("updates", patch("there"))
    assert info is not None
    assert names(host.asked(shell)) == ["there"]
    host.repository("never", asked=False)
    assert reason() is Reason.INCOMPLETE
    host.repository("never", asked=False, enabled="0")
    whole = info.read_bytes()
    info.write_bytes(whole[: len(whole) // 2])
    assert reason() is Reason.UNPARSABLE
    info.write_bytes(gzip.compress(b"<updates><update from='x' type='security'></updates>"))
    assert reason() is Reason.UNPARSABLE
    info.write_bytes(whole)
    assert names(host.asked(shell)) == ["there"]

"""The walks over homes on real shells and real keys: what they report, and what they keep back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.probes.homes import Home, HomesProbe, HomeTreeProbe

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"]}
ME, MY_GROUP = 4321, 4322

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the walks are for root alone")


def shell(name: str) -> list[str]:
    words = SHELLS[name]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    return words


def write(path: Path, text: str, mode: int, *, uid: int = ME, gid: int = MY_GROUP) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def key(path: Path, *options: str) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not on this machine")
    path.parent.mkdir(exist_ok=True)
    argv = ["ssh-keygen", "-q", "-C", "", "-f", str(path), *options]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def home_of(tmp_path: Path) -> Path:
    home = tmp_path / "people" / "eve"
    home.mkdir(parents=True)
    os.chown(home, ME, MY_GROUP)
    home.chmod(0o2750)
    return home


def output(
    probe: HomesProbe | HomeTreeProbe, words: list[str], home: Path, tmp_path: Path
) -> bytes:
    """Run a walk over one account that is described in a table of its own."""
    table = write(tmp_path / "passwd", f"eve:x:{ME}:{MY_GROUP}::{home}:/bin/sh\n", 0o644)
    body = probe.item().body.replace("/etc/passwd", str(table))
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    done = subprocess.run(
        [*words, "-c", body], capture_output=True, timeout=60, env=environment, check=True
    )
    assert done.stderr == b""
    return probe.clean(done.stdout)


def walk(probe: HomesProbe | HomeTreeProbe, words: list[str], home: Path, tmp_path: Path) -> Home:
    homes = probe.parse(output(probe, words, home, tmp_path).decode())
    assert isinstance(homes, tuple)
    (found,) = homes
    return found


@pytest.mark.ac("engine-03", "engine-07")
@pytest.mark.parametrize("name", SHELLS)
def test_keys_are_told_apart_and_stay_where_they_are(name: str, tmp_path: Path) -> None:
    words, home = shell(name), home_of(tmp_path)
    ssh = home / ".ssh"
    key(ssh / "open", "-t", "ed25519", "-N", "")
    key(ssh / "closed", "-t", "ed25519", "-N", "a passphrase")
    for form in ("PEM", "PKCS8"):
        key(ssh / f"open_{form}", "-t", "ecdsa", "-m", form, "-N", "")
        key(ssh / f"closed_{form}", "-t", "ecdsa", "-m", form, "-N", "a passphrase")
    found = walk(HomesProbe(), words, home, tmp_path)
    assert {Path(path).name for path in found.open_keys} == {"open", "open_PEM", "open_PKCS8"}
    said = output(HomesProbe(), words, home, tmp_path)
    for path in ssh.iterdir():
        lines = [line for line in path.read_bytes().splitlines() if len(line) > 20]
        assert not any(line in said for line in lines)


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("name", SHELLS)
def test_files_are_named_when_they_deviate(name: str, tmp_path: Path) -> None:
    words, home = shell(name), home_of(tmp_path)
    write(home / ".good", "", 0o640)
    write(home / ".open", "", 0o644)
    write(home / ".strange", "", 0o600, uid=0)
    write(home / ".forward", "x", 0o600)
    write(home / ".bash_history", "x", 0o640)
    (home / ".netrc").symlink_to("/nowhere")
    program = write(tmp_path / "tool", "", 0o757)
    write(
        home / ".profile",
        f"# PATH=/no\nPATH=/opt:$PATH\n  umask 022\n{program} -x\nMANPATH=/m\n$HOME/own\n",
        0o600,
    )
    write(home / "own", "", 0o606)
    found = walk(HomesProbe(), words, home, tmp_path)
    assert (found.state, found.mode, found.owner, found.group) == (
        "directory", 0o2750, ME, MY_GROUP,
    )  # fmt: skip
    assert {Path(file.path).name for file in found.files} == {".open", ".strange"}
    assert {Path(file.path).name for file in found.special} == {
        ".bash_history", ".forward", ".netrc",
    }  # fmt: skip
    assert [(line.number, line.text) for line in found.lines] == [
        (2, "PATH=/opt:$PATH"), (3, "  umask 022"),
    ]  # fmt: skip
    assert {Path(path).name for _, path in found.programs} == {"tool", "own"}
    assert found.problem is None


@pytest.mark.ac("engine-05")
@pytest.mark.parametrize("name", SHELLS)
def test_a_name_with_a_line_break_forges_nothing(name: str, tmp_path: Path) -> None:
    words, home = shell(name), home_of(tmp_path)
    write(home / ".x\nK /home/bob/.ssh/id", "", 0o600, uid=0)
    write(home / "y\nM 777|0|0|" / "z", "", 0o666)
    found = walk(HomesProbe(), words, home, tmp_path)
    assert (found.open_keys, found.files) == ([], [])
    assert found.problem is not None
    assert walk(HomeTreeProbe(), words, home, tmp_path).too_open == []


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("name", SHELLS)
def test_the_tree_below_a_home(name: str, tmp_path: Path) -> None:
    words, home = shell(name), home_of(tmp_path)
    write(home / "ok", "", 0o640)
    write(home / "a" / "open", "", 0o644)
    write(home / "b" / "strange", "", 0o600, gid=0)
    write(home / ".cache" / "hidden", "", 0o666)
    for directory in (home / "a", home / "b"):
        os.chown(directory, ME, MY_GROUP)
        directory.chmod(0o750)
    found = walk(HomeTreeProbe(), words, home, tmp_path)
    assert [Path(file.path).name for file in found.too_open] == ["open"]
    assert [Path(file.path).name for file in found.of_strangers] == ["strange"]


@pytest.mark.ac("engine-04")
def test_without_its_tools_the_walk_says_nothing(tmp_path: Path) -> None:
    words, home = shell("dash"), home_of(tmp_path)
    write(home / ".open", "", 0o666)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("id", "sed", "tail", "find", "stat", "tr", "xargs"):
        (tools / tool).symlink_to(shutil.which(tool) or "/nowhere")
    for probe in (HomesProbe(), HomeTreeProbe()):
        argv = [shutil.which(words[0]) or words[0], "-c", probe.item().body]
        done = subprocess.run(argv, capture_output=True, timeout=60, env={"PATH": str(tools)})
        assert (done.returncode, done.stdout) == (127, b"")

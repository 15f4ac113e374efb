"""The look at the keys that open accounts, on real shells: whose they are, and what stays there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.certificates import Key
from openwatch.engine.probes.authorised_keys import AuthorisedKeys, AuthorisedKeysProbe

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"]}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the probe is for root alone")


def public(path: Path, *options: str) -> str:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not on this machine")
    argv = ["ssh-keygen", "-q", "-N", "", "-C", "eve@example.org", "-f", str(path), *options]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path.with_suffix(".pub").read_text("utf-8")


@pytest.mark.ac("engine-03", "engine-07")
@pytest.mark.parametrize("name", SHELLS)
def test_keys_by_account_without_who_they_belong_to(name: str, tmp_path: Path) -> None:
    if shutil.which(SHELLS[name][0]) is None:
        pytest.skip(f"{name} is not on this machine")
    home, keys = tmp_path / "a b", tmp_path / "keys"
    (home / ".ssh").mkdir(parents=True)
    keys.mkdir()
    small = public(tmp_path / "small", "-t", "rsa", "-b", "1024")
    good = public(tmp_path / "good", "-t", "ed25519")
    (home / ".ssh/authorized_keys").write_text(f"# {small}no-pty {small}HUSH\n\n{good.strip()}")
    (keys / "eve-4321").write_text(f'command="HUSH" {good}')
    (tmp_path / "shadow").write_text("root:$y$HUSH AAA:1::::::\n")
    (home / ".ssh/linked").symlink_to(tmp_path / "shadow")
    os.mkfifo(home / ".ssh/fifo")
    patterns = f".ssh/authorized_keys {keys}/%u-%U %h/.ssh/linked .ssh/fifo .ssh/none %x"
    (tmp_path / "sshd").write_text(f"#!/bin/sh\necho 'authorizedkeysfile {patterns}'\n")
    (tmp_path / "sshd").chmod(0o755)
    table = tmp_path / "passwd"
    table.write_text(f"#x\n+::::::\neve:x:4321:4322::{home}/:/usr/sbin/nologin")
    body = AuthorisedKeysProbe().item().body.replace("/etc/passwd", f"'{table}'")
    path = f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        [*SHELLS[name], "-c", body],
        capture_output=True, timeout=60, env={"PATH": path, "LC_ALL": "C"}, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    kept = AuthorisedKeysProbe().clean(done.stdout)
    assert b"HUSH" not in kept
    assert b"eve@example.org" not in kept
    found = AuthorisedKeysProbe().parse(kept.decode())
    assert isinstance(found, AuthorisedKeys)
    assert found.patterns == patterns
    assert ["%x" in str(problem) for problem in found.problems] == [True]
    assert {
        (Path(file.path).name, key.line, key.key) for file in found.files for key in file.keys
    } == {
        ("authorized_keys", 2, Key("rsa", 1024)),
        ("authorized_keys", 5, Key("ed25519", 256)),
        ("eve-4321", 1, Key("ed25519", 256)),
    }
    assert all(file.accounts == [("eve", 4321)] for file in found.files)

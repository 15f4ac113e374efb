"""Each account of a real host, seen through OpenSSH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.image import IMAGES
from lab.session import LabSession
from tests.lab.ssh import TIMEOUT, options, ssh

pytestmark = pytest.mark.ac("lab-01")


@pytest.mark.ac("lab-02")
@pytest.mark.parametrize("image", IMAGES)
def test_every_image_lets_root_and_scan_in(lab: LabSession, image: str) -> None:
    host = lab.hosts[image]
    assert ssh(lab, host, "root", "id -u; hostname").stdout.split() == ["0", image]
    assert ssh(lab, host, "scan", "id -un").stdout == "scan\n"


def test_scan_is_root_by_sudo_without_a_password(lab: LabSession) -> None:
    for image in ("bookworm", "trixie", "bullseye", "busybox", "rhel9"):
        assert ssh(lab, lab.hosts[image], "scan", "sudo -n id -u").stdout == "0\n"


def test_every_key_of_the_lab_opens_and_a_strangers_does_not(lab: LabSession, tmp_path: Path):
    host = lab.hosts["bookworm"]
    assert ssh(lab, host, "scan", "true", key=lab.rsa_key_path).returncode == 0
    assert ssh(lab, host, "scan", "true", key=lab.strangers_key_path).returncode == 255
    encrypted = ssh(lab, host, "scan", "true", key=lab.encrypted_key_path)
    assert encrypted.returncode == 255
    opened = tmp_path / "opened"
    shutil.copyfile(lab.encrypted_key_path, opened)
    opened.chmod(0o600)
    change = ("ssh-keygen", "-q", "-p", "-P", lab.passphrase, "-N", "", "-f", str(opened))
    subprocess.run(change, check=True)
    assert ssh(lab, host, "scan", "true", key=opened).returncode == 0


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_scanpw_logs_in_by_password(lab: LabSession, tmp_path: Path, method: str) -> None:
    for image in ("bookworm", "bullseye"):
        says = tmp_path / "says"
        says.write_text(f"#!/bin/sh\necho '{lab.password}'\n")
        says.chmod(0o700)
        done = subprocess.run(
            [
                *("ssh", "-o", "BatchMode=no", "-o", f"PreferredAuthentications={method}"),
                *options(lab),
                *(f"scanpw@{lab.hosts[image].address}", "id -un"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={**os.environ, "SSH_ASKPASS": str(says), "SSH_ASKPASS_REQUIRE": "force"},
        )
        assert done.stdout == "scanpw\n", done.stderr


def test_sudo_asks_scanpw_for_its_password(lab: LabSession) -> None:
    host = lab.hosts["bookworm"]
    refused = ssh(lab, host, "scanpw", "sudo -n id -u")
    assert refused.returncode == 1
    assert "a password is required" in refused.stderr
    right = ssh(lab, host, "scanpw", f"echo '{lab.password}' | sudo -kS -p '' id -u")
    assert right.stdout == "0\n"
    wrong = ssh(lab, host, "scanpw", "echo wrong | sudo -kS -p '' id -u")
    assert wrong.returncode == 1
    assert "1 incorrect password attempt" in wrong.stderr


def test_sudo_refuses_nosudo_even_with_its_password(lab: LabSession) -> None:
    command = f"echo '{lab.password}' | LC_ALL=C sudo -kS -p '' id -u"
    refused = ssh(lab, lab.hosts["bookworm"], "nosudo", command)
    assert refused.returncode == 1
    assert "not in the sudoers file" in refused.stderr


def test_reqtty_needs_a_terminal(lab: LabSession) -> None:
    host = lab.hosts["bookworm"]
    refused = ssh(lab, host, "reqtty", "sudo -n id -u")
    assert refused.returncode == 1
    assert "you must have a tty" in refused.stderr
    assert ssh(lab, host, "reqtty", "sudo -n id -u", extra=["-tt"]).stdout.strip() == "0"


def test_noisy_prints_before_every_command(lab: LabSession) -> None:
    said = ssh(lab, lab.hosts["bookworm"], "noisy", "echo answer")
    assert said.stdout == "*** stdout noise ***\nanswer\n"
    assert said.stderr == "*** stderr noise ***\n"


def test_dead_has_no_shell(lab: LabSession) -> None:
    said = ssh(lab, lab.hosts["bookworm"], "dead", "echo answer")
    assert said.returncode == 1
    assert said.stdout == "This account is currently not available.\n"


def test_expired_must_change_its_password_first(lab: LabSession) -> None:
    said = ssh(lab, lab.hosts["bookworm"], "expired", "echo answer")
    assert said.returncode == 1
    assert said.stdout == ""
    assert "Password change required but no TTY available" in said.stderr


@pytest.mark.ac("lab-02")
def test_the_special_hosts_are_what_they_are_called(lab: LabSession) -> None:
    sudoless = ssh(lab, lab.hosts["sudoless"], "scan", "command -v sudo")
    assert sudoless.returncode != 0
    applet = ssh(lab, lab.hosts["busybox"], "scan", "readlink -f /bin/sh; sh -c 'echo $0'")
    assert applet.stdout.splitlines() == ["/usr/bin/busybox", "sh"]
    rhel = ssh(lab, lab.hosts["rhel9"], "scan", ". /etc/os-release; echo $ID $VERSION_ID; rpm -qa")
    assert rhel.stdout.splitlines()[0] == "rocky 9.4"
    assert "openssh-server-8.7p1-38.el9.noarch" in rhel.stdout
    assert ssh(lab, lab.hosts["rhel9"], "scan", "command -v dpkg-query").returncode != 0


@pytest.mark.ac("lab-02")
def test_rpm_finds_a_changed_file_in_its_database(lab: LabSession) -> None:
    with lab.fresh("rhel9") as host:
        assert host.exec("rpm -V sudo").stdout == ""
        host.exec("echo changed >/usr/share/lab/packages/sudo")
        changed = host.exec("rpm -V sudo", check=False).stdout
        assert changed.split() == ["S.5....T.", "/usr/share/lab/packages/sudo"]


@pytest.mark.ac("lab-03")
def test_the_private_host_is_behind_the_jump_host(lab: LabSession) -> None:
    private = lab.hosts["private"]
    assert ssh(lab, private, "scan", "true").returncode == 255
    said = ssh(lab, private, "scan", "hostname", jump=lab.jump_host)
    assert said.stdout == "private\n", said.stderr

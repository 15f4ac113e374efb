"""What is said where real hosts cannot run, and when an image is built."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import cli, machine, state
from lab.control import Want
from lab.image import IMAGES, image_named
from lab.image_build import ensure_image
from lab.place import Place, lab_home
from lab.session import LabSession

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def lab_command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.ac("lab-08")
def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    reason = machine.unavailable_because()
    assert reason is not None
    assert "need root" in reason.message
    assert "lab.sim" in reason.fix


@pytest.mark.ac("lab-08")
def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    reason = machine.unavailable_because()
    assert reason is not None
    assert "mmdebstrap" in reason.message
    assert "apt-get install iproute2 mmdebstrap mount openssh-client util-linux" in reason.fix


@pytest.mark.ac("lab-08")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("up", "1", "--suite", "hamm"), "no image 'hamm'"),
        (("cut", "nobody"), "no lab host 'nobody'"),
        (("--lab", "../x", "status"), "cannot be the name of a lab"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    done = lab_command(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_up_names_the_same_hosts_each_time() -> None:
    first = cli._wanted(4, ["bookworm", "trixie", "private"])
    assert [want.name for want in first] == ["bookworm-1", "trixie-1", "private-1", "bookworm-2"]
    assert cli._wanted(2, ["bookworm", "trixie"]) == first[:2]
    assert first[2] == Want("private-1", "bookworm", private=True)


@pytest.mark.ac("lab-06")
def test_down_all_leaves_the_lab_of_a_running_process_alone(
    lab: LabSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A home of its own: this test must not take down what others run from this checkout.
    monkeypatch.setenv("OPENWATCH_LAB_DIR", str(tmp_path))
    running, by_hand = Place.of("running"), Place.of("by-hand")
    state.save(running, state.State(owner=machine.Process.of(os.getpid())))
    state.save(by_hand, state.State())
    assert cli.main(["down", "--all"]) == 0
    assert running.directory.exists()
    assert not by_hand.directory.exists()
    said = capsys.readouterr().out
    assert "running: belongs to a process that is running" in said
    assert "by-hand: removed" in said


def test_help_names_accounts_images_and_settings() -> None:
    said = lab_command("--help").stdout
    for word in ("scanpw", "trixie", "OPENWATCH_LAB_DIR", "inventory"):
        assert word in said


@pytest.mark.ac("lab-09")
def test_a_changed_definition_is_another_image() -> None:
    image = image_named("rhel9")
    more = dataclasses.replace(image, packages=(*image.packages, "tree"))
    assert more.base_directory != image.base_directory
    assert more.layer_directories != image.layer_directories
    plain = dataclasses.replace(image, layers=())
    assert plain.base_directory == image.base_directory
    assert len({image.base_directory for image in IMAGES.values()}) == 6


@pytest.mark.ac("lab-09")
def test_an_image_is_built_once(lab: LabSession) -> None:
    said: list[str] = []
    image = image_named("busybox")
    images = lab_home() / "images"
    first = ensure_image(image, images, say=said.append)
    said.clear()
    assert ensure_image(image, images, say=said.append) == first
    assert said == []

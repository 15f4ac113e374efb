"""Building and finding images in the cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.image import (
    FILES,
    IMAGES,
    PACKAGES,
    ROOTFS,
    Image,
    layer_script,
    provision_script,
)
from lab.machine import ERROR_TAIL, mounts_below, run

Say = Callable[[str], None]
# Lab hosts are not read by people: this halves an image.
LEFT_OUT: Final = ("doc", "man", "locale", "info")
MIRROR_VARIABLE: Final = "OPENWATCH_LAB_MIRROR"


def ensure_image(image: Image, images: Path, *, say: Say, rebuild: bool = False) -> list[Path]:
    """Build what is missing of ``image``; return its directories, the topmost layer first."""
    images.mkdir(parents=True, exist_ok=True)
    base = images / image.base_directory
    stack = [base]
    with _locked(images / ".lock"):
        _remove_unfinished(images)
        if rebuild or not base.exists():
            _build_base(image, base, say=say)
        for layer, name in zip(image.layers, image.layer_directories, strict=True):
            path = images / name
            if rebuild or not path.exists():
                _build_layer(layer, path, below=stack, say=say)
            stack.insert(0, path)
    return stack


def cached(images: Path) -> tuple[Path, ...]:
    """The parts that the cache holds."""
    return tuple(sorted(path for path in images.glob("[!.]*") if path.is_dir()))


def prune(images: Path) -> tuple[Path, ...]:
    """Delete parts that no image of this checkout needs and no running host uses; return them."""
    needed = {
        name
        for image in IMAGES.values()
        for name in (image.base_directory, *image.layer_directories)
    }
    mounts = Path("/proc/self/mountinfo").read_text()
    removed: list[Path] = []
    if not images.exists():
        return ()
    with _locked(images / ".lock"):
        _remove_unfinished(images)
        for path in cached(images):
            if path.name not in needed and str(path) not in mounts:
                shutil.rmtree(path)
                removed.append(path)
    return tuple(removed)


# ------------------------------------------------------------------------------------- building
def _build_base(image: Image, target: Path, *, say: Say) -> None:
    started = time.monotonic()
    say(f"image {image.suite}: building (half a minute, once; it is kept in {target.parent})")
    new = _unfinished(target)
    log = target.parent / f"{image.suite}.log"
    argv = [
        "mmdebstrap",
        "--variant=minbase",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={option}" for option in _apt_network_options()),
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in LEFT_OUT),
        f"--include={','.join((*PACKAGES, *image.packages))}",
        image.suite,
        str(new),
        mirror(),
    ]
    with log.open("wb") as output:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if done.returncode:
        errors = [line for line in log.read_text().splitlines() if line.startswith(("E:", "W:"))]
        raise LabError(
            f"mmdebstrap could not build {image.suite}: {' '.join(errors)[-ERROR_TAIL:]}",
            f"Is the machine's Debian mirror reachable? The whole log is {log}.",
        )
    _install_files(new)
    run("chroot", str(new), "sh", stdin=provision_script(image.suite))
    _replace(target, new)
    say(f"image {image.suite}: built in {time.monotonic() - started:.0f} s")


def _install_files(root: Path) -> None:
    for place, (name, mode) in FILES.items():
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOTFS / name, target)
        target.chmod(mode)


def _build_layer(layer: str, target: Path, *, below: list[Path], say: Say) -> None:
    say(f"image layer {layer}: building")
    new = _unfinished(target)
    upper, work, root = (new / part for part in ("upper", "work", "root"))
    for path in (upper, work, root):
        path.mkdir(parents=True)
    mount_overlay(root, lower=below, upper=upper, work=work, source=f"lab-{layer}")
    try:
        run("mount", "-t", "proc", "proc", str(root / "proc"))
        run("chroot", str(root), "sh", stdin=layer_script(layer))
    finally:
        for point in (*mounts_below(root), root):
            run("umount", str(point))
    _replace(target, upper)
    shutil.rmtree(new)


def mount_overlay(root: Path, *, lower: list[Path], upper: Path, work: Path, source: str) -> None:
    """Mount ``lower`` (topmost first) with the writable ``upper`` on ``root``."""
    stack = ":".join(str(path) for path in lower)
    options = f"lowerdir={stack},upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", source, "-o", options, str(root))


def mirror() -> str:
    """The Debian archive that this machine's own apt uses."""
    if configured := os.environ.get(MIRROR_VARIABLE):
        return configured
    release = Path("/etc/os-release").read_text()
    if "\nID=debian" in f"\n{release}":
        listed = run(
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT) $(RELEASE)"),
            "Created-By: Packages",
            check=False,
        ).stdout.split("\n")
        codename = _os_release("VERSION_CODENAME", release)
        for line in listed:
            if line.endswith(f" main {codename}"):
                return line.split()[0]
    raise LabError(
        "This machine's apt names no Debian archive to build images from.",
        f"Set {MIRROR_VARIABLE} to the address of a Debian mirror.",
    )


def _os_release(key: str, text: str) -> str:
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return values.get(key, "").strip('"')


def _apt_network_options() -> list[str]:
    """How this machine's apt reaches its archive (proxies, certificates)."""
    if shutil.which("apt-config") is None:
        return []
    dump = run("apt-config", "dump").stdout.splitlines()
    wanted = ("Acquire::http::", "Acquire::https::")
    return [line for line in dump if line.startswith(wanted) and not line.endswith('""; ')]


# ---------------------------------------------------------------------------------------- cache
def _unfinished(target: Path) -> Path:
    return target.parent / f".new-{target.name}"


def _replace(target: Path, new: Path) -> None:
    if target.exists():
        if str(target) in Path("/proc/self/mountinfo").read_text():
            raise LabError(
                f"{target.name} is in use by running hosts.", "Stop them: lab down --all"
            )
        shutil.rmtree(target)
    new.rename(target)


def _remove_unfinished(images: Path) -> None:
    """What a killed build left; nobody else can be building, the lock is held."""
    for path in images.glob(".new-*"):
        for point in mounts_below(path):
            run("umount", str(point), check=False)
        shutil.rmtree(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

"""The newest ComplianceAsCode content that Debian packages: data for a comparison, never shipped.

It is fetched once from the archive that this machine's own apt uses and kept beside the images of
the lab. The packages hold XML only, so those of the newest suite serve every older one.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError, UnavailableError
from lab.image_build import mirror
from lab.machine import run
from lab.place import lab_home

PACKAGE: Final = "ssg-debian"
SUITE: Final = "sid"
INSIDE: Final = "usr/share/xml/scap/ssg/content"
# Suite of a lab host -> product of the content.
PRODUCTS: Final = {"bookworm": "debian12", "trixie": "debian13"}
PROFILE: Final = "cis_level2_server"
"""The largest profile of both products."""


@dataclass(frozen=True, slots=True)
class Content:
    """The data streams of one version of the package."""

    version: str
    directory: Path

    def stream(self, suite: str) -> Path:
        """The data stream for hosts of this Debian suite."""
        return self.directory / f"ssg-{PRODUCTS[suite]}-ds.xml"


def content() -> Content:
    """Return the content, fetched unless it is there; ``UnavailableError`` says why it is not."""
    kept = lab_home() / "content"
    for path in sorted(kept.glob(f"{PACKAGE}-*"), reverse=True):
        return Content(path.name.removeprefix(f"{PACKAGE}-"), path)
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]:
        raise UnavailableError(
            f"{missing[0]} is not on this machine, and {PACKAGE} is a Debian package.",
            "Run this on Debian or Ubuntu.",
        )
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix=".new-") as scratch:
        return _fetch(Path(scratch), kept)


def _fetch(scratch: Path, kept: Path) -> Content:
    sources = scratch / "sources.list"
    sources.write_text(f"deb {mirror()} {SUITE} main\n")
    for part in ("lists/partial", "cache/archives/partial"):
        (scratch / part).mkdir(parents=True)
    options = [
        *("-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch / 'cache'}"),
        *("-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Languages=none"),
        *("-o", "APT::Sandbox::User=root", "-qq"),
    ]
    try:
        run("apt-get", *options, "update", timeout=300)
        run(
            *("sh", "-c", 'cd "$0" && exec "$@"', str(scratch)),
            *("apt-get", *options, "download", PACKAGE),
            timeout=300,
        )
    except LabError as error:
        raise UnavailableError(
            f"{PACKAGE} could not be fetched: {error}", "Is the machine's Debian mirror reachable?"
        ) from error
    package = next(scratch.glob("*.deb"))
    version = re.sub(r"[^0-9.].*", "", package.name.split("_")[1])
    run("dpkg-deb", "-x", str(package), str(scratch / "tree"))
    target = kept / f"{PACKAGE}-{version}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for product in PRODUCTS.values():
        name = f"ssg-{product}-ds.xml"
        shutil.copyfile(scratch / "tree" / INSIDE / name, target / name)
    return Content(version, target)

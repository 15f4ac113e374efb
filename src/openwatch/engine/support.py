"""When the support of releases ends: a table of dates, as the vendors have published them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

TABLE_DATE: Final = date(2026, 11, 1)
"""The day on which the dates below were last compared with their sources."""

SUPPORT_ENDS: Final[Mapping[tuple[str, tuple[int, ...]], date]] = {
    # Debian, with its long term support: wiki.debian.org/LTS, distro-info-data
    ("debian", (10,)): date(2024, 6, 30),
    ("debian", (11,)): date(2026, 8, 31),
    ("debian", (12,)): date(2028, 6, 30),
    ("debian", (13,)): date(2030, 6, 30),
    # Ubuntu, standard security maintenance: ubuntu.com/about/release-cycle, distro-info-data
    ("ubuntu", (20, 4)): date(2025, 5, 31),
    ("ubuntu", (22, 4)): date(2027, 6, 1),
    ("ubuntu", (23, 4)): date(2024, 1, 25),
    ("ubuntu", (23, 10)): date(2024, 7, 11),
    ("ubuntu", (24, 4)): date(2029, 5, 31),
    ("ubuntu", (24, 10)): date(2025, 7, 10),
    ("ubuntu", (25, 4)): date(2026, 1, 15),
    ("ubuntu", (25, 10)): date(2026, 7, 9),
    ("ubuntu", (26, 4)): date(2031, 5, 29),
    # Red Hat, end of maintenance support: access.redhat.com/support/policy/updates/errata
    ("rhel", (7,)): date(2024, 6, 30),
    ("rhel", (8,)): date(2029, 5, 31),
    ("rhel", (9,)): date(2032, 5, 31),
    ("rhel", (10,)): date(2035, 5, 31),
    # Rocky Linux: wiki.rockylinux.org/rocky/version
    ("rocky", (8,)): date(2029, 5, 31),
    ("rocky", (9,)): date(2032, 5, 31),
    ("rocky", (10,)): date(2035, 5, 31),
    # AlmaLinux, security support: wiki.almalinux.org/release-notes
    ("almalinux", (8,)): date(2029, 3, 1),
    ("almalinux", (9,)): date(2032, 5, 31),
    ("almalinux", (10,)): date(2035, 5, 31),
    # Oracle Linux, premier support: oracle.com, Elastic Support Policies
    ("ol", (8,)): date(2029, 7, 31),
    ("ol", (9,)): date(2032, 6, 30),
    ("ol", (10,)): date(2035, 6, 30),
    # SUSE, end of general support of each service pack, without LTSS: suse.com/lifecycle
    ("sles", (15, 0)): date(2019, 12, 31),
    ("sles", (15, 1)): date(2021, 1, 31),
    ("sles", (15, 2)): date(2021, 12, 31),
    ("sles", (15, 3)): date(2022, 12, 31),
    ("sles", (15, 4)): date(2023, 12, 31),
    ("sles", (15, 5)): date(2024, 12, 31),
}
"""``ID`` of os-release(5) and the numbers of the release to its last supported day. Service
packs that are not here have a day that could not be compared with its source."""


def support_ends(os_id: str, version: tuple[int, ...]) -> date | None:
    """Return the last day of support of a release, ``None`` where the table does not have it."""
    exact = SUPPORT_ENDS.get((os_id, (*version, 0)[:2]))
    return exact or SUPPORT_ENDS.get((os_id, version[:1]))

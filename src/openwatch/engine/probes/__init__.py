"""Probes: everything that can be asked of a host. The registry is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from openwatch.engine.probes.accounts import GroupProbe, PasswdProbe, ShadowProbe
from openwatch.engine.probes.base import Item, Probe
from openwatch.engine.probes.files import ContentProbe, StatProbe
from openwatch.engine.probes.kernel import ModuleProbe, SysctlProbe
from openwatch.engine.probes.mounts import MountsProbe, SweepProbe
from openwatch.engine.probes.network import SocketsProbe
from openwatch.engine.probes.software import PackagesProbe, UnitsProbe
from openwatch.engine.probes.sshd import SshdProbe
from openwatch.engine.probes.system import CapabilitiesProbe, KernelProbe, OsReleaseProbe

PROBES: Final[Mapping[str, Probe]] = {
    probe.name: probe
    for probe in (
        OsReleaseProbe(),
        KernelProbe(),
        CapabilitiesProbe(),
        StatProbe(),
        ContentProbe(),
        SysctlProbe(),
        ModuleProbe(),
        PackagesProbe(),
        UnitsProbe(),
        MountsProbe(),
        PasswdProbe(),
        GroupProbe(),
        ShadowProbe(),
        SshdProbe(),
        SocketsProbe(),
        # The walk is the slowest: last, so that a deadline costs it and nothing else.
        SweepProbe(),
    )
}

__all__ = ["PROBES", "Item", "Probe"]

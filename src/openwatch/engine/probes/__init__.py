"""Probes: everything that can be asked of a host. The registry is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from openwatch.engine.probes.accounts import GroupProbe, PasswdProbe, ShadowProbe
from openwatch.engine.probes.audit import AuditLogProbe, AuditProbe
from openwatch.engine.probes.authorised_keys import AuthorisedKeysProbe
from openwatch.engine.probes.base import Item, Probe
from openwatch.engine.probes.boot import BootProbe
from openwatch.engine.probes.certificates import CertificatesProbe
from openwatch.engine.probes.confinement import (
    AppArmorProbe,
    BooleansProbe,
    ContextProbe,
    DeviceLabelsProbe,
)
from openwatch.engine.probes.desktop import DconfProbe
from openwatch.engine.probes.devices import BlocksProbe, LinkProbe, ProcessorProbe
from openwatch.engine.probes.files import ContentProbe, StatProbe
from openwatch.engine.probes.firewall import FirewallProbe, InterfacesProbe
from openwatch.engine.probes.homes import HomesProbe, HomeTreeProbe
from openwatch.engine.probes.integrity import VerifyProbe
from openwatch.engine.probes.kernel import ModuleProbe, SysctlProbe
from openwatch.engine.probes.mounts import MountsProbe, SweepProbe
from openwatch.engine.probes.network import SocketsProbe
from openwatch.engine.probes.root_path import RootPathProbe
from openwatch.engine.probes.schedule import TimersProbe
from openwatch.engine.probes.software import PackagesProbe, UnitsProbe
from openwatch.engine.probes.sshd import SshdProbe
from openwatch.engine.probes.system import CapabilitiesProbe, KernelProbe, OsReleaseProbe
from openwatch.engine.probes.updates import UpdatesProbe

PROBES: Final[Mapping[str, Probe]] = {
    probe.name: probe
    for probe in (
        OsReleaseProbe(),
        KernelProbe(),
        BootProbe(),
        CapabilitiesProbe(),
        StatProbe(),
        ContentProbe(),
        SysctlProbe(),
        ModuleProbe(),
        PackagesProbe(),
        UnitsProbe(),
        MountsProbe(),
        BlocksProbe(),
        LinkProbe(),
        ProcessorProbe(),
        AppArmorProbe(),
        ContextProbe(),
        DeviceLabelsProbe(),
        BooleansProbe(),
        VerifyProbe(),
        PasswdProbe(),
        GroupProbe(),
        ShadowProbe(),
        HomesProbe(),
        RootPathProbe(),
        SshdProbe(),
        AuthorisedKeysProbe(),
        SocketsProbe(),
        InterfacesProbe(),
        FirewallProbe(),
        AuditProbe(),
        AuditLogProbe(),
        DconfProbe(),
        TimersProbe(),
        UpdatesProbe(),
        CertificatesProbe(),
        HomeTreeProbe(),
        # The walk is the slowest: last, so that a deadline costs it and nothing else.
        SweepProbe(),
    )
}

__all__ = ["PROBES", "Item", "Probe"]

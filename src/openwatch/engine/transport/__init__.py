"""Ways to a host: over SSH, or this machine itself.

A transport streams a program to ``sh`` on the host, as root when asked, and hands its output on
as it comes. Nothing is installed or left there. What goes wrong is one registered error each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwatch.engine.transport.model import (
    ConnectionReport,
    Deadlines,
    HostKey,
    HostKeys,
    HostKeyVerdict,
    Login,
    PreferredKeyTypes,
    PrivilegeMode,
    PrivilegeProblem,
    Receiver,
    Step,
    StepResult,
    Stream,
    Target,
    Traffic,
    Transport,
)

if TYPE_CHECKING:
    from openwatch.engine.transport.host_keys import (
        AcceptNew,
        KnownHostsFile,
        host_key,
        key_changed,
        key_unknown,
    )
    from openwatch.engine.transport.keys import (
        Identity,
        PrivateKeyInfo,
        inspect_private_key,
        read_identity,
    )
    from openwatch.engine.transport.local import connect_local
    from openwatch.engine.transport.ssh import connect_ssh
    from openwatch.engine.transport.steps import test_connection

__all__ = [
    "AcceptNew",
    "ConnectionReport",
    "Deadlines",
    "HostKey",
    "HostKeyVerdict",
    "HostKeys",
    "Identity",
    "KnownHostsFile",
    "Login",
    "PreferredKeyTypes",
    "PrivateKeyInfo",
    "PrivilegeMode",
    "PrivilegeProblem",
    "Receiver",
    "Step",
    "StepResult",
    "Stream",
    "Target",
    "Traffic",
    "Transport",
    "connect_local",
    "connect_ssh",
    "host_key",
    "inspect_private_key",
    "key_changed",
    "key_unknown",
    "read_identity",
    "test_connection",
]

_HOME = {
    "AcceptNew": "host_keys",
    "KnownHostsFile": "host_keys",
    "host_key": "host_keys",
    "key_changed": "host_keys",
    "key_unknown": "host_keys",
    "Identity": "keys",
    "PrivateKeyInfo": "keys",
    "inspect_private_key": "keys",
    "read_identity": "keys",
    "connect_local": "local",
    "connect_ssh": "ssh",
    "test_connection": "steps",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used: the SSH library takes half a second to load."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

"""The effective configuration of the SSH server."""

from __future__ import annotations

from collections.abc import Mapping

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe

Directives = Mapping[str, tuple[str, ...]]


class SshdProbe(TableProbe):
    """``sshd -T``: every directive as the server itself understands it, keys in lower case.

    sshd(8): without ``-C`` no Match block applies, so this is what a connection gets that none
    matches.
    """

    name = "sshd"
    command = "sshd -T"
    # On a host where the server has never run, its privilege separation directory is missing and
    # sshd refuses to answer; the collector makes nothing on the host, so that is said as it is.
    body = "command -v sshd >/dev/null 2>&1 || exit 127\nsshd -T"

    def parse(self, text: str) -> Directives | CouldNot:
        directives: dict[str, list[str]] = {}
        for line in text.split("\n"):
            key, separator, value = line.strip().partition(" ")
            if key:
                directives.setdefault(key.lower(), []).append(value.strip() if separator else "")
        if "permitrootlogin" not in directives:
            return CouldNot(Reason.UNPARSABLE, "sshd -T printed no configuration.")
        return {key: tuple(values) for key, values in directives.items()}

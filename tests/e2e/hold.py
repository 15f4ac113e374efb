"""A host that lets a scan wait: a test sees it run, however slow the browser is just then."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from lab.session import LabHost

HELD: Final = "/run/held"
# Every scan of a Debian host asks for its packages.
WRAPPER: Final = f"""#!/bin/sh
while [ -e {HELD} ]; do sleep 0.1; done
exec dpkg-query.real "$@"
"""
INSTALL: Final = (
    "cd /usr/bin; [ -e dpkg-query.real ] || "
    "{ mv dpkg-query dpkg-query.real && cat >dpkg-query && chmod 755 dpkg-query; }"
)


def make_holdable(host: LabHost) -> None:
    """Prepare a host for ``held``; what its rules measure is the same from then on."""
    host.exec(INSTALL, stdin=WRAPPER)


@contextmanager
def held(host: LabHost) -> Generator[None]:
    """Within the block a scan of the host gets as far as reading facts, and no further."""
    make_holdable(host)
    host.exec(f"touch {HELD}")
    try:
        yield
    finally:
        host.exec(f"rm -f {HELD}")

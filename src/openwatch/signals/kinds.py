"""The one registry of event kinds.

An event says that something happened and to what; it is no copy of the thing. Readers fetch what
they show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event.

    ``subject`` is the type of thing that it is about. A kind that is not ``stored`` is announced
    to those who listen at that moment and then gone.
    """

    name: str
    subject: str
    description: str
    stored: bool = True


_ALL: Final = (
    EventKind("host.created", "host", "A host was added."),
    EventKind("host.updated", "host", "A host was changed."),
    EventKind("host.deleted", "host", "A host was removed."),
    EventKind("host.restored", "host", "A deleted host was brought back."),
    EventKind("host.key_changed", "host", "A host showed another key than the one we trust."),
    EventKind("host.key_trusted", "host", "A host key was trusted for the first time or again."),
    EventKind("group.created", "group", "A group was added."),
    EventKind("group.updated", "group", "A group was changed."),
    EventKind("group.deleted", "group", "A group was removed."),
    EventKind("group.hosts_changed", "group", "Hosts were put into a group or taken out."),
    EventKind("import.created", "import", "An import of hosts from a file was asked for."),
    EventKind("import.progress", "import", "How far an import has come.", stored=False),
    EventKind("import.completed", "import", "An import ended; its hosts are there."),
    EventKind("import.failed", "import", "An import ended without importing all of its rows."),
    EventKind("credential.created", "credential", "A credential was added."),
    EventKind("credential.updated", "credential", "A credential was changed."),
    EventKind("credential.deleted", "credential", "A credential was removed."),
    EventKind("scan.queued", "scan", "A scan waits for a worker."),
    EventKind("scan.started", "scan", "A worker began a scan."),
    EventKind("scan.progress", "scan", "How far a running scan has come.", stored=False),
    EventKind("scan.completed", "scan", "A scan ended with outcomes."),
    EventKind("scan.failed", "scan", "A scan ended without outcomes."),
    EventKind("scan.cancelled", "scan", "A scan was stopped by a person."),
    EventKind("outcome.changed", "scan", "A scan found other verdicts than the scan before it."),
    EventKind("session.created", "session", "A person signed in."),
    EventKind("session.ended", "session", "A session ended: signed out, replaced or expired."),
    EventKind("user.created", "user", "A user was added."),
)

_BY_NAME: Final = {kind.name: kind for kind in _ALL}


def event_kinds() -> tuple[EventKind, ...]:
    """Return every kind, in the order in which people should read them."""
    return _ALL


def event_kind(name: str) -> EventKind:
    """Return the kind called ``name``; ``ValueError`` when there is none."""
    found = _BY_NAME.get(name)
    if found is None:
        raise ValueError(f"there is no event kind {name!r}; known: {', '.join(_BY_NAME)}")
    return found

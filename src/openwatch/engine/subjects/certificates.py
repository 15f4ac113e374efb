"""Certificates that services show and that the host believes, at the time of the snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final, TypeVar

from openwatch.engine.certificates import Certificate
from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.certificates import CertificateFile, Certificates, Use, was_read
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value

T = TypeVar("T")

_DAY: Final = timedelta(days=1)
_UNASKED: Final = CouldNot(Reason.INCOMPLETE, "The host did not tell of this file.")
_SERVICE_ONLY: Final = CouldNot(
    Reason.INCOMPLETE, "Only the service can tell which certificate this is."
)


class CertificateSubject(Subject):
    """The certificates that services are configured with (``role`` own), those of the authorities
    that they believe (authority), and the authorities that were added to the host's own store
    (anchor). ``position`` counts from 1 in the file: a chain has several. ``holds_key``: a private
    key is in the file as well; a file with nothing but a key has the role key. A file that is not
    there has no certificate; what cannot be parsed is unknown. The bundle of the distribution is
    left out.
    """

    LABEL: ClassVar[str] = "certificate"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "path": Kind.TEXT,
        "service": Kind.TEXT,
        "role": Kind.TEXT,
        "exists": Kind.FLAG,
        "owner": Kind.TEXT,
        "group": Kind.TEXT,
        "mode": Kind.MODE,
        "holds_key": Kind.FLAG,
        "position": Kind.NUMBER,
        "subject": Kind.TEXT,
        "issuer": Kind.TEXT,
        "not_before": Kind.TEXT,
        "not_after": Kind.TEXT,
        "begun": Kind.FLAG,
        "days_left": Kind.NUMBER,
        "key_type": Kind.TEXT,
        "bits": Kind.NUMBER,
        "strength": Kind.NUMBER,
        "signature_hash": Kind.TEXT,
        "is_ca": Kind.FLAG,
        "self_signed": Kind.FLAG,
        "names": Kind.WORDS,
        "fingerprint": Kind.TEXT,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("certificates"),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: Certificates | CouldNot = snapshot.read(Request("certificates"))
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        unread = dict.fromkeys(u.path for u in found.uses if u.role == "include" and _matters(u))
        records = [_unread(path) for path in unread]
        records += [
            record
            for use in in_force(found.uses)
            for record in _records(use, found.files.get(use.path), snapshot.moment)
        ]
        return Selection(tuple(records))


_NO_CERTIFICATES: Final = re.compile(
    r"/etc/nginx/(?:mime\.types|koi-utf|koi-win|win-utf|(?:fastcgi|scgi|uwsgi|proxy)_params|modules-enabled/.*)"
    r"|/usr/share/nginx/modules/.*|/etc/httpd/conf\.modules\.d/.*"
    r"|/etc/apache2/(?:mods-enabled/.*\.load|sysconfig\.d/.*|conf\.d/apache2-manual\?conf)"
    r"|/usr/share/dovecot/protocols\.d/.*|/etc/dovecot/(?:conf\.d/)?auth-[a-z]+\.conf\.ext"
)
"""What distributions have these services include for other ends."""


def _matters(use: Use) -> bool:
    return not was_read(use) and not _NO_CERTIFICATES.fullmatch(use.path)


def _unread(path: str) -> Record:
    problem = CouldNot(Reason.INCOMPLETE, f"The included {path[:200]} was not read.")
    known: dict[str, Value] = {"path": path, "role": "own"}
    return Record(path, _unknown(problem) | known, raw=str(problem), unseen=problem)


_REFERENCE: Final = re.compile(r"\$[{(]?([a-z_]+)[)}]?")


def in_force(uses: tuple[Use, ...]) -> tuple[Use, ...]:
    """Return the uses that count: of a parameter of Postfix the last (postconf(5)), with another
    parameter's value for its name; of several lines that say the same the first.
    """
    last = {(use.configured, use.directive): use.line for use in uses if use.service == "postfix"}
    kept: dict[tuple[str, str, str], Use] = {}
    for use in uses:
        if use.role == "include" or last.get((use.configured, use.directive), use.line) != use.line:
            continue
        if not use.path or use.path.lower() == "none" or _refers(use, last):
            continue
        kept.setdefault((use.service, use.role, use.path), use)
    return tuple(kept.values())


def _refers(use: Use, parameters: Mapping[tuple[str, str], int]) -> bool:
    """Return whether a use is that of another parameter, which counts by itself."""
    named = _REFERENCE.fullmatch(use.path) if use.service == "postfix" else None
    return named is not None and (
        (use.configured, named[1]) in parameters or named[1].startswith(("smtp_tls", "smtpd_tls"))
    )


def _records(use: Use, file: CertificateFile | None, now: datetime) -> Iterator[Record]:
    where = f"; named in {use.configured}:{use.line}" if use.line else ""
    known: dict[str, Value] = {"path": use.path, "service": use.service, "role": use.role}
    if file is None:
        problem = _UNASKED if use.path.startswith("/") else _SERVICE_ONLY
        yield Record(use.path, _unknown(problem) | known, raw=f"{use.path}{where}")
        return
    if file.bundle:
        return
    if not file.exists:
        yield Record(use.path, known | {"exists": False}, raw=f"no such file{where}")
        return
    if file.mode == 0 and file.problem is not None and not file.owner:
        yield Record(use.path, _unknown(file.problem) | known, raw=f"{use.path}{where}")
        return
    problem = file.problem
    if problem is None and use.role != "key" and not file.certificates:
        problem = CouldNot(Reason.UNPARSABLE, f"{use.path} holds no certificate.")
    known |= {
        "exists": True,
        "owner": file.owner,
        "group": file.group,
        "mode": file.mode,
        # Of a file that was not read to its end, or not understood, nobody knows it.
        "holds_key": use.role == "key" or file.holds_key or problem or False,
    }
    if use.role == "key":
        yield Record(use.path, known, raw=f"{file.mode:04o} {file.owner}:{file.group}{where}")
        return
    for position, certificate in enumerate(file.certificates, start=1):
        name = use.path if position == 1 else f"{use.path} ({position})"
        if isinstance(certificate, CouldNot):
            values = _unknown(certificate) | known | {"position": position}
            yield Record(name, values, raw=f"{certificate}{where}")
        else:
            values = known | {"position": position} | _said(certificate, now)
            yield Record(name, values, raw=f"{_shown(certificate)}{where}")
    if problem is not None:
        unseen = problem if file.certificates else None
        yield Record(use.path, _unknown(problem) | known, raw=f"{problem}{where}", unseen=unseen)


def _unknown(problem: CouldNot) -> dict[str, Value]:
    return dict.fromkeys(CertificateSubject.FIELDS, problem)


def _said(certificate: Certificate, now: datetime) -> dict[str, Value]:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "not_before": _known(certificate.not_before, datetime.isoformat),
        "not_after": _known(certificate.not_after, datetime.isoformat),
        "begun": _known(certificate.not_before, lambda moment: moment <= now),
        # A day that has begun is not left: one second after its end a certificate has -1.
        "days_left": _known(certificate.not_after, lambda moment: (moment - now) // _DAY),
        "key_type": _known(certificate.key, lambda key: key.type),
        "bits": _known(certificate.key, lambda key: key.bits),
        "strength": _known(certificate.key, lambda key: key.strength),
        "signature_hash": certificate.signature_hash,
        "is_ca": certificate.is_ca,
        "self_signed": certificate.self_signed,
        "names": certificate.names,
        "fingerprint": certificate.fingerprint,
    }


def _known(value: T | CouldNot, tell: Callable[[T], Value]) -> Value:
    return value if isinstance(value, CouldNot) else tell(value)


def _shown(certificate: Certificate) -> str:
    until = certificate.not_after
    last = until if isinstance(until, CouldNot) else until.date().isoformat()
    key = certificate.key
    kind = key if isinstance(key, CouldNot) else f"{key.type} {key.bits}"
    return (
        f"{certificate.subject}, until {last}, {kind}, {certificate.signature_hash}, "
        f"SHA-256 {certificate.fingerprint}"
    )

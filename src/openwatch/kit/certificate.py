"""The certificate that the API is served with when others can reach it."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openwatch.kit import clock
from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.settings import Settings

TLS_INCOMPLETE: Final = register(
    "tls.incomplete",
    status=500,
    message="A TLS certificate needs its key, and the other way round: only one of them is set.",
    fix="Set both OPENWATCH_TLS_CERT_FILE and OPENWATCH_TLS_KEY_FILE, or neither.",
)
TLS_UNREADABLE: Final = register(
    "tls.unreadable",
    status=500,
    message="The TLS certificate {path} cannot be used: {problem}.",
    fix="Name a readable PEM file in OPENWATCH_TLS_CERT_FILE, with its key in "
    "OPENWATCH_TLS_KEY_FILE.",
)

# CA/Browser Forum Baseline Requirements 6.3.2: clients refuse longer ones.
VALID_FOR: Final = timedelta(days=397)
RENEW_BEFORE: Final = timedelta(days=30)
CLOCK_SKEW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files for the server, the SHA-256 fingerprint as browsers show it, and who made it."""

    cert_file: Path
    key_file: Path
    fingerprint: str
    self_signed: bool


def certificate(settings: Settings) -> Certificate | None:
    """Return the certificate to serve with; None when plain HTTP on this machine will do.

    Without one in the settings a self-signed one is made in ``data_dir/tls``, and renewed at the
    first start within its last 30 days or when it does not name the address that is served.
    Raises ``tls.incomplete`` or ``tls.unreadable``.
    """
    if not settings.serves_tls and settings.tls_key_file is None:
        return None
    if settings.tls_cert_file is None and settings.tls_key_file is None:
        return _self_signed(settings.data_dir / "tls", settings.host)
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        raise OpenWatchError(TLS_INCOMPLETE)
    cert = _load(settings.tls_cert_file)
    return Certificate(settings.tls_cert_file, settings.tls_key_file, _fingerprint(cert), False)


def _self_signed(folder: Path, host: str) -> Certificate:
    cert_file, key_file = folder / "self-signed.crt", folder / "self-signed.key"
    if not (cert_file.exists() and key_file.exists() and _serves(_load(cert_file), host)):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(cert_file, key_file, host)
    return Certificate(cert_file, key_file, _fingerprint(_load(cert_file)), True)


def _serves(cert: x509.Certificate, host: str) -> bool:
    named = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    fresh = clock.now() + RENEW_BEFORE < cert.not_valid_after_utc
    return fresh and set(_names(host)) <= set(named)


def _make(cert_file: Path, key_file: Path, host: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64])])
    now = clock.now()
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_private(key_file, pem)
    _write_private(cert_file, cert.public_bytes(Encoding.PEM))


def _names(host: str) -> list[x509.GeneralName]:
    wanted = dict.fromkeys([host, socket.gethostname(), "localhost", "127.0.0.1", "::1"])
    return [_general_name(name) for name in wanted if name not in {"0.0.0.0", "::"}]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)


def _load(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not a PEM certificate"
        raise OpenWatchError(TLS_UNREADABLE, path=path, problem=problem) from None


def _fingerprint(cert: x509.Certificate) -> str:
    return cert.fingerprint(hashes.SHA256()).hex(":").upper()

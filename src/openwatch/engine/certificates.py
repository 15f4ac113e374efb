"""X.509 certificates: what one says, read from its bytes. The bytes are those of a stranger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from openwatch.engine.facts import CouldNot, Reason

T = TypeVar("T")

MAX_NAMES: Final = 100
"""How many alternative names are kept: a stranger may write as many as he likes."""

_BUILT_IN_HASHES: Final = {
    SignatureAlgorithmOID.ED25519: "sha512",
    SignatureAlgorithmOID.ED448: "shake256",
}
"""RFC 8032: these signatures hash by themselves."""

_FINITE_FIELD: Final = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
_ELLIPTIC: Final = ((512, 256), (384, 192), (256, 128), (224, 112), (160, 80))
"""Bits of a key to bits of strength: NIST SP 800-57 part 1, table 2."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: ``rsa``, ``dsa``, ``ec``, ``ed25519``, ``ed448`` and its size in bits."""

    type: str
    bits: int

    @property
    def strength(self) -> int:
        """Bits of strength; 0 for what is weaker than the table knows."""
        table = _FINITE_FIELD if self.type in ("rsa", "dsa") else _ELLIPTIC
        # Ed25519 and Ed448 have 256 and 456 bits, and 128 and 224 of strength (RFC 8032).
        if self.type == "ed448":
            return 224
        return next((strength for bits, strength in table if self.bits >= bits), 0)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. ``fingerprint`` is SHA-256 of its DER form, in hexadecimal."""

    fingerprint: str
    subject: str | CouldNot
    issuer: str | CouldNot
    not_before: datetime | CouldNot
    not_after: datetime | CouldNot
    key: Key | CouldNot
    signature_hash: str | CouldNot
    is_ca: bool | CouldNot
    self_signed: bool | CouldNot
    names: frozenset[str] | CouldNot


def read_certificate(der: bytes) -> Certificate | CouldNot:
    """Return what a certificate in DER form says; each part that cannot be read says so itself."""
    try:
        found = x509.load_der_x509_certificate(der)
    except Exception as error:
        return _unreadable("The certificate cannot be parsed", error)
    return Certificate(
        fingerprint=hashlib.sha256(der).hexdigest(),
        subject=_part("subject", lambda: _name(found.subject)),
        issuer=_part("issuer", lambda: _name(found.issuer)),
        not_before=_part("first day", lambda: found.not_valid_before_utc),
        not_after=_part("last day", lambda: found.not_valid_after_utc),
        key=_part("key", lambda: _key(found)),
        signature_hash=_part("signature algorithm", lambda: _signature_hash(found)),
        is_ca=_part("basic constraints", lambda: _is_ca(found)),
        self_signed=_part("issuer", lambda: _self_signed(found)),
        names=_part("alternative names", lambda: _names(found)),
    )


def _part(what: str, read: Callable[[], T]) -> T | CouldNot:
    try:
        return read()
    except Exception as error:
        return _unreadable(f"The {what} of the certificate cannot be read", error)


def _unreadable(sentence: str, error: Exception) -> CouldNot:
    why = "".join(c for c in str(error) if c.isprintable())[:120] or type(error).__name__
    return CouldNot(Reason.UNPARSABLE, f"{sentence}: {why}")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:300]


def _name(name: x509.Name) -> str:
    return _printable(name.rfc4514_string())


def _key(certificate: x509.Certificate) -> Key:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key:
            return Key("rsa", key.key_size)
        case dsa.DSAPublicKey() as key:
            return Key("dsa", key.key_size)
        case ec.EllipticCurvePublicKey() as key:
            return Key("ec", key.curve.key_size)
        case ed25519.Ed25519PublicKey():
            return Key("ed25519", 256)
        case ed448.Ed448PublicKey():
            return Key("ed448", 456)
        case other:
            raise ValueError(f"a key of an unknown type, {type(other).__name__}")


def _signature_hash(certificate: x509.Certificate) -> str:
    built_in = _BUILT_IN_HASHES.get(certificate.signature_algorithm_oid)
    if built_in is not None:
        return built_in
    algorithm: hashes.HashAlgorithm | None = certificate.signature_hash_algorithm
    if algorithm is None:
        raise ValueError("an algorithm without a known hash")
    return algorithm.name


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        # RFC 5280, 4.2.1.9: without it no authority; a root of version 1 has no extensions at all.
        return certificate.version is x509.Version.v1 and _self_signed(certificate)


def _self_signed(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    several = list(found)
    if len(several) > MAX_NAMES:
        raise ValueError(f"more than {MAX_NAMES}")
    values = (_alternative(name) for name in several)
    return frozenset(value for value in values if value is not None)


def _alternative(name: x509.GeneralName) -> str | None:
    match name:
        case x509.DNSName() | x509.RFC822Name() | x509.UniformResourceIdentifier():
            return _printable(name.value)
        case x509.IPAddress():
            return str(name.value)
        case x509.DirectoryName():
            return _name(name.value)
        case _:
            return None

"""The evidence bundle: one file that proves a scan without the installation that made it.

A bundle is one canonical JSON document (RFC 8785), so that a file has one valid spelling and no
byte of it is free:

    blobs        every document that the scan rests on, by its SHA-256
    facts        [fact id, SHA-256 of the fact] in the order of the ids
    outcomes     [rule id, verdict, SHA-256 of the evidence] in the order of the ids
    statement    what was signed: the scan, its host, its time, the root of the Merkle tree over
                 outcomes and facts, and the root of the scan of this host before it
    previous     the statement before it (null for the first scan of a host)
    public_key   Ed25519, base64
    signature    over the canonical bytes of the statement, base64

The root of a scan is the SHA-256 of its statement, so each root commits to all roots before it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from openwatch.engine.interchange.errors import (
    ALTERED,
    KEY_UNEXPECTED,
    NOT_A_BUNDLE,
    SIGNATURE_INVALID,
)
from openwatch.engine.interchange.merkle import Entry, Manifest
from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.hashing import sha256_hex

BUNDLE_FORMAT: Final = "openwatch.bundle/1"
STATEMENT_FORMAT: Final = "openwatch.scan/1"

_MEMBERS: Final = {
    "blobs",
    "facts",
    "format",
    "outcomes",
    "previous",
    "public_key",
    "signature",
    "statement",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed about one scan. Hashes are SHA-256 in hexadecimal.

    ``subject`` names the document that says which host was looked at (its name and address in the
    inventory, and the identity that it gave itself).
    """

    scan: str
    host: str
    finished_at: str
    subject: str
    corpus: str
    outcomes: int
    facts: int
    tree: str
    previous: str | None

    def document(self) -> dict[str, Any]:
        """Return the JSON document that is signed."""
        return {
            "format": STATEMENT_FORMAT,
            "scan": self.scan,
            "host": self.host,
            "finished_at": self.finished_at,
            "subject": self.subject,
            "corpus": self.corpus,
            "outcomes": self.outcomes,
            "facts": self.facts,
            "tree": self.tree,
            "previous": self.previous,
        }

    def canonical(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(self.document())

    @property
    def root(self) -> str:
        """The root of the scan: SHA-256 of the canonical bytes."""
        return sha256_hex(self.canonical())

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Statement:
        """Return the statement of a document; raises ``bundle.altered`` when it is not one."""
        values = dict(document)
        if values.pop("format", None) != STATEMENT_FORMAT:
            raise OpenWatchError(ALTERED, what="the statement has an unknown format")
        try:
            statement = cls(**values)
        except TypeError:
            raise OpenWatchError(
                ALTERED, what="the statement has missing or extra members"
            ) from None
        texts = (statement.scan, statement.host, statement.finished_at, statement.tree)
        hashes = (statement.subject, statement.corpus, statement.previous or "")
        numbers = (statement.outcomes, statement.facts)
        if not all(isinstance(text, str) for text in cast("tuple[object, ...]", texts + hashes)):
            raise OpenWatchError(ALTERED, what="a member of the statement is not a text")
        if not all(type(number) is int for number in numbers):
            raise OpenWatchError(ALTERED, what="a count of the statement is not a number")
        return statement


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified bundle proves. ``pinned``: the caller said which key it expects."""

    statement: Statement
    root: str
    key_id: str
    pinned: bool
    subject: Mapping[str, Any]
    verdicts: Mapping[str, int]
    previous: Statement | None


def key_id(public_key: bytes) -> str:
    """Return the short name of a public key: "SHA256:" and the base64 digest of its raw bytes."""
    digest = base64.b64encode(hashlib.sha256(public_key).digest()).decode("ascii")
    return "SHA256:" + digest.rstrip("=")


def write_bundle(
    *,
    statement: Statement,
    previous: Statement | None,
    signature: bytes,
    public_key: bytes,
    manifest: Manifest,
    blobs: Mapping[str, bytes],
) -> bytes:
    """Return the bytes of a bundle. ``blobs`` holds canonical JSON, which is copied as it is."""
    members = {
        "blobs": _object({name: blobs[name] for name in sorted(blobs)}),
        "facts": canonical_json(_entries(chunk.entries for chunk in manifest.facts)),
        "format": canonical_json(BUNDLE_FORMAT),
        "outcomes": canonical_json(_entries(chunk.entries for chunk in manifest.outcomes)),
        "previous": b"null" if previous is None else previous.canonical(),
        "public_key": canonical_json(base64.b64encode(public_key).decode("ascii")),
        "signature": canonical_json(base64.b64encode(signature).decode("ascii")),
        "statement": statement.canonical(),
    }
    return _object(members)


def verify_bundle(data: bytes, *, expected_key_id: str | None = None) -> Verified:
    """Return what a bundle proves, or raise what is wrong with it.

    Needs nothing but the bytes: no database, no network, no installation. Raises
    ``OpenWatchError``: ``bundle.not_a_bundle``, ``bundle.altered``, ``bundle.signature_invalid``
    or ``bundle.key_unexpected``.
    """
    document = _read(data)
    statement = Statement.from_document(_mapping(document["statement"], "statement"))
    public_key = _base64(document["public_key"], "public key")
    _check_signature(statement, public_key, _base64(document["signature"], "signature"))
    found = key_id(public_key)
    if expected_key_id is not None and found != expected_key_id:
        raise OpenWatchError(KEY_UNEXPECTED, found=found, expected=expected_key_id)

    outcomes = _read_entries(document["outcomes"], length=3, what="outcomes")
    facts = _read_entries(document["facts"], length=2, what="facts")
    _check_tree(statement, outcomes=outcomes, facts=facts)
    blobs = _check_blobs(
        _mapping(document["blobs"], "blobs"),
        named={statement.subject} | {entry[-1] for entry in outcomes + facts},
    )
    _check_evidence(outcomes, facts, blobs)
    return Verified(
        statement=statement,
        root=statement.root,
        key_id=found,
        pinned=expected_key_id is not None,
        subject=_mapping(blobs[statement.subject], "subject"),
        verdicts=Counter(verdict for _, verdict, _ in outcomes),
        previous=_check_chain(statement, document["previous"]),
    )


def _object(members: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(canonical_json(k) + b":" + v for k, v in members.items()) + b"}"


def _entries(chunks: Iterable[Sequence[Entry]]) -> list[list[str]]:
    return sorted(list(entry) for chunk in chunks for entry in chunk)


def _read(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise OpenWatchError(NOT_A_BUNDLE, what="it is not JSON") from None
    if not isinstance(document, dict):
        raise OpenWatchError(NOT_A_BUNDLE, what="it is not a JSON object")
    members = cast("dict[str, Any]", document)
    if members.get("format") != BUNDLE_FORMAT:
        raise OpenWatchError(NOT_A_BUNDLE, what="its format is unknown")
    if members.keys() != _MEMBERS:
        raise OpenWatchError(NOT_A_BUNDLE, what="members are missing or added")
    if _canonical(members) != data:
        raise OpenWatchError(ALTERED, what="the file is not in canonical form")
    return members


def _canonical(value: object) -> bytes:
    try:
        return canonical_json(value)
    except (OpenWatchError, RecursionError):
        raise OpenWatchError(ALTERED, what="a value has no canonical form") from None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise OpenWatchError(ALTERED, what=f"the {what} is not an object")
    return cast("dict[str, Any]", value)


def _base64(value: object, what: str) -> bytes:
    try:
        decoded = base64.b64decode(cast("str", value), validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise OpenWatchError(ALTERED, what=f"the {what} is not base64") from None
    # Unused bits of the last character would let two spellings stand for the same bytes.
    if base64.b64encode(decoded).decode("ascii") != value:
        raise OpenWatchError(ALTERED, what=f"the {what} is not in canonical base64")
    return decoded


def _check_signature(statement: Statement, public_key: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, statement.canonical())
    except (InvalidSignature, ValueError):
        raise OpenWatchError(SIGNATURE_INVALID) from None


def _read_entries(value: object, *, length: int, what: str) -> list[Entry]:
    if not isinstance(value, list):
        raise OpenWatchError(ALTERED, what=f"the {what} are not a list")
    entries: list[Entry] = []
    for item in cast("list[object]", value):
        words = cast("list[object]", item) if isinstance(item, list) else []
        if len(words) != length or not all(isinstance(word, str) for word in words):
            raise OpenWatchError(ALTERED, what=f"an entry of the {what} has a wrong form")
        entries.append(tuple(cast("list[str]", words)))
    ids = [entry[0] for entry in entries]
    if any(first >= second for first, second in itertools.pairwise(ids)):
        raise OpenWatchError(ALTERED, what=f"the {what} are not in order")
    return entries


def _check_tree(statement: Statement, *, outcomes: list[Entry], facts: list[Entry]) -> None:
    if (len(outcomes), len(facts)) != (statement.outcomes, statement.facts):
        raise OpenWatchError(ALTERED, what="outcomes or facts are missing or added")
    if Manifest.of(outcomes=outcomes, facts=facts).hash.hex() != statement.tree:
        raise OpenWatchError(ALTERED, what="an outcome or a fact does not match the signed tree")


def _check_blobs(blobs: Mapping[str, Any], *, named: set[str]) -> Mapping[str, Any]:
    if missing := named - blobs.keys():
        raise OpenWatchError(ALTERED, what=f"the document {min(missing)} is missing")
    if extra := blobs.keys() - named:
        raise OpenWatchError(ALTERED, what=f"nothing names the document {min(extra)}")
    for name, blob in blobs.items():
        if sha256_hex(_canonical(blob)) != name:
            raise OpenWatchError(ALTERED, what=f"the document {name} has another hash")
    return blobs


def _check_evidence(outcomes: list[Entry], facts: list[Entry], blobs: Mapping[str, Any]) -> None:
    for rule_id, verdict, name in outcomes:
        evidence = _mapping(blobs[name], "evidence")
        if (evidence.get("rule"), evidence.get("verdict")) != (rule_id, verdict):
            raise OpenWatchError(ALTERED, what=f"the evidence of {rule_id} is of something else")
    for fact_id, name in facts:
        if _mapping(blobs[name], "fact").get("fact") != fact_id:
            raise OpenWatchError(ALTERED, what=f"the document of {fact_id} is of another fact")


def _check_chain(statement: Statement, document: object) -> Statement | None:
    if document is None:
        if statement.previous is not None:
            raise OpenWatchError(ALTERED, what="the statement before it is missing")
        return None
    previous = Statement.from_document(_mapping(document, "statement before it"))
    if previous.root != statement.previous:
        raise OpenWatchError(ALTERED, what="the statement before it is not the one it names")
    if previous.host != statement.host:
        raise OpenWatchError(ALTERED, what="the statement before it is of another host")
    return previous

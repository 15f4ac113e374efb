from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.interchange.bundle import (
    Statement,
    key_id,
    verify_bundle,
    write_bundle,
)
from openwatch.engine.interchange.merkle import Manifest
from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.hashing import sha256_hex

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
HOST = "0193c0de-0000-7000-8000-000000000001"


def bundle(**changes: Any) -> bytes:
    """A bundle of two outcomes and two facts that follows an earlier scan of the same host."""
    blobs: dict[str, bytes] = {}

    def keep(document: dict[str, Any]) -> str:
        data = canonical_json(document)
        blobs[sha256_hex(data)] = data
        return sha256_hex(data)

    outcomes = [
        (rule, verdict, keep({"rule": rule, "verdict": verdict, "observations": []}))
        for rule, verdict in (("ssh-root-login", "fail"), ("aslr", "pass"))
    ]
    facts = [
        (fact, keep({"fact": fact, "command": "cat", "output": "naïve\u2028\n"}))
        for fact in ("sysctl:kernel.randomize_va_space", "sshd")
    ]
    manifest = Manifest.of(outcomes=outcomes, facts=facts)
    previous = Statement(
        scan="0193c0de-0000-7000-8000-00000000000a",
        host=HOST,
        finished_at="2026-11-22T10:00:00.000000Z",
        subject="0" * 64,
        corpus="1" * 64,
        outcomes=2,
        facts=2,
        tree="2" * 64,
        previous=None,
    )
    values = {
        "scan": "0193c0de-0000-7000-8000-00000000000b",
        "host": HOST,
        "finished_at": "2026-11-23T10:00:00.000000Z",
        "subject": keep({"host": {"name": "web-1"}}),
        "corpus": "1" * 64,
        "outcomes": len(outcomes),
        "facts": len(facts),
        "tree": manifest.hash.hex(),
        "previous": previous.root,
    }
    statement = Statement(**(values | changes))
    return write_bundle(
        statement=statement,
        previous=previous,
        signature=KEY.sign(statement.canonical()),
        public_key=PUBLIC_KEY,
        manifest=manifest,
        blobs=blobs,
    )


def altered(change: Any) -> bytes:
    """The same bundle after ``change(document)``, still in canonical form."""
    document = json.loads(bundle())
    change(document)
    return canonical_json(document)


@pytest.mark.ac("evidence-08")
def test_a_bundle_proves_its_scan() -> None:
    proven = verify_bundle(bundle(), expected_key_id=key_id(PUBLIC_KEY))
    assert proven.pinned
    assert proven.verdicts == {"fail": 1, "pass": 1}
    assert proven.subject == {"host": {"name": "web-1"}}
    assert proven.previous is not None
    assert proven.previous.root == proven.statement.previous


@pytest.mark.ac("evidence-09")
def test_no_byte_can_be_flipped() -> None:
    data = bundle()
    for position in range(len(data)):
        for mask in (0x01, 0x20, 0x80):
            flipped = bytearray(data)
            flipped[position] ^= mask
            with pytest.raises(OpenWatchError):
                verify_bundle(bytes(flipped))


@pytest.mark.ac("evidence-09")
@settings(max_examples=200)
@given(st.data())
def test_no_byte_can_be_added_or_removed(data: st.DataObject) -> None:
    whole = bundle()
    at = data.draw(st.integers(0, len(whole)))
    added = data.draw(st.binary(min_size=1, max_size=3) | st.sampled_from([b" ", b"\n", b","]))
    for changed in (whole[:at] + added + whole[at:], whole[:at], whole[:at] + whole[at + 1 :]):
        if changed == whole:
            continue
        with pytest.raises(OpenWatchError):
            verify_bundle(changed)


@pytest.mark.ac("evidence-09")
@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("bundle.altered", lambda d: d["outcomes"].pop()),
        ("bundle.altered", lambda d: d["outcomes"].reverse()),
        ("bundle.altered", lambda d: d["outcomes"][0].__setitem__(1, "not_applicable")),
        ("bundle.altered", lambda d: d["facts"].append(["zzz", "0" * 64])),
        ("bundle.altered", lambda d: d["blobs"].popitem()),
        ("bundle.altered", lambda d: d["blobs"].update({sha256_hex(b"{}"): {}})),
        ("bundle.altered", lambda d: d.update(previous=None)),
        ("bundle.altered", lambda d: d["previous"].update(facts=3)),
        ("bundle.altered", lambda d: d["statement"].update(extra=1)),
        ("bundle.altered", lambda d: d["statement"].pop("tree")),
        ("bundle.altered", lambda d: d["statement"].update(outcomes=True)),
        ("bundle.signature_invalid", lambda d: d["statement"].update(outcomes=3)),
        ("bundle.signature_invalid", lambda d: d["statement"].update(finished_at="2027")),
        ("bundle.signature_invalid", lambda d: d.update(signature=base64.b64encode(b"x").decode())),
        ("bundle.not_a_bundle", lambda d: d.update(note="")),
        ("bundle.not_a_bundle", lambda d: d.update(format="openwatch.bundle/2")),
    ],
)
def test_what_is_altered_is_told(code: str, change: Any) -> None:
    with pytest.raises(OpenWatchError) as caught:
        verify_bundle(altered(change))
    assert caught.value.code == code


@pytest.mark.ac("evidence-09")
@pytest.mark.parametrize("changes", [{"tree": "0" * 64}, {"outcomes": 3}, {"previous": None}])
def test_a_signed_lie_does_not_verify(changes: dict[str, Any]) -> None:
    with pytest.raises(OpenWatchError) as caught:
        verify_bundle(bundle(**changes))
    assert caught.value.code == "bundle.altered"


@pytest.mark.ac("evidence-10")
def test_a_bundle_of_another_key_is_refused_when_the_key_is_pinned() -> None:
    other = Ed25519PrivateKey.generate().public_key()
    expected = key_id(other.public_bytes(Encoding.Raw, PublicFormat.Raw))
    with pytest.raises(OpenWatchError) as caught:
        verify_bundle(bundle(), expected_key_id=expected)
    assert caught.value.code == "bundle.key_unexpected"
    assert expected in caught.value.message


@pytest.mark.ac("evidence-10")
def test_a_forger_can_sign_anew_but_not_with_our_key() -> None:
    """Without a pinned key a bundle proves that it is whole, not who made it."""
    forger = Ed25519PrivateKey.generate()
    document = json.loads(bundle())
    document["statement"]["finished_at"] = "2030-01-01T00:00:00.000000Z"
    signed = canonical_json(document["statement"])
    document["signature"] = base64.b64encode(forger.sign(signed)).decode()
    public = forger.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    document["public_key"] = base64.b64encode(public).decode()
    forged = canonical_json(document)
    assert not verify_bundle(forged).pinned
    with pytest.raises(OpenWatchError):
        verify_bundle(forged, expected_key_id=key_id(PUBLIC_KEY))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"{}", b"PK\x03\x04", b"[" * 100_000])
def test_a_file_that_is_no_bundle_is_told(data: bytes) -> None:
    with pytest.raises(OpenWatchError) as caught:
        verify_bundle(data)
    assert caught.value.code == "bundle.not_a_bundle"

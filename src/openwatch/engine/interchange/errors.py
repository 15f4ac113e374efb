"""The error kinds of documents that are read."""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

NOT_A_BUNDLE: Final = register(
    "bundle.not_a_bundle",
    status=422,
    message="This is not an OpenWatch evidence bundle: {what}.",
    fix="Download the bundle of the scan again and verify that file.",
)

ALTERED: Final = register(
    "bundle.altered",
    status=422,
    message="The bundle is not what was signed: {what}.",
    fix="Do not rely on this file. Download the bundle again and compare the two.",
)

SIGNATURE_INVALID: Final = register(
    "bundle.signature_invalid",
    status=422,
    message="The signature does not belong to the statement and the key of this bundle.",
    fix="Do not rely on this file. Download the bundle again and compare the two.",
)

KEY_UNEXPECTED: Final = register(
    "bundle.key_unexpected",
    status=422,
    message="The bundle is signed by the key {found}, not by the expected key {expected}.",
    fix="Check from which installation the file comes, and that the expected key is the right one.",
)

KEY_INVALID: Final = register(
    "bundle.key_invalid",
    status=422,
    message="{given} is neither a key id (SHA256:…) nor an Ed25519 public key.",
    fix="Give the key id that the installation shows, or its public key in PEM or base64.",
)

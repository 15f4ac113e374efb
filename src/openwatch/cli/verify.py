"""``openwatch verify``: prove an evidence bundle, with nothing but the file."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from openwatch.cli.errors import print_error, usage_error
from openwatch.engine.interchange.bundle import Verified, key_id, verify_bundle
from openwatch.engine.interchange.errors import KEY_INVALID
from openwatch.kit.errors import OpenWatchError

EXIT_REFUTED: Final = 1
"""The bundle does not prove what it says."""

MAX_BUNDLE_BYTES: Final = 1 << 30
KEY_BYTES: Final = 32
KEY_ID_LENGTH: Final = 50
"""``SHA256:`` and 43 digits of base64."""


class OutputFormat(StrEnum):
    """The form of the answer."""

    TEXT = "text"
    JSON = "json"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A bundle; - reads standard input.")],
    *,
    key: Annotated[
        str,
        typer.Option(help="The key that must have signed: a key id (SHA256:…) or a public key."),
    ] = "",
    output: Annotated[
        OutputFormat, typer.Option("--format", "-f", help="Form of the answer.")
    ] = OutputFormat.TEXT,
) -> None:
    """Prove that an evidence bundle is what was signed, offline.

    Checks every hash, the Merkle tree, the signature and the link to the scan before it. Exit
    status: 0 proven, 1 not proven, 2 the file or the key cannot be read. Without --key the bundle
    is proven to be whole, but not by whom it was made.
    """
    expected = _expected(key) if key else None
    data = _read(file)
    try:
        verified = verify_bundle(data, expected_key_id=expected)
    except OpenWatchError as error:
        if output is OutputFormat.JSON:
            refuted = {"verified": False, "code": error.code, "detail": error.message}
            print(json.dumps(refuted, indent=2))
        else:
            print(f"{file}: NOT verified", file=sys.stderr)
            print_error(error)
        raise typer.Exit(EXIT_REFUTED) from None
    if output is OutputFormat.JSON:
        print(json.dumps(_document(verified), indent=2))
    else:
        print("\n".join(_lines(file, verified)))


def _read(file: Path) -> bytes:
    try:
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with stream:
            data = stream.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        usage_error(
            f"{file} cannot be read: {(error.strerror or 'unknown error').lower()}.",
            "Give the path of a bundle that was downloaded from a scan.",
        )
    if len(data) > MAX_BUNDLE_BYTES:
        usage_error(f"{file} is larger than any bundle.", "Give the path of a bundle.")
    return data


def _expected(given: str) -> str:
    """Return the id of the key that an option names; raises ``bundle.key_invalid``."""
    text = given.strip()
    if text.startswith("SHA256:") and len(text) == KEY_ID_LENGTH:
        return text
    public_key = _pem(text) or _raw(text)
    if public_key is None:
        raise OpenWatchError(KEY_INVALID, given=text[:KEY_ID_LENGTH])
    return key_id(public_key)


def _pem(text: str) -> bytes | None:
    try:
        loaded = load_pem_public_key(Path(text).read_bytes() if _is_file(text) else text.encode())
    except (ValueError, UnsupportedAlgorithm, OSError):
        return None
    if not isinstance(loaded, Ed25519PublicKey):
        return None
    return loaded.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _raw(text: str) -> bytes | None:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return decoded if len(decoded) == KEY_BYTES else None


def _lines(file: Path, verified: Verified) -> list[str]:
    statement, subject = verified.statement, verified.subject
    host: dict[str, Any] = subject.get("host", {})
    os: dict[str, Any] = subject.get("os") or {}
    counts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(verified.verdicts.items()))
    signer = verified.key_id
    if not verified.pinned:
        signer += " (not compared with any key: --key says whose it must be)"
    chain = "this is the first scan of the host"
    if verified.previous is not None:
        before = verified.previous
        chain = f"follows {before.root[:16]}… of {before.finished_at}"
    return [
        f"{file}: verified",
        f"  host      {_shown(host.get('name'))} ({_shown(host.get('address'))}), "
        f"{_shown(os.get('name'))}",
        f"  scan      {statement.scan}, completed {statement.finished_at}",
        f"  outcomes  {statement.outcomes}: {counts}",
        f"  facts     {statement.facts}",
        f"  root      {verified.root}",
        f"  chain     {chain}",
        f"  signed by {signer}",
    ]


def _shown(value: object) -> str:
    """Return text of a bundle fit for a terminal: without control characters."""
    return "".join(c if c.isprintable() else "�" for c in str(value)) if value else "unknown"


def _document(verified: Verified) -> dict[str, Any]:
    previous = verified.previous
    return {
        "verified": True,
        "pinned": verified.pinned,
        "key_id": verified.key_id,
        "root": verified.root,
        "statement": verified.statement.document(),
        "subject": verified.subject,
        "verdicts": dict(verified.verdicts),
        "previous": previous.document() if previous is not None else None,
    }

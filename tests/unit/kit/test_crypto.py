import json
import os
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError

CONTEXT = "credential:01890a5d-ac96-774b-bcce-b302099a8057:password"


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.load(tmp_path)


@pytest.mark.parametrize("secret", [b"", b"hunter2", os.urandom(5000)])
def test_what_is_sealed_opens(keyring: Keyring, secret: bytes) -> None:
    sealed = keyring.seal(secret, context=CONTEXT)
    assert keyring.open(sealed, context=CONTEXT) == secret
    assert not secret or secret not in sealed


def test_two_seals_of_one_secret_differ(keyring: Keyring) -> None:
    assert keyring.seal(b"x", context=CONTEXT) != keyring.seal(b"x", context=CONTEXT)


def test_a_value_moved_to_another_row_does_not_open(keyring: Keyring) -> None:
    sealed = keyring.seal(b"hunter2", context=CONTEXT)
    with pytest.raises(OpenWatchError) as caught:
        keyring.open(sealed, context=CONTEXT.replace("password", "passphrase"))
    assert caught.value.code == "keys.sealed_damaged"


def test_every_changed_byte_and_every_cut_is_noticed(keyring: Keyring) -> None:
    sealed = keyring.seal(b"hunter2", context=CONTEXT)
    damaged = [sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :] for i in range(len(sealed))]
    cut = [sealed[:i] for i in range(len(sealed))]
    for blob in [*damaged, *cut]:
        with pytest.raises(OpenWatchError) as caught:
            keyring.open(blob, context=CONTEXT)
        assert caught.value.code in {"keys.sealed_damaged", "keys.unknown"}


def test_keys_survive_a_restart(tmp_path: Path) -> None:
    first = Keyring.load(tmp_path)
    sealed = first.seal(b"hunter2", context=CONTEXT)
    second = Keyring.load(tmp_path)
    assert second.open(sealed, context=CONTEXT) == b"hunter2"
    assert second.signing_key.public_key_bytes == first.signing_key.public_key_bytes


def test_another_installation_cannot_open_and_says_which_key_is_missing(tmp_path: Path) -> None:
    sealed = Keyring.load(tmp_path / "a").seal(b"hunter2", context=CONTEXT)
    with pytest.raises(OpenWatchError) as caught:
        Keyring.load(tmp_path / "b").open(sealed, context=CONTEXT)
    assert caught.value.code == "keys.unknown"


def test_key_files_are_private(tmp_path: Path) -> None:
    Keyring.load(tmp_path)
    for name in ("master.json", "signing.json"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
@pytest.mark.ac("bootstrap-11")
def test_a_key_file_that_others_read_stops_the_start(tmp_path: Path, mode: int) -> None:
    Keyring.load(tmp_path)
    (tmp_path / "keys" / "master.json").chmod(mode)
    with pytest.raises(OpenWatchError) as caught:
        Keyring.load(tmp_path)
    assert caught.value.code == "keys.file_mode"
    assert f"{mode:04o}" in caught.value.message


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}', '{"version": 1, "keys": []}'])
def test_a_damaged_key_file_is_named_and_its_content_is_not_shown(
    tmp_path: Path, content: str
) -> None:
    Keyring.load(tmp_path)
    path = tmp_path / "keys" / "master.json"
    path.write_text(content)
    with pytest.raises(OpenWatchError) as caught:
        Keyring.load(tmp_path)
    assert caught.value.code == "keys.file_damaged"
    assert str(path) in caught.value.message


def test_a_damaged_key_is_never_quoted(tmp_path: Path) -> None:
    Keyring.load(tmp_path)
    path = tmp_path / "keys" / "master.json"
    document = json.loads(path.read_text())
    document["keys"][0]["key"] = "c2VjcmV0" + "!"
    path.write_text(json.dumps(document))
    with pytest.raises(OpenWatchError) as caught:
        Keyring.load(tmp_path)
    assert "c2VjcmV0" not in caught.value.message


def test_signatures_verify_with_the_public_key(keyring: Keyring) -> None:
    public = Ed25519PublicKey.from_public_bytes(keyring.signing_key.public_key_bytes)
    public.verify(keyring.signing_key.sign(b"root"), b"root")
    with pytest.raises(InvalidSignature):
        public.verify(keyring.signing_key.sign(b"root"), b"other")


def test_no_key_is_in_a_representation(tmp_path: Path, keyring: Keyring) -> None:
    keys = tmp_path / "keys"
    master = json.loads((keys / "master.json").read_text())["keys"][0]["key"]
    seed = json.loads((keys / "signing.json").read_text())["seed"]
    shown = repr(keyring) + repr(keyring.signing_key)
    assert master not in shown
    assert seed not in shown

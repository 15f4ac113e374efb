"""Private keys in every form that ssh-keygen writes, and what people paste instead of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.transport import Login, inspect_private_key, read_identity
from openwatch.engine.transport.keys import key_pairs
from openwatch.kit.errors import OpenWatchError

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="needs ssh-keygen (openssh-client)"
)

PASSPHRASE = "canary passphrase ü"
FORMS = [
    (kind, form) for kind in ("ed25519", "rsa", "ecdsa") for form in ("RFC4716", "PEM", "PKCS8")
]


def keygen(*argv: str | Path) -> str:
    done = subprocess.run(
        ["ssh-keygen", *map(str, argv)], capture_output=True, text=True, check=True
    )
    return done.stdout


def make(path: Path, kind: str, *, form: str = "RFC4716", passphrase: str = "") -> Path:
    keygen("-q", "-t", kind, "-m", form, "-N", passphrase, "-C", "someone", "-f", path)
    return path


def code_of(text: str, passphrase: str | None = None) -> str:
    with pytest.raises(OpenWatchError) as caught:
        inspect_private_key(text, passphrase=passphrase)
    assert PASSPHRASE not in str(caught.value)
    return caught.value.code


@pytest.mark.ac("transports-03")
@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_keys_of_every_kind_and_form_are_read(tmp_path: Path, kind: str, form: str) -> None:
    path = make(tmp_path / "id", kind, form=form)
    info = inspect_private_key(path.read_text())
    assert info.fingerprint in keygen("-lf", path).split()
    assert not info.has_certificate


@pytest.mark.ac("transports-03")
@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_encrypted_keys_need_the_right_passphrase(tmp_path: Path, kind: str, form: str) -> None:
    text = make(tmp_path / "id", kind, form=form, passphrase=PASSPHRASE).read_text()
    assert inspect_private_key(text, passphrase=PASSPHRASE).fingerprint.startswith("SHA256:")
    assert code_of(text) == "credential.key_encrypted"
    assert code_of(text, "") == "credential.key_encrypted"
    assert code_of(text, "wrong") == "credential.passphrase_wrong"


def test_a_needless_passphrase_does_no_harm(tmp_path: Path) -> None:
    text = make(tmp_path / "id", "ed25519").read_text()
    assert inspect_private_key(text, passphrase="anything").algorithm == "ssh-ed25519"


def test_windows_line_ends_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    text = make(tmp_path / "id", "ed25519").read_text()
    assert inspect_private_key("\r\n" + text.replace("\n", "\r\n") + "\r\n\r\n")


@pytest.mark.ac("transports-03")
@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJrtMqTDHSVhxTY8MgN1vwFhAfj someone", "public key"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----", "public key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", "PuTTY"),
        ("hunter2", "BEGIN"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "damaged"),
        ("-----BEGIN RSA PRIVATE KEY-----\n", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\n\x00\xff", "damaged"),
    ],
)
def test_what_is_no_private_key_is_told_for_what_it_is(text: str, hint: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        inspect_private_key(text)
    assert caught.value.code == "credential.key_invalid"
    assert hint in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_key_cut_short_is_damaged(tmp_path: Path, cut: int) -> None:
    lines = make(tmp_path / "id", "ed25519").read_text().splitlines()
    assert code_of("\n".join(lines[:-cut])) == "credential.key_invalid"


def certify(path: Path, authority: Path) -> None:
    keygen("-q", "-s", authority, "-I", "someone", "-n", "scan", f"{path}.pub")


@pytest.mark.ac("transports-02")
def test_a_certificate_beside_the_key_is_found_and_offered_first(tmp_path: Path) -> None:
    authority = make(tmp_path / "ca", "ed25519")
    path = make(tmp_path / "id", "ed25519")
    assert read_identity(path).certificate is None
    certify(path, authority)
    identity = read_identity(path)
    assert identity.certificate
    together = Login("scan", private_key=identity.private_key + identity.certificate)
    beside = Login("scan", private_key=identity.private_key, certificate=identity.certificate)
    for login in (beside, together):
        assert [pair.has_cert for pair in key_pairs(login)] == [True, False]
    assert inspect_private_key(together.private_key or "").has_certificate


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    authority = make(tmp_path / "ca", "ed25519")
    path, other = make(tmp_path / "id", "ed25519"), make(tmp_path / "other", "ed25519")
    certify(other, authority)
    login = Login(
        "scan",
        private_key=path.read_text(),
        certificate=(tmp_path / "other-cert.pub").read_text(),
    )
    with pytest.raises(OpenWatchError) as caught:
        key_pairs(login)
    assert caught.value.code == "credential.key_invalid"


def test_a_key_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(OpenWatchError) as caught:
        read_identity(tmp_path / "none")
    assert caught.value.code == "credential.key_invalid"
    assert "none" in caught.value.message


def test_an_identity_does_not_show_its_key(tmp_path: Path) -> None:
    assert "PRIVATE" not in repr(read_identity(make(tmp_path / "id", "ed25519")))

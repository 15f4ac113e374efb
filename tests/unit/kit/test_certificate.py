import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from openwatch.kit import certificate as tls
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings


def test_plain_http_on_this_machine_needs_none(tmp_path: Path) -> None:
    assert tls.certificate(Settings(data_dir=tmp_path)) is None


@pytest.mark.ac("bootstrap-10")
def test_a_reachable_address_gets_a_certificate_that_names_it(tmp_path: Path) -> None:
    made = tls.certificate(Settings(data_dir=tmp_path, host="10.0.0.5"))
    assert made is not None
    assert made.self_signed
    cert = x509.load_pem_x509_certificate(made.cert_file.read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.0.0.5" in [str(a) for a in names.get_values_for_type(x509.IPAddress)]
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert len(made.fingerprint.split(":")) == 32
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        made.cert_file, made.key_file
    )


def test_it_is_kept_until_the_address_changes_or_it_ends_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tls.certificate(Settings(data_dir=tmp_path, host="10.0.0.5"))
    again = tls.certificate(Settings(data_dir=tmp_path, host="10.0.0.5"))
    assert first == again
    moved = tls.certificate(Settings(data_dir=tmp_path, host="10.0.0.6"))
    assert moved != again
    later = tls.clock.now() + tls.VALID_FOR - tls.RENEW_BEFORE + timedelta(minutes=1)
    monkeypatch.setattr(tls.clock, "now", lambda: later)
    assert tls.certificate(Settings(data_dir=tmp_path, host="10.0.0.6")) != moved


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpenWatchError) as caught:
        tls.certificate(Settings(data_dir=tmp_path, tls_cert_file=tmp_path / "a.pem"))
    assert caught.value.code == "tls.incomplete"


@pytest.mark.parametrize("content", [None, b"not a certificate"])
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OpenWatchError) as caught:
        tls.certificate(Settings(data_dir=tmp_path, tls_cert_file=path, tls_key_file=path))
    assert caught.value.code == "tls.unreadable"
    assert str(path) in caught.value.message

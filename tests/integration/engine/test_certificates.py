"""The search for certificates on real shells: what it finds, and that no key leaves the host."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from openwatch.engine.certificates import Certificate
from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.certificates import Certificates, CertificatesProbe

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"]}
START = datetime(2025, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the search is for root alone")

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(name: str, key: Private = KEY) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )


def pem(name: str, key: Private = KEY) -> bytes:
    return certificate(name, key).public_bytes(serialization.Encoding.PEM)


def private_forms() -> dict[str, bytes]:
    forms = serialization.PrivateFormat
    open_key = serialization.NoEncryption()
    closed = serialization.BestAvailableEncryption(b"passphrase")
    text = serialization.Encoding.PEM
    return {
        "pkcs8": KEY.private_bytes(text, forms.PKCS8, open_key),
        "pkcs1": KEY.private_bytes(text, forms.TraditionalOpenSSL, open_key),
        "sec1": SMALL_KEY.private_bytes(text, forms.TraditionalOpenSSL, open_key),
        "closed": KEY.private_bytes(text, forms.PKCS8, closed),
        "openssh": KEY.private_bytes(text, forms.OpenSSH, open_key),
    }


def shell(name: str) -> list[str]:
    words = SHELLS[name]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    return words


def environment(name: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment of the program; with busybox its own tools are all there are."""
    if name != "busybox":
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for tool in (
        "awk",
        "od",
        "sed",
        "sort",
        "head",
        "tail",
        "stat",
        "readlink",
        "find",
        "tr",
        "id",
    ):
        if not (tools / tool).exists():
            (tools / tool).symlink_to(shutil.which("busybox") or "")
    return {"PATH": str(tools), "LC_ALL": "C"}


def write(root: Path, path: str, content: bytes | str) -> Path:
    target = root / path.removeprefix("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    target.chmod(0o640)
    return target


def answer(name: str, tmp_path: Path) -> bytes:
    """Run the search on a host whose directories are below tmp_path/host."""
    words, root = shell(name), tmp_path / "host"
    root.mkdir(exist_ok=True)
    body = CertificatesProbe().item().body
    for directory in ("/etc/", "/usr/local/", "/var/lib/"):
        body = body.replace(directory, f"{root}{directory}")
    done = subprocess.run(
        [shutil.which(words[0]) or "", *words[1:], "-c", body],
        capture_output=True,
        timeout=60,
        env=environment(name, tmp_path),
        check=True,
    )
    assert done.stderr == b""
    return done.stdout


def search(name: str, tmp_path: Path) -> Certificates:
    found = CertificatesProbe().parse(answer(name, tmp_path).decode("utf-8", "backslashreplace"))
    assert isinstance(found, Certificates), found
    return found


def subjects(found: Certificates, path: Path) -> list[object]:
    return [
        c.subject if isinstance(c, Certificate) else c.reason
        for c in found.files[str(path)].certificates
    ]


def is_public(line: bytes) -> bool:
    """Return whether a line of a private key is of its public half, which certificates hold too."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    keys = (key.public_key().public_bytes(encoding, form) for key in (KEY, SMALL_KEY))
    return len(line) <= 20 or any(base64.b64decode(line + b"==")[1:-1] in key for key in keys)


@pytest.mark.ac("engine-19")
@pytest.mark.parametrize("name", SHELLS)
def test_no_private_key_leaves_the_host(name: str, tmp_path: Path) -> None:
    root = tmp_path / "host"
    anchors = "/etc/pki/ca-trust/source/anchors"
    der = certificate("der").public_bytes(serialization.Encoding.DER)
    secrets: list[bytes] = []
    for form, text in private_forms().items():
        body = b"".join(line + b"\n" for line in text.splitlines() if b"-----" not in line)
        secrets += [line for line in body.splitlines() if not is_public(line)]
        write(root, f"{anchors}/after-{form}", pem("after") + text)
        write(root, f"{anchors}/before-{form}", text + pem("before"))
        write(root, f"{anchors}/between-{form}", pem("one") + text + pem("two"))
        write(root, f"{anchors}/alone-{form}", text)
        write(root, f"{anchors}/unended-{form}", b"-----BEGIN CERTIFICATE-----\n" + text)
        write(root, f"{anchors}/crlf-{form}", (text + pem("crlf")).replace(b"\n", b"\r\n"))
        if form != "closed":
            # Marks that lie: a key that says that it is a certificate.
            mark = b"-----%s CERTIFICATE-----\n"
            write(root, f"{anchors}/lie-{form}", mark % b"BEGIN" + body + mark % b"END")
    raw = KEY.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(root, f"{anchors}/alone.der", raw)
    write(root, f"{anchors}/both.der", der + raw)
    write(root, "/etc/nginx/nginx.conf", f"ssl_certificate_key {root}/etc/nginx/server.key;\n")
    write(root, "/etc/nginx/server.key", private_forms()["pkcs8"])
    said = answer(name, tmp_path)
    assert b"PRIVATE" not in said
    assert len(secrets) > 80
    assert [secret for secret in secrets if secret in said] == []
    digits = said.replace(b" ", b"").replace(b"\n", b"")
    assert raw[26:58].hex().encode() not in digits
    assert der[26:58].hex().encode() in digits
    found = CertificatesProbe().parse(said.decode())
    assert isinstance(found, Certificates)
    assert subjects(found, root / f"{anchors[1:]}/between-pkcs8") == ["CN=one", "CN=two"]
    assert subjects(found, root / f"{anchors[1:]}/both.der") == ["CN=der"]
    assert subjects(found, root / f"{anchors[1:]}/lie-pkcs8") == [Reason.UNPARSABLE]
    assert subjects(found, root / f"{anchors[1:]}/crlf-pkcs8") == ["CN=crlf"]
    assert found.files[str(root / f"{anchors[1:]}/after-pkcs1")].holds_key
    key = found.files[f"{root}/etc/nginx/server.key"]
    assert key.certificates == ()
    assert key.mode == 0o640


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize("name", SHELLS)
def test_what_services_are_configured_with(name: str, tmp_path: Path) -> None:
    root = tmp_path / "host"
    files = {
        "/etc/postfix/main.cf": "# smtpd_tls_cert_file = /c\nsmtpd_tls_cert_file = /old\n"
        "smtpd_tls_chain_files =\n  /a,\n# no\n  /b\nsmtpd_tls_key_file = $smtpd_tls_cert_file\n"
        "smtpd_tls_cert_file=/new\n",
        "/etc/rsyslog.conf": 'global(\n DefaultNetstreamDriverCAFile="/ca 1"\n'
        ' DefaultNetstreamDriverCertFile="/cert" DefaultNetstreamDriverKeyFile="/key")\n'
        "$DefaultNetstreamDriverCAFile /legacy\n"
        '#global(DefaultNetstreamDriverCAFile="/commented")\n',
        "/etc/sssd/sssd.conf": "[domain/x]\nldap_tls_cacert = /sssd ca\n;ldap_tls_cert = /no\n",
        "/etc/nginx/conf.d/a.conf": "server { ssl_certificate a.pem; ssl_certificate_key /k; }\n"
        '# ssl_certificate /no;\nssl_certificate "/quoted name";\nssl_certificate $x.pem; # y\n',
        "/etc/httpd/conf.d/ssl.conf": "  sslcertificatefile /httpd\nSSLCertificateFile rel\n",
        "/etc/dovecot/conf.d/10-ssl.conf": "ssl_cert = </dovecot\nssl_key = </dovecot.key\n",
        "/etc/nginx/nginx.conf": "http { include mime.types; include /srv/*.conf; }\n",
        "/etc/apache2/apache2.conf": "IncludeOptional sites-enabled/*.conf\n",
        "/etc/rsyslog.d/x.conf": 'include(file="/srv/rsyslog")\n$IncludeConfig /srv/legacy\n',
        "/etc/dovecot/dovecot.conf": "!include conf.d/*.conf\n!include_try /srv/local\n",
        "/etc/vsftpd.conf": "rsa_cert_file=/vsftpd\n",
        "/etc/ldap/ldap.conf": "TLS_CACERT\t/ldap\n",
    }
    for path, text in files.items():
        write(root, path, text)
    uses = search(name, tmp_path).uses
    assert {(u.service, u.role, u.path.replace(str(root), "")) for u in uses} == {
        ("postfix", "own", "/old"), ("postfix", "own", "/new"), ("postfix", "own", "/a"),
        ("postfix", "own", "/b"), ("postfix", "key", "$smtpd_tls_cert_file"),
        ("rsyslog", "authority", "/ca 1"), ("rsyslog", "own", "/cert"), ("rsyslog", "key", "/key"),
        ("rsyslog", "authority", "/legacy"), ("sssd", "authority", "/sssd ca"),
        ("nginx", "own", "/etc/nginx/a.pem"), ("nginx", "key", "/k"),
        ("nginx", "own", "/quoted name"), ("nginx", "own", "$x.pem"),
        ("apache", "own", "/httpd"), ("apache", "own", "/etc/httpd/rel"),
        ("dovecot", "own", "/dovecot"), ("dovecot", "key", "/dovecot.key"),
        ("nginx", "include", "/etc/nginx/mime.types"), ("nginx", "include", "/srv/*.conf"),
        ("apache", "include", "/etc/apache2/sites-enabled/*.conf"),
        ("rsyslog", "include", "/srv/rsyslog"), ("rsyslog", "include", "/srv/legacy"),
        ("dovecot", "include", "/etc/dovecot/conf.d/*.conf"), ("dovecot", "include", "/srv/local"),
        ("vsftpd", "own", "/vsftpd"), ("ldap", "authority", "/ldap"),
    }  # fmt: skip
    assert {u.line for u in uses if u.path.endswith("/new")} == {8}


@pytest.mark.ac("engine-07")
@pytest.mark.parametrize("name", SHELLS)
def test_what_is_no_certificate_is_told(name: str, tmp_path: Path) -> None:
    root = tmp_path / "host"
    anchors = "/etc/pki/trust/anchors"
    garbage = write(root, f"{anchors}/garbage", bytes(range(256)) * 20)
    empty = write(root, f"{anchors}/empty", "")
    large = write(root, f"{anchors}/large", pem("x") + b"#" * 5_000_000)
    many = write(root, f"{anchors}/many", pem("x", SMALL_KEY) * 70)
    damaged = write(root, f"{anchors}/damaged", pem("x").replace(b"AwIBAg", b"AwIBBg"))
    write(root, f"{anchors}/README", "no certificate\n")
    target = write(root, "/etc/target", pem("target"))
    link = root / f"{anchors[1:]}/link"
    link.symlink_to(target)
    (root / f"{anchors[1:]}/nowhere").symlink_to("/nowhere")
    (root / f"{anchors[1:]}/directory").mkdir()
    os.mkfifo(root / f"{anchors[1:]}/pipe")
    bundle = write(root, "/etc/ssl/certs/ca-certificates.crt", pem("bundle") * 100)
    gone = f"{root}/etc/gone"
    write(root, "/etc/vsftpd.conf", f"rsa_cert_file={gone}\n")
    write(root, "/etc/ldap/ldap.conf", f"TLS_CACERT {bundle}\n")
    own = write(root, "/etc/ssl/certs/own.pem", pem("own"))
    (root / "etc/ssl/certs/0123abcd.0").symlink_to("own.pem")
    local = write(root, "/usr/local/share/ca-certificates/deep/er/a b.crt", pem("local"))
    write(root, "/usr/local/share/ca-certificates/a.pem", pem("not taken"))
    found = search(name, tmp_path)
    assert found.files[str(garbage)].certificates == found.files[str(empty)].certificates == ()
    for path in (large, many):
        problem = found.files[str(path)].problem
        assert isinstance(problem, CouldNot)
        assert problem.reason is Reason.TRUNCATED
    assert len(found.files[str(many)].certificates) == 64
    assert subjects(found, damaged) == [Reason.UNPARSABLE]
    assert subjects(found, link) == ["CN=target"]
    assert subjects(found, own) == ["CN=own"]
    assert subjects(found, local) == ["CN=local"]
    assert not found.files[gone].exists
    assert found.files[str(bundle)].bundle
    assert not found.files[str(bundle)].certificates
    assert {u.path.rpartition("/")[2] for u in found.uses if u.role == "anchor"} == {
        "garbage", "empty", "large", "many", "damaged", "link", "own.pem", "a b.crt",
        "ca-certificates.crt",
    }  # fmt: skip


@pytest.mark.ac("engine-14")
def test_cockpit_shows_the_last_certificate(tmp_path: Path) -> None:
    root = tmp_path / "host"
    write(root, "/etc/cockpit/ws-certs.d/0-self-signed.cert", pem("first"))
    write(root, "/etc/cockpit/ws-certs.d/0-self-signed.key", "key")
    last = write(root, "/etc/cockpit/ws-certs.d/50-site.crt", pem("last"))
    key = write(root, "/etc/cockpit/ws-certs.d/50-site.key", "key")
    found = search("dash", tmp_path)
    assert [(u.role, u.path) for u in found.uses] == [("own", str(last)), ("key", str(key))]


@pytest.mark.ac("engine-13")
def test_an_unchanged_host_gives_the_same_answer(tmp_path: Path) -> None:
    write(tmp_path / "host", "/etc/pki/trust/anchors/a", pem("a"))
    assert answer("dash", tmp_path) == answer("dash", tmp_path)

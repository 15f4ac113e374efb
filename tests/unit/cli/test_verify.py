"""`openwatch verify` as a person runs it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner, Result

from openwatch.cli.verify import app
from openwatch.engine.interchange.bundle import key_id
from openwatch.kit.errors import OpenWatchError
from tests.unit.engine.interchange.test_bundle import PUBLIC_KEY, bundle


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scan.json"
    path.write_bytes(bundle())
    return path


@pytest.mark.ac("evidence-08")
def test_a_whole_bundle_is_proven(file: Path) -> None:
    result = run(str(file))
    assert result.exit_code == 0
    assert "verified" in result.output
    assert "web-1" in result.output
    assert "2: 1 fail, 1 pass" in result.output
    assert "follows" in result.output


@pytest.mark.ac("evidence-09")
def test_a_changed_bundle_is_refuted(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    result = run(str(file))
    assert result.exit_code == 1
    assert "NOT verified" in result.output


@pytest.mark.ac("evidence-10")
def test_without_a_key_it_is_said_that_the_signer_is_not_proven(file: Path) -> None:
    assert "not compared with any key" in run(str(file)).output


@pytest.mark.ac("evidence-10")
def test_the_key_can_be_given_in_every_form(file: Path, tmp_path: Path) -> None:
    pem = Ed25519PublicKey.from_public_bytes(PUBLIC_KEY).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key.pem").write_bytes(pem)
    forms = (
        key_id(PUBLIC_KEY),
        base64.b64encode(PUBLIC_KEY).decode(),
        pem.decode(),
        str(tmp_path / "key.pem"),
    )
    for form in forms:
        result = run(str(file), "--key", form)
        assert result.exit_code == 0, result.output
        assert "not compared" not in result.output


@pytest.mark.ac("evidence-10")
def test_another_key_refutes(file: Path) -> None:
    result = run(str(file), "--key", base64.b64encode(bytes(32)).decode())
    assert result.exit_code == 1
    assert "not by the expected key" in result.output


def test_what_is_no_key_is_told(file: Path) -> None:
    result = run(str(file), "--key", "id_ed25519.pub")
    assert isinstance(result.exception, OpenWatchError)
    assert result.exception.code == "bundle.key_invalid"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run(str(tmp_path / "missing.json"))
    assert result.exit_code == 2
    assert "no such file" in result.output


def test_the_answer_can_be_json(file: Path) -> None:
    answer = json.loads(run(str(file), "--format", "json").output)
    assert answer["verified"] is True
    assert answer["verdicts"] == {"fail": 1, "pass": 1}
    file.write_bytes(b"{}")
    result = run(str(file), "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.output)["code"] == "bundle.not_a_bundle"


def test_text_of_a_bundle_cannot_steer_the_terminal() -> None:
    from openwatch.cli.verify import _shown

    assert "\x1b" not in _shown("web\x1b[2J")

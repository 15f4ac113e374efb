from pathlib import Path

import pytest

from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OPENWATCH_{name.upper()}", raising=False)


def test_defaults_serve_this_machine_only() -> None:
    settings = load_settings()
    assert settings.base_url == "http://127.0.0.1:8765"
    assert settings.is_loopback
    assert not settings.serves_tls


@pytest.mark.parametrize(
    ("host", "loopback", "url"),
    [
        ("127.9.9.9", True, "http://127.9.9.9:8765"),
        ("::1", True, "http://[::1]:8765"),
        ("localhost", True, "http://localhost:8765"),
        ("0.0.0.0", False, "https://127.0.0.1:8765"),
        ("10.0.0.5", False, "https://10.0.0.5:8765"),
        ("scanner.example", False, "https://scanner.example:8765"),
    ],
)
@pytest.mark.ac("bootstrap-10")
def test_an_address_that_others_reach_is_served_over_tls(
    monkeypatch: pytest.MonkeyPatch, host: str, loopback: bool, url: str
) -> None:
    monkeypatch.setenv("OPENWATCH_HOST", host)
    settings = load_settings()
    assert (settings.is_loopback, settings.serves_tls) == (loopback, not loopback)
    assert settings.base_url == url


def test_all_wrong_settings_are_named_together_and_no_value_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENWATCH_PORT", "hunter2")
    monkeypatch.setenv("OPENWATCH_LOG_LEVEL", "loud")
    with pytest.raises(OpenWatchError) as caught:
        load_settings()
    assert caught.value.code == "settings.invalid"
    assert "OPENWATCH_PORT" in caught.value.message
    assert "OPENWATCH_LOG_LEVEL" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENWATCH_PORT", "")
    assert load_settings().port == 8765


def test_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENWATCH_DATA_DIR", "data")
    assert load_settings().data_dir == tmp_path / "data"


def test_the_database_password_is_not_in_the_representation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENWATCH_DATABASE_URL", "postgresql://u:hunter2@db/openwatch")
    assert "hunter2" not in repr(load_settings())

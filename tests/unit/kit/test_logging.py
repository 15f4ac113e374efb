import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from openwatch.kit import logging as kit_logging


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(log_format: str, **values: object) -> str:
    stream = io.StringIO()
    kit_logging.configure(level="info", log_format=log_format, stream=stream)  # type: ignore[arg-type]
    kit_logging.get_logger("test").info("signed in", **values)
    return stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.ac("bootstrap-12")
def test_values_under_secret_names_are_never_written(log_format: str) -> None:
    line = logged(
        log_format,
        user="ada",
        Password="hunter2-a",
        sudo_password="hunter2-b",
        headers={"Cookie": "hunter2-c", "X-CSRF-Token": "hunter2-d", "accept": "json"},
        logins=[{"private-key": "hunter2-e"}, {"passphrase": "hunter2-f"}],
    )
    assert "hunter2" not in line
    assert "ada" in line
    assert "json" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(log_format: str) -> None:
    stream = io.StringIO()
    kit_logging.configure(log_format=log_format, stream=stream)  # type: ignore[arg-type]
    secret_value = "hunter" + "2"
    try:
        int(secret_value[:0])
    except ValueError:
        kit_logging.get_logger("test").exception("failed")
    assert "ValueError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_json_lines_carry_time_level_logger_and_bound_values() -> None:
    kit_logging.bind(request_id="r-1")
    entry = json.loads(logged("json", user="ada"))
    assert entry["event"] == "signed in"
    assert (entry["level"], entry["logger"], entry["request_id"]) == ("info", "test", "r-1")
    assert entry["timestamp"].endswith("Z")


def test_lines_of_libraries_have_the_same_form() -> None:
    stream = io.StringIO()
    kit_logging.configure(log_format="json", stream=stream)
    logging.getLogger("library").warning("pool is %s", "full")
    assert json.loads(stream.getvalue())["event"] == "pool is full"

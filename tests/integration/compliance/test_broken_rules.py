"""An installation whose rules are damaged says so, wherever they are needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from openwatch.engine.rules import corpus as module
from openwatch.jobs import worker
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.resources import corpus_dir
from openwatch.kit.settings import Settings
from tests.fixtures.api import ensure_admin, running_app

RULE = "kernel/aslr-enabled.yml"


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the corpus of which one file is cut, in place of the real one."""
    built_in = corpus_dir()
    assert built_in is not None
    copy = tmp_path / "corpus"
    shutil.copytree(built_in, copy)
    text = (copy / RULE).read_text("utf-8")
    (copy / RULE).write_text(text[: len(text) // 2], "utf-8")
    monkeypatch.setattr(module, "corpus_dir", lambda: copy)
    return copy


@pytest.mark.ac("api-13")
async def test_damaged_rules_are_named_and_do_not_take_the_rest_along(
    database_url: str, tmp_path: Path, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_app(database_url, tmp_path) as api:
        await ensure_admin(api.database)
        await api.sign_in()
        for path in ("/api/v1/rules", "/api/v1/frameworks"):
            answer = await api.client.get(path)
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (503, "rules.unusable")
            assert RULE in problem["detail"]
            assert "rules lint" in problem["fix"]
        assert (await api.client.get("/api/v1/hosts")).status_code == 200
        shutil.copyfile(Path(str(corpus_dir())) / RULE, damaged / RULE)
        assert (await api.client.get("/api/v1/rules")).status_code == 200
    lines = [line for line in capsys.readouterr().err.splitlines() if "rules.unusable" in line]
    assert lines, "the log of the start does not tell"
    assert RULE in lines[0]


@pytest.mark.ac("api-13")
@pytest.mark.usefixtures("damaged")
async def test_a_worker_does_not_start_with_damaged_rules(
    database_url: str, tmp_path: Path
) -> None:
    with pytest.raises(OpenWatchError) as caught:
        await worker.run(Settings(data_dir=tmp_path, database_url=database_url))
    assert caught.value.code == "rules.unusable"
    assert RULE in caught.value.message

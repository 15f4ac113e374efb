"""Every error of the transports is a sentence and an advice, whatever is filled in."""

from __future__ import annotations

from string import Formatter

import pytest

from openwatch.engine.transport import errors
from openwatch.kit.errors import ErrorKind, OpenWatchError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, ErrorKind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_it_is_one_sentence_with_what_to_do_next(kind: ErrorKind) -> None:
    names = {
        name
        for text in (kind.message, kind.fix)
        for _, name, _, _ in Formatter().parse(text)
        if name
    }
    values = {name: 10.0 if name == "seconds" else "something" for name in names}
    values |= {"advice": "Do something."}
    error = OpenWatchError(kind, **values)
    for text in (error.message, error.fix):
        assert text.endswith((".", ")"))
        assert "{" not in text
        assert len(text) < 400
    assert kind.status in {422, 500, 502, 504}


def test_codes_name_what_they_concern() -> None:
    families = {kind.code.partition(".")[0] for kind in KINDS}
    assert families == {"host", "credential", "auth", "privilege"}

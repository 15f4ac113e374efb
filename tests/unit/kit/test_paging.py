import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.kit.errors import OpenWatchError
from openwatch.kit.paging import CURSOR_INVALID, decode_cursor, encode_cursor

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.lists(scalars))
def test_a_cursor_gives_back_its_values(values: list[object]) -> None:
    cursor = encode_cursor(values)
    assert decode_cursor(cursor, length=len(values)) == values
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&? ")


@given(st.text())
def test_any_other_text_is_refused_or_is_a_list(text: str) -> None:
    try:
        values = decode_cursor(text)
    except OpenWatchError as error:
        assert error.kind == CURSOR_INVALID  # noqa: PT017 - a list is an answer too
    else:
        assert isinstance(values, list)


@pytest.mark.parametrize("cursor", ["", "!!", "eyJhIjoxfQ", "ü", "bnVsbA"])
def test_what_is_not_a_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(OpenWatchError):
        decode_cursor(cursor)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(OpenWatchError):
        decode_cursor(encode_cursor(["web-1"]), length=2)

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError


def test_rfc_8785_example() -> None:
    # RFC 8785, section 3.2.2 and 3.2.3
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],'
        '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_keys_sort_by_utf_16_code_units() -> None:
    # RFC 8785, section 3.2.3: U+1F600 is a surrogate pair (D83D ...) and sorts before U+FB33
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2}) == '{"😀":2,"\ufb33":1}'.encode()


def test_order_of_insertion_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": [1, 2]}) == canonical_json({"a": [1, 2], "b": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", object()])
def test_what_json_cannot_hold_exactly_is_refused(value: object) -> None:
    with pytest.raises(OpenWatchError) as caught:
        canonical_json({"value": value})
    assert caught.value.code == "canonical.unsupported_value"


_TEXT = st.text() | st.sampled_from(
    ["\x00\x1f\x7f", '"\\/', "\u2028\u2029", "\ufb33", "\U0001f600"]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | _TEXT
    | st.floats(allow_nan=False, allow_infinity=False)
)
_DOCUMENTS = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_DOCUMENTS)
def test_the_fast_way_and_the_library_write_the_same_bytes(document: Any) -> None:
    assert canonical_json(document) == rfc8785.dumps(document)


def test_every_character_is_written_as_the_library_does() -> None:
    text = "".join(chr(code) for code in range(0x3000) if not 0xD800 <= code < 0xE000)
    assert canonical_json([text, {"key": text}]) == rfc8785.dumps([text, {"key": text}])

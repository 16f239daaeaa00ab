"""JSON patches: RFC 6902, and what a stranger may write instead."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.errors import ApiError
from lambent.stacks.cloud_control.patching import BYTES_MAX, patched
from tests.lengths import examples

BEFORE: dict[str, Any] = {"a": 1, "l": [1, 2], "o": {"x/y": {"~": True}}}


@pytest.mark.parametrize(
    ("operations", "after"),
    [
        ([{"op": "add", "path": "/b", "value": [None]}], {**BEFORE, "b": [None]}),
        ([{"op": "add", "path": "/a", "value": 2}], {**BEFORE, "a": 2}),
        ([{"op": "add", "path": "/l/-", "value": 3}], {**BEFORE, "l": [1, 2, 3]}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {**BEFORE, "l": [0, 1, 2]}),
        ([{"op": "add", "path": "/l/2", "value": 3}], {**BEFORE, "l": [1, 2, 3]}),
        ([{"op": "remove", "path": "/l/0"}], {**BEFORE, "l": [2]}),
        ([{"op": "replace", "path": "/o/x~1y/~0", "value": 1}], {**BEFORE, "o": {"x/y": {"~": 1}}}),
        ([{"op": "replace", "path": "", "value": {"z": 1}}], {"z": 1}),
        ([{"op": "move", "from": "/a", "path": "/b"}], {"b": 1, "l": [1, 2], "o": BEFORE["o"]}),
        ([{"op": "move", "from": "/l/0", "path": "/l/1"}], {**BEFORE, "l": [2, 1]}),
        ([{"op": "move", "from": "/l/9", "path": "/l/1"}], None),
        ([{"op": "copy", "from": "/l", "path": "/m"}], {**BEFORE, "m": [1, 2]}),
        (
            [{"op": "copy", "from": "/l", "path": "/m"}, {"op": "remove", "path": "/m/0"}],
            {**BEFORE, "m": [2]},
        ),
        ([{"op": "test", "path": "/a", "value": 1.0}], BEFORE),
        ([{"op": "test", "path": "/a", "value": True}], None),
        ([{"op": "test", "path": "/o", "value": {"x/y": {"~": 1}}}], None),
        ([{"op": "remove", "path": ""}], None),
        ([{"op": "remove", "path": "/none"}], None),
        ([{"op": "remove", "path": "/l/-"}], None),
        ([{"op": "replace", "path": "/l/01", "value": 1}], None),
        ([{"op": "replace", "path": "/l/-1", "value": 1}], None),
        ([{"op": "replace", "path": "/none", "value": 1}], None),
        ([{"op": "add", "path": "/l/3", "value": 1}], None),
        ([{"op": "add", "path": "/none/x", "value": 1}], None),
        ([{"op": "add", "path": "/a/x", "value": 1}], None),
        ([{"op": "add", "path": "/b"}], None),
        ([{"op": "add", "path": "b", "value": 1}], None),
        ([{"op": "add", "path": 1, "value": 1}], None),
        ([{"op": "move", "from": "/o", "path": "/o/x"}], None),
        ([{"op": "move", "from": "", "path": "/o"}], None),
        ([{"op": "replace", "path": "", "value": []}], None),
        ([{"op": "addne", "path": "/b", "value": 1}], None),
        ([{"op": ["add"], "path": "/b", "value": 1}], None),
        ([1], None),
        ([], None),
        ({"op": "remove", "path": "/a"}, None),
        ([{"op": "test", "path": "/a", "value": 1}] * 101, None),
        ([{"op": "add", "path": "/b", "value": 10**30}], None),
        ([{"op": "add", "path": "/b", "value": "\ud800"}], None),
    ],
)
def test_a_patch(operations: Any, after: Any) -> None:
    """None: it is refused. What was there before stays as it was."""
    before = json.dumps(BEFORE)
    if after is None:
        with pytest.raises(ApiError) as refused:
            patched(BEFORE, json.dumps(operations))
        assert refused.value.code == "InvalidRequestException"
    else:
        assert json.dumps(patched(BEFORE, json.dumps(operations)), sort_keys=True) == json.dumps(
            after, sort_keys=True
        )
    assert json.dumps(BEFORE) == before


@pytest.mark.parametrize(
    "patch",
    [
        '[{"op": "add", "path": "/b", "value": NaN}]',
        "[" * 100_000,
        "",
        json.dumps([{"op": "copy", "from": "", "path": path} for path in ("/b", "/c")] * 50),
        json.dumps([{"op": "copy", "from": "/l", "path": "/l/-"}] * 100),
        json.dumps([{"op": "add", "path": "/b", "value": "x" * BYTES_MAX}]),
        '[{"op": "add", "path": "/b", "value": ' + "[" * 500 + "]" * 500 + "}]",
    ],
)
def test_a_hostile_patch_is_refused(patch: str) -> None:
    """A patch that doubles what is there, or nests it, costs no more than what may be stored."""
    with pytest.raises(ApiError) as refused:
        patched(BEFORE, patch)
    assert refused.value.code == "InvalidRequestException"


POINTERS = st.sampled_from(
    ["", "/a", "/b", "/l", "/l/0", "/l/-", "/o", "/o/x~1y", "/o/x", "/l/0/a"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": VALUES,
    }
)


@settings(max_examples=examples(200))
@given(st.lists(OPERATIONS, max_size=6))
def test_any_patch_is_applied_or_refused(operations: list[Any]) -> None:
    """Never anything else, and what was there before stays as it was."""
    before = json.dumps(BEFORE)
    try:
        assert isinstance(patched(BEFORE, json.dumps(operations)), dict)
    except ApiError as error:
        assert error.code == "InvalidRequestException"
    assert json.dumps(BEFORE) == before

"""Tags of users and roles."""

from typing import Any

import pytest

from lambent.control.identity_tags import changed_tags
from lambent.model.errors import ApiError


def tagged(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"Tags": [{"Key": key, "Value": value} for key, value in pairs]}


def test_keys_do_not_differ_by_case() -> None:
    """A tag replaces the one whose key differs in case only, and is removed by any of its cases."""
    assert changed_tags({"Team": "a", "x": "1"}, tagged(("TEAM", "b"))) == {"x": "1", "TEAM": "b"}
    assert changed_tags({"Team": "a", "x": "1"}, {"TagKeys": ["team", "none"]}) == {"x": "1"}
    assert changed_tags({"x": "1"}, {}) == {"x": "1"}


@pytest.mark.parametrize(
    "params",
    [
        tagged(("a", "1"), ("A", "2")),
        tagged(("aws:x", "1")),
        tagged(("AWS:x", "1")),
        tagged(*((f"k{number}", "") for number in range(51))),
    ],
)
def test_what_is_refused(params: dict[str, Any]) -> None:
    """A key given twice, one that is reserved, and more than fifty."""
    with pytest.raises(ApiError):
        changed_tags({}, params)

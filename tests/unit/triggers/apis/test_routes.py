"""The most specific route of an HTTP API wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.triggers.apis.http.routes import RouteTable

DOCUMENTED = [
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "ANY /{proxy+}",
    "$default",
]


def find(keys: list[str], method: str, path: str) -> tuple[str, dict[str, str]] | None:
    found = RouteTable((key, key) for key in keys).find(method, path)
    return None if found is None else (found.route, dict(found.parameters))


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("POST", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET", "/", "$default", {}),
    ],
)
def test_documented_ranking(method: str, path: str, route: str, parameters: dict[str, str]) -> None:
    """AWS's example, and what falls through it."""
    assert find(DOCUMENTED, method, path) == (route, parameters)


@pytest.mark.parametrize(
    ("keys", "request_", "found"),
    [
        (["GET /a/{x}/c", "GET /{y}/b/c"], "GET /a/b/c", ("GET /a/{x}/c", {"x": "b"})),
        (["ANY /a", "GET /a"], "GET /a", ("GET /a", {})),
        (["ANY /a", "GET /a"], "POST /a", ("ANY /a", {})),
        (["POST /a/b", "GET /a/{x}"], "GET /a/b", ("GET /a/{x}", {"x": "b"})),
        (["GET /a/b/c", "GET /a/{x+}"], "GET /a/b/d", ("GET /a/{x+}", {"x": "b/d"})),
        (["GET /a/{x+}", "GET /{y}/b"], "GET /a/b", ("GET /a/{x+}", {"x": "b"})),
        (["GET /a"], "GET /a/", None),
        (["GET /a/"], "GET /a/", ("GET /a/", {})),
        (["GET /a/{x}"], "GET /a/", None),
        (["GET /a/{x+}"], "GET /a/", None),
        (["GET /a/{x+}"], "GET /a", None),
        (["GET /"], "GET /", ("GET /", {})),
        (["GET /a/{x+}"], "GET /a//b/../c/", ("GET /a/{x+}", {"x": "/b/../c/"})),
        (["GET /a/b"], "GET /a//b", None),
        (["GET /a/b"], "GET /A/b", None),
        (["GET /a"], "get /a", None),
    ],
)
def test_other_rules(
    keys: list[str], request_: str, found: tuple[str, dict[str, str]] | None
) -> None:
    """Methods, ends, encodings. Nothing is normalized: a proxy that did would see other paths."""
    method, _, path = request_.partition(" ")
    assert find(keys, method, path) == found


segment = st.sampled_from(["a", "b", "{x}", ""])
keys = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "ANY"]),
        st.lists(segment, min_size=1, max_size=4),
        st.booleans(),
    ),
    max_size=8,
)


def spell(method: str, segments: list[str], is_greedy: bool) -> str:
    named = [f"{{v{at}}}" if text == "{x}" else text for at, text in enumerate(segments)]
    return f"{method} /{'/'.join([*named, *(['{rest+}'] if is_greedy else [])])}"


def fits(key: str, method: str, path: str) -> bool:
    """Whether a route would serve a request if it were alone."""
    wanted, _, pattern = key.partition(" ")
    if wanted not in (method, "ANY"):
        return False
    parts, given = pattern[1:].split("/"), path[1:].split("/")
    if parts[-1].endswith("+}"):
        head = parts[:-1]
        rest = given[len(head) :]
        if not rest or rest == [""]:
            return False
        given = given[: len(head)]
        parts = head
    return len(parts) == len(given) and all(
        bool(value) if part.startswith("{") else part == value
        for part, value in zip(parts, given, strict=True)
    )


@given(
    keys,
    st.sampled_from(["GET", "POST"]),
    st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=5),
)
def test_a_route_is_found_if_any_fits(
    described: list[tuple[str, list[str], bool]], method: str, segments: list[str]
) -> None:
    """And only one that fits; no literal segment loses to a variable at the first difference."""
    names = sorted({spell(*route) for route in described})
    path = f"/{'/'.join(segments)}"
    found = find(names, method, path)
    fitting = [name for name in names if fits(name, method, path)]
    if found is None:
        assert not fitting
        return
    assert found[0] in fitting
    rank = _rank(found[0])
    assert all(rank <= _rank(name) for name in fitting)


def _rank(key: str) -> tuple[list[int], int]:
    method, _, path = key.partition(" ")
    ranks = [
        2 if part.endswith("+}") else 1 if part.startswith("{") else 0
        for part in path[1:].split("/")
    ]
    return ranks, int(method == "ANY")


def test_a_long_path_costs_little() -> None:
    """Every branch is tried at most once for each segment."""
    names = [f"GET /{'/'.join(['{x}'] * n)}/end" for n in range(1, 60)] + ["GET /{proxy+}"]
    assert find(names, "GET", "/a" * 5000) == ("GET /{proxy+}", {"proxy": ("a/" * 5000)[:-1]})

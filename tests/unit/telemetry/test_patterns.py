"""CloudWatch Logs filter patterns."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import ApiError
from lambent.telemetry.expressions import compile_expression
from lambent.telemetry.patterns import compile_extraction, compile_pattern, compile_value


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] x", True),
        ("ERROR", "[error] x", False),
        ("ERROR x", "x, an ERROR", True),
        ("ERROR y", "x, an ERROR", False),
        ('"an ERROR"', "x, an ERROR", True),
        ('"ERROR an"', "x, an ERROR", False),
        ('"say \\"hi\\""', 'say "hi"', True),
        ("ERROR -x", "x, an ERROR", False),
        ("ERROR -y", "x, an ERROR", True),
        ('-"an ERROR"', "x, an ERROR", False),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ("%ERR|WARN%", "a WARN", True),
        ("%ERR|WARN%", "a W", False),
        (r"%\d{1,3}\.\d{1,3}% from", "from 10.2", True),
        ("-%[Ee]rr%", "Error", False),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    """Words, phrases, exclusions, alternatives and regular expressions."""
    assert compile_pattern(pattern)(message) is expected


DOCUMENT = {
    "level": "ERROR",
    "text": "a && b",
    "quoted": 'say "hi"',
    "code": 404,
    "ok": False,
    "user": {"names": ["ada", "bob"], "id": 7},
    "ip": "10.0.0.1",
    "nothing": None,
    "a.b": 1,
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERROR }", True),
        ('{$.level="WARN"}', False),
        ('{ $.level != "WARN" }', True),
        ('{ $.missing != "WARN" }', False),
        ("{ $.code = 404 }", True),
        ("{ $.code >= 400 && $.code < 500 }", True),
        ("{ $.code > 404 }", False),
        ('{ $.code > 404 || $.level = "ERROR" }', True),
        ('{ $.code = 1 && $.code = 2 || $.level = "ERROR" }', True),
        ('{ ($.code = 404) && (($.level = "WARN") || ($.user.id = 7)) }', True),
        ('{ $.code = 1 && ($.code = 2 || $.level = "ERROR") }', False),
        ("{ $.ok = false }", True),
        ("{ $.ok = true }", False),
        ('{ $.user.names[1] = "bob" }', True),
        ('{ $.user.names[2] = "bob" }', False),
        ('{ $.ip = "10.*" }', True),
        ("{ $.ip = *.0.* }", True),
        ('{ $.ip = "10.*.2" }', False),
        ('{ $.ip = "10.0.0.1*10.0.0.1" }', False),
        ('{ $.text = "a && b" }', True),
        ('{ $.quoted = "say \\"hi\\"" }', True),
        ("{ $.nothing IS NULL }", True),
        ("{ $.missing IS NULL }", False),
        ("{ $.level IS NULL }", False),
        ("{ $.ok IS FALSE }", True),
        ("{ $.ok IS TRUE }", False),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ("{ $.nothing NOT EXISTS && $.code = 404 }", False),
        ("{ $.level = %^ERR|WARN% }", True),
        ("{ $.level != %ERR% }", False),
        ("{ $.ip = %10[.]0% && $.code = 404 }", True),
        ("{ $.['a.b'] = 1 }", True),
        ("{ $.code = * }", True),
        ("{ $.missing = * }", False),
    ],
)
def test_json(pattern: str, expected: bool) -> None:
    """Conditions on members of a message that is JSON."""
    assert compile_pattern(pattern)(json.dumps(DOCUMENT)) is expected


LINE = '127.0.0.1 frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, timestamp, request, status_code, bytes]", True),
        ("[ip, user, timestamp, request, status_code]", False),
        ("[ip, user, timestamp, request, status_code = 4*, bytes]", True),
        ("[ip, user, timestamp, request, status_code = 5*, bytes]", False),
        ("[ip, user, timestamp, request, status_code = 404, bytes > 1000]", True),
        ("[ip, user, timestamp, request, status_code = 404, bytes > 2000]", False),
        ("[ip, user, timestamp, request = *.html*, status_code = 4*, ...]", True),
        ("[..., status_code != 404, bytes]", False),
        ("[ip = 127*, ..., bytes <= 1534]", True),
        ("[ip = %127\\.0\\.0\\.[1-3]%, ...]", True),
        ("[..., status = 400 || status = 404, bytes]", True),
        ("[..., status >= 400 && status < 500, bytes]", True),
        ("[..., status >= 400 && status != 404, bytes]", False),
        ('[ip, user = "frank", ...]', True),
        ("[ip, , , , , bytes]", True),
        ("[a, b, c, d, e, f, ...]", True),
        ("[a, b, c, d, e, f, ..., g]", False),
    ],
)
def test_fields_between_spaces(pattern: str, expected: bool) -> None:
    """By position, with conditions on each."""
    assert compile_pattern(pattern)(LINE) is expected


def test_what_patterns_extract() -> None:
    """Fields by name, members by selector, and nothing from terms."""
    assert compile_extraction("[ip, ..., status = 4*, bytes]")(LINE) == {
        "$ip": "127.0.0.1",
        "$status": "404",
        "$bytes": "1534",
    }
    assert compile_extraction("[..., status = 5*, bytes]")(LINE) is None
    message = json.dumps({"a": {"b": 1.5}, "c": "x", "d": [1]})
    assert compile_extraction('{ $.a.b > 1 && $.c != "$.no" || $.d = 1 }')(message) == {
        "$.a.b": "1.5",
        "$.c": "x",
    }
    assert compile_extraction("GET")(LINE) == {}
    assert compile_value("{ $.c = * }", "$.a.b")(message) == "1.5"
    assert compile_value("[..., bytes]", "$bytes")(LINE) == "1534"
    for pattern, selector in (("[a, b]", "$c"), ("{ $.a = 1 }", "a"), ("ERROR", "$.a")):
        with pytest.raises(ApiError):
            compile_value(pattern, selector)


@pytest.mark.parametrize("message", ["no JSON", "[" * 100_000, "", "null", "5", '["level"]', "{"])
def test_json_patterns_do_not_match_what_is_none(message: str) -> None:
    """Text, other documents and hostile nesting match no condition."""
    assert compile_pattern('{ $.level = "ERROR" }')(message) is False


@pytest.mark.parametrize(
    "pattern",
    [
        '"open',
        "%open",
        "%(a+)+$%",
        "%a**%",
        "%[a%",
        "%a{3,1}%",
        "%a{200}%",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a = 1) }",
        "{ $.a = 1 $.b = 2 }",
        '{ $.a > "x" }',
        "{ a = 1 }",
        "{}",
        "{" + "(" * 500 + "}",
        "x" * 2000,
        "[a, b",
        "[a = ]",
        "[..., ...]",
        "[a = 1 || b = 1]",
        "[a > x]",
        "[1a]",
        "{ $.a IS }",
        "{ $.a = %a**% }",
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """With the error CloudWatch Logs has for it."""
    with pytest.raises(ApiError) as caught:
        compile_pattern(pattern)
    assert caught.value.code == "InvalidParameterException"


@given(st.text(alphabet='ab "%?-\\{}$.=&|()[]*<>!1', max_size=40), st.text(max_size=20))
def test_any_pattern_is_used_or_refused(pattern: str, message: str) -> None:
    """Nothing else happens to hostile ones."""
    try:
        matches = compile_pattern(pattern)
    except ApiError as error:
        assert error.code == "InvalidParameterException"
    else:
        assert matches(message) in (True, False)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("%a*a*a*a*a*a*a*b%", "a" * 262_144),
        ("%a{1,90}$%", "a" * 100_000 + "b"),
        ("[a, b]", "[ " * 130_000),
        ("[a, b]", '"x ' * 100_000),
        ('{ $.x = "*a*a*a*a*a*a*a*a*b" }', json.dumps({"x": "a" * 250_000})),
    ],
)
def test_every_pattern_ends_in_time(pattern: str, message: str) -> None:
    """Patterns that a backtracking engine would be busy with for years."""
    assert compile_pattern(pattern)(message) is False


ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", r"\w", "c", r"\.", r"\x61"])
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}"])
SEQUENCES = st.builds(
    lambda begin, pairs, end: begin + "".join(a + b for a, b in pairs) + end,
    st.sampled_from(["", "^"]),
    st.lists(st.tuples(ATOMS, REPEATS), min_size=1, max_size=4),
    st.sampled_from(["", "$"]),
)


@given(st.lists(SEQUENCES, min_size=1, max_size=3), st.text(alphabet="abc. ", max_size=8))
def test_expressions_mean_what_they_mean_elsewhere(parts: list[str], message: str) -> None:
    """Python's own engine is the judge."""
    expression = "|".join(parts)
    expected = re.search(expression, message) is not None
    assert expected == compile_expression(expression)(message)

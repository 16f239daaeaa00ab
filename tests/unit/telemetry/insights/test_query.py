"""Queries of CloudWatch Logs Insights, over a few events."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.telemetry.insights.query import compile_query
from lambent.telemetry.insights.records import parse_pointer
from lambent.telemetry.insights.scanner import QueryError

from .running import run

UUID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95".replace("xmpl", "1111")
REPORT = (
    f"REPORT RequestId: {UUID}\tDuration: 2.75 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB"
    "\tMax Memory Used: 56 MB\tInit Duration: 113.51 ms\t"
)
JSON = [
    json.dumps({"level": level, "code": code, "user": {"name": name}, "tags": ["a", "b"]})
    for level, code, name in (
        ("INFO", 200, "ann"),
        ("ERROR", 500, "bob"),
        ("ERROR", 404, "ann"),
        ("INFO", 201, "cid"),
    )
]


def values(query: str, messages: list[str], column: str, **options: Any) -> list[str | None]:
    """One column."""
    return [row.get(column) for row in run(query, messages, **options)]


def value(expression: str, message: str = "{}") -> str | None:
    """The value of an expression of an event."""
    return values(f"fields {expression} as x", [message], "x")[0]


def test_without_commands_the_newest_events_come_first() -> None:
    """They have a time and a message."""
    assert run("", ["one", "two"]) == [
        {"@timestamp": "2023-11-14 22:13:21.000", "@message": "two"},
        {"@timestamp": "2023-11-14 22:13:20.000", "@message": "one"},
    ]


def test_the_query_that_the_console_starts_with() -> None:
    """fields, sort, limit."""
    query = "fields @timestamp, @message, @logStream, @log | sort @timestamp asc | limit 1"
    assert run(query, ["one", "two"]) == [
        {
            "@timestamp": "2023-11-14 22:13:20.000",
            "@message": "one",
            "@logStream": "2024/01/31/[$LATEST]abc",
            "@log": "111111111111:/aws/lambda/f",
        }
    ]


def test_fields_of_lambda_are_discovered() -> None:
    """As numbers of milliseconds and bytes."""
    query = (
        "fields @type, @requestId, @duration, @billedDuration, @memorySize, @maxMemoryUsed,"
        " @initDuration"
    )
    assert run(query, [REPORT]) == [
        {
            "@type": "REPORT",
            "@requestId": UUID,
            "@duration": "2.75",
            "@billedDuration": "3",
            "@memorySize": "128000000",
            "@maxMemoryUsed": "56000000",
            "@initDuration": "113.51",
        }
    ]
    assert run("fields @type, @requestId", [f"START RequestId: {UUID} Version: $LATEST"]) == [
        {"@type": "START", "@requestId": UUID}
    ]
    assert run("fields @requestId, @type", [f"[INFO]\t2024-01-01T00:00:00Z\t{UUID}\thi"]) == [
        {"@requestId": UUID}
    ]


def test_fields_of_lambda_in_json_logs() -> None:
    """The platform's lines have them, too."""
    metrics = {"durationMs": 1.5, "memorySizeMB": 128}
    record = {"requestId": UUID, "metrics": metrics}
    line = json.dumps(
        {"time": "2024-01-01T00:00:00Z", "type": "platform.report", "record": record},
        separators=(",", ":"),
    )
    assert run("fields @type, @requestId, @duration, @memorySize, @initDuration", [line]) == [
        {"@type": "REPORT", "@requestId": UUID, "@duration": "1.5", "@memorySize": "128000000"}
    ]


def test_json_is_discovered() -> None:
    """Members of objects and lists, also after a text."""
    query = "fields user.name, tags.1, level, missing | filter code >= 500"
    assert run(query, JSON) == [{"user.name": "bob", "tags.1": "b", "level": "ERROR"}]
    assert values("fields a.b", ['prefix {"a": {"b": 7}} rest {"a": 1}'], "a.b") == ["7"]
    assert values("fields `a-b`", ['{"a-b": 1}'], "a-b") == ["1"]
    assert values("fields a", ["{" * 5000], "a") == [None]


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        ('level = "ERROR"', ["404", "500"]),
        ("level = 'ERROR' and code < 500", ["404"]),
        ("code = 200 or code = 201", ["201", "200"]),
        ("not level like /ERR/", ["201", "200"]),
        ("level not like 'ERR'", ["201", "200"]),
        ("@message like /(?i)BOB/", ["500"]),
        ("@message =~ /a.n/", ["404", "200"]),
        ("code in [200, 404]", ["404", "200"]),
        ("user.name not in ['ann']", ["201", "500"]),
        ("level in []", []),
        ("ispresent(code) and not (code > 200)", ["200"]),
        ("isPresent(missing)", []),
        ("missing = 1 or missing != 1", []),
        ("not missing = 1", []),
        ("code != 200 and (code = 404 or code = 201)", ["201", "404"]),
        ("code % 2 = 1", ["201"]),
        ("strlen(user.name) = 3 # a comment", ["201", "404", "500", "200"]),
    ],
)
def test_filters(condition: str, codes: list[str]) -> None:
    """Comparisons, like, in, and, or, not; what is missing fulfils none of them."""
    assert values(f"fields code | filter {condition}", JSON, "code") == codes


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("2 ^ 3 ^ 2", "512"),
        ("-2 + 5", "3"),
        ("7 / 2", "3.5"),
        ("10 % 3", "1"),
        ("1 / 0", None),
        ("abs(-1.5)", "1.5"),
        ("ceil(1.2) + floor(1.8)", "3"),
        ("sqrt(16)", "4"),
        ("log(0)", None),
        ("greatest(1, 10, 9)", "10"),
        ("least('b', 'a')", "a"),
        ("coalesce(missing, '', 'x')", ""),
        ("concat('a', 1, \"b\")", "a1b"),
        ("concat('a', missing)", None),
        ("strlen('häß')", "3"),
        ("toupper('a') ", "A"),
        ("tolower('ÄB')", "äb"),
        ("trim('  a ')", "a"),
        ("ltrim('xxa', 'x')", "a"),
        ("rtrim('axx', 'x')", "a"),
        ("substr('abcdef', 2)", "cdef"),
        ("substr('abcdef', 2, 3)", "cde"),
        ("replace('a-b-c', '-', '.')", "a.b.c"),
        ("strcontains('abc', 'b')", "1"),
        ("isempty('')", "1"),
        ("isblank(' ')", "1"),
        ("isempty(missing)", "1"),
        ("ispresent(missing)", "0"),
        ("isValidIp('::1')", "1"),
        ("isValidIpV4('::1')", "0"),
        ("isIpv4InSubnet('10.1.2.3', '10.0.0.0/8')", "1"),
        ("isIpv6InSubnet('10.1.2.3', '10.0.0.0/8')", "0"),
        ("fromMillis(0)", "1970-01-01 00:00:00.000"),
        ("toMillis(@timestamp)", "1700000000000"),
        ("datefloor(@timestamp, 1h)", "2023-11-14 22:00:00.000"),
        ("dateceil(@timestamp, 1h)", "2023-11-14 23:00:00.000"),
        ("bin(5m)", "2023-11-14 22:10:00.000"),
        ("now()", "1700000000"),
        ("jsonStringify(jsonParse('{\"a\": [1]}'))", '{"a":[1]}'),
        ("1 < 2", "1"),
        ("true", "1"),
        ("99999999999999999999999999 * 2", "2e+26"),
    ],
)
def test_expressions(expression: str, expected: str | None) -> None:
    """Operators and functions."""
    assert value(expression) == expected


def test_parsing_with_wildcards() -> None:
    """Each wildcard is a field; a text that does not match has none of them."""
    query = 'parse @message "user=*, method:*, took *" as user, method, took'
    assert run(f"{query} | display user, method, took", ["x user=ann, method:GET, took 5 ms"]) == [
        {"user": "ann", "method": "GET", "took": "5 ms"}
    ]
    assert run(f"{query} | display user", ["nothing"]) == [{}]
    assert run("parse '[*]' as inner | display inner", ["a [b] c"]) == [{"inner": "b"}]


def test_parsing_with_regular_expressions() -> None:
    """With names within, or after `as`."""
    query = r"parse @message /user=(?<who>\w+) n=(?<n>\d+)/ | display who, n + 1 as more"
    assert run(query, ["user=ann n=4"]) == [{"who": "ann", "more": "5"}]
    assert run(r"parse @message /(\w)(\w)/ as a, b | display b, a", ["xy"]) == [
        {"b": "y", "a": "x"}
    ]
    assert values(r"parse @message /a\/(?<rest>.*)/", ["a/b"], "rest") == ["b"]


def test_statistics() -> None:
    """All functions, over all events and by field."""
    query = (
        "stats count(*) as n, count(code), count_distinct(user.name) as people, sum(code) as total,"
        " avg(code) as mean, min(code) as low, max(code) as high, pct(code, 50) as half,"
        " stddev(code) as deviation, earliest(user.name) as first, latest(user.name) as last,"
        " max(code) - min(code) as span"
    )
    (row,) = run(query, JSON)
    deviation = float(row.pop("deviation"))
    assert deviation == pytest.approx(130.25, abs=0.01)
    assert row == {
        "n": "4",
        "count(code)": "4",
        "people": "3",
        "total": "1305",
        "mean": "326.25",
        "low": "200",
        "high": "500",
        "half": "302.5",
        "first": "ann",
        "last": "cid",
        "span": "300",
    }
    by = run("stats count(*) as n by level, user.name as who | sort n desc, who", JSON)
    assert by == [
        {"level": "INFO", "who": "ann", "n": "1"},
        {"level": "ERROR", "who": "ann", "n": "1"},
        {"level": "ERROR", "who": "bob", "n": "1"},
        {"level": "INFO", "who": "cid", "n": "1"},
    ]
    assert run("filter code = 1 | stats count(*)", JSON) == [{"count(*)": "0"}]


def test_statistics_by_time() -> None:
    """The columns of `bin` have its text as name; the newest come first."""
    assert run("stats count(*) by bin(1m)", ["a", "b", "c"], every_ms=60_000) == [
        {"bin(1m)": f"2023-11-14 22:{minute}:00.000", "count(*)": "1"} for minute in (15, 14, 13)
    ]
    query = "stats count(*) as n by bin(1m) as t | filter n > 0 | stats max(n) as most"
    assert run(query, ["a", "b"]) == [{"most": "2"}]


def test_deduplication_and_limits() -> None:
    """The newest event of each value stays; limits hold where they stand."""
    assert values("fields code | dedup level", JSON, "code") == ["201", "404"]
    query = "fields code | sort code asc | dedup user.name | limit 2"
    assert values(query, JSON, "code") == ["200", "201"]
    assert values("fields code | limit 1", JSON, "code") == ["201"]
    assert values("fields code", JSON, "code", limit=2) == ["201", "404"]
    assert values("fields code | limit 3", JSON, "code", limit=2) == ["201", "404", "500"]
    assert values("limit 2 | stats count(*) as n", JSON, "n") == ["2"]


def test_sorting_has_numbers_before_texts() -> None:
    """Numbers sort as numbers, also those in texts."""
    messages = [f'{{"v": {value}}}' for value in ('"b"', "10", '"9"', '"a"')]
    assert values("fields v | sort v", messages, "v") == ["9", "10", "a", "b"]
    many = [f'{{"v": {number * 7919 % 5000}}}' for number in range(5000)]
    assert values("fields v | sort v desc | limit 3", many, "v") == ["4999", "4998", "4997"]


@pytest.mark.parametrize(
    ("query", "start", "end", "message"),
    [
        ("fields", 6, 6, "expected an expression"),
        ("feilds @message", 0, 6, "one of the commands"),
        ("fields @message | ", 18, 18, "one of the commands"),
        ("filter a = ", 11, 11, "expected an expression"),
        ("filter (a = 1", 13, 13, "expected ')'"),
        ("filter a like b", 14, 15, "a text or a regular expression"),
        ("filter @message like /(/", 21, 24, "invalid regular expression"),
        ("filter count(*) > 1", 7, 12, "belongs into stats"),
        ("stats sum(max(a))", 10, 13, "belongs into stats"),
        ("stats nothing(a)", 6, 13, "unknown function"),
        ("fields strlen(a, b)", 7, 19, "wrong number of arguments"),
        ("stats count(*) by bin(5)", 22, 23, "a period"),
        ("stats pct(a, 101)", 13, 16, "a percentage"),
        ("limit 0", 6, 7, "a limit is from 1"),
        ("limit many", 6, 10, "a number of records"),
        ("parse @message 'a * b' as x, y", 15, 22, "1 wildcards and 2 names"),
        (r"parse @message /(\d)/", 15, 21, "a name for each"),
        ("pattern @message", 0, 7, "does not offer"),
        ("fields a ; b", 9, 10, "unexpected character"),
        ("fields a not b", 13, 14, "'like' or 'in'"),
        ("fields by", 7, 9, "expected an expression"),
        ("fields " + "(" * 100, 37, 38, "too deeply"),
        ("fields " + "not " * 100 + "a", 127, 130, "too deeply"),
        ("fields " + "-" * 100 + "1", 37, 38, "too deeply"),
        ("limit 1 |" * 60 + "limit 1", 0, 547, "more than 50 commands"),
    ],
)
def test_malformed_queries(query: str, start: int, end: int, message: str) -> None:
    """The error says where the query is wrong, and what is expected there."""
    with pytest.raises(QueryError) as caught:
        compile_query(query, limit=None, now_ms=0)
    error = caught.value
    assert (error.start, error.end) == (start, end), error.message
    assert message in error.message


WORDS = (
    "fields filter stats parse sort limit dedup display by as and or not in like count bin pct"
    " concat jsonparse @message level 'text' 5m 1 1.5 /a+/ ( ) [ ] | , = != < + - * / % ^ ` \" #"
)


def test_long_conditions_are_not_deep() -> None:
    """Hundreds of alternatives."""
    condition = " or ".join(f"code = {number}" for number in range(400))
    assert values(f"fields code | filter {condition} or not (code < 500)", JSON, "code") == [
        *("201", "500", "200"),
    ]


@given(st.binary(max_size=60) | st.just(b"[" * 100_000))
def test_pointers_are_checked(content: bytes) -> None:
    """What is no pointer is refused."""
    for text in (base64.urlsafe_b64encode(content).decode(), content.decode("latin-1")):
        try:
            group, stream, position = parse_pointer(text)
        except ValueError:
            continue
        assert (type(group), type(stream), type(position)) == (str, str, int)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
def test_any_query_compiles_or_is_refused(query: str) -> None:
    """And one that compiles can be run."""
    try:
        rows = run(query, [*JSON, REPORT, "text"])
    except QueryError as error:
        assert 0 <= error.start <= error.end <= len(query)
        return
    assert len(rows) <= 6


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_message_can_be_queried(content: Any) -> None:
    """Whatever JSON is in it."""
    query = "fields a.0, a + 1, strlen(a), jsonparse(a) | sort a | dedup a"
    run(query, [json.dumps({"a": content})])
    run("stats count_distinct(a), max(a), sum(a), pct(a, 9) by a", [json.dumps({"a": content})])

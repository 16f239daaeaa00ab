"""Event patterns: what matches, what is refused and why, and that an index finds the same."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.events.patterns import (
    DEPTH_MAX,
    InvalidPattern,
    matches,
    read_event,
    read_pattern,
)
from lambent.model.events.rule_index import RuleIndex
from tests.lengths import examples


def fits(pattern: Any, event: Any) -> bool:
    return matches(read_pattern(json.dumps(pattern)), read_event(json.dumps(event)))


@pytest.mark.parametrize(
    ("pattern", "event", "does"),
    [
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x"]}, {"a": "X"}, False),
        ({"a": ["x"]}, {"a": ["y", "x"]}, True),
        ({"a": {"b": [True, None]}}, {"a": {"b": None}}, True),
        ({"a": {"b": [None]}}, {"a": {"b": ""}}, False),
        ({"a": [300]}, {"a": 300.0}, True),
        ({"a": [3e2]}, {"a": 300}, True),
        ({"a": [300]}, {"a": "300"}, False),
        ({"a": [{"anything-but": [300]}]}, {"a": 300.00}, False),
        ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
        ({"a": [{"numeric": [">", 0, "<", 5]}]}, {"a": 5}, False),
        ({"a": [{"numeric": ["=", 0.1]}]}, {"a": 0.10}, True),
        ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
        ({"a": [{"prefix": {"equals-ignore-case": "AB"}}]}, {"a": "abc"}, True),
        ({"a": [{"suffix": "bc"}]}, {"a": "abc"}, True),
        ({"a": [{"suffix": {"equals-ignore-case": "BC"}}]}, {"a": "abd"}, False),
        ({"a": [{"equals-ignore-case": "ABC"}]}, {"a": "abc"}, True),
        ({"a": [{"wildcard": "a*c*e"}]}, {"a": "abcde"}, True),
        ({"a": [{"wildcard": "a\\*"}]}, {"a": "a*"}, True),
        ({"a": [{"wildcard": "a\\*"}]}, {"a": "ab"}, False),
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "ax"}, True),
        ({"a": [{"anything-but": {"suffix": ["x", "y"]}}]}, {"a": "ay"}, False),
        ({"a": [{"anything-but": {"equals-ignore-case": ["X"]}}]}, {"a": "x"}, False),
        ({"a": [{"anything-but": {"wildcard": "*/x/*"}}]}, {"a": "a/x/b"}, False),
        ({"a": [{"exists": True}]}, {"a": 1}, True),
        ({"a": [{"exists": True}]}, {"a": {}}, False),
        ({"a": {"b": [{"exists": False}]}}, {"a": {}}, True),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.200"}, True),
        ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}, True),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.1"}, False),
        ({"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 5]}]}]}, {"b": 6}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": ["z"]}, {"a": "x"}, False),
        ({"d": {"$or": [{"a": ["x"]}, {"b": ["y"]}]}}, {"d": {"b": "y"}}, True),
        ({"d": [{"a": 1}]}, None, None),
        ({"a.b": ["x"]}, {"a": {"b": "x"}}, True),
        ({"a": {"b": ["x"]}}, {"a.b": "x"}, True),
        ({"a.b": ["x"], "a": {"c": ["y"]}}, {"a": {"b": "x", "c": "y"}}, True),
        ({"a": {"b": ["x"]}}, {"a": [{"b": "z"}, {"b": "x"}]}, True),
    ],
)
def test_a_pattern_matches_as_in_aws(pattern: Any, event: Any, does: bool | None) -> None:
    if does is None:
        with pytest.raises(InvalidPattern):
            read_pattern(json.dumps(pattern))
        return
    assert fits(pattern, event) is does


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("this is no JSON", "Invalid JSON"),
        ("{'bad': 'quotation'}", "Invalid JSON"),
        ('{"a": [NaN]}', "Invalid JSON"),
        ('["a"]', "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        ('{"int": 42}', '"int" must be an object or an array'),
        ('{"string": "my-value"}', '"string" must be an object or an array'),
        ('{"resources": []}', "Empty arrays are not allowed"),
        ('{"a": [["x"]]}', "Match value must be String, number, true, false, or null"),
        ('{"a": [{"EXISTS": true}]}', "Unrecognized match type EXISTS"),
        ('{"a": [{"prefix": "a", "suffix": "b"}]}', "Only one key allowed in match expression"),
        ('{"a": [{"prefix": ["x"]}]}', "prefix match pattern must be a string"),
        ('{"a": [{"suffix": 123}]}', "suffix match pattern must be a string"),
        (
            '{"a": [{"equals-ignore-case": {"prefix": "x"}}]}',
            "equals-ignore-case match pattern must be a string",
        ),
        ('{"a": [{"wildcard": 123}]}', "wildcard match pattern must be a string"),
        (
            '{"a": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]}',
            "Consecutive wildcard characters at pos 26",
        ),
        ('{"a": [{"wildcard": "a\\\\b"}]}', "Invalid escape character at pos 2"),
        ('{"a": [{"exists": "true"}]}', "exists match pattern must be either true or false."),
        ('{"a": [{"numeric": 5}]}', "Value of numeric must be an array."),
        ('{"a": [{"numeric": [">", 0, ">", 0]}]}', "Bad numeric range operator: >"),
        ('{"a": [{"numeric": [">", 0, "<"]}]}', "Value of < must be numeric"),
        ('{"a": [{"numeric": ["!", 0]}]}', "Unrecognized numeric range operator: !"),
        ('{"a": [{"numeric": [">", 5, "<", 5]}]}', "Bottom must be less than top"),
        ('{"a": [{"numeric": ["=", 5, "<", 6]}]}', "Too many terms in numeric range expression"),
        ('{"a": [{"cidr": ["x"]}]}', "prefix match pattern must be a string"),
        ('{"a": [{"cidr": "bad"}]}', "Malformed CIDR, one '/' required"),
        ('{"a": [{"cidr": "10.0.0.0/x"}]}', "Malformed CIDR, mask bits must be an integer"),
        ('{"a": [{"cidr": "xx.11.xx/8"}]}', "Nonstandard IP address: xx.11.xx"),
        ('{"a": [{"cidr": "10.0.0.0/33"}]}', "IPv4 mask bits must not be greater than 32"),
        (
            '{"a": [{"anything-but": null}]}',
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            '{"a": [{"anything-but": ["x", null]}]}',
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            '{"a": [{"anything-but": ["x", 1]}]}',
            "Inside anything but list, either all values are number or string, mixed type is not"
            " supported",
        ),
        (
            '{"a": [{"anything-but": {"prefix": {"equals-ignore-case": "f"}}}]}',
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            '{"a": [{"anything-but": {"prefix": [1, "x"]}}]}',
            "prefix/suffix match pattern must be a string",
        ),
        ('{"a": [{"anything-but": {"suffix": ""}}]}', "Null prefix/suffix not allowed"),
        (
            '{"a": [{"anything-but": {"equals-ignore-case": 123}}]}',
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not"
            " supported.",
        ),
        (
            '{"a": [{"anything-but": {"wildcard": [123]}}]}',
            "wildcard match pattern must be a string",
        ),
        ('{"a": [{"anything-but": {"cidr": "x"}}]}', "Unsupported anything-but pattern: cidr"),
    ],
)
def test_a_pattern_is_refused_with_awss_reason(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidPattern) as refused:
        read_pattern(pattern)
    assert str(refused.value).partition("\n at ")[0] == reason


@pytest.mark.parametrize(
    ("pattern", "column"),
    [
        ('{"int": 42}', 11),
        ('{"string": "my-value"}', 13),
        ('{"source":["test.event-pattern"],"detail":{"lenderId":"LenderA"}}', 56),
        ('{"detail": {"equal": [{"NUMERIC": ["=", 5]}]}}', 36),
        ('{"my_key": [{"EXISTS": true}]}', 28),
        ('{"resources": []}', 17),
        ('{"source": ["aws.health"], "detail": {}}', 40),
        ('{"detail": {"c-count": [{"numeric": [">", 0, ">", 0]}]}}', 49),
        ('{"detail": {"c-count": [{"numeric": [">", 0, "<"]}]}}', 50),
        ('{"detail-type": [{"equals-ignore-case": ["ec2 instance"]}]}', 42),
        ('{"EventBusArn": [{"wildcard": 123}]}', 34),
        ('{"EventBusArn": [{"wildcard": ["*"]}]}', 32),
        ('{"time": [{"prefix": 123}]}', 25),
        ('{"detail": {"state": [{"anything-but": {"prefix": 123}}]}}', 54),
        ('["not", "a", "dict", "but valid json"]', 2),
        (
            '{"detail": {"FileName": [{"anything-but":'
            ' {"prefix": {"equals-ignore-case": "file"}}}]}}',
            55,
        ),
        ('{"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]}', 72),
    ],
)
def test_a_refusal_names_the_place_as_aws_does(pattern: str, column: int) -> None:
    with pytest.raises(InvalidPattern) as refused:
        read_pattern(pattern)
    _, _, place = str(refused.value).partition("\n at ")
    assert place == f'[Source: (String)"{pattern}"; line: 1, column: {column}]'


def test_places_in_lists_and_on_other_lines() -> None:
    """AWS names the place in a list of `anything-but` twice. A name with dots has no place, and the
    last of members with the same name counts."""

    def place(pattern: str) -> str:
        with pytest.raises(InvalidPattern) as refused:
            read_pattern(pattern)
        return str(refused.value)

    listed = '{"detail": {"state": [{"anything-but": {"wildcard": [123, "*/dir/*"]}}]}}'
    assert place(listed).count(f'\n at [Source: (String)"{listed}"; line: 1, column: 57]') == 2
    assert place('{\n  "a": ["x"],\n  "b": 5\n}').endswith("line: 3, column: 9]")
    assert place('{"a.b": 5}') == '"b" must be an object or an array'
    assert place('{"a": ["x"], "a": "y"}').endswith("column: 20]")
    assert place('{"a": [{"cidr": "bad"}]}') == "Malformed CIDR, one '/' required"


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"' + "a." * 5000 + 'a": ["x"]}',
        '{"a": [' + "[" * 900 + "]" * 900 + "]}",
        '{"a": [1e999999999999]}',
        '{"a": [' + "9" * 4000 + "]}",
        '{"a": {"a.b": {"a.b": 1}}, "a.a.b": [2], "a.a": [3]}',
    ],
)
def test_texts_of_strangers_are_read_or_refused(text: str) -> None:
    for read in (read_pattern, read_event):
        try:
            found = read(text)
        except ValueError:
            continue
        assert isinstance(found, dict)


def test_a_pattern_has_a_depth() -> None:
    deep = '{"a":' * DEPTH_MAX + "[1]" + "}" * DEPTH_MAX
    read_pattern(deep)
    with pytest.raises(InvalidPattern, match="levels"):
        read_pattern('{"a":' + deep + "}")


_names = st.sampled_from(["a", "b", "c"])
_words = st.sampled_from(["x", "y", "xy", "XY", "yx", "", "10.0.0.7", "10.0.1.7"])
_some = st.sampled_from(["x", "y", "xy", "Yx"])
_numbers = st.one_of(st.integers(0, 3), st.sampled_from([1.0, 1.5, 2e0, -1, 1e300]))
_scalars = st.one_of(_words, _numbers, st.booleans(), st.none())
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=3)
    ),
    max_leaves=8,
)
_events = st.dictionaries(_names, _values, max_size=3)
_lists = st.lists(_some, min_size=1, max_size=2)


def _operator(name: str, operand: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda given: {name: given}, operand)


_signs = st.sampled_from(["=", "<", "<=", ">", ">="])
_ranges = st.one_of(
    st.tuples(_signs, _numbers),
    st.tuples(
        *(st.sampled_from([">", ">="]), st.integers(-1, 1)),
        *(st.sampled_from(["<", "<="]), st.integers(2, 3)),
    ),
)
_affixes = st.one_of(_some, _operator("equals-ignore-case", _some))
_operators = st.one_of(
    _operator("exists", st.booleans()),
    _operator("prefix", st.one_of(st.just(""), _affixes)),
    _operator("suffix", _affixes),
    _operator("equals-ignore-case", _words),
    _operator(
        "wildcard", st.sampled_from(["*", "x*", "*y", "x*y", "y*x", "*x*", "x", "10.*.7", "*.0.0*"])
    ),
    _operator("numeric", _ranges),
    _operator("cidr", st.sampled_from(["10.0.0.0/24", "10.0.0.0/8"])),
    _operator("anything-but", st.one_of(_some, _lists, st.integers(0, 3))),
    _operator("anything-but", _operator("prefix", _some)),
    _operator("anything-but", _operator("suffix", _lists)),
    _operator("anything-but", _operator("equals-ignore-case", _lists)),
    _operator("anything-but", _operator("wildcard", st.sampled_from(["x*", "*y"]))),
)
_conditions = st.lists(st.one_of(_scalars, _operators), min_size=1, max_size=3)
_fields = st.one_of(_conditions, st.lists(_words, min_size=1, max_size=2))


def _object_of(fields: st.SearchStrategy[Any], *, least: int) -> st.SearchStrategy[Any]:
    return st.builds(dict, st.lists(st.tuples(_names, fields), min_size=least, max_size=2))


_choices = st.lists(_object_of(_fields, least=1), min_size=2, max_size=3)


def _with_choices(fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects, some with a `$or`, and some with fields beside it."""
    beside = _object_of(fields, least=0)
    chosen = st.builds(lambda fields, choices: {**fields, "$or": choices}, beside, _choices)
    return st.one_of(_object_of(fields, least=1), chosen)


_patterns = _with_choices(st.one_of(_fields, _with_choices(_fields)))


@pytest.mark.slow
@settings(max_examples=examples(800))
@given(st.lists(_patterns, max_size=6), _events)
def test_an_index_finds_what_each_pattern_matches(patterns: list[Any], event: Any) -> None:
    """The index never loses a rule and never adds one, whatever arrays are on the way."""
    read = [read_pattern(json.dumps(pattern)) for pattern in patterns]
    document = read_event(json.dumps(event))
    expected = [number for number, pattern in enumerate(read) if matches(pattern, document)]
    assert list(RuleIndex(enumerate(read)).matching(document)) == expected


def test_a_field_may_be_called_or() -> None:
    """`$or` with conditions is a field, as in AWS."""
    assert fits({"$or": ["x"]}, {"$or": "x"})
    assert fits({"$or": [{"prefix": "x"}, {"prefix": "y"}]}, {"$or": "xy"})
    assert not fits({"$or": [{"exists": True}]}, {"a": "x"})


def test_an_index_compares_few_of_a_thousand_rules() -> None:
    """A thousand rules of one source: an event costs a look-up. The bound is far from what it
    takes (5,000 events in well under a second), so that a busy machine does not fail it."""
    rules = [
        (number, read_pattern(json.dumps({"source": ["shop"], "detail": {"id": [f"o{number}"]}})))
        for number in range(1000)
    ]
    index = RuleIndex(rules)
    event = read_event(json.dumps({"source": "shop", "detail-type": "x", "detail": {"id": "o7"}}))
    began = time.process_time()
    for _ in range(5000):
        assert index.matching(event) == [7]
    assert time.process_time() - began < 1.0


def test_other_operators_are_indexed_too() -> None:
    """A thousand rules without an exact text: a hundredth of them is compared, or less. The bound
    is that of 5,000 events in a second; it takes a tenth of that."""
    kinds = (
        lambda n: {"k": [{"prefix": f"k{n}-"}]},
        lambda n: {"k": [{"suffix": f"-{n}"}]},
        lambda n: {"k": [{"wildcard": f"*k{n}-*"}]},
        lambda n: {"n": [{"numeric": [">=", n, "<", n + 1]}]},
        lambda n: {"k": [{"anything-but": f"k{n}"}], "z": [{"exists": True}]},
        lambda n: {"k": [{"exists": True}], "n": [{"numeric": ["<", -n]}]},
        lambda n: {"$or": [{"k": [{"equals-ignore-case": f"K{n}-X"}]}, {"n": [-n - 1]}]},
    )
    rules = [
        (number, read_pattern(json.dumps({"detail": kinds[number % len(kinds)](number)})))
        for number in range(1000)
    ]
    index = RuleIndex(rules)
    events = [
        read_event(json.dumps({"source": "shop", "detail": {"k": f"k{number}-x", "n": number}}))
        for number in range(1000)
    ]
    began = time.process_time()
    for number in range(2000):
        found = index.matching(events[number % 1000])
        assert list(found) == ([number % 1000] if number % 1000 % 7 in (0, 2, 3, 6) else [])
    assert time.process_time() - began < 0.4

"""Event patterns: what matches, what is refused and why, and that an index finds the same."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.events.patterns import (
    DEPTH_MAX,
    InvalidPattern,
    matches,
    read_event,
    read_pattern,
)
from lambent.model.events.rule_index import RuleIndex


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
    assert str(refused.value) == reason


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
_words = st.sampled_from(["x", "y", "xy", ""])
_scalars = st.one_of(_words, st.integers(0, 3), st.booleans(), st.none())
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=3)
    ),
    max_leaves=8,
)
_events = st.dictionaries(_names, _values, max_size=3)
_conditions = st.lists(
    st.one_of(
        _scalars,
        st.builds(lambda flag: {"exists": flag}, st.booleans()),
        st.builds(lambda word: {"prefix": word}, _words),
        st.builds(lambda word: {"anything-but": word}, _words),
    ),
    min_size=1,
    max_size=3,
)
_fields = st.one_of(_conditions, st.lists(_words, min_size=1, max_size=2))
_patterns = st.recursive(
    st.dictionaries(_names, _fields, min_size=1, max_size=2),
    lambda inner: st.dictionaries(_names, st.one_of(_fields, inner), min_size=1, max_size=2),
    max_leaves=4,
)
_choices = st.builds(
    lambda first, second: {"$or": [{"a": first}, {"b": second}]}, _conditions, _conditions
)


@given(st.lists(st.one_of(_patterns, _choices), max_size=6), _events)
def test_an_index_finds_what_each_pattern_matches(patterns: list[Any], event: Any) -> None:
    """The index never loses a rule and never adds one, whatever arrays are on the way."""
    read = [read_pattern(json.dumps(pattern)) for pattern in patterns]
    document = read_event(json.dumps(event))
    expected = [number for number, pattern in enumerate(read) if matches(pattern, document)]
    assert list(RuleIndex(enumerate(read)).matching(document)) == expected


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

"""Which records fit the filters of a mapping."""

import json
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.strict_json import parse
from lambent.model.filtering import Criteria, Data
from lambent.model.filters import is_pattern
from lambent.model.mapping_options import MappingOptions
from lambent.model.matching import compile_object
from lambent.model.sources.kafka import KAFKA, MSK
from lambent.model.sources.kind import SourceKind
from lambent.model.sources.mq import MQ
from lambent.model.sources.registry import SOURCE_KINDS
from lambent.model.sources.sqs import SQS, SQS_FIFO
from lambent.model.sources.streams import DYNAMODB, KINESIS

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=3)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
) | st.text(max_size=8)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
CONDITIONS = st.one_of(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    st.sampled_from(["prefix", "suffix"]).flatmap(
        lambda name: st.fixed_dictionaries(
            {
                name: st.text(max_size=3)
                | st.fixed_dictionaries({"equals-ignore-case": st.text(max_size=3)})
            }
        )
    ),
    st.fixed_dictionaries({"equals-ignore-case": st.text(max_size=3)}),
    st.fixed_dictionaries({"wildcard": st.text("ab*\\", max_size=6)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"numeric": st.tuples(st.sampled_from(["<", ">=", "="]), st.floats())}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/24", "fd00::/8", "10.0.0.7/8"])}),
    st.fixed_dictionaries(
        {
            "anything-but": st.integers()
            | st.text(max_size=3)
            | st.lists(st.text(max_size=3) | st.integers(), min_size=1)
            | st.fixed_dictionaries({"wildcard": st.lists(st.text("ab*", max_size=3), min_size=1)})
            | st.fixed_dictionaries({"prefix": st.text(max_size=2)})
        }
    ),
)
PATTERNS = st.recursive(
    st.dictionaries(NAMES, st.lists(CONDITIONS, min_size=1, max_size=3), min_size=1, max_size=3),
    lambda inner: (
        st.dictionaries(NAMES, inner, min_size=1, max_size=3)
        | st.fixed_dictionaries({"$or": st.lists(inner, min_size=2, max_size=3)})
    ),
    max_leaves=6,
)


def fits(condition: str, value: str) -> bool:
    """Whether the field `a` with that value fits a leaf with that condition; both are JSON."""
    return matches(f'{{"a": [{condition}]}}', f'{{"a": {value}}}')


def matches(pattern: str, document: str) -> bool:
    assert is_pattern(pattern)
    return compile_object(parse(pattern))(parse(document))


def criteria(kind: SourceKind, *patterns: Any) -> Criteria:
    compiled = Criteria.compile(kind.filters, [json.dumps(pattern) for pattern in patterns])
    assert compiled is not None
    return compiled


def admits(kind: SourceKind, pattern: Any, data: Data, **metadata: Any) -> bool:
    return criteria(kind, pattern).admits(metadata, data)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("null", "null", True),
        ("null", '""', False),
        ('""', '""', True),
        ('""', "null", False),
        ('"x"', '"x"', True),
        ('"x"', '"X"', False),
        ('"é"', '"e\\u0301"', False),
        ("true", "true", True),
        ("true", "1", False),
        ("true", '"true"', False),
        ("false", "null", False),
        ("300", "300", True),
        ("300", "300.0", False),
        ("300", "3.0e2", False),
        ("300", '"300"', False),
        ('"300"', "300", False),
        ("1e9999", "1e9999", True),
        ("9007199254740993", "9007199254740992", False),
        ('"x", 5', "5", True),
        ('"x", 5', "6", False),
    ],
)
def test_equality(condition: str, value: str, expected: bool) -> None:
    """Texts are equal code point by code point, numbers as they are written."""
    assert fits(condition, value) is expected


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ('{"prefix": "us-"}', '"us-east-1"', True),
        ('{"prefix": "us-"}', '"US-east-1"', False),
        ('{"prefix": "1"}', "12", False),
        ('{"prefix": {"equals-ignore-case": "US-"}}', '"us-east-1"', True),
        ('{"prefix": {"equals-ignore-case": "US-"}}', '"eu-us-1"', False),
        ('{"suffix": ".png"}', '"a.png"', True),
        ('{"suffix": ".png"}', '"a.PNG"', False),
        ('{"suffix": {"equals-ignore-case": ".png"}}', '"a.PNG"', True),
        ('{"suffix": {"equals-ignore-case": ".png"}}', "null", False),
        ('{"equals-ignore-case": "Alice"}', '"aLICE"', True),
        ('{"equals-ignore-case": "Alice"}', '"Alicea"', False),
        ('{"wildcard": "a*c"}', '"abbc"', True),
        ('{"wildcard": "a*c"}', '"ac"', True),
        ('{"wildcard": "a*c"}', '"acd"', False),
        ('{"wildcard": "*/lib/*"}', '"/usr/lib/x"', True),
        ('{"wildcard": "*/lib/*"}', '"/usr/lib"', False),
        ('{"wildcard": "ab*ba"}', '"aba"', False),
        ('{"wildcard": "*b*b"}', '"b"', False),
        ('{"wildcard": "a"}', '"a"', True),
        ('{"wildcard": "*"}', '"\\n"', True),
        ('{"wildcard": "*"}', "1", False),
        (r'{"wildcard": "a\\*"}', '"a*"', True),
        (r'{"wildcard": "a\\*"}', '"ab"', False),
        (r'{"wildcard": "a\\\\*"}', r'"a\\b"', True),
        (r'{"wildcard": "a\\b"}', r'"a\\b"', True),
        ('{"cidr": "10.0.0.0/24"}', '"10.0.0.255"', True),
        ('{"cidr": "10.0.0.0/24"}', '"10.0.1.0"', False),
        ('{"cidr": "10.0.0.0/24"}', '"10.0.0"', False),
        ('{"cidr": "10.0.0.0/24"}', '"::1"', False),
        ('{"cidr": "10.0.0.0/24"}', "167772160", False),
        ('{"cidr": "fd00::/8"}', '"fd12::1"', True),
    ],
)
def test_texts(condition: str, value: str, expected: bool) -> None:
    """Beginnings, ends, case, wildcards and networks are about texts alone."""
    assert fits(condition, value) is expected


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ('{"numeric": ["=", 300]}', "3.0e2", True),
        ('{"numeric": ["=", 300]}', '"300"', False),
        ('{"numeric": ["=", 0.1]}', "0.10", True),
        ('{"numeric": ["=", 9007199254740993]}', "9007199254740992", False),
        ('{"numeric": [">", 50, "<=", 60]}', "50", False),
        ('{"numeric": [">", 50, "<=", 60]}', "50.0001", True),
        ('{"numeric": [">", 50, "<=", 60]}', "60", True),
        ('{"numeric": [">=", -5]}', "-5.0", True),
        ('{"numeric": ["<", 0]}', "-1e400", True),
        ('{"numeric": [">", 0]}', "1e99999999", True),
        ('{"numeric": [">", 0]}', "1e99999999999999999999", False),
        ('{"numeric": ["<", 1e99999999999999999999]}', "1", False),
        ('{"numeric": ["<", 5]}', "true", False),
        ('{"numeric": ["<", 5]}', "null", False),
    ],
)
def test_ranges(condition: str, value: str, expected: bool) -> None:
    """Within `numeric` numbers are compared by their value, exactly."""
    assert fits(condition, value) is expected


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ('{"anything-but": "x"}', '"x"', False),
        ('{"anything-but": "x"}', '"y"', True),
        ('{"anything-but": "x"}', "null", True),
        ('{"anything-but": 5}', "5", False),
        ('{"anything-but": 5}', "5.0", True),
        ('{"anything-but": ["x", 5]}', "5", False),
        ('{"anything-but": ["x", 5]}', '"5"', True),
        ('{"anything-but": {"prefix": "x"}}', '"xy"', False),
        ('{"anything-but": {"prefix": ["x", "y"]}}', '"yx"', False),
        ('{"anything-but": {"suffix": "x"}}', '"xy"', True),
        ('{"anything-but": {"equals-ignore-case": ["X"]}}', '"x"', False),
        ('{"anything-but": {"wildcard": "*/lib/*"}}', '"/lib/"', False),
        ('{"anything-but": "x"}', "{}", False),
        ('{"anything-but": "x"}', "[]", False),
        ('{"anything-but": "x"}', '["x"]', False),
        ('{"anything-but": "x"}', '["x", "y"]', True),
    ],
)
def test_exclusion(condition: str, value: str, expected: bool) -> None:
    """What is there and does not fit, whatever it is."""
    assert fits(condition, value) is expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{}", False),
        ('{"a": null}', False),
        ('{"a": {}}', False),
        ('{"a": []}', False),
        ('{"a": {"b": null}}', True),
        ('{"a": {"b": ""}}', True),
        ('{"a": {"b": {}}}', False),
        ('{"a": {"b": {"c": 1}}}', False),
        ('{"a": {"b": []}}', False),
        ('{"a": {"b": [[1]]}}', True),
        ('{"a": [{"b": 1}]}', True),
        ('{"a": [1]}', False),
    ],
)
def test_existence(document: str, expected: bool) -> None:
    """Is about leaves; a path that is missing does not exist."""
    assert matches('{"a": {"b": [{"exists": true}]}}', document) is expected
    assert matches('{"a": {"b": [{"exists": false}]}}', document) is not expected


@pytest.mark.parametrize(
    ("pattern", "document", "expected"),
    [
        ('{"a": [1], "b": [2]}', '{"a": 1, "b": 2, "c": 3}', True),
        ('{"a": [1], "b": [2]}', '{"a": 1}', False),
        ('{"a": {"b": {"c": [1]}}}', '{"a": {"b": {"c": 1}}}', True),
        ('{"a": {"b": {"c": [1]}}}', '{"a": {"b": 1}}', False),
        ('{"$or": [{"a": [1]}, {"b": [2]}]}', '{"b": 2}', True),
        ('{"$or": [{"a": [1]}, {"b": [2]}]}', '{"a": 2, "b": 1}', False),
        ('{"x": [0], "$or": [{"a": [1]}, {"b": [2]}]}', '{"x": 0, "a": 1}', True),
        ('{"x": [0], "$or": [{"a": [1]}, {"b": [2]}]}', '{"x": 1, "a": 1}', False),
        ('{"d": {"$or": [{"a": [1]}, {"b": [2]}]}}', '{"d": {"b": 2}}', True),
        (
            '{"d": {"$or": [{"a": [1]}, {"$or": [{"b": [2]}, {"c": [3]}]}]}}',
            '{"d": {"c": 3}}',
            True,
        ),
        ('{"$or": {"a": [1]}}', '{"$or": {"a": 1}}', True),
        ('{"a": [1]}', '{"a": [3, [2, [1]]]}', True),
        ('{"a": [1]}', '{"a": [2, {"a": 1}]}', False),
        ('{"a": {"b": [1], "c": [2]}}', '{"a": [{"b": 1, "c": 2}, {}]}', True),
        ('{"a": {"b": [1], "c": [2]}}', '{"a": [{"b": 1}, {"c": 2}]}', False),
        ('{"a": [1], "a": [2]}', '{"a": 2}', True),
        ('{"a": [1], "a": [2]}', '{"a": 1}', False),
        ('{"a": [2]}', '{"a": 1, "a": 2}', True),
        ('{"a": ["\\ud800"]}', '{"a": "\\ud800"}', True),
    ],
)
def test_structure(pattern: str, document: str, expected: bool) -> None:
    """All fields must fit, one of the values, one of `$or`; of an array, one element. Of keys that
    come twice the last counts."""
    assert matches(pattern, document) is expected


JSON, TEXT, BINARY = '{"x": 1}', "hello", b"\xff\xfe"
OBJECT_FITS, OBJECT_NOT = {"x": [1]}, {"x": [2]}
LIST_FITS, LIST_NOT = ["hello"], [{"anything-but": "hello"}]


@pytest.mark.parametrize(
    ("kind", "key", "mismatched"),
    [
        (SQS, "body", False),
        (SQS_FIFO, "body", False),
        (MQ, "data", True),
        (MSK, "value", True),
        (KAFKA, "value", True),
    ],
)
def test_forms(kind: SourceKind, key: str, mismatched: bool) -> None:
    """Where record and pattern differ in form, SQS drops; MQ and Kafka look at metadata alone."""

    def decide(pattern: Any, data: Data, topic: str = "t") -> bool:
        return admits(kind, {key: pattern, "topic": ["t"]}, data, topic=topic)

    for data in (JSON, JSON.encode(), f" \r\n\t{JSON} "):
        assert decide(OBJECT_FITS, data)
        assert not decide(OBJECT_NOT, data)
        assert not decide(OBJECT_FITS, data, "other")
        assert decide(LIST_FITS, data) is mismatched
        assert not decide(LIST_FITS, data, "other")
    for data in (TEXT, TEXT.encode()):
        assert decide(LIST_FITS, data)
        assert not decide(LIST_NOT, data)
        assert decide(OBJECT_FITS, data) is mismatched
    for pattern in (OBJECT_FITS, OBJECT_NOT, LIST_FITS, LIST_NOT):
        assert decide(pattern, BINARY) is mismatched
        assert not decide(pattern, BINARY, "other")
    for data in (JSON, TEXT, BINARY, None):
        assert admits(kind, {"topic": ["t"]}, data, topic="t")
        assert not admits(kind, {"topic": ["t"]}, data, topic="other")


def test_forms_of_streams() -> None:
    """A Kinesis record that is not JSON is dropped if the pattern is about its data, even if it
    asks for nothing to be there."""
    assert admits(KINESIS, {"data": OBJECT_FITS}, JSON.encode())
    assert not admits(KINESIS, {"data": OBJECT_NOT}, JSON.encode())
    for data in (b"hello", b'"x"', b"", b"\xff", b'{"x": NaN}', b'{"x": 1', b"\xef\xbb\xbf{}"):
        assert not admits(KINESIS, {"data": {"y": [{"exists": False}]}}, data)
        assert admits(KINESIS, {"eventSource": ["k"]}, data, eventSource="k")


@pytest.mark.parametrize("number", ["300", "true", "null", '"hello"'])
def test_a_word_is_text(number: str) -> None:
    """A number or word by itself is text, though it is JSON."""
    assert admits(SQS, {"body": [number]}, number)
    assert not admits(SQS, {"body": [{"numeric": ["=", 300]}, True, None]}, number)


def test_a_record_without_a_value() -> None:
    """Of Kafka's, is null."""
    assert admits(KAFKA, {"value": [None]}, None)
    assert not admits(KAFKA, {"value": ["x"]}, None)
    assert admits(KAFKA, {"value": {"x": [1]}}, None)


def test_metadata_of_kinesis() -> None:
    """What is in `kinesis` is found there, and at the top, as data is."""
    record = {"eventName": "aws:kinesis:record", "kinesis": {"partitionKey": "1"}}
    for pattern in (
        {"partitionKey": ["1"], "data": OBJECT_FITS},
        {"kinesis": {"partitionKey": ["1"]}, "data": OBJECT_FITS},
        {"eventName": ["aws:kinesis:record"]},
    ):
        assert criteria(KINESIS, pattern).admits(record, JSON.encode())
    other = {"eventName": "x", "kinesis": {"partitionKey": "2"}}
    assert not criteria(KINESIS, {"partitionKey": ["1"]}).admits(other, b"")
    assert other == {"eventName": "x", "kinesis": {"partitionKey": "2"}}


def test_items_of_dynamodb() -> None:
    """Attributes are texts with their type; numbers of the change itself are numbers."""
    change = {
        "ApproximateCreationDateTime": 1479499740.0,
        "Keys": {"Id": {"N": "101"}},
        "NewImage": {"tags": {"L": [{"S": "a"}, {"S": "b"}]}},
        "SizeBytes": 26,
    }
    for pattern, expected in (
        ({"Keys": {"Id": {"N": ["101"]}}}, True),
        ({"Keys": {"Id": {"N": [{"numeric": ["=", 101]}]}}}, False),
        ({"SizeBytes": [26]}, True),
        ({"SizeBytes": [26.0]}, False),
        ({"ApproximateCreationDateTime": [{"numeric": [">", 1479499739]}]}, True),
        ({"NewImage": {"tags": {"L": {"S": ["b"]}}}}, True),
        ({"OldImage": {"x": {"S": [{"exists": False}]}}}, True),
    ):
        assert admits(DYNAMODB, {"dynamodb": pattern}, change) is expected
    insert = criteria(DYNAMODB, {"eventName": ["INSERT"]}, {"eventName": ["MODIFY"]})
    assert insert.admits({"eventName": "MODIFY"}, change)
    assert not insert.admits({"eventName": "REMOVE"}, change)


def test_alternatives_of_metadata_and_data() -> None:
    """`$or` at the top may be about both."""
    either = {"$or": [{"body": {"x": [1]}}, {"eventSource": ["a"]}]}
    assert admits(SQS, either, JSON, eventSource="b")
    assert admits(SQS, either, TEXT, eventSource="a")
    assert not admits(SQS, either, TEXT, eventSource="b")


def test_no_filters() -> None:
    """Nothing to compile."""
    for absent in (None, {}, {"Filters": []}, {"Filters": None}):
        options = MappingOptions.parse(SQS, {"FilterCriteria": absent})
        assert Criteria.compile(SQS.filters, options.filters) is None


@pytest.mark.parametrize("pattern", ["null", "", "{}", '{"a": 1}', '{"a": [{"what": 1}]}'])
def test_no_pattern(pattern: str) -> None:
    """What the API would have refused is not compiled."""
    with pytest.raises(ValueError, match="not a filter pattern"):
        Criteria.compile(SQS.filters, [pattern])


def test_data_of_streams_in_alternatives() -> None:
    """Must be asked for as an object there, too."""
    pattern = {"$or": [{"a": [1]}, {"$or": [{"b": [1]}, {"data": ["x"]}]}]}
    assert not is_pattern(json.dumps(pattern), nested="data")
    assert is_pattern(json.dumps(pattern), nested="value")


def pattern_of(document: Any) -> Any:
    """One that asks for all scalars of an object, as far as it holds objects and scalars."""
    return {
        name: pattern_of(value) if isinstance(value, dict) else [value]
        for name, value in document.items()
    }


@given(
    st.recursive(
        st.dictionaries(NAMES, SCALARS, min_size=1, max_size=4),
        lambda inner: st.dictionaries(NAMES, inner | SCALARS, min_size=1, max_size=3),
    )
)
def test_a_record_fits_its_own_pattern(document: Any) -> None:
    """As text, as bytes, and as an object."""
    pattern = pattern_of(document)
    written = json.dumps(document)
    compiled = compile_object(parse(json.dumps(pattern)))
    assert compiled(parse(written))
    assert compiled(document)


@given(SCALARS, SCALARS | st.lists(SCALARS, max_size=3))
def test_exclusion_is_the_opposite_of_equality(wanted: Any, value: Any) -> None:
    """For each scalar that is there."""
    if wanted is None or isinstance(wanted, bool):
        return
    equals = compile_object(parse(json.dumps({"a": [wanted]})))
    differs = compile_object(parse(json.dumps({"a": [{"anything-but": wanted}]})))
    for item in value if isinstance(value, list) else [value]:
        document = parse(json.dumps({"a": item}))
        assert equals(document) is not differs(document)


@given(st.lists(NAMES, min_size=1, max_size=3), DOCUMENTS)
def test_existence_is_the_opposite_of_absence(path: list[str], document: Any) -> None:
    """At any path on which no array of objects is."""

    def asks(wanted: bool) -> bool:
        pattern: Any = [{"exists": wanted}]
        for name in reversed(path):
            pattern = {name: pattern}
        return compile_object(pattern)(document)

    at: Any = document
    for name in path:
        if isinstance(at, list):
            return
        at = at.get(name) if isinstance(at, dict) else None
    assert asks(True) is not asks(False)


def wildcard_by_table(pattern: str, text: str) -> bool:
    """What fits, without escapes, by dynamic programming."""
    row = [True] + [False] * len(text)
    for sign in pattern:
        below = [sign == "*" and row[0]]
        for at, character in enumerate(text):
            below.append(
                (row[at + 1] or below[at]) if sign == "*" else row[at] and sign == character
            )
        row = below
    return row[-1]


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_wildcards(pattern: str, text: str) -> None:
    """Fit whatever way there is."""
    if "**" in pattern:
        return
    compiled = compile_object({"a": [{"wildcard": pattern}]})
    assert compiled({"a": text}) is wildcard_by_table(pattern, text)


@pytest.mark.slow
@given(PATTERNS, DOCUMENTS | st.binary() | st.text(), st.sampled_from(list(SOURCE_KINDS.values())))
def test_nothing_raises(pattern: Any, record: Any, kind: SourceKind) -> None:
    """Whatever the record and the pattern are, it fits or does not."""
    key = {"sqs": "body", "dynamodb": "dynamodb", "kafka": "value"}.get(kind.name, "data")
    text = json.dumps({key: pattern})
    if not is_pattern(text):
        return
    compiled = Criteria.compile(kind.filters, [text])
    assert compiled is not None
    assert compiled.admits({}, record) in (True, False)
    if isinstance(record, dict):
        assert compiled.admits(record, json.dumps(record)) in (True, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        "[" * 1_000_000,
        '{"a":' * 1_000_000,
        "[" * 900 + "]" * 900,
        '{"a":' + "[" * 900 + "1" + "]" * 900 + "}",
        '{"a":' + "9" * 1_000_000 + "}",
        '{"a":1e' + "9" * 1_000_000 + "}",
        '{"a":"' + "ab" * 500_000 + '"}',
        '{"a":[' + ",".join(["1"] * 300_000) + "]}",
        '{"a":Infinity}',
        '{"a":"\\ud800"}',
        "\ud800",
    ],
    ids=range(11),
)
@pytest.mark.parametrize(
    "condition",
    [
        {"wildcard": "a*" * 500 + "c"},
        {"anything-but": {"wildcard": "*ab" * 500 + "*ba*bb"}},
        {"numeric": [">", 1, "<", 1e300]},
        {"exists": False},
        {"cidr": "::/0"},
    ],
    ids=lambda condition: next(iter(condition)),
)
def test_hostile_records(condition: Any, data: str) -> None:
    """Of a megabyte take a moment, not minutes."""
    compiled = criteria(SQS, {"body": {"a": [condition]}}, {"body": [condition]})
    started = time.process_time()
    assert compiled.admits({}, data) in (True, False)
    assert time.process_time() - started < 5

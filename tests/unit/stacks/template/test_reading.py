"""Text of a template → document."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.shape import DEPTH_MAX, check_document

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=9
)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(-1e9, 1e9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=4)


def value(text: str) -> Any:
    """What YAML says for the member `V`."""
    return read_template(f"V: {text}")["V"]


@given(DOCUMENTS)
def test_json_is_read_as_written(document: dict[str, Any]) -> None:
    """Any JSON without `null` is read as it is."""
    assert read_template(json.dumps(document)) == document


@given(
    st.dictionaries(
        TEXTS,
        st.recursive(
            TEXTS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_yaml_is_read_as_written(document: dict[str, Any]) -> None:
    """Texts, lists and maps that a library writes as YAML are read as they were."""
    assert read_template("---\n" + yaml.safe_dump(document, default_style='"')) == document
    assert read_template("---\n" + yaml.safe_dump(document)) == document


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2012-10-17", "2012-10-17"),
        ("2012-10-17T10:00:00Z", "2012-10-17T10:00:00Z"),
        ("22:30", "22:30"),
        ("012345670123", "012345670123"),
        ("1_000", 1000),
        ("-7", -7),
        ("0x1F", 31),
        ("0b11", 3),
        ("0", 0),
        ("1.50", 1.5),
        ("-.5", -0.5),
        ("1.5e+3", 1500.0),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("yes", True),
        ("On", True),
        ("off", False),
        ("y", "y"),
        ("'yes'", "yes"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("|\n  a\n  b", "a\nb"),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_plain_scalars(text: str, meant: Any) -> None:
    """YAML 1.1, but dates, times and numbers with a leading zero stay texts."""
    read = value(text)
    assert read == meant
    assert type(read) is type(meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("!Ref X", {"Ref": "X"}),
        ("!Ref 1", {"Ref": "1"}),
        ("!Condition X", {"Condition": "X"}),
        ("!GetAtt A.B.C", {"Fn::GetAtt": ["A", "B.C"]}),
        ("!GetAtt [A, B.C]", {"Fn::GetAtt": ["A", "B.C"]}),
        ("!Sub 'a ${B}'", {"Fn::Sub": "a ${B}"}),
        ("!Sub [a, {B: !Ref C}]", {"Fn::Sub": ["a", {"B": {"Ref": "C"}}]}),
        ("!Join ['', [a, !Ref B]]", {"Fn::Join": ["", ["a", {"Ref": "B"}]]}),
        ("!GetAZs ''", {"Fn::GetAZs": ""}),
        ("!Base64\n  Fn::Sub: x", {"Fn::Base64": {"Fn::Sub": "x"}}),
        ("!Select [0, !Split [',', a]]", {"Fn::Select": [0, {"Fn::Split": [",", "a"]}]}),
        ("!Transform {Name: M}", {"Fn::Transform": {"Name": "M"}}),
        ("!Length [1]", {"Fn::Length": [1]}),
        ("!ToJsonString {a: 1}", {"Fn::ToJsonString": {"a": 1}}),
        ("!Not [!Equals [a, b]]", {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}),
    ],
)
def test_short_forms(text: str, meant: Any) -> None:
    """They are written out."""
    assert value(text) == meant


def test_keys_are_texts() -> None:
    """Also those that look like numbers, such as account IDs in mappings, or booleans."""
    document = read_template("1: a\n0123: b\non: c\n2012-10-17: d\n~: e\n")
    assert document == {"1": "a", "0123": "b", "on": "c", "2012-10-17": "d", "~": "e"}


def test_aliases_are_written_out() -> None:
    """An alias has the value of its anchor."""
    document = read_template("A: &a {B: [1, !Ref X]}\nC: *a\nD: [*a, &s text, *s]\n")
    shared = {"B": [1, {"Ref": "X"}]}
    assert document == {"A": shared, "C": shared, "D": [shared, "text", "text"]}


WELL_FORMED = "Template format error: YAML not well-formed."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Template format error: unsupported structure."),
        ("text", "Template format error: unsupported structure."),
        ("- a", "Template format error: unsupported structure."),
        ("[1]", "Template format error: unsupported structure."),
        ("A: [", f"{WELL_FORMED} (line 2, column 1)"),
        ("A: b: c", f"{WELL_FORMED} (line 1, column 5)"),
        ("A: \x00", WELL_FORMED),
        ("A: \ud800", WELL_FORMED),
        ("A: !Nonsense x", f"{WELL_FORMED} (line 1, column 4) The tag !Nonsense is not known."),
        ("A: !!binary eA==", f"{WELL_FORMED} (line 1, column 4) The tag"),
        ("A: !!python/object:os.system x", f"{WELL_FORMED} (line 1, column 4) The tag"),
        ("A: !!set {a}", f"{WELL_FORMED} (line 1, column 4) The tag"),
        ("A: 1\n---\nB: 2", f"{WELL_FORMED} (line 2, column 1) The text has several documents."),
        ("[a]: 1", f"{WELL_FORMED} (line 1, column 1)"),
        ("? {a: 1}\n: 1", f"{WELL_FORMED} (line 1, column 3)"),
        ("!Ref a: 1", f"{WELL_FORMED} (line 1, column 1)"),
        ("A: &a [*a]", f"{WELL_FORMED} (line 1, column 8) *a has no value."),
        ("A: *a", f"{WELL_FORMED} (line 1, column 4)"),
        ("A: 1\nA: 2", "Template format error: Duplicate key found: A (line 2, column 1)"),
        ("A:\n  B:", "[/A/B] 'null' values are not allowed in templates"),
        ("A: [~]", "[/A/0] 'null' values are not allowed in templates"),
        ('{"a": 1,}', "Template format error: JSON not well-formed. (line 1, column"),
        ('{"a": 1', "Template format error: JSON not well-formed. (line 1, column 8)"),
        ('{"a": 1, "a": 2}', "Template format error: Duplicate key found: a"),
        ('{"a": null}', "[/a] 'null' values are not allowed in templates"),
        ('{"a": ["\\ud800"]}', "Template format error: [/a/0] A text has a character that is not"),
        ('{"\\ud800": 1}', "Template format error: [/] A text has a character that is not"),
        ('{"a": NaN}', "Template format error: [/a] nan is not a value of JSON."),
        ('{"a": 1e999}', "Template format error: [/a] inf is not a value of JSON."),
        ('{"a": ' + "1" * 5000 + "}", "Template format error: JSON not well-formed."),
    ],
)
def test_what_is_not_a_template(text: str, message: str) -> None:
    """Is refused with AWS's error, and the place if there is one."""
    with pytest.raises(TemplateError) as refused:
        read_template(text)
    assert refused.value.code == "ValidationError"
    assert refused.value.message.startswith(message)


def _bomb(levels: int) -> str:
    lines = ["L0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"L{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _texts(count: int) -> str:
    return f"A: &a {'x' * 50_000}\nB: [{', '.join(['*a'] * count)}]"


def _deep_aliases() -> str:
    inner = "[" * 60 + "x" + "]" * 60
    return f"A: &a {inner}\nB: {'[' * 60}*a{']' * 60}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (_bomb(30), "values"),
        (_texts(100), "characters"),
        (_deep_aliases(), "nested deeper"),
        ("A: " + "[" * 10_000 + "]" * 10_000, "nested deeper"),
        ("A: " + "{a: " * 900 + "1" + "}" * 900, "nested deeper"),
        ("\n".join("  " * level + "a:" for level in range(500)), "nested deeper"),
        ("- " * 100_000, "nested deeper"),
        ("A: !Not " + "[!Not " * 10_000, "nested deeper"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested deeper"),
        ('{"a":' * 100_000, "JSON not well-formed"),
        ("#" * 1_048_577, "Template may not exceed 1048576 bytes in size."),
        ("ä" * 600_000, "Template may not exceed 1048576 bytes in size."),
    ],
    ids=range(12),
)
def test_bombs(text: str, complaint: str) -> None:
    """What grows when it is written out, is too deep or too large, is refused."""
    with pytest.raises(TemplateError, match=complaint):
        read_template(text)


def test_documents_of_others() -> None:
    """What a macro returns has the same bounds."""
    deep: Any = "x"
    for _ in range(DEPTH_MAX + 1):
        deep = {"a": deep}
    for document in (deep, {1: 2}, {"a": object()}, {"a": {"b": b""}}):
        with pytest.raises(TemplateError):
            check_document(document)
    assert check_document(deep["a"]) == deep["a"]

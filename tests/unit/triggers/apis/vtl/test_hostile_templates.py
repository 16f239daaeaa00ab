"""Templates and inputs are hostile: nothing is reached, and nothing takes long."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.gateway import UTIL, input_variable
from lambent.triggers.apis.vtl.methods import call, get_item, get_property
from lambent.triggers.apis.vtl.template import compile_template
from lambent.triggers.apis.vtl.values import Facts

SECONDS_MAX = 10
"""Far above what a bounded template takes, far below what an unbounded one would."""
BODY = '{"a": [1, {"b": "text"}], "c": "x"}'


def render(template: str, body: str = BODY, budget: Budget | None = None) -> str:
    values: dict[str, Any] = {
        "input": input_variable(body, {"header": {"h": "1"}}),
        "util": UTIL,
        "context": {"stage": "s"},
    }
    return compile_template(template).render(values, budget)


@pytest.mark.parametrize(
    "reference",
    [
        "$input.class",
        "$input.getClass()",
        "$util.getClass().forName('java.lang.Runtime')",
        "$input['__class__']",
        "$context['__class__']",
        "$context.get('__class__')",
        "$input.body.format('x')",
        "$input.body.join(['a'])",
        "$input.path('$.a').append(1)",
        "$input.path('$.a').copy()",
        "$input.methods",
        "$util.methods.get('parseJson')",
        "$foreach.facts",
        "$util.escapeJavaScript",
        "#foreach($x in [1])$foreach.facts$foreach['__class__']$foreach.parent#end",
    ],
)
def test_no_name_reaches_the_interpreter(reference: str) -> None:
    """Attributes and methods of Python's objects, or Java's, do not exist."""
    assert render(reference) == ""


@pytest.mark.parametrize("name", ["__class__", "__init__", "methods", "facts", "text", "key"])
def test_attributes_of_values_are_no_properties(name: str) -> None:
    """Names with underscores are not even properties in the language: they print as text."""
    values: list[Any] = ["a", 1, 1.5, True, [1], {"a": 1}, UTIL, input_variable("", {}), Facts({})]
    for value in values:
        assert get_property(Budget(), value, name) is None
        assert get_item(value, name) is None
        assert call(Budget(), value, name, ()) is None
    assert render("$context.__init__.__globals__") == "{stage=s}.__init__.__globals__"


@pytest.mark.slow
@pytest.mark.parametrize(
    "template",
    [
        "#foreach($a in [1..1000])#foreach($b in [1..1000])x#end#end",
        "#set($a = 'x')#foreach($i in [1..1000])#set($a = \"$a$a\")#end",
        "#set($a = 'x')#foreach($i in [1..1000])#set($a = $a + $a)#end",
        "#set($a = 'xxxxxxxx')#foreach($i in [1..9])#set($a = $a.replace('x', $a))#end",
        "#set($a = 'xxxxxxxx')#foreach($i in [1..9])#set($a = $a.replaceAll('.', $a))#end",
        "#set($a = [1])#foreach($i in [1..1000])#set($x = $a.addAll($a))#end",
        "#set($a = {})#foreach($i in [1..1000])#set($a = {'l': $a, 'r': $a})#end$a",
        "#set($a = [1])#foreach($i in [1..30])#set($a = [$a, $a])#end$a.toString()",
        "#set($a = [1])#set($b = [1])#foreach($i in [1..30])"
        "#set($a = [$a, $a])#set($b = [$b, $b])#end#if($a == $b)#end",
        "#set($m = {})#set($x = $m.put('m', $m))$m",
        "#set($l = [])#set($x = $l.add($l))$l.contains([1]) $l",
        "#define($a)$a#end$a",
        "#define($a)$a $a#end#define($b)$a$a#end$b",
        "#set($a = 3)#foreach($i in [1..1000])#set($a = $a * $a)#end$a",
        "#foreach($i in [1..1000000000])x#end",
        "#set($a = 'a')#foreach($i in [1..15])#set($a = $a + $a)#end$a.matches('(a+)+b')",
        "#set($a = 'a')#foreach($i in [1..22])#set($a = $a + $a)#end"
        "#foreach($i in [1..1000])$a.indexOf('b')#end",
        "$input.body.matches('a{1000}{1000}')",
        "#set($a = '%41')#foreach($i in [1..40])#set($a = $util.urlDecode(\"$a$a\"))#end",
        "#set($a = '%')#foreach($i in [1..40])#set($a = $util.urlEncode($a + $a))#end",
        "#set($a = 'a')#foreach($i in [1..1000])#set($a = $util.base64Encode($a))#end",
        "#foreach($i in [1..1000])#foreach($j in [1..90])$input.path('$..*')#end#end",
        "(" * 100 + "#if(" * 100,
        "#set($a = " + "[" * 1000 + "]" * 1000 + ")",
        "#set($a = " + "!" * 5000 + "true)",
        "#set($a = " + "(" * 5000 + "1" + ")" * 5000 + ")",
        "$a" + ".b($a" * 1000,
        "#if(true)" * 1000 + "#end" * 1000,
        "#set($a = " + "9" * 10_000 + ")",
        "$util.parseJson('" + "[" * 100_000 + "')",
        "$util.parseJson('" + "[" * 900 + "]" * 900 + "')",
        '#set($x = "${x.y")',
        "x" * 400_000,
    ],
)
def test_a_bomb_is_an_error_soon(template: str) -> None:
    """Loops, growth, depth and recursion end in a `TemplateError`."""
    started = time.thread_time()
    with pytest.raises(TemplateError):
        render(template)
    assert time.thread_time() - started < SECONDS_MAX


def test_a_large_body_is_read_within_the_budget() -> None:
    """A template that prints a small part of ten megabytes works; one that goes through it does
    not."""
    body = '{"a": "x", "l": [' + ",".join(["1"] * 1_000_000) + "]}"
    assert render("$input.path('$.a')", body) == "x"
    with pytest.raises(TemplateError):
        render("$input.path('$..*').size()", body)
    with pytest.raises(TemplateError):
        render("#foreach($i in [1..1000])$input.path('$.l').size()#end", body)


TOKENS = st.sampled_from(
    [
        "#set(",
        "#if(",
        "#elseif(",
        "#else",
        "#end",
        "#foreach(",
        "#define(",
        "#macro(",
        "#stop",
        "#break",
        "##",
        "#*",
        "*#",
        "#[[",
        "]]#",
        "$",
        "$!",
        "${",
        "}",
        "$a",
        "$a.b",
        "$a.b(",
        "$input.path(",
        "$util.parseJson(",
        "$input.body",
        "$foreach.index",
        "in",
        ")",
        "(",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "..",
        ".",
        "'x'",
        '"',
        '"$a"',
        "'$.a'",
        "1",
        "-2",
        "1.5",
        "true",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "not",
        "+",
        "-",
        "*",
        "/",
        "%",
        "=",
        "\\",
        "\n",
    ]
)


@pytest.mark.slow
@settings(max_examples=400)
@given(st.lists(st.one_of(TOKENS, st.text(max_size=3)), max_size=30).map(" ".join))
def test_any_text_is_rendered_or_refused(template: str) -> None:
    """For any text, nothing else is raised, and the budget holds."""
    budget = Budget(steps=2_000)
    try:
        written = render(template, budget=budget)
    except TemplateError:
        return
    assert len(written) <= 10_000_000


@given(st.lists(TOKENS, max_size=30).map("".join))
def test_any_sequence_of_tokens_is_rendered_or_refused(template: str) -> None:
    """As above, without spaces between the tokens."""
    try:
        render(template, budget=Budget(steps=2_000))
    except TemplateError:
        return

"""`$input`, `$util` and `$context` as in API Gateway."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.triggers.apis.vtl.budget import InputError, TemplateError
from lambent.triggers.apis.vtl.gateway import UTIL, input_variable
from lambent.triggers.apis.vtl.template import compile_template

BODY = (
    '{"a": 1, "b": [{"c": 5}], "items": [{"id": "x", "n": 1.5}, {"id": "y"}],'
    ' "s": "it\'s", "z": null}'
)
PARAMETERS = {
    "path": {"id": "7", "both": "path"},
    "querystring": {"q": "1", "both": "query"},
    "header": {"X-Key": "k", "both": "header"},
}
PASS_THROUGH = """#set($allParams = $input.params())
{
"body-json" : $input.json('$'),
"params" : {
#foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
"$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"stage-variables" : {
#foreach($key in $stageVariables.keySet())
"$key" : "$util.escapeJavaScript($stageVariables.get($key))"
    #if($foreach.hasNext),#end
#end
},
"context" : {
    "account-id" : "$context.identity.accountId",
    "http-method" : "$context.httpMethod"
    }
}
"""


def render(template: str, body: str = BODY, **variables: Any) -> str:
    values = {"input": input_variable(body, PARAMETERS), "util": UTIL, **variables}
    return compile_template(template).render(values)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$input.body", BODY),
        ("$input.path('$.a')", "1"),
        ("$input.path('a')", "1"),
        ("$input.path('$').a", "1"),
        ("$input.path('$.b')", '[{"c":5}]'),
        ("#set($x = $input.path('$'))$x.b $x.b.size()", '[{"c":5}] 1'),
        ("$input.path('$.items[0]')", "{id=x, n=1.5}"),
        ("$input.path('$.items[*].id')", '["x","y"]'),
        ("$input.path(\"$.items[?(@.id == 'y')].id\")", '["y"]'),
        ("$input.path('$..id').size()", "2"),
        ("$input.path('$.missing')", ""),
        ("$input.path('$.z')", ""),
        ("#if($input.path('$.missing') == '')none#end", "none"),
        ("#if($input.path('$.missing'))truthy#end", "truthy"),
        ("$input.json('$.s')", '"it\'s"'),
        ("$input.json('$.b')", '[{"c":5}]'),
        ("$input.json('$.missing')", '""'),
        ('#foreach($i in $input.path("$.items"))$i.id#if($foreach.hasNext),#end#end', "x,y"),
        ("$input.params('id')", "7"),
        ("$input.params('both')", "path"),
        ("$input.params('q')", "1"),
        ("$input.params('x-key')", "k"),
        ("$input.params('missing')", ""),
        ("$input.params().querystring", "{q=1, both=query}"),
        ("$input.params().header.get('X-Key')", "k"),
        ('$util.escapeJavaScript("it\'s")', "it\\'s"),
        ("$util.escapeJavaScript('say \"x\"')", 'say \\"x\\"'),
        ("$util.escapeJavaScript($input.path('$.s')).replaceAll(\"\\\\'\", \"'\")", "it's"),
        ("$util.escapeJavaScript($input.json('$.s'))", '\\"it\\\'s\\"'),
        ("$util.escapeJavaScript('a/b')", "a\\/b"),
        ("$util.urlEncode('x=a+b c~*')", "x%3Da%2Bb+c%7E*"),
        ("$util.urlDecode('x%3Da+b')", "x=a b"),
        ("$util.base64Encode('héllo')", "aMOpbGxv"),
        ("$util.base64Decode('aMOpbGxv')", "héllo"),
        (
            '#set($p = $util.parseJson(\'{"k": {"l": [1, 2]}}\'))$p.k.l[1] $p.k.l $p',
            "2 [1,2] {k={l=[1,2]}}",
        ),
        ("$util.parseJson('true') $util.parseJson('\"s\"')", "true s"),
    ],
)
def test_variables_are_as_in_api_gateway(template: str, expected: str) -> None:
    """Bodies, parameters and functions."""
    assert render(template) == expected


def test_an_empty_body_is_an_empty_object() -> None:
    """As it was recorded: a template that forwards the body forwards `{}`."""
    assert render("$input.body $input.json('$') $input.path('$.a')", body="") == "{} {} "


def test_a_body_that_is_not_json_is_an_error_of_its_own() -> None:
    """Only when the template reads it as JSON."""
    assert render("$input.body", body="<a/>") == "<a/>"
    with pytest.raises(InputError):
        render("$input.json('$')", body="<a/>")


def test_the_console_s_pass_through_template_writes_json() -> None:
    """The template that the console of AWS offers."""
    written = json.loads(
        render(
            PASS_THROUGH,
            stageVariables={"v": 'a"b'},
            context={"httpMethod": "GET", "identity": {"accountId": "1"}},
        )
    )
    assert written["body-json"] == json.loads(BODY)
    assert written["params"] == PARAMETERS
    assert written["stage-variables"] == {"v": 'a"b'}
    assert written["context"] == {"account-id": "1", "http-method": "GET"}


def test_overrides_are_written_to_the_context() -> None:
    """What a template sets there is the caller's to read."""
    context: dict[str, Any] = {
        "requestOverride": {"header": {}, "path": {}, "querystring": {}},
        "responseOverride": {"header": {}},
    }
    template = (
        "#set($context.requestOverride.header.a = 'x')"
        "#set($context.requestOverride.path.p = $input.path('$.a'))"
        "#set($context.responseOverride.status = 404)"
    )
    assert render(template, context=context) == ""
    assert context["requestOverride"] == {"header": {"a": "x"}, "path": {"p": 1}, "querystring": {}}
    assert context["responseOverride"] == {"header": {}, "status": 404}


@pytest.mark.parametrize(
    "path",
    ["$..*[?(@..a)]", "$[?(@.a =~ /(a+)+b/)]", "$[?match(@.a, 'x')]", "$[", "$[?(@ == $.b)]"],
)
def test_paths_that_cannot_be_bounded_are_refused(path: str) -> None:
    """Queries in filters, functions and regular expressions."""
    with pytest.raises(TemplateError):
        render(f'$input.path("{path}")', body='{"a": {"a": "aaaa"}}')


@given(st.text())
def test_functions_that_undo_each_other_do(text: str) -> None:
    """For every text that can be encoded."""
    text = text.encode(errors="replace").decode()
    variables = {"text": text}
    assert render("$util.urlDecode($util.urlEncode($text))", **variables) == text
    assert render("$util.base64Decode($util.base64Encode($text))", **variables) == text
    assert (
        render("$util.base64Encode($text)", **variables) == base64.b64encode(text.encode()).decode()
    )
    escaped = render("$util.escapeJavaScript($text)", **variables).replace("\\'", "'")
    assert json.loads(f'"{escaped}"') == text

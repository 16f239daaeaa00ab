"""Templates write what Velocity 1.7 writes, and where it differs what API Gateway was recorded to
write."""

import json
from typing import Any

import pytest

from lambent.triggers.apis.vtl.template import compile_template

A = {"a": {"b": {"c": "d"}}}
NAMES = {"greetings": ["Hello", "Goodbye"], "names": ["Chris", "Steve"]}
LOOP = """
#define( $loop ) {
    #foreach($e in $map.keySet())
        #set( $k = $e )
        #set( $v = $map.get($k))
        "$k": "$v"
        #if( $foreach.hasNext ) , #end
    #end
}
#end
$loop
#set( $map = {'foo':'bar'} )
$loop
"""
TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("<html></html>", {}, "<html></html>"),
    ("Hello $name", {"name": "Chris"}, "Hello Chris"),
    ("Hello $ ", {}, "Hello $ "),
    ("Hello $name", {}, "Hello "),
    ("Hello $!name", {}, "Hello "),
    ("Hello ${name}.", {"name": "World"}, "Hello World."),
    ("Hello $name}.", {"name": "World"}, "Hello World}."),
    ("$user.name.", {"user": {"items": "1"}}, "."),
    ('<span style="color: #13ff93">', {}, '<span style="color: #13ff93">'),
    ('<a href="#">bob</a>', {}, '<a href="#">bob</a>'),
    ("$value", {"value": "Grüße"}, "Grüße"),
    ("$a[1]", {"a": ["foo", "bar"]}, "bar"),
    ("$a[1][1]", {"a": ["foo", ["bar1", "bar2"]]}, "bar2"),
    ("$a[1].bar1", {"a": ["foo", {"bar1": "bar2"}]}, "bar2"),
    ('$a["foo"]', {"a": {"foo": "bar"}}, "bar"),
    ("$a.b.c['foo:bar']", {"a": {"b": {"c": {"foo:bar": "baz"}}}}, "baz"),
    ("#set($i = 1)$a[ $i ]", {"a": ["foo", "bar"]}, "bar"),
    ("${a.b.c}x $a.b.c.", A, "dx d."),
    ("$5 and $.x and ${1}", {}, "$5 and $.x and ${1}"),
    ("$true $a-b", {"true": "t", "a-b": "dash"}, "t dash"),
]
CONDITIONS: list[tuple[str, dict[str, Any], str]] = [
    ("#if(${a.b.c})yes!#end", A, "yes!"),
    ("#if(${a.b.c})yes!#end", {"a": {"b": {"c": False}}}, ""),
    ("#if(${a.b.c})yes!#end", {}, "yes!"),
    ("#if($!a.b.c)yes!#end", {}, "yes!"),
    ("#if($a)yes!#end", {"a": False}, ""),
    ("#if ($x)hide me#end", {"x": None}, "hide me"),
    ("#if($x)yes#end", {"x": ""}, "yes"),
    ("#if($x)yes#end", {"x": 0}, "yes"),
    ("#if($x == '')empty#end", {}, "empty"),
    ("#if ($value) true #else false #end", {}, " true "),
    ("#if($value)true#{else}false#end", {"value": False}, "false"),
    ("#if($value)true#{end}monkey", {}, "truemonkey"),
    ("#if ($a) 1 #elseif ($b) 2 #end", {"a": False, "b": True}, " 2 "),
    ("#if ($a) 1 #elseif ($b) 2 #else 3 #end", {"a": False, "b": False}, " 3 "),
    ("#if ( !$value )yes#end", {"value": False}, "yes"),
    ("#if ( not $value )yes#end", {"value": True}, ""),
    ("#if ( !$value )yes#end", {"value": None}, ""),
    ("#if ( ($v == 1) && ($w == 2) )yes#end", {"v": 1, "w": 2}, "yes"),
    ("#if ( $v == 1 && $w == 2 )yes#end", {"v": 1, "w": 1}, ""),
    ("#if ( !$v && !$w )yes#end", {"v": False, "w": False}, "yes"),
    ("#if('1' == 1)same#end", {}, "same"),
    ("#if(1 == 1.0)same#end", {}, "same"),
    ("#if('a' < 'b')less#{else}no#end", {}, "no"),
]
LOOPS: list[tuple[str, dict[str, Any], str]] = [
    ("#foreach ($n in $names)Hello $n. #end$n", NAMES, "Hello Chris. Hello Steve. "),
    (
        "#foreach ($w in $greetings)$w to#foreach ($w in $names) $w#end. #end",
        NAMES,
        "Hello to Chris Steve. Goodbye to Chris Steve. ",
    ),
    ("#foreach ($w in $names)$velocityCount,#end", NAMES, "1,2,"),
    ("#foreach ($w in $names)$foreach.count$foreach.index,#end", NAMES, "10,21,"),
    (
        "#foreach ($i in [1, 2, 3])$i. #if ($velocityHasNext)yes#end, #end",
        {},
        "1. yes, 2. yes, 3. , ",
    ),
    (
        "#foreach ($i in [1, 2, 3])$i. #if ($foreach.hasNext)yes#end, #end",
        {},
        "1. yes, 2. yes, 3. , ",
    ),
    (
        "#foreach ($i in [1, 2, 3])$i. #if ($foreach.hasNext())yes#end, #end",
        {},
        "1. yes, 2. yes, 3. , ",
    ),
    ("#foreach ($i in [1, 2, 3])$i. #if ($foreach.first)yes#end, #end", {}, "1. yes, 2. , 3. , "),
    ("#foreach ($i in [1, 2, 3])$i. #if ($foreach.last)yes#end, #end", {}, "1. , 2. , 3. yes, "),
    ("#foreach($v in $values)foo#end", {}, ""),
    ("#foreach($v in $values)foo#end", {"values": 1}, ""),
    ("#foreach($v in $m)$v,#end", {"m": {"a": 1, "b": 2}}, "1,2,"),
    ("#foreach( $v in [1..5] )$v\n#end", {}, "1\n2\n3\n4\n5\n"),
    ("#foreach( $v in [5..-2] )$v,#end", {}, "5,4,3,2,1,0,-1,-2,"),
    ("#set($a = 1)#foreach($i in [$a..3])${i}-#end", {}, "1-2-3-"),
    ("#set($i = 1)$i,#foreach ($i in [2, 3, 4])$i,#set($i = $i)#end$i", {}, "1,2,3,4,1"),
    ("#set($v = 1)#foreach ($i in $l)$v,#set($v = $i)#end$v", {"l": [2, 3, 4]}, "1,2,3,4"),
    (
        "#foreach ($j in [1,2])#foreach ($i in [3, 4])$foreach.count,#end$foreach.count|#end",
        {},
        "1,2,1|1,2,2|",
    ),
    ("#foreach($i in [1..3])#if($i == 2)#break#end$i#end.", {}, "1."),
    (
        "#foreach($i in [1..2])#foreach($j in [1..2])$foreach.parent.count$j #end#end",
        {},
        "11 12 21 22 ",
    ),
    ("hello #stop world", {}, "hello "),
    (
        "#foreach($e in $m.entrySet())$e.key=$e.value;$e.getKey() #end",
        {"m": {"a": 1}},
        "a=1;a ",
    ),
]
SETS: list[tuple[str, dict[str, Any], str]] = [
    ("#set ($value = 10)$value", {}, "10"),
    ("#set ($v = true)$v #set ($w = false)$w", {}, "truefalse"),
    ("#set($a = (5 + 4))$a", {}, "9"),
    ("#set($b = 5)#set($a = ($b + 4))$a", {}, "9"),
    ("#set($a = 4 > 2 + 5)$a", {}, "false"),
    ("#set($a = (5 + 4) > 2)$a", {}, "true"),
    ("#set($a = 5 * 4 - 2)$a", {}, "18"),
    ("#set($a = 2 + 5 * 4)$a", {}, "22"),
    ("#set($a = 100.0 / 50)$a", {}, "2.0"),
    ("#set($a = 7 / 2)$a #set($b = -7 / 2)$b", {}, "3-3"),
    ("#set( $m = ($value % 2) )$m", {"value": 3}, "1"),
    ("#set($a = 1)#set($a = 1 / 0)$a", {}, "1"),
    ("#set($a = 'x' + 1)$a", {}, "x1"),
    ("#set($a = {})$a", {}, "{}"),
    ('#set($a = {"dog": "cat" , "horse":15})$a.dog$a.horse', {}, "cat15"),
    ('#set($a = {"dog": "$horse"})$a.dog', {"horse": "cow"}, "cow"),
    ("#set($m = {'k1': 'v1', 'k2': 'v2'} )$m.toString() $m", {}, "{k1=v1, k2=v2} {k1=v1, k2=v2}"),
    ("#set($l = [1, 'a', [true]])$l", {}, "[1, a, [true]]"),
    ("#set($f = [1,2,3])#set( $x = $f.add('v') )#foreach($i in $f)$i,#end", {}, "1,2,3,v,"),
    ("#set( $x = $d.put('k', 'new') )$x - $d.k", {"d": {"k": "old"}}, "old - new"),
    ("#set( $x = $d.putAll({'a': 'v3', 'b': 'v2'}))$d.a - $d.b", {"d": {"a": "v1"}}, "v3 - v2"),
    ("#set($o.inner = 'monkey')$o.inner", {"o": {}}, "monkey"),
    ("#set($l[1] = 'x')$l", {"l": [1, 2]}, "[1, x]"),
    ("#set($c.r.h['x-a'] = [1])$c", {"c": {"r": {"h": {}}}}, "{r={h={x-a=[1]}}}"),
]
QUOTES: list[tuple[str, dict[str, Any], str]] = [
    ('#set($h="hello, $name is")$h', {"name": "Steve"}, "hello, Steve is"),
    ("#set($h='hello, $name is')$h", {"name": "Steve"}, "hello, $name is"),
    ('#set($h="hello, \\$name is")$h', {"name": "Steve"}, "hello, $name is"),
    ("#set( $v = \"\" )#set( $y = '' ).$v.$y.", {}, "..."),
    ("#set($d = '{\"a\": 2}')$d", {}, '{"a": 2}'),
    ('#set($d = "{""a"": 2}")$d', {}, '{"a": 2}'),
    (r'#set($d = "1\\""2""3")$d', {}, r'1\\"2"3'),
    (r'#set ($name = "\\batman\nand robin")$name', {}, r"\\batman\nand robin"),
    ('#set($x = "#if($a)1#{else}2#end")$x', {"a": False}, "2"),
    ('#set($x = "costs 5$")$x', {}, "costs 5$"),
    ('#set($x = "\\u0041")$x', {}, "A"),
]
SPACE: list[tuple[str, dict[str, Any], str]] = [
    ("## comment\nStuff\nMore stuff## more $blah", {}, "Stuff\nMore stuff"),
    ("Stuff#*\n more *#\n and more", {}, "Stuff\n and more"),
    ("a#[[ $b #if ]]#c", {}, "a $b #if c"),
    ("\n#if(true)\nhello##\n#end", {}, "\nhello"),
    (
        "hello #if ($a)${n}.\n#if($b)Happy\n#end.\n#end Off?",
        {"n": "Steve"},
        "hello Steve.\nHappy\n.\n Off?",
    ),
    ("a\n  #set($x = 1)  \nb", {}, "a\n  b"),
    ("#set($y = 1)  #set($x = 1)b", {}, "b"),
    ("$y  #set($x = 1)b", {"y": 1}, "1b"),
    ("#set( $x = {\n 'a': 1,\n 'b': 2\n} )\n$x.a", {}, "1"),
    ("a #else_x b #endOff", {}, "a #else_x b #endOff"),
    (
        'blah\n#set($v = ["Hi ", $p, 7])\n#foreach($i in $v)$i#end\n\nblah',
        {"p": "Al"},
        "blah\nHi Al7\nblah",
    ),
    (
        '\n#set( $email = "foo" )\n$email\n\\$email\n\\\\$email\n\\\n\\\\ \\# \\$\n'
        "\\#end\n\\# end\n"
        '\\#set( $email = "foo" )\n',
        {},
        '\nfoo\n$email\n\\foo\n\\\n\\\\ \\# \\$\n#end\n\\# end\n#set( foo = "foo" )\n',
    ),
]
DEFINITIONS: list[tuple[str, dict[str, Any], str]] = [
    ("#define ( $hello)hi#end$hello()$hello()", {}, "hi()hi()"),
    ("#define ( $i )$foreach.index#end#foreach($x in [1,2,3])$i#end", {}, "012"),
    ("\n#define( $f )$c#end\n#set( $c = 'foo' )\n$f\n#set( $c = 'bar' )\n$f\n", {}, "\nfoo\nbar\n"),
    ("#macro(tryme)$values#end#tryme()", {}, "#tryme()"),
    ("\n#macro ( blah )\nhello##\n#end\n#blah()", {}, "\n#blah()"),
    ("#macro( recur $n)#if($n > 0)X#end#end#recur(5)", {}, "#recur(5)"),
    ("#set($v1 = {})#return($v1)", {}, "#return($v1)"),
    ("#evaluate($dynamic)", {}, "#evaluate($dynamic)"),
]
METHODS: list[tuple[str, str]] = [
    ("'foobar123'.length()", "9"),
    ("'foobar123bab'.replaceAll('ba.', 'foo')", "foofoo123foo"),
    ("'a.b.c'.replace('.', '-')", "a-b-c"),
    ("'a1b22'.replaceFirst('[0-9]+', '<$0>')", "a<1>b22"),
    ("'John Smith'.replaceAll('(\\w+) (\\w+)', '$2 $1')", "Smith John"),
    ("'it''s'.replaceAll(\"'\", \"\\\\'\")", "it\\'s"),
    ("'foobar'.startsWith('foo')", "true"),
    ("'foobar'.endsWith('foo')", "false"),
    ("'foobar'.contains('oba')", "true"),
    ("'foobar'.indexOf('b')", "3"),
    ("'foobar'.substring(3)", "bar"),
    ("'foobar'.substring(1, 3)", "oo"),
    ("' x '.trim()", "x"),
    ("'Ab'.toUpperCase()", "AB"),
    ("'Ab'.toLowerCase()", "ab"),
    ("'a,b,,c,,'.split(',')", "[a, b, , c]"),
    ("'a,b,c'.split(',', 2)", "[a, b,c]"),
    ("'abc'.split('')", "[a, b, c]"),
    ("'abc'.matches('[a-c]+')", "true"),
    ("'abc'.matches('b')", "false"),
    ("'abc'.equals('abc')", "true"),
    ("'abc'.equalsIgnoreCase('ABC')", "true"),
    ("'abc'.charAt(1)", "b"),
    ("'abc'.concat('d')", "abcd"),
    ("''.isEmpty()", "true"),
    ("'hello'.hashCode()", "99162322"),
    ("[1,2,3].size()", "3"),
    ("[1,2,3].contains(1)", "true"),
    ("[1,2,3].get(1)", "2"),
    ("[1,2,3].indexOf(3)", "2"),
    ("[1,2,3].remove(0)", "1"),
    ("{'a': 1}.containsKey('a')", "true"),
    ("{'a': 1}.containsValue(1)", "true"),
    ("{'a': 1, 'b': 2}.keySet()", "[a, b]"),
    ("{'a': 1, 'b': 2}.values()", "[1, 2]"),
    ("{'a': 1}.entrySet()", "[a=1]"),
    ("{'a': 1}.remove('a')", "1"),
    ("{}.isEmpty()", "true"),
    ("'abc'.length(1)", ""),
    ("'abc'.noSuchMethod()", ""),
    ("12345678901.0", "1.2345678901E10"),
    ("0.0001", "1.0E-4"),
    ("-2.50", "-2.5"),
]


def render(template: str, variables: dict[str, Any] | None = None) -> str:
    values: dict[str, Any] = json.loads(json.dumps(variables or {}))
    return compile_template(template).render(values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "variables", "expected"),
    [*TEXTS, *CONDITIONS, *LOOPS, *SETS, *QUOTES, *SPACE, *DEFINITIONS],
)
def test_a_template_writes_what_velocity_writes(
    template: str, variables: dict[str, Any], expected: str
) -> None:
    """References, directives, literals, escapes and the space around them."""
    assert render(template, variables) == expected


@pytest.mark.parametrize(("expression", "expected"), METHODS)
def test_a_method_returns_what_it_returns_in_java(expression: str, expected: str) -> None:
    """Methods of texts, lists and maps; what is no method is the empty text."""
    target, dot, call = expression.partition("." if expression[0] in "'[{" else "\0")
    if expression.startswith("'a.b.c'"):
        target, dot, call = "'a.b.c'", ".", expression.removeprefix("'a.b.c'.")
    elif expression.startswith("{"):
        target, dot, call = expression.rpartition(".")
    assert render(f"#set($target = {target})$target{dot}{call}".replace("\0", "")) == expected


@pytest.mark.parametrize("operator", [">", ">=", "<", "<=", "==", "!="])
def test_operators_compare_in_both_spellings(operator: str) -> None:
    """Each operator has a word, which means the same."""
    words = {">": "gt", ">=": "ge", "<": "lt", "<=": "le", "==": "eq", "!=": "ne"}
    for spelling in (operator, words[operator]):
        for value in (0, 1, 2):
            written = render(f"#if ( $value {spelling} 1 )yes#end", {"value": value})
            assert written == ("yes" if eval(f"{value} {operator} 1") else "")


@pytest.mark.parametrize(("left", "right"), [(False, False), (True, False), (False, True)])
def test_and_or_in_both_spellings(left: bool, right: bool) -> None:
    """`and` and `or` are words for `&&` and `||`."""
    values = {"a": left, "b": right}
    for spelling in ("||", "or"):
        assert render(f"#if($a {spelling} $b)y#end", values) == ("y" if left or right else "")
    for spelling in ("&&", "and"):
        assert render(f"#if($a {spelling} $b)y#end", values) == ""


def test_a_defined_block_writes_json() -> None:
    """The loop that many templates contain."""
    written = render(LOOP, {"map": {"test": 123, "test2": "abc"}})
    assert " ".join(written.split()) == '{ "test": "123" , "test2": "abc" } { "foo": "bar" }'

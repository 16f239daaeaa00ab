"""Templates of strangers are evaluated, or refused with a `TemplateError`."""

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.stacks.template.dynamic_references import dynamic_references, parse_reference
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.evaluation import Evaluation, Inputs, Known
from lambent.stacks.template.parameters import resolve_parameters
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.summary import summary
from lambent.stacks.template.template import parse_template
from lambent.stacks.template.values import UNKNOWN

NAMES = st.sampled_from(["A", "B", "P", "L", "C", "M", "a", "AWS::Region", "AWS::NoValue", "", "-"])
SCALARS = st.one_of(
    NAMES,
    st.sampled_from([0, 1, -1, 1.5, True, 10**30, "${A}", "${B.x}", "${!a}", "${", "::/64"]),
    st.sampled_from(["{{resolve:ssm:a}}", "{{resolve:secretsmanager:a:b}}", "A.Arn", ",", "&{I}"]),
    st.text(max_size=3),
)
FUNCTIONS = st.sampled_from(
    [
        "Ref", "Condition", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split",
        "Fn::FindInMap", "Fn::If", "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "Fn::Base64",
        "Fn::ImportValue", "Fn::GetAZs", "Fn::Cidr", "Fn::Transform", "Fn::Length",
        "Fn::ToJsonString", "Fn::Contains", "Fn::EachMemberIn", "Fn::EachMemberEquals",
        "Fn::RefAll", "Fn::ValueOf", "Fn::ForEach::L", "Fn::Nonsense",
    ]
)  # fmt: skip
JUNK = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(FUNCTIONS | NAMES, inner, min_size=1, max_size=1),
        st.dictionaries(NAMES, inner, max_size=3),
    ),
    max_leaves=6,
)


def _called(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*arguments).map(lambda values: {name: list(values)})


def _applied(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Functions with the right number of arguments of any kind."""
    items = inner | st.lists(inner, max_size=3) | st.just({"Ref": "L"})
    text = st.sampled_from(["", ",", "a"])
    return st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=2),
        _called("Fn::Join", text, items),
        _called("Fn::Select", inner, items),
        _called("Fn::Split", text, inner),
        _called("Fn::FindInMap", st.just("M"), st.just("a") | inner, st.just("a") | inner),
        _called(
            "Fn::FindInMap",
            inner,
            inner,
            inner,
            inner.map(lambda default: {"DefaultValue": default}),
        ),
        _called("Fn::If", st.just("C"), inner, inner),
        _called("Fn::Cidr", inner, st.integers(-1, 5), st.integers(-1, 40)),
        _called("Fn::Sub", st.just("${P}${x}${A.Arn}"), st.fixed_dictionaries({"x": inner})),
        *(
            inner.map(lambda argument, name=name: {name: argument})
            for name in (
                "Fn::Base64", "Fn::GetAZs", "Fn::ImportValue", "Fn::Length", "Fn::ToJsonString",
            )
        ),
    )  # fmt: skip


LEAVES = st.one_of(
    st.sampled_from(["a", "10.0.0.0/8", "{{resolve:ssm:a}}", 1, True]),
    st.sampled_from(["A", "P", "L", "AWS::Region", "AWS::NoValue"]).map(lambda name: {"Ref": name}),
    st.sampled_from(["Arn", "List", "None"]).map(lambda name: {"Fn::GetAtt": ["A", name]}),
)
EXPRESSIONS = st.recursive(LEAVES, _applied, max_leaves=5)
BOOLEANS = st.recursive(
    _called("Fn::Equals", EXPRESSIONS, EXPRESSIONS),
    lambda inner: st.one_of(
        _called("Fn::And", inner, inner),
        _called("Fn::Not", inner),
        _called("Fn::Or", inner, inner),
        _called("Fn::Contains", st.just({"Ref": "L"}) | EXPRESSIONS, EXPRESSIONS),
        _called("Fn::EachMemberIn", st.just({"Ref": "L"}) | EXPRESSIONS, EXPRESSIONS),
        st.just({"Condition": "C"}),
    ),
    max_leaves=3,
)
KNOWN = {"A": Known("a", {"Arn": "arn", "List": ["x"]}), "B": Known(UNKNOWN, UNKNOWN)}


@given(st.dictionaries(
    st.sampled_from([
        "Resources", "Parameters", "Conditions", "Mappings", "Outputs", "Rules", "Transform",
        "Metadata", "Description", "Globals",
    ]),
    JUNK | st.dictionaries(NAMES, JUNK),
))  # fmt: skip
def test_any_document(document: Any) -> None:
    """Nothing but a `TemplateError` leaves the reading of a document."""
    with contextlib.suppress(TemplateError):
        summary(parse_template(document))
    document["Resources"] = {"A": {"Type": "T", "Properties": {"p": document.get("Metadata")}}}
    with contextlib.suppress(TemplateError):
        summary(parse_template(document))


@given(
    expressions=st.lists(EXPRESSIONS, min_size=4, max_size=4),
    boolean=BOOLEANS,
    condition=BOOLEANS | st.just({"Fn::Equals": [{"Ref": "P"}, "p"]}),
    loop=EXPRESSIONS | st.just({"Ref": "L"}),
    is_extended=st.sampled_from([True, True, True, False]),
)
def test_any_expression(
    expressions: list[Any], boolean: Any, condition: Any, loop: Any, is_extended: bool
) -> None:
    """Nothing but a `TemplateError` leaves an evaluation."""
    document: dict[str, Any] = {
        "Parameters": {"P": {"Type": "String"}, "L": {"Type": "CommaDelimitedList"}},
        "Mappings": {"M": {"a": {"a": "x", "b": ["x", "y"]}}},
        "Conditions": {"C": condition, "D": boolean},
        "Rules": {"R": {"Assertions": [{"Assert": boolean}]}},
        "Resources": {
            "A": {"Type": "T"},
            "B": {"Type": "T", "Properties": {"a": expressions[0], "b": expressions[1]}},
            "E": {"Type": "T", "Condition": "C", "Metadata": expressions[2]},
        },
        "Outputs": {"O": {"Value": expressions[3], "Export": {"Name": expressions[0]}}},
    }
    if is_extended:
        body = {"X${I}": {"Type": "T", "Properties": {"c": expressions[2]}}}
        document["Resources"]["Fn::ForEach::L"] = ["I", loop, body]
        document["Resources"]["A"]["DeletionPolicy"] = {"Fn::If": ["C", "Retain", expressions[1]]}
        document["Transform"] = "AWS::LanguageExtensions"
    _evaluate(document)
    document["Conditions"] = {"C": {"Fn::Equals": ["a", "b"]}}
    _evaluate(document)


def _evaluate(document: Any) -> None:
    with contextlib.suppress(TemplateError):
        template = parse_template(document)
        parameters = resolve_parameters(template, {"P": "p", "L": "a,b"}, None).values({})
        inputs = Inputs(
            account="1",
            region="r",
            stack_name="s",
            stack_id="i",
            parameters=parameters,
            imports={"a": "b"},
            zones=["ra"],
        )
        _use(Evaluation(template, inputs))


def _use(evaluation: Evaluation) -> None:
    uses: list[Callable[[], Any]] = [
        evaluation.imported_names,
        evaluation.rules,
        lambda: evaluation.outputs(KNOWN),
        lambda: evaluation.outputs({}),
    ]
    for logical_id in evaluation.wanted():
        evaluation.sources(logical_id)
        uses += [
            lambda name=logical_id: evaluation.deletion_policy(name),
            lambda name=logical_id: evaluation.metadata(name, {}),
            lambda name=logical_id: evaluation.properties(name, KNOWN),
            lambda name=logical_id: evaluation.properties(name, {}),
        ]
    for use in uses:
        with contextlib.suppress(TemplateError):
            for reference in dynamic_references(use()):
                parse_reference(reference)


@given(
    st.text("{}[]:,-&*!?|>'\"#%@` \n\tabR01~=<._", max_size=40)
    | st.lists(
        st.sampled_from(
            ["&a ", "*a", "!Ref ", "!Sub ", "!!str ", "? ", ": ", "- ", "[", "]", "{", "}", ", ",
             "\n", "\n  ", "a", "b", "1", "'", '"', "|\n ", "<<: ", "--- ", "%YAML 1.1\n", "..."]
        )
    ).map("".join)
    | st.binary(max_size=60).map(lambda data: data.decode("latin-1"))
)  # fmt: skip
def test_any_text(text: str) -> None:
    """Nothing but a `TemplateError` leaves the reader, and what it reads is an object."""
    with contextlib.suppress(TemplateError):
        assert isinstance(read_template(text), dict)

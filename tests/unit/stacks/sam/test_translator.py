"""Templates of the Serverless Application Model, translated by AWS's own translator."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.stacks.sam import program
from lambent.stacks.sam import translator as module
from lambent.stacks.sam.translator import SamTranslator
from lambent.stacks.template.errors import TemplateError

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FUNCTION: dict[str, Any] = {
    "CodeUri": "s3://bucket/key",
    "Handler": "app.handler",
    "Runtime": "python3.12",
}


def serverless(**properties: Any) -> dict[str, Any]:
    """A template with one function."""
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Every": {"Type": "String", "Default": "5 minutes"}},
        "Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": properties}},
    }


def respond(template: dict[str, Any]) -> dict[str, Any]:
    """The program's response, without its process."""
    request = {"template": template, "parameters": {}, "region": "eu-west-1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program.sys, "addaudithook", lambda _: None)
        response: dict[str, Any] = json.loads(program.respond(json.dumps(request)))
    return response


async def test_a_template_becomes_one_without_serverless_resources() -> None:
    """With the policies, permissions and APIs that the function needs."""
    events = {
        "Call": {"Type": "Api", "Properties": {"Path": "/x", "Method": "get"}},
        "Tick": {"Type": "Schedule", "Properties": {"Schedule": "rate(5 minutes)"}},
    }
    template = serverless(**FUNCTION, Policies=["AWSLambdaSQSQueueExecutionRole"], Events=events)
    translated = await SamTranslator().translate(template, {"Every": "1 hour"}, "eu-west-1")
    resources = translated["Resources"]
    types = {resource["Type"] for resource in resources.values()}
    assert types == {
        *("AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::IAM::Role"),
        *("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"),
        "AWS::Events::Rule",
    }
    assert resources["FRole"]["Properties"]["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
    ]
    assert "Transform" not in translated


async def test_a_template_that_aws_refuses() -> None:
    """With the translator's words, as in AWS."""
    with pytest.raises(TemplateError) as raised:
        await SamTranslator().translate(serverless(Runtime=3), {}, "eu-west-1")
    assert raised.value.message == (
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application"
        " Specification document. Number of errors found: 1. Resource with id [F] is invalid."
        " Only one of 'InlineCode' or 'CodeUri' can be set."
    )


@pytest.mark.parametrize(
    "globals_",
    [
        {"Nonsense": {}},
        {"Function": {"Nonsense": 1}},
        {"Function": [1]},
        [1],
        "x",
        {"Api": {"x": 1}},
    ],
)
def test_globals_that_are_none(globals_: Any) -> None:
    """Are refused in the translator's words."""
    response = respond({**serverless(**FUNCTION), "Globals": globals_})
    assert "'Globals' section is invalid" in " ".join(response["errors"])


APPLICATION = {
    "Type": "AWS::Serverless::Application",
    "Properties": {"Location": {"ApplicationId": "a", "SemanticVersion": "1.0.0"}},
}


def test_an_application_of_the_repository() -> None:
    """Would need a connection to AWS."""
    response = respond({"Resources": {"A": APPLICATION}})
    assert "Serverless Application Repository are not offered" in response["errors"][0]


JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from(["x", "Api", "F", "get", "a.b"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["Type", "Properties", "Ref", "Fn::Sub", "Path", "Method", "Events", "Id", "x"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
PROPERTIES = st.dictionaries(
    st.sampled_from(
        [
            *("Events", "Policies", "Environment", "AutoPublishAlias", "Layers", "Tags", "Auth"),
            *("DeploymentPreference", "DefinitionBody", "Cors", "Domain", "StageName", "Role"),
            *("EventInvokeConfig", "FunctionUrlConfig", "Connectors", "ContentUri", "Location"),
        ]
    ),
    JUNK,
    max_size=4,
)


@settings(deadline=None)
@given(
    st.sampled_from(
        ["Function", "Api", "HttpApi", "StateMachine", "LayerVersion", "SimpleTable", "Connector"]
    ),
    PROPERTIES,
    JUNK,
)
def test_any_template(type: str, properties: dict[str, Any], other: Any) -> None:
    """The program has a response, whatever the template says."""
    resource = {"Type": f"AWS::Serverless::{type}", "Properties": {**FUNCTION, **properties}}
    template = {"Globals": {type: other}, "Resources": {"F": resource, "G": other}}
    assert respond(template).keys() & {"template", "errors"}


async def test_a_template_without_resources() -> None:
    with pytest.raises(TemplateError, match="failed with"):
        await SamTranslator().translate({"Resources": []}, {}, "eu-west-1")


@pytest.mark.parametrize("levels", [300, 100_000])
async def test_deep_templates(levels: int) -> None:
    """Are translated, or refused; the platform goes on."""
    deep: Any = "python3.12"
    for _ in range(levels):
        deep = {"Fn::Join": ["", [deep]]}
    template = serverless(**{**FUNCTION, "Description": deep})
    try:
        translated = await SamTranslator().translate(template, {}, "eu-west-1")
    except TemplateError as error:
        assert "nested too deeply" in error.message
    else:
        assert "F" in translated["Resources"]


async def test_a_translation_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is ended with its process."""
    monkeypatch.setattr(module, "_DEADLINE_S", 0.01)
    with pytest.raises(TemplateError, match="takes longer than"):
        await SamTranslator().translate(serverless(**FUNCTION), {}, "eu-west-1")


async def test_a_translation_that_needs_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMORY_BYTES", 8 << 20)
    with pytest.raises(TemplateError, match=r"ended without a result|too much memory"):
        await SamTranslator().translate(serverless(**FUNCTION), {}, "eu-west-1")


async def test_a_huge_result_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RESULT_BYTES_MAX", 100)
    with pytest.raises(TemplateError, match="too large"):
        await SamTranslator().translate(serverless(**FUNCTION), {}, "eu-west-1")

"""Identifiers, and properties from what a service says."""

import datetime
from typing import Any

import pytest

from lambent.gateway.models import load_model
from lambent.model.errors import ApiError
from lambent.stacks.cloud_control.failures import at_once, code_of
from lambent.stacks.cloud_control.identifiers import (
    canonical_of,
    identifier_of,
    known_of,
    physical_of,
)
from lambent.stacks.cloud_control.listing import LISTINGS
from lambent.stacks.cloud_control.models import properties_of, shown
from lambent.stacks.resources.expressions import Values
from lambent.stacks.resources.facts import facts_of
from lambent.stacks.resources.registry import ROWS
from lambent.stacks.resources.resource_type import Made
from tests.unit.stacks.resources.fake_api import STEP

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111111111111:function:f"


@pytest.mark.parametrize(
    ("type", "identifier", "physical_id", "more"),
    [
        ("AWS::Lambda::Function", "f", "f", {"FunctionName": "f"}),
        ("AWS::Lambda::Url", "f", "f", {"TargetFunctionArn": "f"}),
        ("AWS::Lambda::Alias", f"{FUNCTION_ARN}:a", f"{FUNCTION_ARN}:a", {"Name": "a"}),
        ("AWS::Lambda::Permission", "f|s", "s", {"FunctionName": "f"}),
        ("AWS::ApiGateway::Stage", "r|prod", "prod", {"RestApiId": "r"}),
        ("AWS::ApiGateway::Authorizer", "r|a", "a", {"RestApiId": "r"}),
        ("AWS::ApiGateway::Authorizer", '{"AuthorizerId":"a","RestApiId":"r"}', "a", {}),
        ("AWS::ApiGateway::GatewayResponse", "r|T", "r|T", {"RestApiId": "r"}),
        ("AWS::SQS::Queue", "http://h/1/q", "http://h/1/q", {"QueueName": "q"}),
        ("AWS::Events::Rule", "arn:aws:events:r:1:rule/b/n", "n", {"EventBusName": "b"}),
        ("AWS::Events::Rule", "arn:aws:events:r:1:rule/n", "n", {"Name": "n"}),
        ("AWS::IAM::ManagedPolicy", "arn:aws:iam::1:policy/p", "arn:aws:iam::1:policy/p", {}),
    ],
)
def test_an_identifier_says_which_resource(
    type: str, identifier: str, physical_id: str, more: dict[str, str]
) -> None:
    row = ROWS[type]
    known = known_of(row, identifier, STEP)
    assert physical_of(row, known, STEP) == physical_id
    assert more.items() <= known.items()
    assert known_of(row, canonical_of(row, known), STEP) == known


@pytest.mark.parametrize(
    ("type", "identifier"),
    [
        ("AWS::ApiGateway::Stage", "r"),
        ("AWS::ApiGateway::Stage", "r|prod|x"),
        ("AWS::ApiGateway::Stage", "|prod"),
        ("AWS::ApiGateway::Stage", '{"RestApiId": "r"}'),
        ("AWS::ApiGateway::Stage", '{"RestApiId": "r", "StageName": 1}'),
        ("AWS::ApiGateway::Stage", '{"RestApiId": "r", "StageName": "s", "x": "y"}'),
        ("AWS::ApiGateway::Stage", "{" * 900),
    ],
)
def test_what_is_no_identifier_is_refused(type: str, identifier: str) -> None:
    with pytest.raises(ApiError) as refused:
        known_of(ROWS[type], identifier, STEP)
    assert refused.value.code == "InvalidRequestException"


@pytest.mark.parametrize("type", sorted(LISTINGS))
def test_lists_are_those_of_the_models(type: str) -> None:
    """The operation exists, takes the parent, and returns what identifies a resource."""
    row, listing = ROWS[type], LISTINGS[type]
    operation = load_model(row.service).operation_model(listing.operation)
    taken = {*listing.members} | ({listing.parent[1]} if listing.parent else set())
    assert taken <= set(operation.input_shape.members)
    item = operation.output_shape.members[listing.items].member
    for name in listing.identifier.split(".") if listing.identifier else ():
        item = item.members[name]
    assert item.type_name == "string"
    assert len(facts_of(type).primary) == 1
    if listing.parent is not None:
        assert listing.parent[0] in facts_of(type).properties


@pytest.mark.parametrize("type", sorted(name for name, row in ROWS.items() if not row.is_stored))
def test_every_type_has_identifiers(type: str) -> None:
    """What is made has an identifier that leads to it."""
    row, names = ROWS[type], facts_of(type).primary
    assert names
    made = Made("id", {})
    identifier = identifier_of(row, made, dict.fromkeys(names, "x"))
    assert physical_of(row, known_of(row, identifier, STEP), STEP)


def view(type: str, response: Any, **known: str) -> dict[str, Any]:
    row = ROWS[type]
    values = Values(step=STEP, properties=known, physical_id="id", response=response)
    return shown(row, properties_of(row, values))


def test_properties_are_those_that_a_template_can_have() -> None:
    """Whatever else a response has, such as states and times, is left out."""
    response = {
        "Configuration": {
            "FunctionName": "f",
            "FunctionArn": FUNCTION_ARN,
            "State": "Active",
            "Timeout": 3,
            "Layers": [{"Arn": "arn:l:1", "CodeSize": 1}],
            "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
            "Environment": {"Variables": {"lower": "x"}},
            "LastModified": datetime.datetime(2026, 1, 1),
        },
        "Code": {"Location": "http://…"},
        "Tags": {"a": "b", "lambent:token": "t", "aws:x": "y"},
    }
    assert view("AWS::Lambda::Function", response, FunctionName="f") == {
        "Arn": FUNCTION_ARN,
        "Environment": {"Variables": {"lower": "x"}},
        "FunctionName": "f",
        "Layers": ["arn:l:1"],
        "Tags": [{"Key": "a", "Value": "b"}],
        "Timeout": 3,
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    }


def test_what_can_only_be_written_is_not_shown() -> None:
    """Not the secret that an earlier request has set, wherever it is."""
    given = {"FunctionName": "f", "Code": {"ZipFile": "x", "S3Bucket": "b"}, "Timeout": 1}
    assert shown(ROWS["AWS::Lambda::Function"], given) == {"FunctionName": "f", "Timeout": 1}
    secret = {"Name": "s", "SecretString": "x"}
    assert shown(ROWS["AWS::SecretsManager::Secret"], secret) == {"Name": "s"}


def test_texts_of_services_become_values() -> None:
    """Attributes of queues are texts, and so are policies."""
    attributes = {
        "QueueArn": "arn:q",
        "DelaySeconds": "5",
        "FifoQueue": "true",
        "RedrivePolicy": '{"maxReceiveCount":2}',
        "RedriveAllowPolicy": "{",
    }
    assert view("AWS::SQS::Queue", {"Attributes": attributes}, QueueName="q") == {
        "Arn": "arn:q",
        "DelaySeconds": 5,
        "FifoQueue": True,
        "QueueName": "q",
        "QueueUrl": "id",
        "RedrivePolicy": {"maxReceiveCount": 2},
    }


@pytest.mark.parametrize("text", ['{"Statement":[]}', "%7B%22Statement%22%3A%5B%5D%7D"])
def test_documents_are_objects(text: str) -> None:
    """Whether they are quoted or not; what is no document is left out."""
    response = {"Role": {"RoleName": "r", "AssumeRolePolicyDocument": text}}
    found = view("AWS::IAM::Role", response, RoleName="r")
    assert found["AssumeRolePolicyDocument"] == {"Statement": []}
    response["Role"]["AssumeRolePolicyDocument"] = text[:-1]
    assert "AssumeRolePolicyDocument" not in view("AWS::IAM::Role", response, RoleName="r")


@pytest.mark.parametrize("response", [None, [], "x", {"Other": 1}, {"Configuration": [1]}])
def test_a_strange_response_has_no_properties(response: Any) -> None:
    assert view("AWS::Lambda::Function", response, FunctionName="f") == {"FunctionName": "f"}


@pytest.mark.parametrize(
    ("code", "status", "error_code", "exception"),
    [
        ("NoSuchEntity", 404, "NotFound", "ResourceNotFoundException"),
        ("AccessDeniedException", 403, "AccessDenied", "AccessDeniedException"),
        ("TooManyRequestsException", 429, "Throttling", "ThrottlingException"),
        ("LimitExceeded", 409, "ServiceLimitExceeded", "ServiceLimitExceededException"),
        ("EntityAlreadyExists", 409, "AlreadyExists", "AlreadyExistsException"),
        ("ValidationError", 400, "InvalidRequest", "InvalidRequestException"),
        ("ServiceUnavailable", 503, "NetworkFailure", "NetworkFailureException"),
        ("InternalFailure", 500, "InternalFailure", "HandlerInternalFailureException"),
        ("Strange", 400, "GeneralServiceException", "GeneralServiceException"),
    ],
)
def test_errors_are_those_of_cloud_control(
    code: str, status: int, error_code: str, exception: str
) -> None:
    error = ApiError(code, "words", status=status)
    assert code_of(error) == error_code
    assert at_once(error).code == exception
    assert "words" in at_once(error).message

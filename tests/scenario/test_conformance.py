"""Every operation of the service model refuses what the model forbids, with AWS's message."""

from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel, ServiceModel, Shape

MODEL = ServiceModel(
    botocore.session.get_session().get_service_model("lambda")._service_description, "lambda"
)
AT = "us-east-1:111111111111"
EXAMPLES = {
    "Action": "lambda:InvokeFunction",
    "Arn": "arn:aws:s3:::bucket",
    "CodeSigningConfigArn": f"arn:aws:lambda:{AT}:code-signing-config:csc-{'a' * 17}",
    "DurableExecutionArn": f"arn:aws:lambda:{AT}:function:f:1/durable-execution/a/b",
    "CallbackId": "abcd",
    "CheckpointToken": "abcd",
    "LayerPermissionAllowedAction": "lambda:GetLayerVersion",
    "LayerPermissionAllowedPrincipal": "*",
    "LayerVersionArn": f"arn:aws:lambda:{AT}:layer:l:1",
    "PolicyResourceArn": f"arn:aws:lambda:{AT}:function:f",
    "PublishedFunctionQualifier": "1",
    "RoleArn": "arn:aws:iam::111111111111:role/r",
    "SecurityGroupId": "sg-1",
    "SubnetId": "subnet-1",
    "TaggableResource": f"arn:aws:lambda:{AT}:function:f",
    "UUIDString": "00000000-0000-4000-8000-000000000000",
    "VersionWithLatestPublished": "1",
}
"""What fits the patterns that a plain word does not."""

AT_MOST = {"Timeout": 900, "MemorySize": 10_240}
"""Less than the model allows, which contains features that Lambent does not offer."""
ORDER = {
    "EventSourcePosition": ["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"],
    "InvokeMode": ["RESPONSE_STREAM", "BUFFERED"],
    "RecursiveLoop": ["Terminate", "Allow"],
}
"""Of enumerations, as AWS words them."""
WORDED_BY_THE_USE_CASE = {"Runtime"}
"""Enumerations for which AWS has a separate message."""


def example(shape: Shape) -> Any:
    """A value that the model allows."""
    if shape.name in EXAMPLES:
        return EXAMPLES[shape.name]
    if getattr(shape, "enum", None):
        return shape.enum[0]
    kind = shape.type_name
    if kind == "structure":
        return {name: example(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [example(shape.member)] * max(1, shape.metadata.get("min", 1))
    if kind == "map":
        return {example(shape.key): example(shape.value)}
    if kind in ("integer", "long", "double", "float"):
        return max(1, shape.metadata.get("min", 1))
    return {"string": "word", "blob": b"{}", "boolean": True, "timestamp": 0}[kind]


def breakages(shape: Shape) -> Iterator[tuple[Any, str]]:
    """Values that violate one constraint each, and the error message."""
    limits: Mapping[str, Any] = shape.metadata
    low, high = limits.get("min"), AT_MOST.get(shape.name, limits.get("max"))
    if shape.type_name == "string" and shape.name not in WORDED_BY_THE_USE_CASE:
        good = str(example(shape))
        if high is not None:
            yield (good + "x" * high)[: high + 1], f"have length less than or equal to {high}"
        if getattr(shape, "enum", None):
            listed = ", ".join(ORDER.get(shape.name, shape.enum))
            yield "NoSuchThing", f"satisfy enum value set: [{listed}]"
        elif (pattern := limits.get("pattern")) and pattern not in (".*", r"[\s\S]+"):
            yield "$no {good}", f"satisfy regular expression pattern: {pattern}"
    elif shape.type_name in ("integer", "long"):
        if high is not None:
            yield high + 1, f"have value less than or equal to {high}"
        if low is not None:
            yield low - 1, f"have value greater than or equal to {low}"
    elif shape.type_name == "list" and high is not None and high < 1000:
        yield (
            [example(shape.member)] * (high + 1),
            f"have length less than or equal to {high}",
        )


def cases() -> Iterator[Any]:
    """Operation, parameters, path of the mistake, message; one of each kind for each member, nested
    ones too."""
    for name in MODEL.operation_names:
        operation = MODEL.operation_model(name)
        good = example(operation.input_shape)
        for member, shape in operation.input_shape.members.items():
            location = shape.serialization.get("location")
            if member in operation.input_shape.required_members and location != "uri":
                rest = {key: value for key, value in good.items() if key != member}
                if shape.type_name != "blob":
                    yield pytest.param(
                        name, rest, camel(member), None, id=f"{name}-{member}-missing"
                    )
            for path, value, text in _broken(shape, camel(member)):
                yield pytest.param(
                    name, {**good, member: value}, path, text, id=f"{name}-{path}-{text[:20]}"
                )


def _broken(shape: Shape, path: str, depth: int = 0) -> Iterator[tuple[str, Any, str]]:
    for value, text in breakages(shape):
        yield path, value, text
    if shape.type_name == "structure" and depth < 2:
        for name, member in shape.members.items():
            for below, value, text in _broken(member, f"{path}.{camel(name)}", depth + 1):
                yield below, {**example(shape), name: value}, text


def camel(name: str) -> str:
    """As AWS words paths."""
    return name[0].lower() + name[1:]


@pytest.mark.parametrize(("name", "params", "path", "text"), list(cases()))
def test_what_the_model_forbids(
    client: Any, name: str, params: dict[str, Any], path: str, text: str | None
) -> None:
    """`ValidationException`, 400, no type, and the sentence about this member."""
    operation: OperationModel = MODEL.operation_model(name)
    with pytest.raises(ClientError) as caught:
        client._make_api_call(operation.name, params)
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    assert (error["Code"], metadata["HTTPStatusCode"]) == ("ValidationException", 400)
    assert metadata["HTTPHeaders"]["x-amzn-errortype"] == "ValidationException"
    assert "Type" not in caught.value.response
    if text is None:
        assert (
            f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
            in error["Message"]
        )
    else:
        assert f"at '{path}' failed to satisfy constraint: " in error["Message"]
        assert f"Member must {text}" in error["Message"]


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_good_parameters_are_not_refused_by_the_model(client: Any, name: str) -> None:
    """Without their mistakes, the examples above are valid."""
    operation = MODEL.operation_model(name)
    try:
        client._make_api_call(name, example(operation.input_shape))
    except ClientError as error:
        assert error.response["Error"]["Code"] != "ValidationException", error


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_values_of_the_wrong_type(client: Any, name: str) -> None:
    """A number where text is wanted, and the other way round, never a server error."""
    shape = MODEL.operation_model(name).input_shape
    good = example(shape)
    for member, inner in shape.members.items():
        if inner.serialization.get("location") or inner.type_name not in ("string", "integer"):
            continue
        wrong = {"a": 1} if inner.type_name == "string" else "many"
        with pytest.raises(ClientError) as caught:
            client._make_api_call(name, {**good, member: wrong})
        response = caught.value.response
        assert response["Error"]["Code"] == "SerializationException"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400

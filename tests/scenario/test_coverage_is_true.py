"""What docs/reference/api-coverage.md says about members is true."""

from typing import Any

import pytest

from lambent.gateway.coverage import members_of
from lambent.gateway.services.lambda_.service import LAMBDA

from .functions_api import create_active, refusal, wait
from .test_conformance import MODEL, example

STORED, REFUSED = LAMBDA.coverage.stored, LAMBDA.coverage.refused

VALUES: dict[str, Any] = {
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:111111111111:q"},
    "FileSystemConfigs": [
        {
            "Arn": "arn:aws:elasticfilesystem:us-east-1:111111111111:access-point/"
            "fsap-0123456789abcdef0",
            "LocalMountPath": "/mnt/a",
        }
    ],
    "KMSKeyArn": "arn:aws:kms:us-east-1:111111111111:key/k",
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "TracingConfig": {"Mode": "Active"},
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "ImageUri": "111111111111.dkr.ecr.us-east-1.amazonaws.com/r:latest",
    "S3ObjectStorageMode": "REFERENCE",
    "SourceKMSKeyArn": "arn:aws:kms:us-east-1:111111111111:key/k",
    "RuntimeConfig": {
        "RuntimeArn": "arn:aws:lambda:us-east-1:111111111111:runtime/custom",
        "RuntimeAlias": "live",
    },
    "SchemaRegistryConfig": {"SchemaRegistryURI": "https://registry", "EventRecordFormat": "JSON"},
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": "arn:aws:lambda:us-east-1:111111111111:capacity-provider:c"
        }
    },
}


def test_names_are_the_model_s() -> None:
    """Every operation and member in the tables exists, and the operation is offered."""
    for table in (STORED, REFUSED):
        for operation, members in table.items():
            assert operation in LAMBDA.offered
            shape = MODEL.operation_model(operation).input_shape
            for member in members:
                if member != "all":
                    assert member.partition("=")[0].partition(".")[0] in shape.members


@pytest.mark.parametrize(
    "member", [member for member in STORED["CreateFunction"] if member != "Layers"]
)
def test_stored_members_are_shown(client: Any, name: str, member: str) -> None:
    """As given, at creation and after a change."""
    create_active(client, name, **{member: VALUES[member]})
    shown = client.get_function_configuration(FunctionName=name)[member]
    assert _contains(shown, VALUES[member])
    assert member in members_of(STORED, "UpdateFunctionConfiguration")
    client.update_function_configuration(FunctionName=name, **{member: VALUES[member]})
    wait(client, "function_updated_v2", name)
    shown = client.get_function_configuration(FunctionName=name)[member]
    assert _contains(shown, VALUES[member])


def _contains(shown: Any, given: Any) -> bool:
    if isinstance(given, dict):
        return all(_contains(shown[key], value) for key, value in given.items())
    return bool(shown == given)


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        (operation, member)
        for operation in (*REFUSED, "UpdateFunctionConfiguration")
        for member in members_of(REFUSED, operation)
        if not operation.startswith("Invoke") and member != "all"
    ],
)
def test_refused_members_are_refused(client: Any, name: str, operation: str, member: str) -> None:
    """With an error that names the missing feature."""
    create_active(client, name)
    shape = MODEL.operation_model(operation).input_shape
    params = example(shape)
    params["FunctionName"] = name if operation != "CreateFunction" else f"{name}-new"
    outer, _, inner = member.partition(".")
    value = VALUES.get(inner or outer)
    if operation == "CreateEventSourceMapping":
        params = _mapping_of(outer, name)
    if operation == "CreateFunction":
        params |= {"Runtime": "python3.12", "Handler": "app.handler", "Code": {"ZipFile": b"x"}}
    if inner:
        params[outer] = {inner: value}
    else:
        params[outer] = example(shape.members[outer]) if value is None else value
    code, message = refusal(lambda: client._make_api_call(operation, params))
    assert code == "InvalidParameterValueException", message
    assert "offer" in message or "not supported" in message or "don't provide" in message, message


def _mapping_of(member: str, function: str) -> dict[str, Any]:
    """A request for a source that has the member."""
    at = "us-east-1:111111111111"
    params: dict[str, Any] = {"FunctionName": function, "StartingPosition": "LATEST"}
    if member == "DocumentDBEventSourceConfig":
        return {**params, "EventSourceArn": f"arn:aws:rds:{at}:cluster:docs"}
    params["Topics"] = ["topic"]
    if member == "AmazonManagedKafkaEventSourceConfig":
        arn = f"arn:aws:kafka:{at}:cluster/c/00000000-0000-4000-8000-000000000000-1"
        return {**params, "EventSourceArn": arn}
    return {
        **params,
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:9092"]}},
        "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:s"}],
    }

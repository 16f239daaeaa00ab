"""Roles in requests for other services, and requests about pipes."""

import json
from typing import Any

import pytest

from lambent.services.actions import accesses_of, accesses_of_call
from tests.unit.services.foreign import ACCOUNT, SCOPE, Foreign, json_request

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
PIPE = f"arn:aws:pipes:eu-west-1:{ACCOUNT}:pipe/p"
S3 = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::b"}
PROCESSOR = {"Parameters": [{"ParameterName": "RoleArn", "ParameterValue": f"{ROLE}2"}]}


def pipe(method: str, path: str, query: str = "", **params: Any) -> Foreign:
    return Foreign(method, f"/v1/pipes{path}", query, body=json.dumps(params).encode())


@pytest.mark.parametrize(
    ("service", "request_", "action", "roles"),
    [
        ("pipes", pipe("POST", "/p", RoleArn=ROLE, Source="s"), "pipes:CreatePipe", [ROLE]),
        ("pipes", pipe("PUT", "/p", RoleArn=ROLE), "pipes:UpdatePipe", [ROLE]),
        ("pipes", pipe("GET", "/p"), "pipes:DescribePipe", []),
        ("pipes", pipe("POST", "/p/stop"), "pipes:StopPipe", []),
        (
            "states",
            json_request("AWSStepFunctions.CreateStateMachine", name="m", roleArn=ROLE),
            "states:CreateStateMachine",
            [ROLE],
        ),
        (
            "firehose",
            json_request(
                "Firehose_20150804.CreateDeliveryStream",
                DeliveryStreamName="d",
                ExtendedS3DestinationConfiguration={
                    **S3,
                    "S3BackupConfiguration": S3,
                    "ProcessingConfiguration": {"Processors": [PROCESSOR]},
                },
            ),
            "firehose:CreateDeliveryStream",
            [ROLE, f"{ROLE}2"],
        ),
        (
            "firehose",
            json_request("Firehose_20150804.UpdateDestination", DeliveryStreamName="d", X=[S3]),
            "firehose:UpdateDestination",
            [ROLE],
        ),
    ],
)
def test_roles_need_a_permission_each(
    service: str, request_: Foreign, action: str, roles: list[str]
) -> None:
    """Beside that for the operation, wherever in the request they are."""
    first, *passed = accesses_of(service, request_, SCOPE) or ()
    assert first.action == action
    assert [access.resource for access in passed] == roles
    for access in passed:
        assert access.action == "iam:PassRole"
        assert access.context == (("iam:passedtoservice", (f"{service}.amazonaws.com",)),)


def test_calls_of_stacks_need_them_too() -> None:
    found = accesses_of_call("pipes", "CreatePipe", {"Name": "p", "RoleArn": ROLE}, SCOPE)
    assert [(each.action, each.resource) for each in found or ()] == [
        ("pipes:CreatePipe", PIPE),
        ("iam:PassRole", ROLE),
    ]


@pytest.mark.parametrize(
    "request_",
    [
        pipe("POST", "/p/other"),
        pipe("POST", "/a%2Fb"),
        pipe("GET", "/p/start"),
        pipe("POST", "/p", "a=b"),
        pipe("PATCH", "/p"),
        Foreign("POST", "/v1/pipes/p", body=b'{"RoleArn": "a", "RoleArn": "b"}'),
        Foreign("POST", "/v1/pipes/p", body=b"[]"),
        Foreign("POST", "/v1/pipes/p", body=b"{"),
        Foreign("POST", "/v1/pipes/p", headers={"x-amz-target": "AmazonSQS.ListQueues"}),
        Foreign("GET", "/tags/arn"),
    ],
)
def test_what_could_be_read_otherwise(request_: Foreign) -> None:
    """Is for the root alone."""
    assert accesses_of("pipes", request_, SCOPE) is None

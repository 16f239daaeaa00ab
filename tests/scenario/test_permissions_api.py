"""Resource-based policies of functions as boto3 sees them."""

import json
from typing import Any

import pytest

from .functions_api import ACCOUNT, arn_of, create_active, refusal


@pytest.fixture
def function(client: Any, name: str) -> str:
    """A function with version 1 and the alias `live`."""
    create_active(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def statement(client: Any, **members: Any) -> dict[str, Any]:
    """AddPermission; returns the statement."""
    answer = client.add_permission(**{"Action": "lambda:InvokeFunction", **members})
    found: dict[str, Any] = json.loads(answer["Statement"])
    return found


def policy(client: Any, **members: Any) -> dict[str, Any]:
    """GetPolicy; returns the document."""
    found: dict[str, Any] = json.loads(client.get_policy(**members)["Policy"])
    return found


def test_statements_look_like_aws_s(client: Any, function: str) -> None:
    """Members in AWS's order, each kind of principal, each condition."""
    arn = arn_of(function)
    added = client.add_permission(
        FunctionName=function,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount="222222222222",
    )
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert added["Statement"] == (
        '{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
        f'"Action":"lambda:InvokeFunction","Resource":"{arn}","Condition":{{"StringEquals":'
        '{"AWS:SourceAccount":"222222222222"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}'
    )
    for sid, principal, shown in (
        ("account", "333333333333", {"AWS": "arn:aws:iam::333333333333:root"}),
        ("user", "arn:aws:iam::333333333333:user/u", {"AWS": "arn:aws:iam::333333333333:user/u"}),
        ("all", "*", "*"),
    ):
        found = statement(client, FunctionName=function, StatementId=sid, Principal=principal)
        assert found["Principal"] == shown
        assert "Condition" not in found
    through_url = statement(
        client,
        FunctionName=function,
        StatementId="url",
        Principal="*",
        FunctionUrlAuthType="NONE",
        InvokedViaFunctionUrl=True,
        PrincipalOrgID="o-abcdefghij",
        EventSourceToken="token",
    )
    assert through_url["Condition"] == {
        "StringEquals": {
            "lambda:FunctionUrlAuthType": "NONE",
            "aws:PrincipalOrgID": "o-abcdefghij",
            "lambda:EventSourceToken": "token",
        },
        "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
    }
    whole = policy(client, FunctionName=function)
    assert list(whole) == ["Version", "Id", "Statement"]
    assert (whole["Version"], whole["Id"]) == ("2012-10-17", "default")
    assert [statement["Sid"] for statement in whole["Statement"]] == [
        "s3",
        "account",
        "user",
        "all",
        "url",
    ]


def test_every_qualifier_has_a_policy_of_its_own(client: Any, function: str) -> None:
    """Function, version and alias do not mix; nothing is copied by publishing."""
    arn = arn_of(function)
    for qualifier, resource in ((None, arn), ("1", f"{arn}:1"), ("live", f"{arn}:live")):
        members = {"FunctionName": function} | ({"Qualifier": qualifier} if qualifier else {})
        found = statement(client, **members, StatementId="s", Principal="*")
        assert found["Resource"] == resource
        assert len(policy(client, **members)["Statement"]) == 1
    client.remove_permission(FunctionName=function, StatementId="s", Qualifier="live")
    assert refusal(client.get_policy, FunctionName=function, Qualifier="live") == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    assert len(policy(client, FunctionName=function)["Statement"]) == 1
    client.delete_alias(FunctionName=function, Name="live")
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    assert refusal(client.get_policy, FunctionName=function, Qualifier="live")[0] == (
        "ResourceNotFoundException"
    )


def test_refusals_in_aws_s_words(client: Any, function: str, name: str) -> None:
    """Statement ids, principals, qualifiers and functions that do not do."""
    arn = arn_of(function)

    def refused(**members: Any) -> tuple[str, str]:
        defaults = {"FunctionName": function, "StatementId": "s", "Principal": "*"}
        defaults["Action"] = "lambda:InvokeFunction"
        return refusal(client.add_permission, **{**defaults, **members})

    statement(client, FunctionName=function, StatementId="s", Principal="*")
    assert refused() == (
        "ResourceConflictException",
        "The statement id (s) provided already exists. Please provide a new statement id, or"
        " remove the existing statement.",
    )
    assert refused(Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "We currently do not support adding policies for $LATEST.",
    )
    for principal in ("123", "arn:aws:iam::1:user/x", "service", "a.example.com"):
        assert refused(StatementId="p", Principal=principal) == (
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        )
    assert refused(Qualifier="9")[1] == f"Function not found: {arn}:9"
    assert refused(Action="s3:GetObject")[0] == "ValidationException"
    assert refused(StatementId="a b")[0] == "ValidationException"
    assert refusal(client.remove_permission, FunctionName=function, StatementId="no") == (
        "ResourceNotFoundException",
        "Statement no is not found in resource policy.",
    )
    client.remove_permission(FunctionName=function, StatementId="s")
    assert refusal(client.remove_permission, FunctionName=function, StatementId="s") == (
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )
    assert refusal(client.remove_permission, FunctionName="nobody", StatementId="s") == (
        "ResourceNotFoundException",
        f"No policy found for: {arn_of('nobody')}",
    )


def test_revisions_guard_policies(client: Any, function: str) -> None:
    """A change that was made on an old reading is refused; the revision is the policy's own."""
    statement(client, FunctionName=function, StatementId="a", Principal="*")
    first = client.get_policy(FunctionName=function)["RevisionId"]
    statement(client, FunctionName=function, StatementId="b", Principal="*", RevisionId=first)
    for attempt, members in (
        (
            client.add_permission,
            {"StatementId": "c", "Principal": "*", "Action": "lambda:InvokeFunction"},
        ),
        (client.remove_permission, {"StatementId": "a"}),
    ):
        code, message = refusal(attempt, FunctionName=function, RevisionId=first, **members)
        assert code == "PreconditionFailedException"
        assert "GetPolicy" in message
    second = client.get_policy(FunctionName=function)["RevisionId"]
    client.remove_permission(FunctionName=function, StatementId="a", RevisionId=second)


def test_policies_have_a_size(client: Any, function: str) -> None:
    """A statement that would make one larger than 20 KB is refused and changes nothing."""
    long_arn = "arn:aws:s3:::" + "b" * 9000
    for sid in ("a", "b"):
        statement(
            client,
            FunctionName=function,
            StatementId=sid,
            Principal="s3.amazonaws.com",
            SourceArn=long_arn,
        )
    code, _ = refusal(
        client.add_permission,
        FunctionName=function,
        StatementId="c",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=long_arn,
    )
    assert code == "PolicyLengthExceededException"
    assert len(policy(client, FunctionName=function)["Statement"]) == 2


def test_whole_documents(client: Any, function: str) -> None:
    """PutResourcePolicy replaces all statements, and both ways of reading agree."""
    arn = arn_of(function)
    statement(client, FunctionName=function, StatementId="old", Principal="*")
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "deny",
                "Effect": "Deny",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/u"},
                "Action": ["lambda:InvokeFunction"],
                "Resource": arn,
            }
        ],
    }
    put = client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
    assert json.loads(put["Policy"]) == document
    shown = client.get_resource_policy(ResourceArn=arn)
    assert (shown["Policy"], shown["RevisionId"]) == (put["Policy"], put["RevisionId"])
    assert policy(client, FunctionName=function) == document
    other = "00000000-0000-4000-8000-000000000000"
    for attempt, members in (
        (client.put_resource_policy, {"Policy": json.dumps(document)}),
        (client.delete_resource_policy, {}),
    ):
        code, _ = refusal(attempt, ResourceArn=arn, RevisionId=other, **members)
        assert code == "PreconditionFailedException"
    client.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
    assert refusal(client.get_resource_policy, ResourceArn=arn)[0] == "ResourceNotFoundException"
    assert refusal(client.delete_resource_policy, ResourceArn=arn)[0] == (
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        '{"Statement": []}',
        '{"Version": "2020-01-01", "Statement": [{}]}',
        '{"Statement": [1]}',
        '{"Statement": [{"Effect": "Maybe", "Principal": "*", "Action": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Condition": 1}]}',
        '{"Statement": [{"Sid": "\\ud800", "Effect": "Allow", "Principal": "*", "Action": "*"}]}',
        "[" * 10_000,
    ],
)
def test_documents_that_are_no_policies(client: Any, function: str, document: str) -> None:
    """Each is refused with a modelled error, and nothing is stored."""
    code, _ = refusal(client.put_resource_policy, ResourceArn=arn_of(function), Policy=document)
    assert code == "InvalidParameterValueException"
    assert refusal(client.get_resource_policy, ResourceArn=arn_of(function))[0] == (
        "ResourceNotFoundException"
    )

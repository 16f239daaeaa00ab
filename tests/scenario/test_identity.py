"""Strict mode: every request signed with a known key, and allowed by policies."""

import configparser
import contextlib
import json
import os
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests import forking

from .conftest import ACCOUNT, PYTHON, ROLE, Platform, deploy, invoke, wait_active, wait_for, zip_of
from .functions_api import refusal

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
METRIC_FILTER = {
    "filterName": "f",
    "filterPattern": "x",
    "metricTransformations": [
        {"metricName": "m", "metricNamespace": "n", "metricValue": "1"},
    ],
}
CALLS_LAMBDA = """
import boto3, json, urllib.request, os
def handler(event, context):
    sts = boto3.client("sts").get_caller_identity()
    try:
        answer = boto3.client("lambda").get_function_configuration(FunctionName=event["name"])
        return {"arn": sts["Arn"], "found": answer["FunctionName"]}
    except Exception as error:
        return {"arn": sts["Arn"], "error": str(error)}
"""


class Strict:
    """A strict platform and its root."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        parser = configparser.ConfigParser()
        parser.read(platform.data_dir / "root-credentials")
        found = parser["default"]
        self.root = {
            "aws_access_key_id": found["aws_access_key_id"],
            "aws_secret_access_key": found["aws_secret_access_key"],
        }

    def client(self, service: str, **keys: Any) -> Any:
        """A client of the root user, or of the owner of the keys."""
        return self.platform.client(service, **(keys or self.root))

    def user(self, name: str, *statements: dict[str, Any]) -> dict[str, str]:
        """A user with a policy; returns the keys."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            document = {"Version": "2012-10-17", "Statement": list(statements)}
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """A strict platform with the role that functions here have."""
    platform = Platform(tmp_path_factory.mktemp("strict") / "data", "--auth", "strict")
    running = Strict(platform)
    running.client("iam").create_role(
        RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    yield running
    assert platform.stop() == 0, platform.output


def test_the_first_key(strict: Strict) -> None:
    """Readable for the user who started the platform, and for no other."""
    file = strict.platform.data_dir / "root-credentials"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_uid == os.geteuid()
    identity = strict.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert strict.root["aws_secret_access_key"] not in strict.platform.output


def test_who_is_turned_away(strict: Strict) -> None:
    """Unsigned, unknown, wrongly signed, expired: each with AWS's code; and nothing is done."""
    unsigned = strict.platform.client("lambda", config=Config(signature_version=UNSIGNED))
    assert refusal(unsigned.list_functions) == (
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    )
    stranger = strict.platform.client("lambda")
    assert refusal(stranger.list_functions) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
    forged = {**strict.root, "aws_secret_access_key": "wrong"}
    code, message = refusal(strict.client("lambda", **forged).list_functions)
    assert code == "InvalidSignatureException"
    assert "does not match" in message
    token = {**strict.root, "aws_session_token": "made up"}
    code, _ = refusal(strict.client("lambda", **token).list_functions)
    assert code == "UnrecognizedClientException"
    for service, operation in (("logs", "describe_log_groups"), ("iam", "list_users")):
        client = strict.platform.client(service)
        assert refusal(getattr(client, operation))[0] == "UnrecognizedClientException"


def test_policies_decide(strict: Strict) -> None:
    """A user may do what his policy says, in AWS's words."""
    name = "policies-decide"
    deploy(strict.client("lambda"), name, {"app.py": "def handler(event, context): return 1"})
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    keys = strict.user(
        "ann",
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn},
        {"Effect": "Allow", "Action": "lambda:Get*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:GetPolicy", "Resource": "*"},
    )
    ann = strict.client("lambda", **keys)
    assert invoke(ann, name)[0] == 1
    assert ann.get_function(FunctionName=name)["Configuration"]["FunctionName"] == name
    user = f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert refusal(ann.delete_function, FunctionName=name) == (
        "AccessDeniedException",
        f"User: {user} is not authorized to perform: lambda:DeleteFunction on resource: {arn}"
        " because no identity-based policy allows the lambda:DeleteFunction action",
    )
    assert refusal(ann.get_policy, FunctionName=name) == (
        "AccessDeniedException",
        f"User: {user} is not authorized to perform: lambda:GetPolicy on resource: {arn} with an"
        " explicit deny in an identity-based policy",
    )
    assert refusal(ann.invoke, FunctionName="another")[0] == "AccessDeniedException"
    assert refusal(ann.list_functions)[1].endswith(
        "on resource: * because no identity-based policy allows the lambda:ListFunctions action"
    )
    assert refusal(strict.client("iam", **keys).list_users)[0] == "AccessDenied"
    assert refusal(strict.client("logs", **keys).describe_log_groups)[0] == (
        "AccessDeniedException"
    )


def test_who_may_debug(strict: Strict) -> None:
    """All of Lambda is not enough: debugging is a permission of its own."""
    name = "debugged-strictly"
    code = {"app.js": "exports.handler = async () => 1;"}
    deploy(strict.client("lambda"), name, code, Runtime="nodejs20.x")
    statement = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    keys = strict.user("debugger", statement)
    denied = debug(strict, name, keys)
    assert denied.returncode == 1
    assert "is not authorized to perform: lambent:DebugFunction" in denied.stderr
    more = {"Effect": "Allow", "Action": "lambent:DebugFunction", "Resource": "*"}
    # The port is taken, so an allowed call ends at once.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        keys = strict.user("allowed-debugger", statement, more)
        allowed = debug(strict, name, keys, bound.getsockname()[1])
    assert "in use" in allowed.stderr


def debug(
    strict: Strict, name: str, keys: dict[str, str], port: int = 5678
) -> "subprocess.CompletedProcess[str]":
    """`lambent invoke --debug` with the keys of a user."""
    variables = {key.upper(): value for key, value in keys.items()}
    return forking.run(
        [sys.executable, "-m", "lambent", "invoke", name, "--debug", "--debug-port", str(port)],
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "LAMBENT_ENDPOINT": strict.platform.endpoint,
            **variables,
        },
    )


def test_resource_policies_decide_too(strict: Strict) -> None:
    """A function's permissions apply at once, on the warm path as well, and so does their
    removal."""
    name = "resource-policies"
    root = strict.client("lambda")
    deploy(root, name, {"app.py": "def handler(event, context): return 1"})
    keys = strict.user("bob")
    bob = strict.client("lambda", **keys)
    for _ in range(2):
        assert refusal(bob.invoke, FunctionName=name)[0] == "AccessDeniedException"
    root.add_permission(
        FunctionName=name,
        StatementId="bob",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{ACCOUNT}:user/bob",
    )
    for _ in range(3):
        assert invoke(bob, name)[0] == 1
    root.remove_permission(FunctionName=name, StatementId="bob")
    assert refusal(bob.invoke, FunctionName=name)[0] == "AccessDeniedException"
    policy = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    strict.client("iam").put_user_policy(
        UserName="bob", PolicyName="p", PolicyDocument=json.dumps({"Statement": policy})
    )
    assert invoke(bob, name)[0] == 1
    strict.client("iam").delete_user_policy(UserName="bob", PolicyName="p")
    assert refusal(bob.invoke, FunctionName=name)[0] == "AccessDeniedException"


def test_keys_end(strict: Strict) -> None:
    """Made inactive or deleted, a key is refused from the next request on."""
    keys = strict.user("carl", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    iam = strict.client("iam")
    client = strict.client("lambda", **keys)
    client.list_functions()
    which = {"UserName": "carl", "AccessKeyId": keys["aws_access_key_id"]}
    iam.update_access_key(**which, Status="Inactive")
    assert refusal(client.list_functions)[0] == "UnrecognizedClientException"
    iam.update_access_key(**which, Status="Active")
    client.list_functions()
    assert refusal(iam.delete_user, UserName="carl")[0] == "DeleteConflict"
    iam.delete_access_key(**which)
    assert refusal(client.list_functions)[0] == "UnrecognizedClientException"
    iam.delete_user_policy(UserName="carl", PolicyName="p")
    iam.delete_user(UserName="carl")
    assert refusal(iam.get_user, UserName="carl")[0] == "NoSuchEntity"


def test_managed_policies(strict: Strict) -> None:
    """What is attached is in force with the next request, and no longer when it is detached."""
    keys = strict.user("mona")
    iam, client = strict.client("iam"), strict.client("lambda", **keys)
    allow = {"Effect": "Allow", "Action": "lambda:List*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    arn = iam.create_policy(PolicyName="lists", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="mona", PolicyArn=arn)
    client.list_functions()
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(document)
    pages = iam.get_paginator("list_policies").paginate(
        Scope="AWS", PaginationConfig={"PageSize": 7}
    )
    assert "AdministratorAccess" in {each["PolicyName"] for each in pages.search("Policies[]")}
    iam.detach_user_policy(UserName="mona", PolicyArn=arn)
    assert refusal(client.list_functions)[0] == "AccessDeniedException"
    iam.attach_user_policy(
        UserName="mona", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess"
    )
    attached = iam.list_attached_user_policies(UserName="mona")["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AWSLambda_FullAccess"]
    client.list_functions()
    assert refusal(iam.get_policy, PolicyArn=f"{arn}x")[0] == "NoSuchEntity"
    boundary = {"RoleName": "lambda-role", "PermissionsBoundary": arn}
    assert "not offer" in refusal(iam.put_role_permissions_boundary, **boundary)[1]


def test_groups(strict: Strict) -> None:
    """What a group may do its users may do, while they are in it; a denial counts as well."""
    iam = strict.client("iam")
    keys = strict.user("guest")
    guest = strict.client("lambda", **keys)

    def allows() -> bool:
        try:
            guest.list_functions()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    def document(effect: str) -> str:
        statement = {"Effect": effect, "Action": "lambda:List*", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    made = iam.create_group(GroupName="readers", Path="/team/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/team/readers"
    assert made["GroupId"].startswith("AGPA")
    assert refusal(iam.create_group, GroupName="Readers")[0] == "EntityAlreadyExists"
    iam.create_group(GroupName="denied")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=document("Allow"))
    iam.put_group_policy(GroupName="denied", PolicyName="p", PolicyDocument=document("Deny"))
    assert not allows()
    iam.add_user_to_group(GroupName="readers", UserName="guest")
    iam.add_user_to_group(GroupName="readers", UserName="guest")
    assert allows()
    iam.add_user_to_group(GroupName="denied", UserName="guest")
    assert not allows()
    groups = iam.list_groups_for_user(UserName="guest")["Groups"]
    assert [group["GroupName"] for group in groups] == ["denied", "readers"]
    found = iam.get_group(GroupName="readers")
    assert [user["UserName"] for user in found["Users"]] == ["guest"]
    listed = iam.list_groups(PathPrefix="/team/")["Groups"]
    assert [group["GroupName"] for group in listed] == ["readers"]
    iam.remove_user_from_group(GroupName="denied", UserName="guest")
    assert allows()
    iam.delete_group_policy(GroupName="readers", PolicyName="p")
    assert not allows()
    arn = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"
    iam.attach_group_policy(GroupName="readers", PolicyArn=arn)
    assert allows()
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [group["GroupName"] for group in entities["PolicyGroups"]] == ["readers"]
    attached = iam.list_attached_group_policies(GroupName="readers")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [arn]
    for refused in (
        refusal(iam.delete_group, GroupName="readers"),
        refusal(iam.delete_user, UserName="guest"),
    ):
        message = "Cannot delete entity, must remove users from group first."
        assert refused == ("DeleteConflict", message)
    iam.remove_user_from_group(GroupName="readers", UserName="guest")
    assert not allows()
    assert refusal(iam.delete_group, GroupName="readers")[0] == "DeleteConflict"
    iam.detach_group_policy(GroupName="readers", PolicyArn=arn)
    iam.delete_group(GroupName="readers")
    for missing in ("readers", "none"):
        about = {"GroupName": missing, "UserName": "guest"}
        assert refusal(iam.add_user_to_group, **about)[0] == "NoSuchEntity"
    about = {"GroupName": "denied", "UserName": "none"}
    assert refusal(iam.add_user_to_group, **about)[0] == "NoSuchEntity"
    for number in range(10):
        iam.create_group(GroupName=f"g{number}")
        iam.add_user_to_group(GroupName=f"g{number}", UserName="guest")
    about = {"GroupName": "denied", "UserName": "guest"}
    assert refusal(iam.add_user_to_group, **about)[0] == "LimitExceeded"


def test_functions_act_for_their_role(strict: Strict) -> None:
    """With temporary credentials, and with the permissions of the role's policy."""
    root = strict.client("lambda")
    config = {"Timeout": 30, "MemorySize": 1024}
    deploy(root, "caller", {"app.py": CALLS_LAMBDA}, **config)
    payload, _ = invoke(root, "caller", {"name": "caller"})
    assert payload["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/lambda-role/caller"
    assert "is not authorized to perform: lambda:GetFunctionConfiguration" in payload["error"]
    policy = {"Effect": "Allow", "Action": "lambda:GetFunctionConfiguration", "Resource": "*"}
    strict.client("iam").put_role_policy(
        RoleName="lambda-role", PolicyName="p", PolicyDocument=json.dumps({"Statement": policy})
    )
    payload, _ = invoke(root, "caller", {"name": "caller"})
    assert payload["found"] == "caller"


def test_roles_of_functions_must_be_good(strict: Strict) -> None:
    """The role must exist, trust Lambda, belong to the account, and be passed by a principal who
    may."""
    iam = strict.client("iam")
    iam.create_role(
        RoleName="closed",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Statement": [
                    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
                ]
            }
        ),
    )

    def create(role: str, **keys: str) -> tuple[str, str]:
        return refusal(
            strict.client("lambda", **keys).create_function,
            FunctionName="roles",
            Runtime=PYTHON,
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": zip_of({"app.py": ""})},
        )

    bad = (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    assert create(f"arn:aws:iam::{ACCOUNT}:role/missing") == bad
    assert create(f"arn:aws:iam::{ACCOUNT}:role/closed") == bad
    assert create("arn:aws:iam::222222222222:role/lambda-role") == (
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
    )
    keys = strict.user("dora", {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"})
    code, message = create(ROLE, **keys)
    assert code == "AccessDeniedException"
    assert f"perform: iam:PassRole on resource: {ROLE}" in message


def test_roles_are_assumed(strict: Strict) -> None:
    """By principals they trust; the session may do what the role may, until it expires."""
    keys = strict.user("eve")
    eve = f"arn:aws:iam::{ACCOUNT}:user/eve"
    iam = strict.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": eve}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="readers", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    policy = {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"}
    iam.put_role_policy(
        RoleName="readers", PolicyName="p", PolicyDocument=json.dumps({"Statement": policy})
    )
    role = iam.get_role(RoleName="readers")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [trust]
    sts = strict.client("sts", **keys)
    assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="today")
    session = {
        "aws_access_key_id": assumed["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": assumed["Credentials"]["SecretAccessKey"],
        "aws_session_token": assumed["Credentials"]["SessionToken"],
    }
    reader = strict.client("lambda", **session)
    reader.list_functions()
    assert refusal(reader.get_account_settings)[0] == "AccessDeniedException"
    without = {name: value for name, value in session.items() if "token" not in name}
    assert refusal(strict.client("lambda", **without).list_functions)[0] == (
        "UnrecognizedClientException"
    )
    mallory = strict.client("sts", **strict.user("mallory"))
    for arn in (role["Arn"], f"arn:aws:iam::{ACCOUNT}:role/none", "nonsense"):
        code, _ = refusal(mallory.assume_role, RoleArn=arn, RoleSessionName="x1")
        assert code in ("AccessDenied", "ValidationError", "ValidationException")


def test_policies_that_are_none(strict: Strict) -> None:
    """Refused with IAM's error, and nothing is stored."""
    strict.user("frank")
    iam = strict.client("iam")
    for document in (
        "",
        "{",
        "[]",
        '{"Statement":[]}',
        '{"Statement":[{"Effect":"Allow","Action":"*"}]}',
        '{"Statement":[{"Effect":"Allow","Action":"*","Resource":1}]}',
        '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}',
        '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"a":1}}]}',
        "[" * 50_000,
    ):
        code, _ = refusal(
            iam.put_user_policy, UserName="frank", PolicyName="p", PolicyDocument=document
        )
        assert code in ("MalformedPolicyDocument", "ValidationException", "ValidationError")
    assert iam.list_user_policies(UserName="frank")["PolicyNames"] == []


def lambent(strict: Strict, *arguments: str, **environment: str) -> str:
    """Run one of our commands as another user of the machine."""
    done = forking.run(
        [sys.executable, "-m", "lambent", *arguments],
        env={
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "LAMBENT_ENDPOINT": strict.platform.endpoint,
            "LAMBENT_SERVER__DATA_DIR": str(strict.platform.data_dir),
            **environment,
        },
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keys_on_the_command_line(strict: Strict, tmp_path: Path) -> None:
    """Made, used, listed without secret, revoked; the root's own key is found by itself."""
    policy = tmp_path / "policy.json"
    policy.write_text(
        json.dumps({"Statement": [{"Effect": "Allow", "Action": "lambda:List*", "Resource": "*"}]})
    )
    made = json.loads(
        lambent(strict, "keys", "create", "--user", "ci", "--policy", str(policy), "--json")
    )
    keys = {"AWS_ACCESS_KEY_ID": made["key"], "AWS_SECRET_ACCESS_KEY": made["secret"]}
    json.loads(lambent(strict, "functions", "--json", **keys))
    listed = lambent(strict, "keys", "list")
    assert made["key"] in listed
    assert made["secret"] not in listed
    lambent(strict, "keys", "revoke", made["key"])
    assert made["key"] not in lambent(strict, "keys", "list")
    text = lambent(strict, "keys", "create", "--user", "ci")
    assert text.startswith("export AWS_ACCESS_KEY_ID=AKIA")


def test_keys_last(start_platform: Callable[..., Platform]) -> None:
    """A restart makes no new root key and forgets none; no other user can read the database."""
    platform = start_platform(None, "--auth", "strict")
    before = (platform.data_dir / "root-credentials").read_text()
    Strict(platform).client("lambda").list_functions()
    platform.stop()
    again = start_platform(platform.data_dir, "--auth", "strict")
    assert (platform.data_dir / "root-credentials").read_text() == before
    Strict(again).client("lambda").list_functions()
    database = platform.data_dir / "state"
    others = stat.S_IRWXO | stat.S_IRWXG
    assert not stat.S_IMODE(database.stat().st_mode) & others


def test_relaxed_platforms_stay_on_loopback(tmp_path: Path) -> None:
    """Refused before anything is opened, with the cure."""
    done = forking.run(
        [sys.executable, "-m", "lambent", "up", "--host", "0.0.0.0", "--data-dir", str(tmp_path)],
        timeout=60,
    )
    assert done.returncode == 2
    assert "--auth strict" in done.stderr


def test_relaxed_platforms_know_their_own(platform: Platform) -> None:
    """Any key is accepted, but a wrong signature of a known one is not."""
    iam = platform.client("iam")
    iam.create_user(UserName="known")
    key = iam.create_access_key(UserName="known")["AccessKey"]
    keys = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    sts = platform.client("sts", **keys)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/known"
    platform.client("lambda", **keys).list_functions()
    forged = platform.client("lambda", **{**keys, "aws_secret_access_key": "x"})
    assert refusal(forged.list_functions)[0] == "InvalidSignatureException"
    anyone = platform.client("sts", aws_access_key_id="AKIAANYTHING")
    assert anyone.get_caller_identity()["Account"] == ACCOUNT


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_pages_in_a_browser_reach_nothing(platform: Platform, headers: dict[str, str]) -> None:
    """A page that a user visits can send requests to loopback, but without an identity."""
    presigned = (
        "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=000000000000%2F20260101%2Fus-east-1%2F"
        "lambda%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders="
        f"host&X-Amz-Signature={'0' * 64}"
    )
    for query in ("", presigned):
        url = f"{platform.endpoint}/2015-03-31/functions{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)
        assert caught.value.code == 403
        caught.value.close()


def test_conditions_on_the_function_of_a_mapping(strict: Strict) -> None:
    """`lambda:FunctionArn` restricts for which functions a principal may create mappings."""
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
    keys = strict.user(
        "gina",
        {
            "Effect": "Allow",
            "Action": "lambda:CreateEventSourceMapping",
            "Resource": "*",
            "Condition": {"ArnLike": {"lambda:FunctionArn": f"{arn}mine-*"}},
        },
    )
    gina = strict.client("lambda", **keys)
    source = {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"}
    for name, code in (
        ("mine-1", "InvalidParameterValueException"),
        ("theirs", "AccessDeniedException"),
        (f"{arn}mine-1", "InvalidParameterValueException"),
    ):
        attempt = gina.create_event_source_mapping
        assert refusal(attempt, FunctionName=name, **source)[0] == code


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for loopback, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return cert, key


def test_tls(
    start_platform: Callable[..., Platform], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """HTTPS with the certificate; clients without it learn nothing and harm nothing."""
    cert, key = certificate
    platform = start_platform(tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key))
    assert platform.endpoint.startswith("https://")
    client = platform.client("lambda", verify=str(cert))
    deploy(client, "secure", {"app.py": "def handler(event, context): return event"})
    assert invoke(client, "secure", {"a": 1})[0] == {"a": 1}
    location = client.get_function(FunctionName="secure")["Code"]["Location"]
    context = ssl.create_default_context(cafile=str(cert))
    with urllib.request.urlopen(location, timeout=10, context=context) as link:
        assert link.read()[:2] == b"PK"
    address = ("127.0.0.1", int(platform.endpoint.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP/1.1 2" not in plain.recv(1000)
    silent = [socket.create_connection(address, timeout=10) for _ in range(50)]
    assert invoke(client, "secure", {"b": 2})[0] == {"b": 2}
    for connection in silent:
        connection.close()


def test_bad_certificates(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    """Refused at start, with the names of the files."""
    cert, key = certificate
    for arguments in (
        ["--tls-cert", str(cert)],
        ["--tls-cert", str(key), "--tls-key", str(key)],
        ["--tls-cert", str(tmp_path / "none"), "--tls-key", str(key)],
    ):
        done = forking.run(
            [
                *(sys.executable, "-m", "lambent", "up", "--port", "0", *arguments),
                *("--data-dir", str(tmp_path / "data")),
            ],
            timeout=60,
        )
        assert done.returncode != 0
        assert "tls" in done.stderr or "certificate" in done.stderr


def test_no_account_reaches_into_another(platform: Platform) -> None:
    """Every operation that takes a function's name refuses another account's, in relaxed mode
    too, unless that function's policy allows it."""
    owner = platform.client("lambda", aws_access_key_id="222222222222")
    deploy(owner, "theirs", {"app.py": "def handler(event, context): return 'theirs'"})
    arn = "arn:aws:lambda:us-east-1:222222222222:function:theirs"
    client = platform.client("lambda")
    tried = 0
    for name in client.meta.service_model.operation_names:
        operation = client.meta.service_model.operation_model(name)
        shape = operation.input_shape
        if "FunctionName" not in shape.required_members:
            continue
        members = {member: _some(shape.members[member]) for member in shape.required_members}
        if "EventSourceMapping" in name:
            continue  # About the mapping, which is the caller's own; the function must be, too.
        if "Qualifier" in members:
            members["Qualifier"] = "1"
        method = boto3.session.botocore.xform_name(name)
        with pytest.raises(ClientError) as caught:
            getattr(client, method)(**{**members, "FunctionName": arn})
        error = caught.value.response["Error"]
        assert error["Code"] in (
            "AccessDeniedException",
            # Names that may not be ARNs, and operations that are not offered.
            "ValidationException",
            "InvalidParameterValueException",
        ), (name, error)
        assert "222222222222" in error["Message"] or "not offer" in error["Message"], (name, error)
        tried += error["Code"] == "AccessDeniedException"
    assert tried > 30
    owner.add_permission(
        FunctionName="theirs",
        StatementId="ours",
        Action="lambda:InvokeFunction",
        Principal=ACCOUNT,
    )
    assert invoke(client, arn)[0] == "theirs"
    assert refusal(client.get_function, FunctionName=arn)[0] == "AccessDeniedException"


def _some(shape: Any) -> Any:
    """A value that fits a shape well enough to reach the decision."""
    if shape.type_name == "structure":
        return {name: _some(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [_some(shape.member)]
    if shape.type_name == "map":
        return {}
    if getattr(shape, "enum", None):
        return shape.enum[0]
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    if shape.type_name == "blob":
        return b"{}"
    known = {
        "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-"
        + "a" * 17,
        "RoleArn": ROLE,
        "Version": "1",
        "VersionWithLatestPublished": "1",
        "Action": "lambda:InvokeFunction",
    }
    return known.get(shape.name, "a1")


def test_roles_deliver(strict: Strict) -> None:
    """Delivery to a queue or another function uses the role's permissions, which are checked when
    it is configured and when it is delivered."""
    root, iam, logs = map(strict.client, ("lambda", "iam", "logs"))
    source = {"app.py": "def handler(event, context):\n    print('got', event)\n    return 1\n"}
    role = f"arn:aws:iam::{ACCOUNT}:role/deliverer"
    iam.create_role(RoleName="deliverer", AssumeRolePolicyDocument=json.dumps(TRUST))
    deploy(root, "delivers", source, Role=role)
    deploy(root, "gets-deliveries", source)
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:gets-deliveries"
    text = "The provided execution role does not have permissions to call {} on {}"

    def refused(arn: str, which: str = "OnSuccess") -> str:
        return refusal(
            root.put_function_event_invoke_config,
            FunctionName="delivers",
            DestinationConfig={which: {"Destination": arn}},
        )[1]

    def allow(actions: list[str], resources: list[str]) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
        iam.put_role_policy(
            RoleName="deliverer",
            PolicyName="p",
            PolicyDocument=json.dumps({"Statement": statement}),
        )

    bucket = "arn:aws:s3:::b"
    assert refused(bucket, "OnFailure") == text.format("PutObject", "S3")
    allow(["s3:PutObject"], [f"{bucket}/*"])
    assert refused(bucket, "OnFailure") == text.format("ListBucket", "S3")
    allow(["s3:PutObject", "s3:ListBucket"], [bucket, f"{bucket}/aws/lambda/async/delivers/*"])
    root.put_function_event_invoke_config(
        FunctionName="delivers", DestinationConfig={"OnFailure": {"Destination": bucket}}
    )
    assert refused(queue) == text.format("SendMessage", "SQS")
    assert refused(function) == text.format("InvokeFunction", "Lambda")
    dead_letters = {"FunctionName": "delivers", "DeadLetterConfig": {"TargetArn": queue}}
    assert refusal(root.update_function_configuration, **dead_letters) == (
        "InvalidParameterValueException",
        text.format("SendMessage", "SQS"),
    )
    allow(["sqs:SendMessage", "lambda:InvokeFunction"], [queue, function])
    root.update_function_configuration(**dead_letters)
    wait_active(root, "delivers")
    root.put_function_event_invoke_config(
        FunctionName="delivers", DestinationConfig={"OnSuccess": {"Destination": function}}
    )

    def arrived() -> int:
        group = "/aws/lambda/gets-deliveries"
        try:
            found = logs.filter_log_events(logGroupName=group, filterPattern="got")
        except logs.exceptions.ResourceNotFoundException:
            return 0
        return len(found["events"])

    root.invoke(FunctionName="delivers", InvocationType="Event")
    wait_for(lambda: arrived() == 1, "the record arrives")
    iam.delete_role_policy(RoleName="deliverer", PolicyName="p")
    root.invoke(FunctionName="delivers", InvocationType="Event")
    database = sqlite3.connect(strict.platform.data_dir / "state" / "lambent.db")
    waiting = "SELECT (SELECT count(*) FROM async_events) + (SELECT count(*) FROM deliveries)"
    with contextlib.closing(database):
        wait_for(
            lambda: database.execute(waiting).fetchone() == (0,),
            "the record is given up",
        )
    assert arrived() == 1


def test_a_stack_acts_with_the_rights_of_its_user_or_its_role(strict: Strict) -> None:
    """A user who may deploy stacks gets nothing else by it, unless the user may pass a role."""
    iam = strict.client("iam")
    trust = json.dumps(TRUST).replace("lambda.amazonaws.com", "cloudformation.amazonaws.com")
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust)
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": logs})
    iam.put_role_policy(RoleName="deployer", PolicyName="p", PolicyDocument=document)
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    stacks = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    prod = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/prod/*"
    no_prod = {"Effect": "Deny", "Action": "cloudformation:*", "Resource": prod}
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role}
    user = strict.client("cloudformation", **strict.user("stacker", stacks, no_prod))
    lead = strict.client("cloudformation", **strict.user("lead", stacks, passing))
    template = json.dumps({"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup"}}})

    def settled(name: str) -> Any:
        (stack,) = lead.describe_stacks(StackName=name)["Stacks"]
        return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

    user.create_stack(StackName="mine", TemplateBody=template)
    stack = wait_for(lambda: settled("mine"), "the stack is rolled back")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = user.describe_stack_events(StackName="mine")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("is not authorized to perform: logs:CreateLogGroup" in text for text in reasons)
    with_role = {"TemplateBody": template, "RoleARN": role}
    code, message = refusal(user.create_stack, StackName="other", **with_role)
    assert code == "AccessDenied"
    assert "iam:PassRole" in message
    lead.create_stack(StackName="prod", **with_role)
    stack = wait_for(lambda: settled("prod"), "the stack is made")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert refusal(user.delete_stack, StackName="prod")[0] == "AccessDenied"
    assert refusal(user.describe_stacks, StackName=stack["StackId"])[0] == "AccessDenied"
    other = {"TemplateBody": template, "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/lambda-role"}
    root = strict.client("cloudformation")
    code, message = refusal(root.create_stack, StackName="third", **other)
    assert code == "AccessDenied"
    assert "cannot assume the role" in message
    for name in ("mine", "prod"):
        lead.delete_stack(StackName=name)


def test_cloud_control_acts_with_the_rights_of_its_caller(strict: Strict) -> None:
    """The permission for CreateResource is none for the resource. With a role, the role's
    rights decide, and the caller has to be allowed to pass it."""
    iam = strict.client("iam")
    trust = json.dumps(TRUST).replace("lambda.amazonaws.com", "cloudformation.amazonaws.com")
    iam.create_role(RoleName="maker", AssumeRolePolicyDocument=trust)
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": logs})
    iam.put_role_policy(RoleName="maker", PolicyName="p", PolicyDocument=document)
    role = f"arn:aws:iam::{ACCOUNT}:role/maker"
    resources = {"Effect": "Allow", "Action": "cloudformation:*Resource*", "Resource": "*"}
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role}
    user = strict.client("cloudcontrol", **strict.user("cc-user", resources))
    lead = strict.client("cloudcontrol", **strict.user("cc-lead", resources, passing))
    guest = strict.client("cloudcontrol", **strict.user("cc-guest"))
    type = {"TypeName": "AWS::Logs::LogGroup"}
    wanted = {**type, "DesiredState": json.dumps({"LogGroupName": "strict-group"})}

    def ended(client: Any, begun: Any) -> Any:
        token = begun["ProgressEvent"]["RequestToken"]

        def event() -> Any:
            found = client.get_resource_request_status(RequestToken=token)["ProgressEvent"]
            return found if found["OperationStatus"] != "IN_PROGRESS" else None

        return wait_for(event, "the request ends")

    for operation, params in (
        ("create_resource", wanted),
        ("list_resources", type),
        ("get_resource", {**type, "Identifier": "strict-group"}),
        ("delete_resource", {**type, "Identifier": "strict-group"}),
        ("list_resource_requests", {}),
    ):
        code, message = refusal(getattr(guest, operation), **params)
        assert code == "AccessDeniedException", operation
        assert "is not authorized to perform: cloudformation:" in message
    failed = ended(user, user.create_resource(**wanted))
    assert (failed["OperationStatus"], failed["ErrorCode"]) == ("FAILED", "AccessDenied")
    assert refusal(user.list_resources, **type)[0] in (
        "AccessDeniedException",
        "HandlerFailureException",
    )
    code, message = refusal(user.create_resource, **wanted, RoleArn=role)
    assert code == "AccessDeniedException"
    assert "iam:PassRole" in message
    made = ended(lead, lead.create_resource(**wanted, RoleArn=role))
    assert made["OperationStatus"] == "SUCCESS"
    listed = lead.list_resources(**type, RoleArn=role)["ResourceDescriptions"]
    assert "strict-group" in [each["Identifier"] for each in listed]
    about = {**type, "Identifier": "strict-group", "RoleArn": role}
    assert json.loads(lead.get_resource(**about)["ResourceDescription"]["Properties"])
    assert ended(lead, lead.delete_resource(**about))["OperationStatus"] == "SUCCESS"


def test_logs_are_shared_group_by_group(strict: Strict) -> None:
    """Queries, Live Tail and writing need permissions for each group that they are about."""
    root = strict.client("logs")
    arns = {}
    for name in ("/mine", "/yours"):
        root.create_log_group(logGroupName=name)
        root.create_log_stream(logGroupName=name, logStreamName="s")
        arns[name] = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    policy = {
        "Effect": "Allow",
        "Action": ["logs:StartQuery", "logs:StartLiveTail", "logs:PutLogEvents"],
        "Resource": f"{arns['/mine']}:*",
    }
    config = Config(inject_host_prefix=False)
    user = strict.client("logs", **strict.user("reader", policy), config=config)
    times = {"startTime": 0, "endTime": 1, "queryString": "limit 1"}
    event = {"logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "x"}]}
    user.start_query(logGroupName="/mine", **times)
    user.put_log_events(logGroupName="/mine", **event)
    user.start_live_tail(logGroupIdentifiers=[arns["/mine"]])["responseStream"].close()
    for operation, params in (
        ("start_query", {"logGroupNames": ["/mine", "/yours"], **times}),
        ("start_query", {"logGroupIdentifiers": [arns["/yours"]], **times}),
        ("start_live_tail", {"logGroupIdentifiers": [arns["/mine"], arns["/yours"]]}),
        ("put_log_events", {"logGroupName": "/yours", **event}),
        ("get_query_results", {"queryId": "0" * 36}),
        ("put_metric_filter", {"logGroupName": "/mine", **METRIC_FILTER}),
    ):
        code, message = refusal(getattr(user, operation), **params)
        assert code == "AccessDeniedException", operation
        assert "is not authorized to perform: logs:" in message


def test_a_macro_needs_the_permission_to_call_its_function(strict: Strict) -> None:
    """Of the user whose template uses it, as in AWS."""
    name = "strict-macro"
    source = """
def handler(event, context):
    resource = {"Type": "AWS::CDK::Metadata"}
    fragment = {"Resources": {"A": resource}}
    return {"requestId": event["requestId"], "status": "success", "fragment": fragment}
"""
    deploy(strict.client("lambda"), name, {"app.py": source})
    root = strict.client("cloudformation")
    macro = {
        "Type": "AWS::CloudFormation::Macro",
        "Properties": {"Name": "Strict", "FunctionName": name},
    }
    root.create_stack(StackName="macros", TemplateBody=json.dumps({"Resources": {"M": macro}}))
    wait_for(
        lambda: (
            root.describe_stacks(StackName="macros")["Stacks"][0]["StackStatus"]
            == "CREATE_COMPLETE"
        ),
        "the macro is made",
    )
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    stacks = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    user = strict.client("cloudformation", **strict.user("mac-user", stacks))
    lead = strict.client("cloudformation", **strict.user("mac-lead", stacks, calls))
    template = json.dumps({"Transform": "Strict", "Resources": {}})
    params = {"TemplateBody": template, "ChangeSetName": "c", "ChangeSetType": "CREATE"}
    for client, stack, status in (
        (user, "refused", "FAILED"),
        (lead, "allowed", "CREATE_COMPLETE"),
    ):
        made = client.create_change_set(StackName=stack, **params)
        found = client.describe_change_set(ChangeSetName=made["Id"])
        assert found["Status"] == status, found
        if client is user:
            assert "lambda:InvokeFunction" in found["StatusReason"]
        client.delete_stack(StackName=stack)
    root.delete_stack(StackName="macros")


def test_a_custom_resource_needs_the_permission_to_call_its_function(strict: Strict) -> None:
    """Of the user who deploys the template; else the function is not called, and the stack says
    why."""
    source = """
import json, urllib.request
def handler(event, context):
    print("asked for", event["LogicalResourceId"])
    body = {"Status": "SUCCESS", "PhysicalResourceId": "a", "Reason": ""}
    body |= {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data, method="PUT"))
"""
    arn = deploy(strict.client("lambda"), "makes", {"app.py": source})["FunctionArn"]
    stacks = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}

    def deployed(user: str, *statements: dict[str, Any]) -> Any:
        client = strict.client("cloudformation", **strict.user(user, *statements))
        made = {"Type": "Custom::Made", "Properties": {"ServiceToken": arn}}
        client.create_stack(
            StackName=user, TemplateBody=json.dumps({"Resources": {user.title(): made}})
        )

        def settled() -> Any:
            (stack,) = client.describe_stacks(StackName=user)["Stacks"]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack["StackStatus"]

        status = wait_for(settled, f"the stack {user}", deadline_s=30)
        return status, client.describe_stack_events(StackName=user)["StackEvents"]

    status, events = deployed("unasked", stacks)
    assert status == "ROLLBACK_COMPLETE"
    assert any("lambda:InvokeFunction" in each.get("ResourceStatusReason", "") for each in events)
    assert deployed("asked", stacks, calls)[0] == "CREATE_COMPLETE"
    lines = strict.client("logs").filter_log_events(
        logGroupName="/aws/lambda/makes", filterPattern="asked"
    )["events"]
    assert [each["message"].strip() for each in lines] == ["asked for Asked"]

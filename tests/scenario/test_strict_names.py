"""Strict mode over HTTP: the decision does not depend on how a request spells its resource."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .conftest import ACCOUNT, Platform, deploy, invoke, zip_of
from .functions_api import refusal
from .test_identity import CALLS_LAMBDA, TRUST, Strict

LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}"
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group"
REFUSED = ("AccessDenied", "AccessDeniedException")
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """A strict platform with the role that functions here have."""
    platform = Platform(tmp_path_factory.mktemp("names") / "data", "--auth", "strict")
    running = Strict(platform)
    running.client("iam").create_role(
        RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    yield running
    assert platform.stop() == 0, platform.output


def put_policy(strict: Strict, user: str, *statements: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    strict.client("iam").put_user_policy(
        UserName=user, PolicyName="p", PolicyDocument=json.dumps(document)
    )


def send(strict: Strict, keys: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    """The status and response of a request whose path is sent unchanged."""
    data = None if body is None else json.dumps(body).encode()
    request = AWSRequest(method, f"{strict.platform.endpoint}{path}", data=data)
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    prepared = request.prepare()
    plain = urllib.request.Request(prepared.url, data, dict(prepared.headers), method=method)
    try:
        with urllib.request.urlopen(plain, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_denied_function_is_denied_by_every_name(strict: Strict) -> None:
    """In paths, encoded or not, in queries and in bodies."""
    root = strict.client("lambda")
    deploy(root, "prod-f", {"app.py": "def handler(event, context): return 1"})
    deploy(root, "test-f", {"app.py": "def handler(event, context): return 1"})
    arn = f"{LAMBDA}:function:prod-f"
    denied = {"Effect": "Deny", "Action": "*", "Resource": [arn, f"{arn}:*"]}
    keys = strict.user("names", ALL, denied)
    user = strict.client("lambda", **keys)
    assert invoke(user, "test-f")[0] == 1
    policy = json.dumps({"Statement": {**ALL, "Principal": "*"}})
    for name in ("prod-f", f"{ACCOUNT}:function:prod-f", arn, f"{ACCOUNT}:prod-f"):
        for suffix in ("", ":$LATEST"):
            named = {"FunctionName": name + suffix}
            for attempt in (user.invoke, user.get_function, user.publish_version, user.get_policy):
                assert refusal(attempt, **named)[0] in REFUSED, named
    for partition in ("aws", "aws-x", "aws-cn"):
        there = arn.replace("arn:aws:", f"arn:{partition}:")
        assert refusal(user.tag_resource, Resource=there, Tags={"a": "b"})[0] != "none"
        assert refusal(user.list_tags, Resource=there)[0] != "none"
        assert refusal(user.put_resource_policy, ResourceArn=there, Policy=policy)[0] != "none"
        assert refusal(user.delete_resource_policy, ResourceArn=there)[0] != "none"
    functions = "/2015-03-31/functions"
    for spelled in ("prod-f", "%70rod-f", "prod%2Df", "prod%2df", arn.replace(":", "%3A")):
        status, answer = send(strict, keys, "GET", f"{functions}/{spelled}")
        assert (status, "explicit deny" in answer["Message"]) == (403, True), spelled
        status, _ = send(strict, keys, "POST", f"{functions}/{spelled}/invocations", {})
        assert status == 403, spelled
    assert send(strict, keys, "GET", f"{functions}/%74est-f")[0] == 200
    mapping = {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "FunctionName": f"{arn}:1"}
    condition = {"ArnLike": {"lambda:FunctionArn": f"{arn}*"}}
    put_policy(strict, "names", ALL, {**denied, "Resource": "*", "Condition": condition})
    for name in ("prod-f", "prod-f:$LATEST", arn):
        status, _ = send(
            *(strict, keys, "POST", "/2015-03-31/event-source-mappings"),
            {**mapping, "FunctionName": name},
        )
        assert status == 403
    assert refusal(root.get_resource_policy, ResourceArn=arn)[0] == "ResourceNotFoundException"


def test_a_mapping_is_about_its_function(strict: Strict) -> None:
    """Without permission for a function there is none for its mappings, named by UUIDs."""
    root = strict.client("lambda")
    iam = strict.client("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(
        RoleName="reader", PolicyName="p", PolicyDocument=json.dumps({"Statement": ALL})
    )
    role = f"arn:aws:iam::{ACCOUNT}:role/reader"
    deploy(root, "mapped", {"app.py": "def handler(event, context): return 1"}, Role=role)
    created = root.create_event_source_mapping(
        FunctionName="mapped",
        EventSourceArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s",
        StartingPosition="LATEST",
        Enabled=False,
    )
    condition = {"ArnEquals": {"lambda:FunctionArn": f"{LAMBDA}:function:mapped"}}
    keys = strict.user("mapper", ALL, {**ALL, "Effect": "Deny", "Condition": condition})
    user = strict.client("lambda", **keys)
    uuid = created["UUID"]
    for attempt in (
        *(user.get_event_source_mapping, user.update_event_source_mapping),
        user.delete_event_source_mapping,
    ):
        assert refusal(attempt, UUID=uuid)[0] in REFUSED
    assert root.get_event_source_mapping(UUID=uuid)["UUID"] == uuid
    put_policy(strict, "mapper", {**ALL, "Condition": condition})
    assert user.get_event_source_mapping(UUID=uuid)["UUID"] == uuid


def test_a_log_group_is_one_by_name_and_by_arn(strict: Strict) -> None:
    """Whether policies name it with or without its streams."""
    root = strict.client("lambda")
    deploy(root, "logging", {"app.py": "def handler(event, context): print('secret')"})
    invoke(root, "logging")
    group = "/aws/lambda/logging"
    keys = strict.user("logger")
    user = strict.client("logs", **keys)
    names = [{"logGroupName": group}]
    names += [{"logGroupIdentifier": identifier} for identifier in (group, f"{LOGS}:{group}")]
    for resource in (f"{LOGS}:{group}", f"{LOGS}:{group}:*"):
        put_policy(strict, "logger", ALL, {**ALL, "Effect": "Deny", "Resource": resource})
        for named in names:
            assert refusal(user.filter_log_events, **named)[0] in REFUSED
            assert refusal(user.describe_log_streams, **named)[0] in REFUSED
            assert refusal(user.get_log_events, logStreamName="s", **named)[0] in REFUSED
        put_policy(strict, "logger", {**ALL, "Resource": resource})
        for named in names:
            assert len(user.describe_log_streams(**named)["logStreams"]) == 1
    there = f"{LOGS}:{group}".replace(ACCOUNT, "222222222222")
    assert refusal(user.filter_log_events, logGroupIdentifier=there)[0] == (
        "ResourceNotFoundException"
    )


def test_layers_are_one_by_name_and_by_arn(strict: Strict) -> None:
    """A version has one spelling."""
    root = strict.client("lambda")
    content = {"ZipFile": zip_of({"python/m.py": "x = 1"})}
    version = root.publish_layer_version(LayerName="secret-l", Content=content)
    arn = version["LayerVersionArn"]
    keys = strict.user("layers", ALL, {**ALL, "Effect": "Deny", "Resource": arn})
    user = strict.client("lambda", **keys)
    for name in ("secret-l", version["LayerArn"]):
        assert refusal(user.get_layer_version, LayerName=name, VersionNumber=1)[0] in REFUSED
    assert refusal(user.get_layer_version_by_arn, Arn=arn)[0] in REFUSED
    for other in (arn.replace("arn:aws:", "arn:aws-x:"), f"{arn[:-1]}01"):
        assert refusal(user.get_layer_version_by_arn, Arn=other)[0] == (
            "InvalidParameterValueException"
        )
    status, _ = send(strict, keys, "GET", "/2018-10-31/layers/secret%2Dl/versions/01")
    assert status == 403


def test_users_and_roles_have_their_paths(strict: Strict) -> None:
    """An administrator of a team cannot take over an administrator outside of it, and can change
    the team."""
    iam = strict.client("iam")
    for name, path in (("boss", "/admins/"), ("member", "/team/")):
        iam.create_user(UserName=name, Path=path)
    user = f"arn:aws:iam::{ACCOUNT}:user"
    denied = {"Effect": "Deny", "Action": "*", "Resource": f"{user}/admins/*"}
    admin = strict.client("iam", **strict.user("helper", ALL, denied))
    policy = json.dumps({"Statement": ALL})
    put = {"PolicyName": "p", "PolicyDocument": policy}
    assert refusal(admin.create_access_key, UserName="boss")[0] in REFUSED
    assert refusal(admin.put_user_policy, UserName="boss", **put)[0] in REFUSED
    assert refusal(admin.create_user, UserName="boss2", Path="/admins/")[0] in REFUSED
    admin.create_access_key(UserName="member")
    put_policy(strict, "helper", {**ALL, "Action": "iam:*", "Resource": f"{user}/team/*"})
    admin.put_user_policy(UserName="member", **put)
    admin.create_user(UserName="member2", Path="/team/")
    assert refusal(admin.create_access_key, UserName="boss")[0] in REFUSED
    assert refusal(admin.create_user, UserName="plain")[0] in REFUSED
    # Names that differ only in case are the same name.
    assert refusal(iam.create_user, UserName="BOSS")[0] == "EntityAlreadyExists"
    assert refusal(iam.create_user, UserName="x", PermissionsBoundary=f"{user}/x" * 2)[0] == (
        "InvalidInput"
    )


def test_variables_and_tags_of_the_caller(strict: Strict) -> None:
    """One policy for all users: each may call what has their name or their team's."""
    root = strict.client("lambda")
    for name in ("ida-f", "blue-f"):
        deploy(root, name, {"app.py": "def handler(event, context): return 1"})
    iam = strict.client("iam")
    functions = f"{LAMBDA}:function:"
    call = {"Effect": "Allow", "Action": "lambda:InvokeFunction"}
    own = {**call, "Resource": functions + "${aws:username}-*"}
    team = {**call, "Resource": functions + "${aws:PrincipalTag/team, 'none'}-*"}
    clients = {
        name: strict.client("lambda", **strict.user(name, own, team)) for name in ("ida", "jon")
    }
    assert invoke(clients["ida"], "ida-f")[0] == 1
    assert refusal(clients["ida"].invoke, FunctionName="blue-f")[0] in REFUSED
    assert refusal(clients["jon"].invoke, FunctionName="ida-f")[0] in REFUSED
    iam.tag_user(UserName="jon", Tags=[{"Key": "Team", "Value": "blue"}])
    assert iam.list_user_tags(UserName="jon")["Tags"] == [{"Key": "Team", "Value": "blue"}]
    assert invoke(clients["jon"], "blue-f")[0] == 1
    iam.untag_user(UserName="jon", TagKeys=["team"])
    assert refusal(clients["jon"].invoke, FunctionName="blue-f")[0] in REFUSED
    tagged = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    put_policy(strict, "jon", {**call, "Resource": "*", "Condition": tagged})
    assert refusal(clients["jon"].invoke, FunctionName="blue-f")[0] in REFUSED
    root.tag_resource(Resource=f"{functions}blue-f", Tags={"team": "blue"})
    assert invoke(clients["jon"], "blue-f")[0] == 1
    put_policy(strict, "jon", {**call, "Action": "lambda:GetFunction", "Resource": "*"})
    answer = clients["jon"].get_function(FunctionName="blue-f")
    assert "Tags" not in answer
    assert answer["TagsError"]["ErrorCode"] == "AccessDeniedException"
    assert root.get_function(FunctionName="blue-f")["Tags"] == {"team": "blue"}


def test_where_a_request_comes_from(strict: Strict) -> None:
    """Conditions may ask for the caller's address and for TLS."""
    local = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "Bool": {"aws:SecureTransport": "false"}}
    keys = strict.user("origin", {**ALL, "Condition": local})
    user = strict.client("lambda", **keys)
    user.list_functions()
    for condition in (
        {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"StringLike": {"aws:UserAgent": "Boto3/*"}},
    ):
        put_policy(strict, "origin", ALL, {**ALL, "Effect": "Deny", "Condition": condition})
        assert refusal(user.list_functions)[0] in REFUSED


def session_of(answer: dict[str, Any]) -> dict[str, str]:
    """The keys in an answer of STS."""
    found = answer["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


def create_role(strict: Strict, name: str, **principal: str) -> str:
    """A role that may do everything, with a trust policy; returns the ARN."""
    iam = strict.client("iam")
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    created = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Statement": trust}),
        MaxSessionDuration=7200,
    )
    iam.put_role_policy(
        RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Statement": ALL})
    )
    arn: str = created["Role"]["Arn"]
    return arn


def create_worker(strict: Strict) -> str:
    """An execution role that may do all."""
    iam = strict.client("iam")
    created = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(
        RoleName="worker", PolicyName="p", PolicyDocument=json.dumps({"Statement": ALL})
    )
    arn: str = created["Role"]["Arn"]
    return arn


def test_a_role_that_trusts_the_account_is_not_everybodys(strict: Strict) -> None:
    """The caller's own policies must allow it, an explicit denial wins; a role may trust a user by
    name. The account's root cannot assume roles."""
    arn = create_role(strict, "administrator", AWS=f"arn:aws:iam::{ACCOUNT}:root")
    keys = strict.user("nobody")
    sts = strict.client("sts", **keys)
    wanted = {"RoleArn": arn, "RoleSessionName": "s1"}
    code, message = refusal(sts.assume_role, **wanted)
    assert code == "AccessDenied"
    assert "is not authorized to perform: sts:AssumeRole on resource" in message
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}
    put_policy(strict, "nobody", assume, {**assume, "Effect": "Deny"})
    assert refusal(sts.assume_role, **wanted)[0] == "AccessDenied"
    put_policy(strict, "nobody", assume)
    session = session_of(sts.assume_role(**wanted, DurationSeconds=7200))
    strict.client("iam", **session).list_users()
    assert strict.client("sts", **session).get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/administrator/s1"
    )
    assert refusal(sts.assume_role, **wanted, DurationSeconds=7201)[0] == "ValidationError"
    assert refusal(sts.assume_role, **wanted, Policy="{}")[0] == "ValidationError"
    assert refusal(strict.client("sts").assume_role, **wanted)[0] == "AccessDenied"
    named = create_role(strict, "for-kay", AWS=strict_arn(strict, "kay"))
    kay = strict.client("sts", **strict.user("kay2"))
    assert refusal(kay.assume_role, RoleArn=named, RoleSessionName="s1")[0] == "AccessDenied"


def strict_arn(strict: Strict, name: str) -> str:
    """The ARN of a new user."""
    arn: str = strict.client("iam").create_user(UserName=name)["User"]["Arn"]
    return arn


def test_sessions_do_not_renew_themselves(strict: Strict) -> None:
    """A session gets no session of its user's, and of another role's one for an hour."""
    first = create_role(strict, "first", AWS=f"arn:aws:iam::{ACCOUNT}:root")
    second = create_role(strict, "second", AWS=f"arn:aws:iam::{ACCOUNT}:root")
    sts = strict.client("sts", **strict.user("lea", ALL))
    session = session_of(sts.assume_role(RoleArn=first, RoleSessionName="s1"))
    chained = strict.client("sts", **session)
    assert refusal(chained.get_session_token) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    wanted = {"RoleArn": second, "RoleSessionName": "s2"}
    assert refusal(chained.assume_role, **wanted, DurationSeconds=3601)[0] == "ValidationError"
    assert chained.assume_role(**wanted)["AssumedRoleUser"]["Arn"].endswith("second/s2")
    own = session_of(sts.get_session_token(DurationSeconds=129_600))
    strict.client("lambda", **own).list_functions()
    assert refusal(strict.client("iam", **own).list_users)[0] == "AccessDenied"
    assert refusal(strict.client("sts", **own).get_session_token)[0] == "AccessDenied"
    # A role's session has no user whose keys it could make.
    iam = strict.client("iam", **session)
    for attempt in (iam.create_access_key, iam.list_access_keys, iam.get_user):
        assert refusal(attempt)[0] == "ValidationError"


def test_sessions_end_with_whose_they_are(strict: Strict) -> None:
    """With the role, even if there is another of its name; with the user, and with the key."""
    iam = strict.client("iam")
    keys = strict.user("max", ALL)
    sts = strict.client("sts", **keys)
    unknown = "UnrecognizedClientException"

    def session(arn: str) -> Any:
        return strict.client(
            "lambda", **session_of(sts.assume_role(RoleArn=arn, RoleSessionName="s1"))
        )

    arn = create_role(strict, "passing", AWS=f"arn:aws:iam::{ACCOUNT}:root")
    before = session(arn)
    before.list_functions()
    iam.delete_role_policy(RoleName="passing", PolicyName="p")
    iam.delete_role(RoleName="passing")
    assert refusal(before.list_functions)[0] == unknown
    assert create_role(strict, "passing", AWS=f"arn:aws:iam::{ACCOUNT}:root") == arn
    assert refusal(before.list_functions)[0] == unknown
    session(arn).list_functions()
    root = strict.client("lambda")
    deploy(root, "acts", {"app.py": CALLS_LAMBDA}, Role=create_worker(strict), Timeout=30)
    assert invoke(root, "acts", {"name": "acts"})[0]["found"] == "acts"
    iam.delete_role_policy(RoleName="worker", PolicyName="p")
    iam.delete_role(RoleName="worker")
    create_worker(strict)
    payload, _ = invoke(root, "acts", {"name": "acts"})
    assert "security token included in the request is invalid" in payload["errorMessage"]
    own = strict.client("lambda", **session_of(sts.get_session_token()))
    own.list_functions()
    key = {"UserName": "max", "AccessKeyId": keys["aws_access_key_id"]}
    iam.update_access_key(**key, Status="Inactive")
    assert refusal(own.list_functions)[0] == unknown
    iam.update_access_key(**key, Status="Active")
    own.list_functions()
    iam.delete_access_key(**key)
    assert refusal(own.list_functions)[0] == unknown
    iam.delete_user_policy(UserName="max", PolicyName="p")
    iam.delete_user(UserName="max")
    strict.user("max", ALL)
    assert refusal(own.list_functions)[0] == unknown

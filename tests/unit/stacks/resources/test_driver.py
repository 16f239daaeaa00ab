"""The driver: what it calls for a row, in which order, and what it makes of the responses."""

import dataclasses
import io
import zipfile
from typing import Any

import pytest

from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Made
from lambent.stacks.template.values import UNKNOWN
from tests.unit.stacks.resources.fake_api import STEP, FakeApi, refused, type_of

pytestmark = pytest.mark.anyio

URL = "http://sqs.test/1/shop-Thing-ABCDEFGHIJKL"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:111111111111:q"
QUEUE: dict[str, Any] = {
    "CreateQueue": {"QueueUrl": URL},
    "GetQueueUrl": {"QueueUrl": URL},
    "GetQueueAttributes": {"Attributes": {"QueueArn": QUEUE_ARN}},
}
AGAIN = dataclasses.replace(STEP, is_repeated=True)
ACTIVE = {"Configuration": {"FunctionArn": "arn:f", "State": "Active"}}
PENDING = {"Configuration": {"FunctionArn": "arn:f", "State": "Pending"}}
CODE = {"ZipFile": "def handler(event, context): pass"}
FUNCTION = {"Code": CODE, "Role": "arn:role", "Runtime": "python3.13", "Handler": "index.handler"}
GONE = ApiError("AWS.SimpleQueueService.NonExistentQueue", "gone")
TAKEN = ApiError("EntityAlreadyExists", "taken", status=409)


async def test_a_resource_is_made_under_a_name_of_the_step() -> None:
    """With its properties as the API wants them, and the tags of the stack and its own."""
    api = FakeApi(QUEUE)
    properties = {
        "DelaySeconds": "5",
        "FifoQueue": "true",
        "RedrivePolicy": {"maxReceiveCount": 2},
        "Tags": [{"Key": "team", "Value": "b"}, {"Key": "n", "Value": 1}],
    }
    made = await type_of("AWS::SQS::Queue", api).create(STEP, properties)
    name = f"{STEP.name}.fifo"
    assert api.inputs("CreateQueue") == [
        {
            "QueueName": name,
            "Attributes": {
                "DelaySeconds": "5",
                "FifoQueue": "true",
                "RedrivePolicy": '{"maxReceiveCount":2}',
            },
            "tags": {"team": "b", "n": "1"},
        }
    ]
    assert made == Made(URL, {"Arn": QUEUE_ARN, "QueueName": name, "QueueUrl": URL})


async def test_a_step_in_doubt_takes_what_it_made() -> None:
    """It is found before the call is repeated. If there is nothing, it is made."""
    api = FakeApi(QUEUE)
    assert (await type_of("AWS::SQS::Queue", api).create(AGAIN, {})).physical_id == URL
    assert "CreateQueue" not in api.operations
    api = FakeApi({**QUEUE, "GetQueueUrl": GONE})
    assert (await type_of("AWS::SQS::Queue", api).create(AGAIN, {})).physical_id == URL
    assert "CreateQueue" in api.operations


async def test_what_a_step_may_have_made_is_found_for_its_deletion() -> None:
    """Also where nothing can be asked: a statement of a policy has the name of its step. What a
    service has numbered has the step's token."""
    permission = type_of("AWS::Lambda::Permission", FakeApi({}))
    found = await permission.find(STEP, {"FunctionName": "f"})
    assert found is not None
    assert found.physical_id == STEP.name
    versions = [
        {"LayerVersionArn": "arn:1"},
        {"LayerVersionArn": "arn:2", "lambent:token": STEP.token},
        {"LayerVersionArn": "arn:3", "lambent:token": "another"},
    ]
    api = FakeApi({"ListLayerVersions": {"LayerVersions": versions}})
    layer = {"LayerName": "shared", "Content": {}}
    found = await type_of("AWS::Lambda::LayerVersion", api).find(STEP, layer)
    assert found is not None
    assert found.physical_id == "arn:2"
    api = FakeApi({"ListLayerVersions": {"LayerVersions": versions[:1]}})
    assert await type_of("AWS::Lambda::LayerVersion", api).find(STEP, layer) is None


async def test_a_resource_of_another_is_not_taken() -> None:
    """A name that the template chose and that is taken is an error; a generated one is the
    step's."""
    responses: dict[str, Any] = {"CreateRole": TAKEN, "GetRole": {"Role": {"Arn": "a"}}}
    role = {"AssumeRolePolicyDocument": {"Statement": []}}
    api = FakeApi(responses)
    assert (await type_of("AWS::IAM::Role", api).create(STEP, role)).attributes == {"Arn": "a"}
    with refused("taken"):
        await type_of("AWS::IAM::Role", FakeApi(responses)).create(STEP, {**role, "RoleName": "r"})


async def test_an_update_calls_what_has_changed() -> None:
    """Nothing else; a property that is gone has its default again."""
    api = FakeApi(QUEUE)
    queue = type_of("AWS::SQS::Queue", api)
    made = Made(URL, {})
    step = dataclasses.replace(STEP, tags={})
    await queue.update(step, made, {"DelaySeconds": 5}, {"DelaySeconds": 5})
    assert api.operations == ["GetQueueAttributes"]
    await queue.update(
        step,
        made,
        {"DelaySeconds": 5, "Tags": [{"Key": "a", "Value": "1"}]},
        {"Tags": [{"Key": "b", "Value": "2"}]},
    )
    assert api.inputs("SetQueueAttributes") == [
        {"QueueUrl": URL, "Attributes": {"DelaySeconds": "0"}}
    ]
    assert api.inputs("UntagQueue") == [{"QueueUrl": URL, "TagKeys": ["a"]}]
    assert api.inputs("TagQueue") == [{"QueueUrl": URL, "Tags": {"b": "2"}}]


async def test_what_is_gone_is_deleted() -> None:
    """Another error is raised."""
    queue = type_of("AWS::SQS::Queue", FakeApi({"DeleteQueue": GONE, "GetQueueAttributes": GONE}))
    await queue.delete(STEP, Made(URL, {}), {})
    assert await queue.read(STEP, Made(URL, {}), {}) is None
    denied = FakeApi({"DeleteQueue": ApiError("AccessDenied", "may not", status=403)})
    with refused("may not"):
        await type_of("AWS::SQS::Queue", denied).delete(STEP, Made(URL, {}), {})


async def test_source_text_becomes_a_package_and_the_function_gets_ready() -> None:
    """Parts of a function that have operations of their own are made after it."""
    api = FakeApi({"GetFunction": [PENDING, PENDING, ACTIVE]})
    function = type_of("AWS::Lambda::Function", api)
    made = await function.create(STEP, {**FUNCTION, "ReservedConcurrentExecutions": "2"})
    (created,) = api.inputs("CreateFunction")
    with zipfile.ZipFile(io.BytesIO(created["Code"]["ZipFile"])) as package:
        assert package.read("index.py").decode() == CODE["ZipFile"]
    assert api.inputs("PutFunctionConcurrency") == [
        {"FunctionName": STEP.name, "ReservedConcurrentExecutions": 2}
    ]
    assert made == Made(STEP.name, {"Arn": "arn:f"})
    failed = {"Configuration": {"State": "Failed", "StateReason": "no memory"}}
    with refused("no memory"):
        await type_of("AWS::Lambda::Function", FakeApi({"GetFunction": failed})).create(
            STEP, FUNCTION
        )
    with refused("did not stabilize"):
        await type_of("AWS::Lambda::Function", FakeApi({"GetFunction": PENDING})).create(
            STEP, FUNCTION
        )


async def test_only_the_part_of_a_function_that_changes_is_updated() -> None:
    """The code, or the configuration; what the template no longer has is removed."""
    api = FakeApi({"GetFunction": ACTIVE})
    function = type_of("AWS::Lambda::Function", api)
    made = Made("f", {"Arn": "arn:f"})
    step = dataclasses.replace(STEP, tags={})
    await function.update(step, made, FUNCTION, {**FUNCTION, "Timeout": 9})
    (changed,) = api.inputs("UpdateFunctionConfiguration")
    assert (changed["FunctionName"], changed["Timeout"]) == ("f", 9)
    assert "UpdateFunctionCode" not in api.operations
    await function.update(
        step,
        made,
        {**FUNCTION, "ReservedConcurrentExecutions": 1},
        {**FUNCTION, "Code": {"S3Bucket": "b", "S3Key": "k"}},
    )
    assert api.inputs("UpdateFunctionCode") == [
        {"FunctionName": "f", "S3Bucket": "b", "S3Key": "k"}
    ]
    assert api.inputs("DeleteFunctionConcurrency") == [{"FunctionName": "f"}]


async def test_elements_of_lists_are_parts() -> None:
    """Of a role: what is new is put, what is gone is removed, and all go before the role."""
    api = FakeApi({"GetRole": {"Role": {}}})
    role = type_of("AWS::IAM::Role", api)
    trust = {"AssumeRolePolicyDocument": {"Statement": []}}

    def policy(name: str, text: str) -> Any:
        return {"PolicyName": name, "PolicyDocument": {"Id": text}}

    old = {**trust, "Policies": [policy("a", "1"), policy("b", "1")], "ManagedPolicyArns": ["m"]}
    new = {**trust, "Policies": [policy("b", "2"), policy("c", "1")], "ManagedPolicyArns": ["m"]}
    await role.update(dataclasses.replace(STEP, tags={}), Made("r", {}), old, new)
    assert api.inputs("DeleteRolePolicy") == [{"RoleName": "r", "PolicyName": "a"}]
    assert [put["PolicyName"] for put in api.inputs("PutRolePolicy")] == ["b", "c"]
    assert "AttachRolePolicy" not in api.operations
    api.calls.clear()
    await role.delete(STEP, Made("r", {}), new)
    assert api.operations == [
        "DeleteRolePolicy",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "DeleteRole",
    ]


async def test_lists_are_read_to_their_end() -> None:
    """When a resource is looked for."""
    name = STEP.name
    pages: list[Any] = [
        {"logGroups": [{"logGroupName": f"{name}-2"}], "nextToken": "t"},
        {"logGroups": [{"logGroupName": name}]},
    ]
    api = FakeApi({"DescribeLogGroups": pages})
    made = await type_of("AWS::Logs::LogGroup", api).create(AGAIN, {})
    assert made.physical_id == name
    assert api.operations == ["DescribeLogGroups"] * 2
    assert api.inputs("DescribeLogGroups")[1]["nextToken"] == "t"


async def test_properties_are_checked_before_anything_is_made() -> None:
    """Names and presence; values that are not known yet are values."""
    function = type_of("AWS::Lambda::Function", FakeApi({}))
    function.check({"Code": {"ZipFile": UNKNOWN}, "Role": UNKNOWN})
    with refused("Encountered unsupported property Colour"):
        function.check({**FUNCTION, "Colour": "red"})
    with refused("Encountered unsupported property Arn"):
        function.check({**FUNCTION, "Arn": "arn:f"})
    with refused("Property Role cannot be empty."):
        function.check({"Code": CODE})
    with refused("Lambent does not offer the property FunctionScalingConfig"):
        function.check({**FUNCTION, "FunctionScalingConfig": {}})
    for bad in ("x", True, 1.5):
        with refused("Value of property Timeout must be an Integer."):
            await function.create(STEP, {**FUNCTION, "Timeout": bad})
    with refused("Encountered unsupported property Colour"):
        await function.create(STEP, {**FUNCTION, "Environment": {"Colour": "red"}})
    with refused("ZipFile can only be used"):
        await function.create(STEP, {**FUNCTION, "Runtime": "provided.al2023"})


def test_which_change_needs_a_new_resource() -> None:
    """What the schema says; a value that is not known is another one."""
    function = type_of("AWS::Lambda::Function", FakeApi({}))
    assert function.replaces({"FunctionName": "a"}, {"FunctionName": "b", "Timeout": 1}) == {
        "FunctionName"
    }
    assert function.replaces({"FunctionName": "a"}, {"FunctionName": UNKNOWN}) == {"FunctionName"}
    assert function.replaces({"Timeout": 1}, {}) == frozenset()
    assert (function.custom_name({"FunctionName": "a"}), function.custom_name({})) == ("a", None)


async def test_a_version_is_a_new_one() -> None:
    """If nothing has changed, PublishVersion returns the last version, which may be of another
    resource. Only a step that is repeated may have published it."""
    arn = "arn:aws:lambda:eu-west-1:111111111111:function:f:1"
    responses: dict[str, Any] = {
        "ListVersionsByFunction": {"Versions": [{"FunctionArn": arn}]},
        "PublishVersion": {"FunctionArn": arn, "Version": "1"},
        "GetFunction": {"Configuration": {"FunctionArn": arn, "Version": "1"}},
    }
    version = type_of("AWS::Lambda::Version", FakeApi(responses))
    with refused("A version for this Lambda function exists ( 1 ). Modify"):
        await version.create(STEP, {"FunctionName": "f"})
    assert (await version.create(AGAIN, {"FunctionName": "f"})).physical_id == arn
    fresh = FakeApi({**responses, "ListVersionsByFunction": {"Versions": []}})
    made = await type_of("AWS::Lambda::Version", fresh).create(STEP, {"FunctionName": "f"})
    assert made == Made(arn, {"FunctionArn": arn, "Version": "1"})


async def test_names_are_as_long_as_the_type_allows() -> None:
    """Their end is what makes them unique."""
    api = FakeApi({"GetFunction": ACTIVE})
    long = dataclasses.replace(STEP, name=f"{'stack' * 20}-ABCDEFGHIJKL")
    await type_of("AWS::Lambda::Function", api).create(long, FUNCTION)
    (created,) = api.inputs("CreateFunction")
    assert created["FunctionName"] == f"{('stack' * 20)[:51]}-ABCDEFGHIJKL"
    fifo = FakeApi(QUEUE)
    await type_of("AWS::SQS::Queue", fifo).create(long, {"FifoQueue": True})
    (name,) = (made["QueueName"] for made in fifo.inputs("CreateQueue"))
    assert (len(name), name[-18:]) == (80, "-ABCDEFGHIJKL.fifo")
    assert type_of("AWS::SQS::Queue", fifo).custom_name({"QueueName": UNKNOWN}) is None


async def test_whether_a_name_is_taken() -> None:
    """Only the template's names are asked for; generated ones are unique."""
    role: dict[str, Any] = {"AssumeRolePolicyDocument": {"Statement": []}}
    there, gone = FakeApi({"GetRole": {"Role": {"Arn": "a"}}}), FakeApi({"GetRole": GONE})
    assert await type_of("AWS::IAM::Role", there).exists(STEP, {**role, "RoleName": "r"})
    assert not await type_of("AWS::IAM::Role", gone).exists(STEP, {**role, "RoleName": "r"})
    assert not await type_of("AWS::IAM::Role", there).exists(STEP, role)
    assert there.operations == ["GetRole"]


async def test_what_properties_name_is_not_taken_from_another() -> None:
    """A resource without a name of its own, such as a domain, is not the step's if it was there."""
    domain = {"Domain": "d", "UserPoolId": "p"}
    with refused("taken"):
        await type_of(
            "AWS::Cognito::UserPoolDomain", FakeApi({"CreateUserPoolDomain": TAKEN})
        ).create(STEP, domain)
    api = FakeApi({"CreateUserPoolDomain": TAKEN})
    assert (await type_of("AWS::Cognito::UserPoolDomain", api).create(AGAIN, domain)).physical_id

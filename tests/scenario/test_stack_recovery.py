"""Stacks that cannot go on by themselves: what their users do about it."""

import json
from typing import Any

import pytest

from tests.platforms import ACCOUNT, Platform, deploy, log_lines, wait_for
from tests.scenario.test_stacks import refusal, settled, statuses

MAKER = """
import json, urllib.request

def handler(event, context):
    names = ("ResourceProperties", "OldResourceProperties")
    words = [event.get(name, {}).get("Word") for name in names]
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    fails = "bad" in words and event["RequestType"] != "Delete"
    answer |= {"Status": "FAILED" if fails else "SUCCESS", "Reason": "It is bad."}
    answer["PhysicalResourceId"] = event.get("PhysicalResourceId", "made-" + words[0])
    print("asked:", event["RequestType"], answer["PhysicalResourceId"])
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=10)
"""
"""Fails to make what is bad, and to change it into anything else."""
WAIT = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT5M"}},
}


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    return platform.client("cloudformation")


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


def group(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": properties}


def value(text: str, **more: Any) -> dict[str, Any]:
    properties = {"Type": "String", "Value": text}
    return {"Type": "AWS::SSM::Parameter", "Properties": properties, **more}


def gone(client: Any, made: Any) -> None:
    """Delete a stack, and wait."""
    client.delete_stack(StackName=made["StackId"])
    assert settled(client, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def physical(client: Any, stack: str, id: str) -> str:
    found = client.describe_stack_resource(StackName=stack, LogicalResourceId=id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


@pytest.fixture(scope="module")
def thing(platform: Platform) -> Any:
    """Makes a custom resource."""
    deploy(platform.client("lambda"), "recovery-maker", {"app.py": MAKER})
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:recovery-maker"
    return lambda word: {
        "Type": "Custom::Thing",
        "Properties": {"ServiceToken": arn, "Word": word},
    }


def asked(platform: Platform) -> list[str]:
    """The requests to the custom resource, in their order."""
    lines = log_lines(platform, "recovery-maker")
    return [line.partition("asked: ")[2].strip() for line in lines if "asked: " in line]


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("AWS::Logs::LogGroup", {"RetentionInDays": 1}, {"RetentionInDays": "soon"}),
        (
            "AWS::ApiGateway::RestApi",
            {"Name": "malformed"},
            {"Name": "malformed", "EndpointConfiguration": {"Types": {"a": 1}}},
        ),
        (
            "AWS::Events::Rule",
            {"EventPattern": {"source": ["a"]}},
            {"EventPattern": {"source": ["a"]}, "Targets": [["none"], 3]},
        ),
        (
            "AWS::ApiGatewayV2::Api",
            {"Name": "malformed", "ProtocolType": "HTTP"},
            {"Name": "malformed", "ProtocolType": "HTTP", "CorsConfiguration": {"MaxAge": "old"}},
        ),
    ],
)
def test_properties_that_cannot_be_read_are_rolled_back(
    client: Any, type: str, good: Any, bad: Any
) -> None:
    """An update fails with values of another form, and the stack goes back to what it was."""
    name = f"unread-{type.rpartition(':')[2]}"
    resource = {"Type": type, "Properties": good}
    client.create_stack(StackName=name, TemplateBody=template(R=resource))
    made = settled(client, name)
    assert made["StackStatus"] == "CREATE_COMPLETE"
    client.update_stack(StackName=name, TemplateBody=template(R={**resource, "Properties": bad}))
    assert settled(client, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ("R", "UPDATE_FAILED") in statuses(client, name)
    client.delete_stack(StackName=name)
    assert settled(client, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_what_a_failed_creation_has_left_is_deleted(
    platform: Platform, client: Any, thing: Any
) -> None:
    """A custom resource that fails with an id is asked to delete it."""
    client.create_stack(StackName="left", TemplateBody=template(Thing=thing("bad")))
    made = settled(client, "left")
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    wait_for(lambda: len(asked(platform)) >= 2, "both requests are logged")
    assert asked(platform)[:2] == ["Create made-bad", "Delete made-bad"]
    gone(client, made)


def test_a_rollback_that_fails_goes_on_without_a_resource(client: Any, thing: Any) -> None:
    """The user skips what cannot go back; a second failure is no way out."""
    params = {"StackName": "stuck"}
    client.create_stack(**params, TemplateBody=template(Thing=thing("good"), Value=value("a")))
    client.get_template_summary(**params)
    assert settled(client, "stuck")["StackStatus"] == "CREATE_COMPLETE"
    client.update_stack(**params, TemplateBody=template(Thing=thing("bad"), Value=value("b")))
    made = settled(client, "stuck")
    assert made["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    refused = refusal(client.update_stack, **params, TemplateBody=template(Value=value("c")))
    assert "is in UPDATE_ROLLBACK_FAILED state and can not be updated" in refused[1]
    client.continue_update_rollback(**params)
    assert settled(client, "stuck")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    refused = refusal(client.continue_update_rollback, **params, ResourcesToSkip=["None"])
    assert refused[0] == "ValidationError"
    client.continue_update_rollback(**params, ResourcesToSkip=["Thing"])
    assert settled(client, "stuck")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    refused = refusal(client.continue_update_rollback, **params)
    assert "UPDATE_ROLLBACK_COMPLETE" in refused[1]
    gone(client, made)


def test_an_update_is_cancelled(platform: Platform, client: Any) -> None:
    """While it waits for a signal; what it has changed goes back."""
    ssm = platform.client("ssm")
    client.create_stack(StackName="stopped", TemplateBody=template(Value=value("a")))
    made = settled(client, "stopped")
    assert refusal(client.cancel_update_stack, StackName="stopped")[1].startswith(
        "CancelUpdateStack cannot be called from current stack status"
    )
    name = physical(client, "stopped", "Value")
    client.update_stack(StackName="stopped", TemplateBody=template(Value=value("b"), Wait=WAIT))
    wait_for(
        lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"] == "b",
        "the value is changed",
    )
    client.cancel_update_stack(StackName="stopped")
    assert settled(client, "stopped")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "a"
    gone(client, made)


def test_a_policy_protects_resources(client: Any) -> None:
    """A change that it denies is refused, unless the update brings another policy along."""
    deny = {"Effect": "Deny", "Action": "Update:*", "Resource": "LogicalResourceId/Kept"}
    allow = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    policy = json.dumps({"Statement": [{**deny, "Principal": "*"}, allow]})
    client.create_stack(
        StackName="guarded",
        TemplateBody=template(Kept=value("a"), Free=value("a")),
        StackPolicyBody=policy,
    )
    made = settled(client, "guarded")
    assert json.loads(client.get_stack_policy(StackName="guarded")["StackPolicyBody"]) == (
        json.loads(policy)
    )
    change = {"StackName": "guarded", "TemplateBody": template(Kept=value("b"), Free=value("b"))}
    refused = refusal(client.update_stack, **change)
    assert "Action denied by stack policy: Statement [#1]" in refused[1], refused
    client.update_stack(
        **{**change, "TemplateBody": template(Kept=value("a"), Free=value("b"))},
    )
    assert settled(client, "guarded")["StackStatus"] == "UPDATE_COMPLETE"
    during = json.dumps({"Statement": [allow]})
    client.update_stack(**change, StackPolicyDuringUpdateBody=during)
    assert settled(client, "guarded")["StackStatus"] == "UPDATE_COMPLETE"
    refused = refusal(client.set_stack_policy, StackName="guarded", StackPolicyBody="{")
    assert refused[0] == "ValidationError"
    client.set_stack_policy(StackName="guarded", StackPolicyBody=during)
    client.update_stack(StackName="guarded", TemplateBody=template(Free=value("b")))
    assert settled(client, "guarded")["StackStatus"] == "UPDATE_COMPLETE"
    gone(client, made)


def test_a_protected_stack_is_not_deleted(client: Any) -> None:
    client.create_stack(
        StackName="protected", TemplateBody=template(A=value("a")), EnableTerminationProtection=True
    )
    made = settled(client, "protected")
    assert made["EnableTerminationProtection"]
    refused = refusal(client.delete_stack, StackName="protected")
    assert refused[1].endswith("cannot be deleted while TerminationProtection is enabled")
    client.update_termination_protection(StackName="protected", EnableTerminationProtection=False)
    gone(client, made)


def test_what_is_retained_stays(platform: Platform, client: Any) -> None:
    """By its policy, after an update and after the deletion; `RetainExceptOnCreate` only if the
    creation succeeds."""
    ssm = platform.client("ssm")
    on_delete = {"DeletionPolicy": "Retain"}
    except_new = {"DeletionPolicy": "RetainExceptOnCreate"}
    client.create_stack(
        StackName="kept",
        TemplateBody=template(
            Removed=value("a", **on_delete), Left=value("b", **except_new), Gone=value("c")
        ),
    )
    made = settled(client, "kept")
    names = {id: physical(client, "kept", id) for id in ("Removed", "Left", "Gone")}
    client.update_stack(
        StackName="kept", TemplateBody=template(Left=value("b", **except_new), Gone=value("c"))
    )
    assert settled(client, "kept")["StackStatus"] == "UPDATE_COMPLETE"
    gone(client, made)
    found = ssm.get_parameters(Names=list(names.values()))
    assert found["InvalidParameters"] == [names["Gone"]]
    ssm.delete_parameters(Names=[names["Removed"], names["Left"]])

    broken = {**value("x", DependsOn="New"), "Type": "AWS::SSM::Parameter"}
    broken["Properties"] = {"Type": "Odd", "Value": "x"}
    client.create_stack(
        StackName="unkept", TemplateBody=template(New=value("a", **except_new), Broken=broken)
    )
    made = settled(client, "unkept")
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("New", "DELETE_COMPLETE") in statuses(client, "unkept")
    gone(client, made)


def test_an_export_in_use_stays(client: Any) -> None:
    """A stack that another imports from can be neither deleted nor lose its export."""
    export = {"Value": "v", "Export": {"Name": "recovery-export"}}
    client.create_stack(
        StackName="exporter",
        TemplateBody=json.dumps({"Resources": {"A": value("a")}, "Outputs": {"Out": export}}),
    )
    exporter = settled(client, "exporter")
    importing = {**value(""), "Properties": {"Type": "String"}}
    importing["Properties"]["Value"] = {"Fn::ImportValue": "recovery-export"}
    client.create_stack(StackName="importer", TemplateBody=template(A=importing))
    importer = settled(client, "importer")
    assert importer["StackStatus"] == "CREATE_COMPLETE"
    assert client.list_imports(ExportName="recovery-export")["Imports"] == ["importer"]
    client.delete_stack(StackName="exporter")
    assert settled(client, "exporter")["StackStatus"] == "DELETE_FAILED"
    events = client.describe_stack_events(StackName="exporter")["StackEvents"]
    reason = "Export recovery-export cannot be deleted as it is in use by importer"
    assert any(reason in event.get("ResourceStatusReason", "") for event in events)
    gone(client, importer)
    assert refusal(client.list_imports, ExportName="recovery-export")[0] == "ValidationError"
    gone(client, exporter)


def test_a_failed_stack_vanishes(client: Any) -> None:
    """`OnFailure` says what becomes of a failed stack: it is deleted with its resources."""
    broken = {**value("x"), "Properties": {"Type": "Odd", "Value": "x"}}
    made = client.create_stack(
        StackName="vanishes", TemplateBody=template(A=value("a"), B=broken), OnFailure="DELETE"
    )
    assert settled(client, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_templates_are_validated(client: Any) -> None:
    """Parameters and capabilities are said before anything is made."""
    body = {
        "Description": "d",
        "Parameters": {"P": {"Type": "String", "NoEcho": True, "Default": "x"}},
        "Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {}}},
    }
    found = client.validate_template(TemplateBody=json.dumps(body))
    assert found["Capabilities"] == ["CAPABILITY_IAM"]
    assert found["Parameters"] == [
        {"ParameterKey": "P", "DefaultValue": "x", "NoEcho": True},
    ]
    summary = client.get_template_summary(TemplateBody=json.dumps(body))
    assert summary["ResourceTypes"] == ["AWS::IAM::Role"]
    refused = refusal(client.validate_template, TemplateBody='{"Resources": {"R": {}}}')
    assert "Every Resources object must contain a Type member" in refused[1]

"""A bot in a stack: made with its function, changed, published, and deleted."""

import json
from typing import Any

import pytest

from tests.exported_bot import ROLE, boats
from tests.platforms import PYTHON, Platform
from tests.scenario.test_stacks import CAPABILITIES, outputs, settled

from .conftest import Bot, clients_of, texts

SOURCE = """
def handler(event, context):
    state = event["sessionState"]
    state["intent"]["state"] = "Fulfilled"
    color = state["intent"]["slots"]["Color"]["value"]["interpretedValue"]
    said = [{"contentType": "PlainText", "content": f"Painted {color}."}]
    return {"sessionState": {**state, "dialogAction": {"type": "Close"}}, "messages": said}
"""


def says(text: str) -> list[Any]:
    return [{"Message": {"PlainTextMessage": {"Value": text}}}]


def locale(*utterances: str, **more: Any) -> dict[str, Any]:
    """A locale as templates have it; numbers and booleans may be texts."""
    slot = {
        "Name": "Color",
        "SlotTypeName": "Colors",
        "ValueElicitationSetting": {
            "SlotConstraint": "Required",
            "PromptSpecification": {"MaxRetries": "1", "MessageGroupsList": says("Which color?")},
        },
    }
    paint = {
        "Name": "Paint",
        "SampleUtterances": [{"Utterance": each} for each in utterances],
        "FulfillmentCodeHook": {"Enabled": "true"},
        "SlotPriorities": [{"SlotName": "Color", "Priority": "1"}],
        "Slots": [slot],
    }
    fallback = {
        "Name": "FallbackIntent",
        "ParentIntentSignature": "AMAZON.FallbackIntent",
        "IntentClosingSetting": {
            "ClosingResponse": {"MessageGroupsList": says("I paint.")},
            "NextStep": {
                "DialogAction": {"Type": "EndConversation"},
                "SessionAttributes": [{"Key": "seen", "Value": "yes"}],
            },
        },
    }
    colors = {
        "Name": "Colors",
        "SlotTypeValues": [{"SampleValue": {"Value": each}} for each in ("red", "dark blue")],
        "ValueSelectionSetting": {"ResolutionStrategy": "TOP_RESOLUTION"},
    }
    return {
        **{"LocaleId": "en_US", "NluConfidenceThreshold": "0.4"},
        **{"Intents": [paint, fallback], "SlotTypes": [colors], **more},
    }


def bot(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lex::Bot",
        "Properties": {
            **{"Name": "painter", "RoleArn": ROLE, "DataPrivacy": {"ChildDirected": False}},
            **{"IdleSessionTTLInSeconds": 300, "AutoBuildBotLocales": True, **properties},
        },
    }


def template(*utterances: str, description: str = "first") -> str:
    hook = {
        "CodeHookSpecification": {
            "LambdaCodeHook": {
                "CodeHookInterfaceVersion": "1.0",
                "LambdaArn": {"Fn::GetAtt": ["Function", "Arn"]},
            }
        },
        "Enabled": True,
    }
    settings = [{"LocaleId": "en_US", "BotAliasLocaleSetting": hook}]
    details = {"LocaleId": "en_US", "BotVersionLocaleDetails": {"SourceBotVersion": "DRAFT"}}
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
    resources: dict[str, Any] = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Statement": trust}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                **{"Runtime": PYTHON, "Handler": "index.handler", "Code": {"ZipFile": SOURCE}},
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
        "Bot": bot(
            BotLocales=[locale(*utterances)],
            BotTags=[{"Key": "team", "Value": "paint"}],
            TestBotAliasSettings={"BotAliasLocaleSettings": settings},
        ),
        "Version": {
            "Type": "AWS::Lex::BotVersion",
            "Properties": {
                **{"BotId": {"Ref": "Bot"}, "Description": description},
                "BotVersionLocaleSpecification": [details],
            },
        },
        "Alias": {
            "Type": "AWS::Lex::BotAlias",
            "Properties": {
                **{"BotId": {"Ref": "Bot"}, "BotAliasName": "live"},
                "BotVersion": {"Fn::GetAtt": ["Version", "BotVersion"]},
                "BotAliasLocaleSettings": settings,
            },
        },
    }
    shown = {
        "Bot": {"Ref": "Bot"},
        "Alias": {"Fn::GetAtt": ["Alias", "BotAliasId"]},
        "Both": {"Ref": "Alias"},
    }
    described = {name: {"Value": value} for name, value in shown.items()}
    return json.dumps({"Resources": resources, "Outputs": described})


@pytest.fixture(scope="module")
def stacks(platform: Platform) -> Any:
    return platform.client("cloudformation")


def reasons(stacks: Any, name: str) -> list[str]:
    """Why steps have failed."""
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    return [why for event in events if (why := event.get("ResourceStatusReason"))]


def test_a_bot_with_its_function(platform: Platform, stacks: Any) -> None:
    """The draft follows the template; an alias follows its version."""
    models, runtime = clients_of(platform)
    stack = {"StackName": "painter", "Capabilities": CAPABILITIES}
    stacks.create_stack(**stack, TemplateBody=template("paint it"))
    made = settled(stacks, "painter")
    assert made["StackStatus"] == "CREATE_COMPLETE", reasons(stacks, "painter")
    found = outputs(made)
    assert found["Both"] == f"{found['Alias']}|{found['Bot']}"
    arn = f"arn:aws:lex:us-east-1:000000000000:bot/{found['Bot']}"
    assert models.list_tags_for_resource(resourceARN=arn)["tags"] == {"team": "paint"}
    draft = Bot(models, runtime, found["Bot"])
    live = Bot(models, runtime, found["Bot"], alias=found["Alias"])
    for each in (draft, live):
        assert texts(each.say("ann", "paint it")) == ["Which color?"]
        assert texts(each.say("ann", "dark blue")) == ["Painted dark blue."]
    fallen = draft.say("bob", "what about pizza")
    assert texts(fallen) == ["I paint."]
    assert fallen["sessionState"]["sessionAttributes"] == {"seen": "yes"}

    stacks.update_stack(**stack, TemplateBody=template("paint it", "brush it"))
    assert settled(stacks, "painter")["StackStatus"] == "UPDATE_COMPLETE"
    assert texts(draft.say("cid", "brush it")) == ["Which color?"]
    assert texts(live.say("cid", "brush it")) == ["I paint."]
    stacks.update_stack(
        **stack, TemplateBody=template("paint it", "brush it", description="second")
    )
    made = settled(stacks, "painter")
    assert made["StackStatus"] == "UPDATE_COMPLETE", reasons(stacks, "painter")
    assert outputs(made) == found
    assert texts(live.say("dan", "brush it")) == ["Which color?"]
    versions = models.list_bot_versions(botId=found["Bot"])["botVersionSummaries"]
    assert [each["botVersion"] for each in versions] == ["2", "DRAFT"]

    stacks.delete_stack(StackName="painter")
    assert settled(stacks, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert not [b for b in models.list_bots()["botSummaries"] if b["botName"] == "painter"]


def test_a_bot_of_an_exported_file(platform: Platform, stacks: Any) -> None:
    """Its locales come from a bucket; later they are in the template."""
    models, runtime = clients_of(platform)
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="exported-bots")
    s3.put_object(Bucket="exported-bots", Key="boats.zip", Body=boats())
    s3.put_object(Bucket="exported-bots", Key="none.zip", Body=b"none")

    def body(**properties: Any) -> str:
        resources = {"Bot": bot(Name="sailor", **properties)}
        return json.dumps({"Resources": resources, "Outputs": {"Bot": {"Value": {"Ref": "Bot"}}}})

    file = {"S3Bucket": "exported-bots", "S3ObjectKey": "boats.zip"}
    stacks.create_stack(StackName="sailor", TemplateBody=body(BotFileS3Location=file))
    made = settled(stacks, "sailor")
    assert made["StackStatus"] == "CREATE_COMPLETE", reasons(stacks, "sailor")
    sailor = Bot(models, runtime, outputs(made)["Bot"])
    assert texts(sailor.say("ann", "rent a boat")) == ["Which boat: canoe or sailing boat?"]

    stacks.update_stack(
        StackName="sailor", TemplateBody=body(BotLocales=[locale("paint it", LocaleId="en_GB")])
    )
    assert settled(stacks, "sailor")["StackStatus"] == "UPDATE_COMPLETE"
    kept = models.list_bot_locales(botId=sailor.id, botVersion="DRAFT")["botLocaleSummaries"]
    assert [each["localeId"] for each in kept] == ["en_GB"]

    wrong = {
        "is not a zip file": body(BotFileS3Location={**file, "S3ObjectKey": "none.zip"}),
        "BotLocales or BotFileS3Location, not both": body(
            BotFileS3Location=file, BotLocales=[locale("paint it")]
        ),
        "has values of another form": body(BotLocales=[{"LocaleId": "en_US", "Intents": 3}]),
        "the intent has no slot Size": body(
            BotLocales=[
                locale(
                    "paint it",
                    Intents=[
                        {"Name": "A", "SlotPriorities": [{"SlotName": "Size", "Priority": 1}]}
                    ],
                )
            ]
        ),
        "cannot be built": body(BotLocales=[locale("paint it {Nothing}")]),
    }
    for message, text in wrong.items():
        stacks.update_stack(StackName="sailor", TemplateBody=text)
        assert settled(stacks, "sailor")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", message
        found = reasons(stacks, "sailor")
        assert any(message in reason for reason in found), (message, found)
        kept = models.list_bot_locales(botId=sailor.id, botVersion="DRAFT")["botLocaleSummaries"]
        assert [(e["localeId"], e["botLocaleStatus"]) for e in kept] == [("en_GB", "Built")]
    stacks.delete_stack(StackName="sailor")
    assert settled(stacks, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    for key in ("boats.zip", "none.zip"):
        s3.delete_object(Bucket="exported-bots", Key=key)
    s3.delete_bucket(Bucket="exported-bots")

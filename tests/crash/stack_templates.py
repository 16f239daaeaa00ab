"""Random stacks of five to twenty resources of many services, nested stacks included."""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.platforms import ACCOUNT, PYTHON

BUCKET = "parts"
MAKER = "maker"
"""The function behind custom resources."""
WORDS = "ab"
BAD = "bad"
"""The word with which custom resources and nested stacks fail."""

Resources = Mapping[str, Any]

_TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
}
_WORD = {"Ref": "Word"}
_ARN = {"Fn::GetAtt": ["Function", "Arn"]}
_CHILD = {
    "Parameters": {"Word": {"Type": "String"}},
    "Conditions": {"IsBad": {"Fn::Equals": [_WORD, BAD]}},
    "Resources": {
        "Value": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": _WORD}},
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DependsOn": "Value",
            "Properties": {"RetentionInDays": {"Fn::If": ["IsBad", 2, 1]}},
        },
    },
    "Outputs": {"Value": {"Value": _WORD}},
}
CHILD = json.dumps(_CHILD)
"""A nested template."""


def _resource(type: str, needs: Sequence[str] = (), /, **properties: Any) -> Mapping[str, Any]:
    return {"Type": f"AWS::{type}", "DependsOn": list(needs), "Properties": properties}


def _base(word: str) -> Resources:
    code = "import os\ndef handler(event, context):\n    return os.environ['WHO']\n"
    return {
        "Role": _resource(
            "IAM::Role",
            Path=f"/{word}/",  # A change needs another role.
            AssumeRolePolicyDocument=_TRUST,
            Policies=[
                {
                    "PolicyName": "all",
                    "PolicyDocument": {
                        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}
                    },
                }
            ],
        ),
        "Logs": _resource("Logs::LogGroup", RetentionInDays=1 if word == "a" else 3),
        "Function": _resource(
            "Lambda::Function",
            Runtime=PYTHON,
            Handler="index.handler",
            Role={"Fn::GetAtt": ["Role", "Arn"]},
            Environment={"Variables": {"WHO": _WORD}},
            Code={"ZipFile": code},
        ),
    }


def _queue(word: str) -> Resources:
    return {
        "Queue": _resource("SQS::Queue", **({"FifoQueue": True} if word == "b" else {})),
        "Mapping": _resource(
            "Lambda::EventSourceMapping",
            FunctionName={"Ref": "Function"},
            EventSourceArn={"Fn::GetAtt": ["Queue", "Arn"]},
        ),
    }


def _versions(word: str) -> Resources:
    return {
        "Version": _resource("Lambda::Version", FunctionName={"Ref": "Function"}, Description=word),
        "Alias": _resource(
            "Lambda::Alias",
            FunctionName={"Ref": "Function"},
            Name="live",
            FunctionVersion={"Fn::GetAtt": ["Version", "Version"]},
        ),
    }


def _layer(word: str) -> Resources:
    content = {"S3Bucket": BUCKET, "S3Key": f"layer-{word}.zip"}
    return {
        "Layer": _resource("Lambda::LayerVersion", Content=content),
        "Shared": _resource("Lambda::LayerVersion", LayerName="shared", Content=content),
    }


def _url(_word: str) -> Resources:
    return {
        "Url": _resource("Lambda::Url", TargetFunctionArn=_ARN, AuthType="NONE"),
        "UrlPermission": _resource(
            "Lambda::Permission",
            FunctionName={"Ref": "Function"},
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        ),
    }


def _http(word: str) -> Resources:
    return {
        "Api": _resource("ApiGatewayV2::Api", Name=f"http-{word}", ProtocolType="HTTP"),
        "Integration": _resource(
            "ApiGatewayV2::Integration",
            ApiId={"Ref": "Api"},
            IntegrationType="AWS_PROXY",
            IntegrationUri=_ARN,
            PayloadFormatVersion="2.0",
        ),
        "Route": _resource(
            "ApiGatewayV2::Route",
            ApiId={"Ref": "Api"},
            RouteKey=f"GET /{word}",
            Target={"Fn::Sub": "integrations/${Integration}"},
        ),
        "HttpStage": _resource(
            "ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName=word, AutoDeploy=True
        ),
    }


def _rest(word: str) -> Resources:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{'${Function.Arn}'}"
    rest = {"Ref": "Rest"}
    return {
        "Rest": _resource("ApiGateway::RestApi", Name=f"rest-{word}"),
        "Path": _resource(
            "ApiGateway::Resource",
            RestApiId=rest,
            ParentId={"Fn::GetAtt": ["Rest", "RootResourceId"]},
            PathPart=word,
        ),
        "Method": _resource(
            "ApiGateway::Method",
            RestApiId=rest,
            ResourceId={"Ref": "Path"},
            HttpMethod="ANY",
            AuthorizationType="NONE",
            Integration={
                "Type": "AWS_PROXY",
                "IntegrationHttpMethod": "POST",
                "Uri": {"Fn::Sub": f"{uri}/invocations"},
            },
        ),
        "Deployment": _resource("ApiGateway::Deployment", ["Method"], RestApiId=rest),
        "RestStage": _resource(
            "ApiGateway::Stage",
            RestApiId=rest,
            DeploymentId={"Ref": "Deployment"},
            StageName="live",
        ),
    }


def _rule(word: str) -> Resources:
    return {
        "Bus": _resource("Events::EventBus", Name={"Fn::Sub": "${AWS::StackName}-${Word}"}),
        "Rule": _resource(
            "Events::Rule",
            EventBusName={"Ref": "Bus"},
            EventPattern={"source": [word]},
            Targets=[{"Id": "function", "Arn": _ARN}],
        ),
        "RulePermission": _resource(
            "Lambda::Permission",
            FunctionName={"Ref": "Function"},
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn={"Fn::GetAtt": ["Rule", "Arn"]},
        ),
    }


def _schedule(_word: str) -> Resources:
    return {
        "Group": _resource(
            "Scheduler::ScheduleGroup", Name={"Fn::Sub": "${AWS::StackName}-${Word}"}
        ),
        "Schedule": _resource(
            "Scheduler::Schedule",
            GroupName={"Ref": "Group"},
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": _ARN, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}},
        ),
    }


def _bot(word: str) -> Resources:
    color = {
        "Name": "Color",
        "SlotTypeName": "Colors",
        "ValueElicitationSetting": {"SlotConstraint": "Optional"},
    }
    colors = {
        "Name": "Colors",
        "SlotTypeValues": [{"SampleValue": {"Value": word}}],
        "ValueSelectionSetting": {"ResolutionStrategy": "TOP_RESOLUTION"},
    }
    intents = [
        {
            "Name": name,
            "SampleUtterances": [{"Utterance": f"{name} {{Color}}"}],
            "Slots": [color],
            "SlotPriorities": [{"SlotName": "Color", "Priority": 1}],
        }
        for name in ("Paint", f"Paint_{word}")
    ]
    locale = {"LocaleId": "en_US", "NluConfidenceThreshold": 0.4}
    details = {"LocaleId": "en_US", "BotVersionLocaleDetails": {"SourceBotVersion": "DRAFT"}}
    bot = {"Ref": "Bot"}
    return {
        "Bot": _resource(
            "Lex::Bot",
            Name={"Fn::Sub": "${AWS::StackName}-bot"},
            RoleArn={"Fn::GetAtt": ["Role", "Arn"]},
            DataPrivacy={"ChildDirected": False},
            IdleSessionTTLInSeconds=300,
            AutoBuildBotLocales=True,
            BotLocales=[{**locale, "Intents": intents, "SlotTypes": [colors]}],
        ),
        "BotVersion": _resource(
            "Lex::BotVersion",
            BotId=bot,
            Description=word,
            BotVersionLocaleSpecification=[details],
        ),
        "BotAlias": _resource(
            "Lex::BotAlias",
            BotId=bot,
            BotAliasName="live",
            BotVersion={"Fn::GetAtt": ["BotVersion", "BotVersion"]},
        ),
    }


def _thing(word: str) -> Resources:
    maker = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{MAKER}"
    return {"Thing": _resource("CloudFormation::CustomResource", ServiceToken=maker, Word=word)}


def _nested(word: str) -> Resources:
    url = f"https://{BUCKET}.s3.amazonaws.com/child.json"
    return {
        "Nested": _resource("CloudFormation::Stack", TemplateURL=url, Parameters={"Word": word})
    }


_PARTS = {
    "queue": _queue,
    "versions": _versions,
    "layer": _layer,
    "url": _url,
    "http": _http,
    "rest": _rest,
    "rule": _rule,
    "schedule": _schedule,
    "bot": _bot,
    "thing": _thing,
    "nested": _nested,
}
_FAILING = ("thing", "nested")


def random_template(numbers: random.Random, word: str, *, fails: bool) -> str:
    """A template with the parameter `Word`. With `fails` one of its resources cannot be made."""
    parts = numbers.sample(sorted(_PARTS), numbers.randrange(1, 6))
    resources = {**_base(word)}
    failing = [part for part in parts if part in _FAILING] if fails else []
    for part in parts:
        resources |= _PARTS[part](BAD if failing and part == failing[0] else word)
    if fails and not failing:
        needs = numbers.sample(sorted(resources), 2)
        bad = {**resources["Function"]["Properties"], "Timeout": 9999}
        resources["Broken"] = _resource("Lambda::Function", needs, **bad)
    return json.dumps({"Parameters": {"Word": {"Type": "String"}}, "Resources": resources})

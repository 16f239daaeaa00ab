"""The template of a project: each key of its `function.toml` as SAM writes it."""

import json
import re
from collections.abc import Iterator
from typing import Any

from lambent.cli.output import UsageError
from lambent.cli.project_file import Project, ProjectFunction

_TRANSFORM = "AWS::Serverless-2016-10-31"
_QUEUE_TIMEOUT_S = 30
_API = "ServerlessHttpApi"
"""The logical id that SAM gives the HTTP API of routes that name none."""
Resources = dict[str, dict[str, Any]]


def project_template(project: Project) -> dict[str, Any]:
    """The document of a SAM template. Local directories in it are relative to the project."""
    resources: Resources = {}
    outputs: dict[str, Any] = {}
    for name, layer in project.layers.items():
        properties: dict[str, Any] = {"ContentUri": layer.code}
        if layer.runtimes:
            properties["CompatibleRuntimes"] = list(layer.runtimes)
        properties["LayerName"] = f"{project.name}-{name}"
        own = logical_id(name, "Layer")
        _add(resources, own, {"Type": "AWS::Serverless::LayerVersion", "Properties": properties})
    for name, function in project.functions.items():
        own = logical_id(name)
        resource = {
            "Type": "AWS::Serverless::Function",
            "Properties": _properties(project, name, function, resources),
        }
        if function.build:
            resource["Metadata"] = {"BuildMethod": function.build}
        _add(resources, own, resource)
        outputs[own] = {"Value": {"Ref": own}}
        if function.url:
            outputs[f"{own}Url"] = {"Value": {"Fn::GetAtt": [f"{own}Url", "FunctionUrl"]}}
        if function.http:
            outputs["HttpApi"] = {"Value": {"Fn::GetAtt": [_API, "ApiEndpoint"]}}
    document: dict[str, Any] = {"Transform": _TRANSFORM}
    if project.description:
        document["Description"] = project.description
    return {**document, "Resources": resources, "Outputs": outputs}


def logical_id(name: str, suffix: str = "") -> str:
    """`my-jobs` as `MyJobs`, with a suffix that says what it is."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    return "".join(word[0].upper() + word[1:] for word in words) + suffix


def _properties(
    project: Project, name: str, function: ProjectFunction, resources: Resources
) -> dict[str, Any]:
    members = function.configuration()
    variables = {key: _text(value) for key, value in (function.environment or {}).items()}
    members["Environment"] = {"Variables": variables} if variables else None
    members |= {
        "FunctionName": f"{project.name}-{name}" if function.name == name else function.name,
        "CodeUri": function.code,
        "Tags": function.tags,
        "Layers": [
            layer if layer.startswith("arn:") else {"Ref": logical_id(layer, "Layer")}
            for layer in function.layers
        ],
        # A role of the user's own has the permissions that it has.
        "Policies": [] if function.role else [_policy(policy) for policy in function.policies],
        "FunctionUrlConfig": {"AuthType": "NONE"} if function.url else None,
        "AutoPublishAlias": function.alias,
        "Events": dict(_events(function, resources)),
    }
    return {key: value for key, value in members.items() if value}


def _events(function: ProjectFunction, resources: Resources) -> Iterator[tuple[str, Any]]:
    for number, route in enumerate(function.http):
        yield f"Http{number}", _event("HttpApi", **_route(route.route))
    for number, schedule in enumerate(function.schedule):
        yield (
            f"Schedule{number}",
            _event(
                "ScheduleV2",
                ScheduleExpression=schedule.expression,
                ScheduleExpressionTimezone=schedule.timezone,
                Input=None if schedule.input is None else json.dumps(schedule.input),
            ),
        )
    for number, queue in enumerate(function.queue):
        arn = _resource(queue.name, "Queue", "AWS::SQS::Queue", "QueueName", resources)
        if not queue.name.startswith("arn:"):
            _outlast(resources[logical_id(queue.name, "Queue")]["Properties"], function)
        window_s = queue.batch_window
        yield (
            f"Queue{number}",
            _event(
                "SQS",
                Queue=arn,
                BatchSize=queue.batch_size,
                MaximumBatchingWindowInSeconds=window_s,
            ),
        )
    for number, bucket in enumerate(function.bucket):
        given = (("prefix", bucket.prefix), ("suffix", bucket.suffix))
        rules = [{"Name": key, "Value": value} for key, value in given if value]
        _resource(bucket.name, "Bucket", "AWS::S3::Bucket", "BucketName", resources)
        yield (
            f"Bucket{number}",
            _event(
                "S3",
                Bucket={"Ref": logical_id(bucket.name, "Bucket")},
                Events=list(bucket.events),
                Filter={"S3Key": {"Rules": rules}} if rules else None,
            ),
        )
    for number, topic in enumerate(function.topic):
        arn = _resource(topic.name, "Topic", "AWS::SNS::Topic", "TopicName", resources)
        yield f"Topic{number}", _event("SNS", Topic=arn, FilterPolicy=topic.filter)
    for number, rule in enumerate(function.rule):
        event = _event("EventBridgeRule", Pattern=rule.pattern, EventBusName=rule.bus)
        yield f"Rule{number}", event


def _add(resources: Resources, own: str, resource: dict[str, Any]) -> None:
    if own in resources:
        raise UsageError(f"cannot make two resources {own}: rename one, letters and digits count")
    resources[own] = resource


def _event(kind: str, **properties: Any) -> dict[str, Any]:
    given = {key: value for key, value in properties.items() if value is not None}
    return {"Type": kind, "Properties": given}


def _route(text: str) -> dict[str, Any]:
    method, _, path = text.partition(" ")
    return {} if text == "$default" else {"Method": method.lower(), "Path": path.strip()}


def _resource(name: str, suffix: str, kind: str, key: str, resources: Resources) -> Any:
    """The ARN of a resource that triggers name: it is created once, unless it is an ARN."""
    if name.startswith("arn:"):
        return name
    own = logical_id(name, suffix)
    properties: dict[str, Any] = {key: name}
    if name.endswith(".fifo"):
        properties["FifoQueue"] = True
    known = resources.get(own, {}).get("Properties", {})
    if known.get(key) != name:
        _add(resources, own, {"Type": kind, "Properties": properties})
    return {"Ref": own} if kind == "AWS::SNS::Topic" else {"Fn::GetAtt": [own, "Arn"]}


def _outlast(queue: dict[str, Any], function: ProjectFunction) -> None:
    """Keep a message hidden while the function may run: six times its timeout, as AWS says."""
    wanted = 6 * (function.timeout or 3)
    if wanted > queue.get("VisibilityTimeout", _QUEUE_TIMEOUT_S):
        queue["VisibilityTimeout"] = wanted


def _policy(policy: Any) -> Any:
    """A statement as a document; names and SAM's templates as they are."""
    if isinstance(policy, dict) and "Effect" in policy:
        return {"Version": "2012-10-17", "Statement": [policy]}
    return policy


def _text(value: str) -> Any:
    """A value of a variable, in which `${LogicalId}` stands for a resource."""
    return {"Fn::Sub": value} if "${" in value else value

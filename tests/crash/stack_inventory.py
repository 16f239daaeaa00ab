"""What services say that there is: all that stacks of `stack_templates.py` may make."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.crash.stack_templates import MAKER

Found = Iterator[tuple[str, str]]
"""Types and physical ids of resources."""
Clients = Callable[[str], Any]
"""A boto3 client of a service."""
OWN_QUEUES = ("witness",)
"""Queues that no stack has made."""


def inventory(client: Clients) -> Counter[tuple[str, str]]:
    """All resources that exist, in any stack or in none."""
    return Counter((f"AWS::{type}", id) for listing in _LISTINGS for type, id in listing(client))


def name_of_queue(url: str) -> str:
    """What remains the same when the address of its server changes."""
    return url.rpartition("/")[2]


def _pages(client: Any, operation: str, items: str, **params: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**params):
        yield from page[items]


def _functions(client: Clients) -> Found:
    lambdas = client("lambda")
    for function in _pages(lambdas, "list_functions", "Functions"):
        name = function["FunctionName"]
        if name == MAKER:
            continue
        yield "Lambda::Function", name
        named = {"FunctionName": name}
        for version in _pages(lambdas, "list_versions_by_function", "Versions", **named):
            if version["Version"] != "$LATEST":
                yield "Lambda::Version", version["FunctionArn"]
        for alias in _pages(lambdas, "list_aliases", "Aliases", **named):
            yield "Lambda::Alias", alias["AliasArn"]
        for url in _pages(lambdas, "list_function_url_configs", "FunctionUrlConfigs", **named):
            yield "Lambda::Url", url["FunctionArn"]
        try:
            policy = lambdas.get_policy(**named)["Policy"]
        except lambdas.exceptions.ResourceNotFoundException:
            continue
        for statement in json.loads(policy)["Statement"]:
            yield "Lambda::Permission", statement["Sid"]


def _of_lambda(client: Clients) -> Found:
    lambdas = client("lambda")
    for mapping in _pages(lambdas, "list_event_source_mappings", "EventSourceMappings"):
        yield "Lambda::EventSourceMapping", mapping["UUID"]
    for layer in _pages(lambdas, "list_layers", "Layers"):
        named = {"LayerName": layer["LayerName"]}
        for version in _pages(lambdas, "list_layer_versions", "LayerVersions", **named):
            yield "Lambda::LayerVersion", version["LayerVersionArn"]


def _plain(client: Clients) -> Found:
    for role in _pages(client("iam"), "list_roles", "Roles"):
        yield "IAM::Role", role["RoleName"]
    for group in _pages(client("logs"), "describe_log_groups", "logGroups"):
        if not group["logGroupName"].startswith("/aws/lambda/"):  # Made by calls of functions.
            yield "Logs::LogGroup", group["logGroupName"]
    for parameter in _pages(client("ssm"), "describe_parameters", "Parameters"):
        yield "SSM::Parameter", parameter["Name"]
    for url in client("sqs").list_queues().get("QueueUrls", ()):
        if not url.endswith(OWN_QUEUES):
            yield "SQS::Queue", name_of_queue(url)


def _events(client: Clients) -> Found:
    events, scheduler = client("events"), client("scheduler")
    for bus in events.list_event_buses()["EventBuses"]:
        if bus["Name"] != "default":
            yield "Events::EventBus", bus["Name"]
        for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
            yield "Events::Rule", rule["Name"]
    for group in _pages(scheduler, "list_schedule_groups", "ScheduleGroups"):
        if group["Name"] != "default":
            yield "Scheduler::ScheduleGroup", group["Name"]
    for schedule in _pages(scheduler, "list_schedules", "Schedules"):
        yield "Scheduler::Schedule", schedule["Name"]


def _http_apis(client: Clients) -> Found:
    apis = client("apigatewayv2")
    for api in apis.get_apis()["Items"]:
        id = api["ApiId"]
        yield "ApiGatewayV2::Api", id
        for kind in ("Integration", "Route"):
            for item in getattr(apis, f"get_{kind.lower()}s")(ApiId=id)["Items"]:
                yield f"ApiGatewayV2::{kind}", item[f"{kind}Id"]
        for stage in apis.get_stages(ApiId=id)["Items"]:
            yield "ApiGatewayV2::Stage", stage["StageName"]


def _rest_apis(client: Clients) -> Found:
    apis = client("apigateway")
    for api in _pages(apis, "get_rest_apis", "items"):
        id = api["id"]
        yield "ApiGateway::RestApi", id
        for resource in _pages(apis, "get_resources", "items", restApiId=id):
            if resource["path"] != "/":
                yield "ApiGateway::Resource", resource["id"]
            for method in resource.get("resourceMethods", ()):
                yield "ApiGateway::Method", f"{id}|{resource['id']}|{method}"
        for deployment in _pages(apis, "get_deployments", "items", restApiId=id):
            yield "ApiGateway::Deployment", deployment["id"]
        for stage in apis.get_stages(restApiId=id)["item"]:
            yield "ApiGateway::Stage", stage["stageName"]


def _bots(client: Clients) -> Found:
    models = client("lexv2-models")
    for bot in models.list_bots()["botSummaries"]:
        named = {"botId": bot["botId"]}
        yield "Lex::Bot", bot["botId"]
        for version in models.list_bot_versions(**named)["botVersionSummaries"]:
            if version["botVersion"] != "DRAFT":
                yield "Lex::BotVersion", version["botVersion"]
        for alias in models.list_bot_aliases(**named)["botAliasSummaries"]:
            if alias["botAliasName"] != "TestBotAlias":
                yield "Lex::BotAlias", f"{alias['botAliasId']}|{bot['botId']}"


def _stacks(client: Clients) -> Found:
    for stack in _pages(client("cloudformation"), "list_stacks", "StackSummaries"):
        if stack["StackStatus"] != "DELETE_COMPLETE" and "ParentId" in stack:
            yield "CloudFormation::Stack", stack["StackId"]


_LISTINGS = (_functions, _of_lambda, _plain, _events, _http_apis, _rest_apis, _bots, _stacks)

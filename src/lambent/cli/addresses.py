"""The addresses of a stack's APIs and function URLs at this platform.

Outputs of a stack may have AWS's host names, as the CDK and osls write them. These addresses are
the ones that work here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambent.cli.apis import rest_api_endpoints, v2_endpoints
from lambent.cli.client import open_client
from lambent.cli.stacks import Stack

_NESTED_MAX = 5
"""Depth of nested stacks that is followed."""


def stack_addresses(
    resources: Sequence[Mapping[str, Any]], endpoint: str, depth: int = 0
) -> Iterator[tuple[str, str]]:
    """Logical ids and addresses of a stack's resources, also of nested stacks. Raises `CliError`.
    `resources` are those of ListStackResources."""
    for resource in resources:
        name, physical = resource["LogicalResourceId"], resource.get("PhysicalResourceId")
        if not physical:
            continue
        match resource["ResourceType"]:
            case "AWS::ApiGatewayV2::Api":
                with open_client("apigatewayv2", endpoint) as v2:
                    api = v2.get_api(ApiId=physical)
                    yield from ((name, address) for address in v2_endpoints(v2, api))
            case "AWS::ApiGateway::RestApi":
                with open_client("apigateway", endpoint) as v1:
                    found = rest_api_endpoints(v1, physical, endpoint)
                    yield from ((name, address) for address in found)
            case "AWS::Lambda::Url":
                with open_client("lambda", endpoint) as client:
                    url = client.get_function_url_config(FunctionName=physical)["FunctionUrl"]
                    yield name, url
            case "AWS::CloudFormation::Stack" if depth < _NESTED_MAX:
                with open_client("cloudformation", endpoint) as client:
                    inner = Stack(client, physical).resources()
                for logical, address in stack_addresses(inner, endpoint, depth + 1):
                    yield f"{name}.{logical}", address


def functions_of(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of a stack's functions."""
    return [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
        and resource.get("PhysicalResourceId")
    ]

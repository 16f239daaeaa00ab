"""`lambent apis`, and the HTTP API and the URL that `lambent deploy` makes for a function."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import botocore.exceptions

from lambent.cli.client import is_missing

_FUNCTION = re.compile(r":function:([^/]+?)(?:/invocations)?$")
PATH = "/_lambent/api/"
"""Where every API is reached below the platform's own address."""
_API_GATEWAY = "apigateway.amazonaws.com"


def http_and_websocket_apis(v2: Any) -> Iterator[dict[str, Any]]:
    """HTTP and WebSocket APIs with addresses and routes."""
    for api in _all(v2, "get_apis"):
        named = {"ApiId": api["ApiId"]}
        integrations = {
            item["IntegrationId"]: item for item in _all(v2, "get_integrations", **named)
        }
        authorizers = {item["AuthorizerId"]: item for item in _all(v2, "get_authorizers", **named)}
        yield {
            "id": api["ApiId"],
            "name": api["Name"],
            "type": api["ProtocolType"],
            "endpoints": v2_endpoints(v2, api),
            "routes": [
                _route(route, integrations, authorizers)
                for route in _all(v2, "get_routes", **named)
            ],
        }


def _route(
    route: Mapping[str, Any],
    integrations: Mapping[str, Mapping[str, Any]],
    authorizers: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    integration = integrations.get(route.get("Target", "").removeprefix("integrations/"), {})
    authorizer = authorizers.get(route.get("AuthorizerId", ""))
    kind = route["AuthorizationType"]
    uri = integration.get("IntegrationUri") or integration.get("IntegrationSubtype")
    return {
        "route": route["RouteKey"],
        "target": target_of(uri),
        "authorizer": authorizer["Name"] if authorizer else None if kind == "NONE" else kind,
    }


def rest_apis(v1: Any, endpoint: str) -> Iterator[dict[str, Any]]:
    """REST APIs with addresses and methods. `endpoint` is the platform's address."""
    for api in _all(v1, "get_rest_apis"):
        named = {"restApiId": api["id"]}
        authorizers = {item["id"]: item["name"] for item in _all(v1, "get_authorizers", **named)}
        routes = []
        for resource in _all(v1, "get_resources", **named, embed=["methods"]):
            for method, found in sorted((resource.get("resourceMethods") or {}).items()):
                kind = found.get("authorizationType", "NONE")
                name = authorizers.get(found.get("authorizerId"))
                routes.append(
                    {
                        "route": f"{method} {resource['path']}",
                        "target": target_of((found.get("methodIntegration") or {}).get("uri")),
                        "authorizer": name or (None if kind == "NONE" else kind),
                    }
                )
        yield {
            "id": api["id"],
            "name": api["name"],
            "type": "REST",
            "endpoints": rest_api_endpoints(v1, api["id"], endpoint),
            "routes": routes,
        }


def v2_endpoints(v2: Any, api: Mapping[str, Any]) -> list[str]:
    """The addresses of an HTTP or WebSocket API, one for each stage."""
    stages = (stage["StageName"] for stage in _all(v2, "get_stages", ApiId=api["ApiId"]))
    return [f"{api['ApiEndpoint']}/{'' if stage == '$default' else stage}" for stage in stages]


def rest_api_endpoints(v1: Any, api_id: str, endpoint: str) -> list[str]:
    """The addresses of a REST API, one for each stage."""
    stages = v1.get_stages(restApiId=api_id).get("item", [])
    return [f"{endpoint.rstrip('/')}{PATH}{api_id}/{stage['stageName']}" for stage in stages]


def is_not_offered(error: botocore.exceptions.ClientError) -> bool:
    """Whether the platform is of a version without this kind of API."""
    return str(error.response["Error"]["Code"]) == "UnknownOperationException"


def target_of(uri: str | None) -> str | None:
    """A function's name, with its qualifier, or the URI of something else."""
    found = _FUNCTION.search(uri or "")
    return found[1] if found else uri


def rows(apis: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each route; the first of an API names it."""
    for api in apis:
        shown = {"api": api["name"], "type": api["type"], "id": api["id"]}
        endpoints = " ".join(api["endpoints"]) or "(not deployed to a stage)"
        for number, route in enumerate(api["routes"] or [{}]):
            first = {**shown, "endpoint": endpoints}
            names = first if number == 0 else dict.fromkeys(first)
            yield {
                **names,
                "route": route.get("route"),
                "function": route.get("target"),
                "authorizer": route.get("authorizer"),
            }


def make_http_api(v2: Any, client: Any, function: Mapping[str, Any]) -> str:
    """The address of an HTTP API that calls a function for every request. The API has the
    function's name; one that exists already is used. Raises botocore's errors."""
    name, arn = function["FunctionName"], function["FunctionArn"]
    for api in _all(v2, "get_apis"):
        if api["Name"] == name and any(
            item.get("ApiGatewayManaged") and item.get("IntegrationUri") == arn
            for item in _all(v2, "get_integrations", ApiId=api["ApiId"])
        ):
            return f"{api['ApiEndpoint']}/"
    api = v2.create_api(Name=name, ProtocolType="HTTP", Target=arn)
    region, account = arn.split(":")[3:5]
    _allow(
        client,
        FunctionName=name,
        StatementId=f"http-api-{api['ApiId']}",
        Action="lambda:InvokeFunction",
        Principal=_API_GATEWAY,
        SourceArn=f"arn:aws:execute-api:{region}:{account}:{api['ApiId']}/*",
    )
    return f"{api['ApiEndpoint']}/"


def make_url(client: Any, function: Mapping[str, Any]) -> str:
    """The function's URL; one that everyone may call is made if there is none. Raises botocore's
    errors."""
    name = function["FunctionName"]
    try:
        return str(client.get_function_url_config(FunctionName=name)["FunctionUrl"])
    except botocore.exceptions.ClientError as error:
        if not is_missing(error):
            raise
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    public = {"FunctionName": name, "Principal": "*"}
    _allow(
        client,
        **public,
        StatementId="function-url-public",
        Action="lambda:InvokeFunctionUrl",
        FunctionUrlAuthType="NONE",
    )
    _allow(
        client,
        **public,
        StatementId="function-url-invoke",
        Action="lambda:InvokeFunction",
        InvokedViaFunctionUrl=True,
    )
    return str(made["FunctionUrl"])


def _allow(client: Any, **statement: Any) -> None:
    try:
        client.add_permission(**statement)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ResourceConflictException":
            raise


def _all(client: Any, operation: str, **named: Any) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(**named):
        yield from page.get("Items") or page.get("items") or ()

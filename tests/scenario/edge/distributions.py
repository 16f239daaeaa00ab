"""Distributions, made as people make them, and viewers."""

import http.client
import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.platforms import Platform, deploy

CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
UNCACHED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
BY_ORIGIN = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"
"""Managed policies: cached by path, never, and as the origin says, by query strings, too."""
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""Of requests to origins."""

ORIGIN = """
import json
calls = 0
def handler(event, context):
    global calls
    calls += 1
    path, query = event["rawPath"], event.get("queryStringParameters") or {}
    seen = {"path": path, "query": event["rawQueryString"], "headers": event["headers"],
            "method": event["requestContext"]["http"]["method"], "calls": calls,
            "body": event.get("body"), "cookies": event.get("cookies")}
    caller = (event["requestContext"].get("authorizer") or {}).get("iam")
    if caller:
        seen["caller"] = caller["userArn"]
    headers = {"content-type": "application/json", "x-origin": "url"}
    if "cache" in query:
        headers["cache-control"] = query["cache"]
    if "type" in query:
        headers["content-type"] = query["type"]
    if "etag" in query:
        headers["etag"] = '"' + query["etag"] + '"'
        if event["headers"].get("if-none-match") == headers["etag"]:
            return {"statusCode": 304, "headers": headers}
    body = query["text"] * int(query.get("times", 1)) if "text" in query else json.dumps(seen)
    cookies = ["session=1"] if "cookie" in query else []
    return {"statusCode": int(query.get("status", 200)), "headers": headers, "body": body,
            "cookies": cookies}
"""
"""Returns what it got, and how often it has been called."""


class Answer:
    """A response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def cache(self) -> str:
        """What `X-Cache` says, without its end."""
        return self.headers.get("x-cache", "").removesuffix(" from cloudfront")

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Viewer:
    """Sends requests to one distribution."""

    def __init__(self, platform: Platform, host: str) -> None:
        self.platform = platform
        self.host = host

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request on a separate connection."""
        address = urlsplit(self.platform.endpoint).netloc
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request(method, path, body, {"Host": self.host, **(headers or {})})
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """GET, with headers whose names have `_` for `-`."""
        return self.request("GET", path, {k.replace("_", "-"): v for k, v in headers.items()})


def url_origin(platform: Platform, name: str, **more: Any) -> dict[str, Any]:
    """The origin that is the URL of a function, which is deployed."""
    client = platform.client("lambda")
    deploy(client, name, {"app.py": ORIGIN})
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    return custom_origin(str(urlsplit(url).hostname), **more)


def custom_origin(domain: str, id: str = "main", **more: Any) -> dict[str, Any]:
    """An origin."""
    return {
        "Id": id,
        "DomainName": domain,
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
        },
        **more,
    }


def listed(*items: Any) -> dict[str, Any]:
    """A list with its quantity."""
    return {"Quantity": len(items), "Items": list(items)}


def behavior(policy: str = CACHED, origin: str = "main", **more: Any) -> dict[str, Any]:
    """A cache behavior."""
    return {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": policy,
        **more,
    }


def config_of(
    *origins: Mapping[str, Any], default: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The configuration of a distribution."""
    return {
        "CallerReference": uuid.uuid4().hex,
        "Comment": "",
        "Enabled": True,
        "Origins": listed(*origins),
        "DefaultCacheBehavior": default or behavior(),
        **more,
    }


def distribute(platform: Platform, config: Mapping[str, Any]) -> tuple[str, Viewer]:
    """Create a distribution; returns its id and a viewer."""
    client = platform.client("cloudfront")
    made = client.create_distribution(DistributionConfig=config)["Distribution"]
    return made["Id"], Viewer(platform, made["DomainName"])


def change(platform: Platform, id: str, **members: Any) -> None:
    """Update members of a distribution's configuration."""
    client = platform.client("cloudfront")
    found = client.get_distribution_config(Id=id)
    client.update_distribution(
        Id=id,
        IfMatch=found["ETag"],
        DistributionConfig={**found["DistributionConfig"], **members},
    )

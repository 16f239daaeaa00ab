"""What a REST API may be."""

import json
from collections.abc import Mapping
from typing import Any

from lambent.control import policies
from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.limits import NAME_LENGTH_MAX
from lambent.control.apis.v1.patch_tables import COMPRESSION_BYTES_MAX, COMPRESSION_REFUSAL
from lambent.kit import strict_json
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError

DEFAULTS: Body = {
    "apiKeySource": "HEADER",
    "disableExecuteApiEndpoint": False,
    "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
}
POLICY_BYTES_MAX = 8192
_SHORT_RESOURCE = "execute-api:/"
"""How policies may begin the names of resources of the API they belong to."""


def check_api(draft: Draft) -> Body:
    """The check of REST APIs."""
    body = without_unset(draft.body)
    if not body.get("name"):
        raise bad_request("API name cannot be empty")
    if len(body["name"]) > NAME_LENGTH_MAX:
        raise bad_request(f"API name cannot have more than {NAME_LENGTH_MAX} characters")
    if body["apiKeySource"] not in ("HEADER", "AUTHORIZER"):
        raise bad_request("Invalid API key source specified. Valid options are HEADER,AUTHORIZER")
    size = body.get("minimumCompressionSize")
    if size is not None:
        if not 0 <= size <= COMPRESSION_BYTES_MAX:
            raise bad_request(COMPRESSION_REFUSAL)
        raise unsupported("compression of responses (minimumCompressionSize)")
    check_security(body)
    body["endpointConfiguration"] = check_endpoint(body.get("endpointConfiguration") or {})
    if "policy" in body:
        body["policy"] = read_policy(body["policy"], draft.root)
    return body


def check_endpoint(endpoint: Mapping[str, Any]) -> Body:
    """An endpoint configuration with its defaults. Raises `BadRequestException`."""
    types = endpoint.get("types", ["EDGE"])
    if not types:
        raise bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    if len(types) > 1:
        raise bad_request("Cannot create an api with multiple Endpoint Types.")
    if types[0] not in ("REGIONAL", "EDGE", "PRIVATE"):
        raise bad_request(
            "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE"
        )
    addresses = endpoint.get("ipAddressType") or "ipv4"
    if addresses not in ("ipv4", "dualstack"):
        raise bad_request("ipAddressType must be either ipv4 or dualstack.")
    if types[0] == "PRIVATE" or endpoint.get("vpcEndpointIds"):
        raise unsupported("private APIs: there is no VPC")
    return {"types": list(types), "ipAddressType": addresses}


def check_security(body: Mapping[str, Any]) -> None:
    """Raises `BadRequestException` for versions of TLS other than the ones that are served."""
    policy = body.get("securityPolicy")
    if policy not in (None, "TLS_1_2"):
        raise unsupported(f"the security policy {policy}. Use TLS_1_2")
    if body.get("endpointAccessMode") not in (None, "BASIC"):
        raise unsupported("the endpoint access mode STRICT")


def read_policy(text: str, root: Root) -> str:
    """A resource policy as it is stored: resources in full. Raises `BadRequestException`."""
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise bad_request(f"The policy must not have more than {POLICY_BYTES_MAX} bytes.")
    try:
        document = policies.parse(_unescaped(text))
    except ApiError as error:
        raise bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals"
            f" are valid. {error.message}"
        ) from error
    arn = f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/"
    for statement in document["Statement"]:
        for name in ("Resource", "NotResource"):
            if name in statement:
                statement[name] = _in_full(statement[name], arn)
    return policies.to_json(document)


def shown_policy(text: str) -> str:
    """A policy as AWS shows it: as the inside of a JSON string."""
    return json.dumps(text)[1:-1]


def without_unset(body: Mapping[str, Any]) -> dict[str, Any]:
    """Members that are empty or null are absent, so that they stay absent in responses."""
    return {
        name: value for name, value in body.items() if value is not None and value not in ("", [])
    }


def _unescaped(text: str) -> str:
    """A policy that was read from a response may be sent back as it is."""
    if not text.startswith('{\\"'):
        return text
    try:
        return str(strict_json.parse_plain(f'"{text}"'))
    except ValueError:
        return text


def _in_full(value: str | list[str], arn: str) -> str | list[str]:
    if isinstance(value, list):
        return [str(_in_full(item, arn)) for item in value]
    if value.startswith(_SHORT_RESOURCE):
        return arn + value.removeprefix(_SHORT_RESOURCE)
    return value

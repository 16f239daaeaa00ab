"""The kinds of documents of HTTP and WebSocket APIs."""

import json
import re

from lambent.control.apis.deployments import SNAPSHOT
from lambent.control.apis.domain_names import check_api_is_unmapped, check_stage_is_unmapped
from lambent.control.apis.errors import bad_request, conflict
from lambent.control.apis.kinds import Draft, Kind, Place, Reference, by_name
from lambent.control.apis.v2.apis import check_api
from lambent.control.apis.v2.authorizers import check_authorizer
from lambent.control.apis.v2.integrations import (
    check_integration,
    check_integration_response,
    check_not_managed,
)
from lambent.control.apis.v2.routes import check_route, check_route_response, is_taken
from lambent.control.apis.v2.stages import CACHE_REVISION, check_stage
from lambent.control.apis.v2.texts import is_http
from lambent.model.document import Body

_MODEL_NAME = re.compile(r"[A-Za-z0-9]{1,128}")
_SCHEMA_LENGTH_MAX = 32_768


def check_model(draft: Draft) -> Body:
    """Models are for WebSocket APIs. Raises `ApiError`."""
    body = draft.body
    if is_http(draft.api):
        raise bad_request("Models are not supported on protocolType HTTP")
    if _MODEL_NAME.fullmatch(body["Name"]) is None:
        raise bad_request("Model name must be alphanumeric")
    try:
        is_object = isinstance(json.loads(body["Schema"][:_SCHEMA_LENGTH_MAX]), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise bad_request("Model schema must be a valid JSON object with at most 32768 characters")
    return body


API = Kind(
    name="api",
    noun="API",
    path=("ApiId",),
    place=Place.ROOT,
    defaults={
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Tags": {},
    },
    check=check_api,
    check_delete=check_api_is_unmapped,
)
INTEGRATION = Kind(
    name="integration",
    noun="Integration",
    path=("ApiId", "IntegrationId"),
    id_length=7,
    merged=frozenset({"RequestParameters", "ResponseParameters"}),
    check=check_integration,
    check_delete=check_not_managed,
    count_max=300,
)
ROUTE = Kind(
    name="route",
    noun="Route",
    path=("ApiId", "RouteId"),
    id_length=7,
    defaults={"ApiKeyRequired": False, "AuthorizationType": "NONE"},
    unique="RouteKey",
    taken=is_taken,
    check=check_route,
    count_max=300,
    references=(
        Reference(
            "Target",
            "integration",
            lambda value: bad_request(
                f"Invalid target {value[:128]}: there is no such integration"
            ),
            lambda _, users: conflict(
                "Cannot delete Integration because it is referenced by the following Routes with"
                f" Ids: [{', '.join(users)}]"
            ),
            "integrations/",
        ),
        Reference(
            "AuthorizerId",
            "authorizer",
            lambda _: bad_request("Invalid authorizer ID specified."),
            lambda _, users: conflict(
                "Cannot delete Authorizer because it is referenced by the following Routes with"
                f" Ids: [{', '.join(users)}]"
            ),
        ),
    ),
)
STAGE = Kind(
    name="stage",
    noun="Stage",
    path=("ApiId", "StageName"),
    defaults={
        "AutoDeploy": False,
        "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
        "RouteSettings": {},
        "StageVariables": {},
        "Tags": {},
    },
    merged=frozenset({"RouteSettings", "StageVariables"}),
    taken=lambda _, name: conflict(f"Stage already exists: {name}"),
    check=check_stage,
    check_delete=check_stage_is_unmapped,
    count_max=10,
    hidden=frozenset({CACHE_REVISION}),
    references=(
        Reference(
            "DeploymentId",
            "deployment",
            lambda _: bad_request("Deployment id does not exist"),
            lambda _, __: bad_request(
                "Active stages pointing to this deployment must be moved or deleted"
            ),
        ),
    ),
)
KINDS = by_name(
    API,
    INTEGRATION,
    ROUTE,
    STAGE,
    Kind(
        name="authorizer",
        noun="Authorizer",
        path=("ApiId", "AuthorizerId"),
        id_length=6,
        unique="Name",
        taken=lambda _, name: conflict(f"Authorizer with name {name} already exists for this API"),
        check=check_authorizer,
        count_max=10,
    ),
    Kind(
        name="deployment",
        noun="Deployment",
        path=("ApiId", "DeploymentId"),
        id_length=6,
        hidden=frozenset({SNAPSHOT}),
    ),
    Kind(
        name="model",
        noun="Model",
        path=("ApiId", "ModelId"),
        id_length=6,
        defaults={"ContentType": "application/json"},
        unique="Name",
        taken=lambda _, name: conflict(f"Model with name {name} already exists for this API"),
        check=check_model,
        count_max=300,
    ),
    Kind(
        name="route_response",
        noun="RouteResponse",
        path=("ApiId", "RouteId", "RouteResponseId"),
        parent="route",
        id_length=7,
        unique="RouteResponseKey",
        check=check_route_response,
        count_max=10,
    ),
    Kind(
        name="integration_response",
        noun="IntegrationResponse",
        path=("ApiId", "IntegrationId", "IntegrationResponseId"),
        parent="integration",
        id_length=7,
        merged=frozenset({"ResponseParameters"}),
        unique="IntegrationResponseKey",
        check=check_integration_response,
        count_max=100,
    ),
)
"""All kinds of an API."""

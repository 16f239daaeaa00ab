"""The operations of API Gateway v2 that are offered: here their use cases are only named."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

from lambent.control.apis.use_cases import UseCase
from lambent.control.apis.v2.room import ApisV2
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.apigatewayv2.views import api_endpoint, shown
from lambent.model.stack_documents import TOKEN_TAG


@dataclasses.dataclass(frozen=True, slots=True)
class ApiGatewayV2Rooms:
    """What the operations need."""

    apis: ApisV2
    domain: str
    """What the host names of APIs end in."""


Find = Callable[[ApisV2], UseCase]

_GENERIC: Mapping[str, tuple[str, str]] = {
    "api": ("Api", "Apis"),
    "authorizer": ("Authorizer", "Authorizers"),
    "deployment": ("Deployment", "Deployments"),
    "integration": ("Integration", "Integrations"),
    "integration_response": ("IntegrationResponse", "IntegrationResponses"),
    "model": ("Model", "Models"),
    "route": ("Route", "Routes"),
    "route_response": ("RouteResponse", "RouteResponses"),
    "stage": ("Stage", "Stages"),
}
"""Kinds of documents of an API, and their names in names of operations."""
_OF_DOMAIN_NAMES: Mapping[str, tuple[str, str]] = {
    "domain_name": ("DomainName", "DomainNames"),
    "api_mapping": ("ApiMapping", "ApiMappings"),
}
_OWN: Mapping[str, Find] = {
    "CreateApi": lambda apis: apis.create_api,
    "UpdateApi": lambda apis: apis.update_api,
    "DeleteCorsConfiguration": lambda apis: apis.delete_cors,
    "ImportApi": lambda apis: apis.import_api,
    "ReimportApi": lambda apis: apis.reimport_api,
    "CreateStage": lambda apis: apis.create_stage,
    "UpdateStage": lambda apis: apis.update_stage,
    "DeleteAccessLogSettings": lambda apis: apis.delete_access_logs,
    "DeleteRouteSettings": lambda apis: apis.delete_route_settings,
    "ResetAuthorizersCache": lambda apis: apis.reset_authorizers_cache,
    "DeleteRouteRequestParameter": lambda apis: apis.delete_request_parameter,
    "GetModelTemplate": lambda apis: apis.get_model_template,
    "CreateDomainName": lambda apis: apis.domains.create,
    "UpdateDomainName": lambda apis: apis.domains.update,
    "GetTags": lambda apis: apis.tags.get,
    "TagResource": lambda apis: apis.tags.add,
    "UntagResource": lambda apis: apis.tags.remove,
}
"""Operations that are more than a row of the table of kinds."""


def _verbs(kinds: Mapping[str, tuple[str, str]], *, is_domain: bool) -> dict[str, Find]:
    """The five operations of each kind."""

    def find(verb: str, kind: str, apis: ApisV2) -> UseCase:
        resources = apis.domains.resources if is_domain else apis.resources
        use_case: UseCase = getattr(resources, verb)(kind)
        return use_case

    return {
        name: partial(find, verb, kind)
        for kind, (noun, nouns) in kinds.items()
        for verb, name in (
            ("create", f"Create{noun}"),
            ("get", f"Get{noun}"),
            ("list", f"Get{nouns}"),
            ("update", f"Update{noun}"),
            ("delete", f"Delete{noun}"),
        )
    }


async def _perform(find: Find, rooms: ApiGatewayV2Rooms, call: Call) -> Members:
    return shown(await find(rooms.apis)(call.scope, call.params), call, rooms.domain)


async def create_deployment(rooms: ApiGatewayV2Rooms, call: Call) -> Members:
    """CreateDeployment."""
    params = {**call.params, TOKEN_TAG: call.caller.token}
    made = await rooms.apis.create_deployment(call.scope, params)
    return shown(made, call, rooms.domain)


async def export_api(rooms: ApiGatewayV2Rooms, call: Call) -> Members:
    """ExportApi."""
    address = api_endpoint(call.params["ApiId"], "HTTP", call, rooms.domain)
    return {"body": await rooms.apis.export_api(call.scope, call.params, address)}


_USE_CASES: Mapping[str, Find] = {
    **_verbs(_GENERIC, is_domain=False),
    **_verbs(_OF_DOMAIN_NAMES, is_domain=True),
    **_OWN,
}
OPERATIONS: Mapping[str, Operation[ApiGatewayV2Rooms]] = {
    **{name: partial(_perform, find) for name, find in _USE_CASES.items()},
    "CreateDeployment": create_deployment,
    "ExportApi": export_api,
}

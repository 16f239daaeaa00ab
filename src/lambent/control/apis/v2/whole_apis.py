"""Use cases that make or replace several documents of an API at once: quick create and OpenAPI."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.collection import Collection, Kinds, changed_body
from lambent.control.apis.errors import bad_request, not_found
from lambent.control.apis.kinds import Params
from lambent.control.apis.v2.importing import Plan
from lambent.control.apis.v2.routes import DEFAULT
from lambent.control.apis.v2.texts import is_http
from lambent.model.document import Body, Document, Root
from lambent.store.store import Transaction

QUICK = frozenset({"Target", "RouteKey", "CredentialsArn"})
"""Input members of CreateApi and UpdateApi that are not the API's own."""
_MANAGED = {"ApiGatewayManaged": True}
_REPLACED = ("route_response", "route", "integration_response", "integration", "authorizer")


class WholeApi:
    """An API and its documents, within a transaction."""

    def __init__(self, tx: Transaction, kinds: Kinds, root: Root) -> None:
        self._tx = tx
        self._kinds = kinds
        self._root = root

    def of(self, kind: str) -> Collection:
        """The documents of a kind."""
        return Collection(self._tx, self._kinds, self._kinds[kind], self._root)

    # -- quick create --------------------------------------------------------------------------

    def create(self, given: Params, now: int) -> Document:
        """CreateApi."""
        own = {name: value for name, value in given.items() if name not in QUICK}
        api = self.of("api").create(None, {**own, "CreatedDate": now})
        quick = {name: value for name, value in given.items() if name in QUICK}
        if not quick:
            return api
        if "Target" not in quick:
            raise bad_request("RouteKey and CredentialsArn need a Target")
        if not is_http(api.body):
            raise bad_request("Quick create is not supported on protocolType WEBSOCKET")
        integration = self.of("integration").create(None, {**_integration(quick), **_MANAGED})
        route = {
            "RouteKey": quick.get("RouteKey", DEFAULT),
            "Target": f"integrations/{integration.id}",
            **_MANAGED,
        }
        self.of("route").create(None, route)
        stage = {"AutoDeploy": True, "CreatedDate": now, "LastUpdatedDate": now, **_MANAGED}
        self.of("stage").create(DEFAULT, stage)
        return api

    def update(self, given: Params) -> Document:
        """UpdateApi: with `Target` and the like, what its quick create has made."""
        own = {name: value for name, value in given.items() if name not in QUICK}
        api = self.of("api").update(self._root.id, own)
        quick = {name: value for name, value in given.items() if name in QUICK}
        if not quick:
            return api
        route, integration = self._managed("route"), self._managed("integration")
        if "RouteKey" in quick:
            # The rule that keeps the key of a managed route is for UpdateRoute.
            body = {**route.body, "RouteKey": quick["RouteKey"], "ApiGatewayManaged": False}
            self._tx.documents.put(self._root, "route", route.id, body)
            self.of("route").replace(route.id, {**body, **_MANAGED})
        if "Target" in quick or "CredentialsArn" in quick:
            old = integration.body
            merged = {
                "Target": quick.get("Target", old["IntegrationUri"]),
                "CredentialsArn": quick.get("CredentialsArn", old.get("CredentialsArn")),
            }
            body = {**_integration(merged), **_MANAGED, "IntegrationId": integration.id}
            self.of("integration").replace(integration.id, body)
        return api

    def _managed(self, kind: str) -> Document:
        for document in self._tx.documents.list_of(self._root, kind):
            if document.body.get("ApiGatewayManaged"):
                return document
        raise bad_request(f"The API has no {kind} that quick create has made")

    # -- OpenAPI -------------------------------------------------------------------------------

    def fill(self, plan: Plan) -> None:
        """Add the authorizers, integrations and routes of a plan."""
        authorizers = {
            name: self.of("authorizer").create(None, body).id
            for name, body in plan.authorizers.items()
        }
        wanted = [(None, it.integration) for it in plan.routes if it.integration is not None]
        integrations = iter(self.of("integration").create_all(wanted))
        routes: list[tuple[None, Body]] = []
        for planned in plan.routes:
            given = dict(planned.given)
            if planned.integration is not None:
                given["Target"] = f"integrations/{next(integrations).id}"
            if planned.authorizer is not None:
                given["AuthorizerId"] = authorizers[planned.authorizer]
            routes.append((None, given))
        self.of("route").create_all(routes)

    def replace(self, plan: Plan, imported: Body) -> Document:
        """ReimportApi: what the API is made of is replaced; stages and deployments stay."""
        api = self.of("api").require(self._root.id)
        if not is_http(api.body):
            raise bad_request("Only HTTP APIs can be imported")
        for kind in _REPLACED:
            for document in self._tx.documents.list_of(self._root, kind):
                self._tx.documents.delete(self._root, kind, document.id)
        kept = {
            name: value
            for name, value in api.body.items()
            if name not in ("CorsConfiguration", "Description", "Version", "ImportInfo")
        }
        body = changed_body(self._kinds["api"], kept, {**plan.api, **imported})
        changed = self.of("api").replace(self._root.id, body)
        self.fill(plan)
        return changed

    # -- settings of stages --------------------------------------------------------------------

    def without_route_settings(self, stage: str, key: str) -> None:
        """DeleteRouteSettings."""
        document = self.of("stage").require(stage)
        settings: Mapping[str, Any] = document.body.get("RouteSettings") or {}
        if key not in settings:
            raise not_found(f"Unable to find Route by key {key[:200]} within the RouteSettings")
        rest = {name: value for name, value in settings.items() if name != key}
        self.of("stage").replace(stage, {**document.body, "RouteSettings": rest})


def _integration(quick: Params) -> Body:
    target = quick["Target"]
    body: dict[str, Any] = {"IntegrationUri": target}
    if quick.get("CredentialsArn"):
        body["CredentialsArn"] = quick["CredentialsArn"]
    if target.startswith("arn:"):
        return {**body, "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"}
    return {**body, "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY"}

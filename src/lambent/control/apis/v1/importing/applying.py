"""Makes documents of a plan, within a transaction.

Documents are put directly: the collections of the other use cases read all siblings for each one,
which would take too long for hundreds of them. The checks are the same.
"""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.ids import new_id
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1 import documentation, gateway_responses, limits, rest_apis
from lambent.control.apis.v1.errors import limit_exceeded
from lambent.control.apis.v1.importing.plan import Plan, PlannedMethod
from lambent.control.apis.v1.importing.schemas import written
from lambent.control.apis.v1.kinds import KINDS
from lambent.control.apis.v1.paths import check_path_part, check_place, join
from lambent.control.apis.v1.rules.integrations import (
    check_integration,
    check_integration_response,
)
from lambent.control.apis.v1.rules.methods import STATUS, check_response
from lambent.control.apis.v1.work import Work
from lambent.model.document import Document

_REPLACED = (
    *("resource", "method", "model", "request_validator", "authorizer", "gateway_response"),
    "documentation_part",
)
_KEPT = ("id", "createdDate", "rootResourceId", "tags", "endpointConfiguration", "policy")
"""Members of an API that stay when all else is replaced. The policy does unless the document has
one: an API must not become public because its document does not mention a policy."""


class Applying:
    """A plan that becomes the documents of one API."""

    def __init__(self, work: Work, api: Document, plan: Plan) -> None:
        self._work = work
        self._documents = work.tx.documents
        self._api = api
        self._root = api.root
        self._plan = plan

    def overwrite(self) -> Document:
        """Replace everything but stages and deployments; returns the API."""
        root_id = self._api.body["rootResourceId"]
        for kind in _REPLACED:
            for document in self._documents.list_of(self._root, kind):
                if (kind, document.id) != ("resource", root_id):
                    self._documents.delete(self._root, kind, document.id)
        kept = {name: self._api.body[name] for name in _KEPT if name in self._api.body}
        return self._apply({**KINDS["api"].defaults, **kept})

    def merge(self) -> Document:
        """Add what the plan has, and replace what has the same path or name; returns the API."""
        return self._apply(self._api.body)

    def _apply(self, body: Mapping[str, Any]) -> Document:
        plan, root = self._plan, self._root
        api = self._put("api", root.id, {**body, **plan.api})
        self._put_models()
        authorizers = self._put_named("authorizer", plan.authorizers, limits.AUTHORIZERS_MAX)
        validators = self._put_named("request_validator", plan.validators, limits.VALIDATORS_MAX)
        resources = self._put_resources()
        for method in plan.methods:
            self._put_method(method, resources[method.path], authorizers, validators)
        for kind, response in plan.gateway_responses.items():
            if kind not in gateway_responses.STATUSES:
                raise bad_request(f"Invalid gateway response type specified: {kind[:50]}")
            gateway_responses.put(
                self._work, {**response, "restApiId": root.id, "responseType": kind}
            )
        documentation.put_parts(self._work, root, list(plan.documentation), keeps=True)
        return api

    def _put(self, kind: str, id: str, body: Mapping[str, Any]) -> Document:
        """Check a document and store it."""
        before = self._documents.get(self._root, kind, id)
        draft = Draft(
            self._work.tx,
            self._root,
            id,
            body,
            before.body if before is not None else None,
            self._api.body,
        )
        return self._documents.put(self._root, kind, id, KINDS[kind].check(draft))

    def _put_models(self) -> None:
        """Models may refer to each other, so all are there before one is checked."""
        root, known = self._root, set[str]()
        for model in self._documents.list_of(root, "model"):
            known.add(model.id)
        if len(known | self._plan.models.keys()) > limits.MODELS_MAX:
            raise limit_exceeded("Maximum number of models for this API has been reached.")
        bodies = {
            name: {**model, "id": new_id(6), "schema": written(model["schema"], root.id)}
            for name, model in self._plan.models.items()
        }
        for name, body in bodies.items():
            if not name:
                raise bad_request("Model name must be non-empty")
            self._documents.put(root, "model", name, body)
        for name, body in bodies.items():
            self._put("model", name, body)

    def _put_named(
        self, kind: str, planned: Mapping[str, Mapping[str, Any]], count_max: int
    ) -> Mapping[str, str]:
        """Store documents that are found by name; returns the ids of all there are, by name."""
        ids = {
            document.body["name"]: document.id
            for document in self._documents.list_of(self._root, kind)
        }
        for name, body in planned.items():
            id = ids.setdefault(name, new_id(6))
            self._put(kind, id, {**body, "id": id})
        if len(ids) > count_max:
            raise limit_exceeded(
                f"Maximum number of {KINDS[kind].noun.lower()}s for this API has been reached."
            )
        return ids

    def _put_resources(self) -> Mapping[str, str]:
        """Make the resources of all paths; returns their ids by path."""
        bodies = {
            document.body["path"]: dict(document.body)
            for document in self._documents.list_of(self._root, "resource")
        }
        for path in dict.fromkeys(
            (*self._plan.paths, *(method.path for method in self._plan.methods))
        ):
            parent = bodies["/"]
            for part in filter(None, path.split("/")):
                own = join(parent["path"], part)
                if own not in bodies:
                    bodies[own] = self._new_resource(part, own, parent, bodies)
                parent = bodies[own]
        return {path: body["id"] for path, body in bodies.items()}

    def _new_resource(
        self,
        part: str,
        path: str,
        parent: Mapping[str, Any],
        bodies: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, Any]:
        if len(bodies) >= limits.RESOURCES_MAX:
            raise limit_exceeded("Maximum number of resources for this API has been reached.")
        check_path_part(part)
        id = new_id(6)
        body = {"id": id, "parentId": parent["id"], "pathPart": part, "path": path}
        check_place(body, parent, list(bodies.values()))
        self._documents.put(self._root, "resource", id, body)
        return body

    def _put_method(
        self,
        method: PlannedMethod,
        resource: str,
        authorizers: Mapping[str, str],
        validators: Mapping[str, str],
    ) -> None:
        body = dict(method.body)
        if "authorizerId" in body:
            body["authorizerId"] = authorizers[body["authorizerId"]]
        if "requestValidatorId" in body:
            name = body["requestValidatorId"]
            if name not in validators:
                raise bad_request("Invalid Request Validator identifier specified")
            body["requestValidatorId"] = validators[name]
        for response in (body.get("methodResponses") or {}).values():
            if not STATUS.fullmatch(response["statusCode"]):
                raise bad_request(f"Invalid status code specified: {response['statusCode'][:20]}")
            check_response(self._work.tx, self._root, response)
        if "methodIntegration" in body:
            integration = check_integration(body["methodIntegration"], resource)
            responses = integration.get("integrationResponses") or {}
            if responses:
                integration["integrationResponses"] = {
                    code: check_integration_response(given) for code, given in responses.items()
                }
            body["methodIntegration"] = integration
        self._put("method", f"{resource}/{method.verb}", body)


def create(work: Work, plan: Plan, endpoint: Mapping[str, Any]) -> Document:
    """A new API of a plan. `endpoint` is its endpoint configuration."""
    given = {"name": plan.api["name"], **({"endpointConfiguration": endpoint} if endpoint else {})}
    return Applying(work, rest_apis.make(work, given), plan).merge()

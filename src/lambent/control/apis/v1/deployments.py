"""Deployments: copies of an API, which stages run."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.deployments import take_snapshot
from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.kinds import SNAPSHOT
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.control.apis.v1.rules.stages import refuse_features
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document
from lambent.model.stack_documents import TOKEN_TAG

_OF_CANARIES = "Invalid deployment content specified."
_SUMMARY = "apisummary"


def create(work: Work, params: Params) -> Params:
    """CreateDeployment; with a stage's name, also makes the stage or moves it."""
    refuse_features(params)
    documents = work.collection("deployment", params)
    documents.require_parents()
    stage = _stage_of(work, params)
    _check_complete(work, params)
    given = {"createdDate": work.now, SNAPSHOT: take_snapshot(work.tx, documents.root)}
    if params.get("description"):
        given["description"] = params["description"]
    if params.get(TOKEN_TAG):
        given[TOKEN_TAG] = params[TOKEN_TAG]
    deployment = documents.create(None, given)
    if params.get("canarySettings") is not None and stage is not None:
        _release_canary(work, params, stage, deployment.id)
    elif params.get("stageName"):
        _release(work, params, stage, deployment.id)
    return generic.shown(deployment)


def get(work: Work, params: Params) -> Params:
    """GetDeployment; with `embed=apisummary`, what it contains."""
    deployment = work.collection("deployment", params).require(params["deploymentId"])
    members = generic.shown(deployment)
    if _SUMMARY in (params.get("embed") or ()):
        members["apiSummary"] = _summary(deployment.body[SNAPSHOT])
    return members


def _stage_of(work: Work, params: Params) -> Document | None:
    """The stage that a request names, None if there is none yet."""
    name = params.get("stageName")
    found = None
    if name:
        stages = [stage for stage in work.collection("stage", params).list() if stage.id == name]
        found = stages[0] if stages else None
    if params.get("canarySettings") is None:
        return found
    if not name:
        raise bad_request(
            f"{_OF_CANARIES}Non null and non empty stageName must be provided for canary"
            f" deployment. Provided value is {'null' if name is None else 'empty'}"
        )
    if found is None:
        raise bad_request(
            f"{_OF_CANARIES}Stage {name[:128]} must already be created before making a canary"
            " release deployment"
        )
    return found


def _check_complete(work: Work, params: Params) -> None:
    """Raises `BadRequestException` for an API that cannot serve."""
    methods = work.tx.documents.list_of(work.root(params["restApiId"]), "method")
    if not methods:
        raise bad_request("The REST API doesn't contain any methods")
    if any("methodIntegration" not in method.body for method in methods):
        raise bad_request("No integration defined for method")


def _release(work: Work, params: Params, stage: Document | None, id: str) -> None:
    """Let a stage run a deployment."""
    given: dict[str, Any] = {"deploymentId": id, "lastUpdatedDate": work.now}
    if params.get("stageDescription"):
        given["description"] = params["stageDescription"]
    if "tracingEnabled" in params:
        given["tracingEnabled"] = params["tracingEnabled"]
    if params.get("variables"):
        known = {} if stage is None else stage.body.get("variables") or {}
        given["variables"] = {**known, **params["variables"]}
    stages = work.collection("stage", params)
    if stage is None:
        stages.create(params["stageName"], {**given, "createdDate": work.now})
    else:
        stages.replace(stage.id, {**stage.body, **given})


def _release_canary(work: Work, params: Params, stage: Document, id: str) -> None:
    """Let a part of a stage's requests run a deployment."""
    canary = {**without_unset(params["canarySettings"]), "deploymentId": id}
    body = {**stage.body, "canarySettings": canary, "lastUpdatedDate": work.now}
    work.collection("stage", params).replace(stage.id, body)


def _summary(snapshot: list[list[Any]]) -> Mapping[str, Any]:
    """The methods of a deployment, by path and verb."""
    paths = {id: body["path"] for kind, id, body in snapshot if kind == "resource"}
    found: dict[str, dict[str, Any]] = {}
    for kind, id, body in snapshot:
        if kind == "method":
            resource, _, verb = id.partition("/")
            found.setdefault(paths[resource], {})[verb] = {
                "authorizationType": body["authorizationType"],
                "apiKeyRequired": body["apiKeyRequired"],
            }
    return found


READS: Mapping[str, Function] = {
    "GetDeployment": get,
    "GetDeployments": generic.listing("deployment"),
}
WRITES: Mapping[str, Function] = {
    "CreateDeployment": create,
    "UpdateDeployment": generic.patch("deployment"),
    "DeleteDeployment": generic.delete("deployment"),
}

"""Stages: what runs a deployment under a name."""

from collections.abc import Mapping

from lambent.control.apis.kinds import Params
from lambent.control.apis.tags import check_tags
from lambent.control.apis.v1 import generic, usage_plans
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.stage_patches import apply_to_stage
from lambent.control.apis.v1.work import Function, Work


def create(work: Work, params: Params) -> Params:
    """CreateStage."""
    check_tags(params.get("tags") or {})
    given = {name: value for name, value in params.items() if name != "restApiId"}
    given |= {"createdDate": work.now, "lastUpdatedDate": work.now}
    stages = work.collection("stage", params)
    return generic.shown(stages.create(params["stageName"], given))


def list_all(work: Work, params: Params) -> Params:
    """GetStages: all in one response, those of a deployment if one is named."""
    wanted = params.get("deploymentId")
    found = work.collection("stage", params).list()
    return {
        "item": [
            generic.shown(stage)
            for stage in found
            if wanted is None or stage.body["deploymentId"] == wanted
        ]
    }


def update(work: Work, params: Params) -> Params:
    """UpdateStage."""
    stages, name = work.collection("stage", params), params["stageName"]
    stage = stages.require(name)
    body = apply_to_stage(stage.body, read_patches(params.get("patchOperations")))
    return generic.shown(stages.replace(name, {**body, "lastUpdatedDate": work.now}))


def delete(work: Work, params: Params) -> Params:
    """DeleteStage. Usage plans lose it."""
    work.collection("stage", params).delete(params["stageName"])
    usage_plans.forget_stages(work, params["restApiId"], params["stageName"])
    return {}


def flush_authorizers(work: Work, params: Params) -> Params:
    """FlushStageAuthorizersCache: what was compiled of the API is dropped when any of its documents
    is written, and so are the results of its authorizers."""
    stage = work.collection("stage", params).require(params["stageName"])
    work.tx.documents.put(stage.root, "stage", stage.id, stage.body)
    return {}


READS: Mapping[str, Function] = {
    "GetStage": generic.get("stage"),
    "GetStages": list_all,
}
WRITES: Mapping[str, Function] = {
    "CreateStage": create,
    "UpdateStage": update,
    "DeleteStage": delete,
    "FlushStageAuthorizersCache": flush_authorizers,
}

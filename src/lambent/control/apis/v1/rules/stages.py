"""What stages may be."""

import re
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.access_logs import check_access_logs
from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.control.apis.v1.stage_patches import check_variables
from lambent.model.document import Body, Document, Root
from lambent.store.store import Transaction

DEFAULTS: Body = {
    "cacheClusterEnabled": False,
    "cacheClusterStatus": "NOT_AVAILABLE",
    "methodSettings": {},
    "tracingEnabled": False,
}
IN_USE = "Active stages pointing to this deployment must be moved or deleted"
_NAME = re.compile(r"[A-Za-z0-9_\-]{1,128}", re.ASCII)


def check_stage(draft: Draft) -> Body:
    """The check of stages."""
    body = without_unset(draft.body)
    if not _NAME.fullmatch(body["stageName"]):
        raise bad_request(
            "Stage name only allows a-zA-Z0-9_- and at most 128 characters:"
            f" {body['stageName'][:130]}"
        )
    refuse_features(body)
    check_variables(body.get("variables") or {})
    _check_logs(draft.root, body.get("accessLogSettings"))
    version = body.get("documentationVersion")
    if version and draft.tx.documents.get(draft.root, "documentation_version", version) is None:
        raise bad_request("Invalid Documentation version specified")
    if "canarySettings" in body:
        body["canarySettings"] = _check_canary(draft, body["canarySettings"])
    return body


def refuse_features(body: Mapping[str, Any]) -> None:
    """Raises `BadRequestException` for what would have no effect."""
    if body.get("cacheClusterEnabled") or body.get("cacheClusterSize"):
        raise unsupported("cache clusters")


def _check_logs(root: Root, settings: Mapping[str, Any] | None) -> None:
    if not settings:
        return
    if not settings.get("destinationArn") or not settings.get("format"):
        raise bad_request("Access logs need both accessLogSettings/destinationArn and /format.")
    check_access_logs(root, settings["destinationArn"], settings["format"])


def check_unused(tx: Transaction, deployment: Document) -> None:
    """Raises `BadRequestException` if a stage or its canary runs a deployment."""
    for stage in tx.documents.list_of(deployment.root, "stage"):
        canary = (stage.body.get("canarySettings") or {}).get("deploymentId")
        if deployment.id in (stage.body["deploymentId"], canary):
            raise bad_request(IN_USE)


def _check_canary(draft: Draft, given: Mapping[str, Any]) -> Mapping[str, Any]:
    canary = {"percentTraffic": 0.0, "useStageCache": False, **without_unset(given)}
    if not 0 <= canary["percentTraffic"] <= 100:
        raise bad_request("Invalid percentTraffic: it must be between 0 and 100.")
    if canary["useStageCache"]:
        raise unsupported("cache clusters")
    check_variables(canary.get("stageVariableOverrides") or {})
    canary.setdefault("deploymentId", draft.body["deploymentId"])
    id = canary["deploymentId"]
    if len(id) > 256 or draft.tx.documents.get(draft.root, "deployment", id) is None:
        raise bad_request("Deployment id does not exist")
    return canary

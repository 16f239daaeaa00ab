"""The rules of stages, and what happens to them when an API changes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.apis.access_logs import check_access_logs
from lambent.control.apis.deployments import SNAPSHOT, take_snapshot
from lambent.control.apis.errors import bad_request, not_found, too_many, unsupported
from lambent.control.apis.ids import new_id
from lambent.control.apis.kinds import Draft
from lambent.control.apis.tags import check_tags
from lambent.control.apis.v2.texts import check_lengths, is_http
from lambent.model.document import Body, Document, Root
from lambent.model.stack_documents import TOKEN_TAG
from lambent.store.store import Transaction

CACHE_REVISION = "AuthorizersCacheRevision"
"""Hidden member of a stage: it counts calls of ResetAuthorizersCache, and so reaches what serves
requests."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LENGTHS = {"Description": (0, 1024)}
_VARIABLES_MAX = 100
_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
_VALUE = re.compile(r"[A-Za-z0-9._~:/?#&=,-]{0,512}")
DEPLOYMENTS_MAX = 300
"""Of one API; each is as large as the API."""
NO_ROUTES = "Unable to deploy API because no routes exist in this API"


def check_stage(draft: Draft) -> Body:
    """The body of a stage. Raises `ApiError`."""
    body = draft.body
    check_lengths(body, _LENGTHS)
    name = body["StageName"]
    if _NAME.fullmatch(name) is None and not (name == "$default" and is_http(draft.api)):
        raise bad_request("Stage name only allows a-zA-Z0-9_- and, for HTTP APIs, $default")
    if "ClientCertificateId" in body:
        raise unsupported("client certificates (ClientCertificateId)")
    check_tags(body.get("Tags") or {})
    check_variables(body.get("StageVariables") or {})
    _check_logs(draft.root, body.get("AccessLogSettings"))
    settings = body.get("RouteSettings") or {}
    for each in (body.get("DefaultRouteSettings") or {}, *settings.values()):
        _check_route_settings(draft, each)
    keys = {route.body["RouteKey"] for route in draft.tx.documents.list_of(draft.root, "route")}
    for key in settings:
        if key not in keys and key not in ((draft.before or {}).get("RouteSettings") or {}):
            raise not_found(
                f"Unable to find Route by key {key[:200]} within the provided RouteSettings"
            )
    _check_deployment(draft)
    return body


def check_variables(variables: Mapping[str, str]) -> None:
    """Raise `BadRequestException` for stage variables that a stage cannot have."""
    if len(variables) > _VARIABLES_MAX:
        raise bad_request(f"A stage has at most {_VARIABLES_MAX} stage variables")
    for name, value in variables.items():
        if _VARIABLE.fullmatch(name) is None:
            raise bad_request(
                f"Invalid stage variable name: {name[:100]!r}. It has up to 64 of the characters"
                " a-zA-Z0-9_"
            )
        if _VALUE.fullmatch(value) is None:
            raise bad_request(
                f"Invalid stage variable value for {name}. It has up to 512 of the characters"
                " a-zA-Z0-9._~:/?#&=,-"
            )


def _check_logs(root: Root, settings: Body | None) -> None:
    if not settings:
        return
    if not settings.get("DestinationArn") or not settings.get("Format"):
        raise bad_request("AccessLogSettings needs DestinationArn and Format")
    check_access_logs(root, settings["DestinationArn"], settings["Format"])


def _check_route_settings(draft: Draft, settings: Body) -> None:
    is_logged = settings.get("LoggingLevel", "OFF") != "OFF" or settings.get("DataTraceEnabled")
    if is_logged and is_http(draft.api):
        raise bad_request("Execution logs are not supported on protocolType HTTP")
    if is_logged:
        raise unsupported("execution logs (LoggingLevel and DataTraceEnabled)")
    for member in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
        if settings.get(member, 0) < 0:
            raise bad_request(f"{member} must not be negative")


def _check_deployment(draft: Draft) -> None:
    wanted, before = draft.body.get("DeploymentId"), (draft.before or {}).get("DeploymentId")
    if draft.body.get("AutoDeploy") and wanted is not None and wanted != before:
        raise bad_request("Cannot set a DeploymentId for a stage that deploys automatically")


def deploy(
    tx: Transaction, root: Root, now: int, *, description: str = "", token: str = ""
) -> Document:
    """Add a deployment of the API as it is; `token` is the caller's. Raises `BadRequestException`
    for an API without routes."""
    if not tx.documents.list_of(root, "route", limit=1):
        raise bad_request(NO_ROUTES)
    taken = {document.id for document in tx.documents.list_of(root, "deployment")}
    if len(taken) >= DEPLOYMENTS_MAX:
        raise too_many(f"Maximum number of Deployment resources reached: {DEPLOYMENTS_MAX}.")
    id = next(id for id in iter(lambda: new_id(6), None) if id not in taken)
    body: dict[str, Any] = {
        "DeploymentId": id,
        "DeploymentStatus": "DEPLOYED",
        "AutoDeployed": False,
        "CreatedDate": now,
        SNAPSHOT: take_snapshot(tx, root),
    }
    if description:
        body["Description"] = description
    if token:
        body[TOKEN_TAG] = token
    return tx.documents.put(root, "deployment", id, body)


def assign(tx: Transaction, stage: Document, deployment: str, now: int) -> Document:
    """Move a stage to a deployment."""
    body = {**stage.body, "DeploymentId": deployment, "LastUpdatedDate": now}
    if body.get("AutoDeploy"):
        body["LastDeploymentStatusMessage"] = (
            f"Successfully deployed stage with deployment ID '{deployment}'"
        )
    return tx.documents.put(stage.root, "stage", stage.id, body)


def deploy_automatically(tx: Transaction, root: Root, now: int) -> None:
    """Deploy an API that has changed to its stages that want it, and delete the automatic
    deployment that nothing uses any more."""
    stages = tx.documents.list_of(root, "stage")
    automatic = [stage for stage in stages if stage.body.get("AutoDeploy")]
    if not automatic:
        return
    if not tx.documents.list_of(root, "route", limit=1):
        for stage in automatic:
            message = f"Deployment attempt failed: {NO_ROUTES}"
            body = {**stage.body, "LastDeploymentStatusMessage": message}
            tx.documents.put(root, "stage", stage.id, body)
        return
    current = _current(tx, root, automatic)
    if current is None or current.body[SNAPSHOT] != take_snapshot(tx, root):
        made = deploy(tx, root, now)
        current = tx.documents.put(
            root,
            "deployment",
            made.id,
            {
                **made.body,
                "AutoDeployed": True,
                "Description": "Automatic deployment triggered by changes to the Api configuration",
            },
        )
    for stage in automatic:
        if stage.body.get("DeploymentId") != current.id:
            assign(tx, stage, current.id, now)
    _delete_unused(tx, root, current.id)


def _current(tx: Transaction, root: Root, automatic: Sequence[Document]) -> Document | None:
    for stage in automatic:
        id = stage.body.get("DeploymentId")
        found = tx.documents.get(root, "deployment", id) if id else None
        if found is not None and found.body["AutoDeployed"]:
            return found
    return None


def _delete_unused(tx: Transaction, root: Root, current: str) -> None:
    used = {stage.body.get("DeploymentId") for stage in tx.documents.list_of(root, "stage")}
    for deployment in tx.documents.list_of(root, "deployment"):
        is_used = deployment.id in used or deployment.id == current
        if deployment.body["AutoDeployed"] and not is_used:
            tx.documents.delete(root, "deployment", deployment.id)

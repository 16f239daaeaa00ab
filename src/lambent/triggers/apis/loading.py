"""Reads APIs and custom domain names from the database."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.document import Body, Document, Root
from lambent.store.store import Transaction
from lambent.triggers.apis.api import Api, Documents, DomainMapping, Stage


class _Words(NamedTuple):
    """Members that the two services spell differently."""

    deployment_id: str
    snapshot: str
    is_disabled: str


_WORDS = {
    "apigatewayv2": _Words("DeploymentId", "Snapshot", "DisableExecuteApiEndpoint"),
    "apigateway": _Words("deploymentId", "snapshot", "disableExecuteApiEndpoint"),
}
Domains = Mapping[str, Sequence[DomainMapping]]
"""The mappings of each custom domain name, the longest base path first."""


def load_api(tx: Transaction, api_id: str) -> Api | None:
    """The API with this id; None if there is none."""
    for service, words in _WORDS.items():
        found = tx.documents.find(service, "api", api_id)
        if found is not None and found.root.id == api_id:
            return _load(tx, found, words)
    return None


def _load(tx: Transaction, found: Document, words: _Words) -> Api:
    root, stages = found.root, dict[str, Stage]()
    snapshots = dict[str, Documents]()
    for document in tx.documents.list_of(root, "stage"):
        deployment_id = document.body.get(words.deployment_id)
        if not deployment_id:
            continue
        canary_id = (document.body.get("canarySettings") or {}).get("deploymentId")
        for id in (deployment_id, canary_id):
            if id and id not in snapshots:
                deployment = tx.documents.get(root, "deployment", id)
                snapshots[id] = _documents(found, deployment, words)
        stages[document.id] = Stage(
            root=root,
            name=document.id,
            body=document.body,
            deployment_id=deployment_id,
            documents=snapshots[deployment_id],
            canary=snapshots[canary_id] if canary_id else None,
        )
    return Api(
        root=root,
        kind=found.body["ProtocolType"] if root.service == "apigatewayv2" else "REST",
        stages=stages,
        has_default_endpoint=not found.body.get(words.is_disabled, False),
    )


def _documents(api: Document, deployment: Document | None, words: _Words) -> Documents:
    found = dict[str, dict[str, Body]]()
    snapshot: Sequence[Any] = () if deployment is None else deployment.body[words.snapshot]
    for kind, id, body in snapshot:
        found.setdefault(kind, {})[id] = body
    found.setdefault("api", {}).setdefault(api.id, api.body)
    return found


def load_current(tx: Transaction, root: Root) -> Documents:
    """The documents of an API as they are, deployed or not, without stages and deployments."""
    found = dict[str, dict[str, Body]]()
    for document in tx.documents.all_of(root):
        if document.kind not in ("stage", "deployment"):
            found.setdefault(document.kind, {})[document.id] = document.body
    return found


def load_domains(tx: Transaction) -> Domains:
    """All custom domain names, in lower case."""
    names = {
        (document.root, document.id): document.id.lower()
        for document in tx.documents.everywhere("apigateway", "domain_name")
    }
    found: dict[str, list[DomainMapping]] = {name: [] for name in names.values()}
    for document in tx.documents.everywhere("apigateway", "api_mapping"):
        name = names.get((document.root, document.id.partition("/")[0]))
        if name is not None:
            body = document.body
            found[name].append(
                DomainMapping(
                    document.root,
                    (body.get("ApiMappingKey") or "").strip("/"),
                    body["ApiId"],
                    body.get("Stage") or "",
                )
            )
    for mappings in found.values():
        mappings.sort(key=lambda mapping: -len(mapping.key))
    return found

"""Custom domain names and their mappings to stages. Both models show them; they are documents of
`apigateway`, in the account's root."""

import re
from collections.abc import Sequence

from lambent.control.apis.errors import bad_request, conflict, not_found, unsupported
from lambent.control.apis.ids import API_KINDS, new_id
from lambent.control.apis.kinds import Draft, Kind, Place, by_name
from lambent.control.apis.tags import check_tags
from lambent.model.arn import Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

SERVICE = "apigateway"
NO_PATH = "(none)"
"""How requests name the mapping without a base path; so do responses of `apigateway`."""
_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_KEY = re.compile(r"[A-Za-z0-9$_.+!*'()-]+(?:/[A-Za-z0-9$_.+!*'()-]+)*")
_KEY_LENGTH_MAX = 300


def check_domain_name(draft: Draft) -> Body:
    """The body of a domain name. Raises `ApiError`."""
    body = dict(draft.body)
    name = body["DomainName"]
    if _NAME.fullmatch(name) is None or len(name) > 253:
        raise bad_request(f"Invalid domain name specified: {name[:255]!r}")
    if body.get("MutualTlsAuthentication"):
        raise unsupported("mutual TLS (MutualTlsAuthentication)")
    if body["RoutingMode"] != "API_MAPPING_ONLY":
        raise unsupported("routing rules (a RoutingMode other than API_MAPPING_ONLY)")
    check_tags(body.get("Tags") or {})
    if draft.before is None and draft.tx.documents.find(SERVICE, "domain_name", name) is not None:
        raise conflict("The domain name you provided already exists.")
    return body


def check_mapping(draft: Draft) -> Body:
    """The body of a mapping: its API and stage must exist. Raises `ApiError`."""
    body = draft.body
    key = body.get("ApiMappingKey", "")
    if key == NO_PATH:
        key = ""
    if key and (_KEY.fullmatch(key) is None or len(key) > _KEY_LENGTH_MAX):
        raise bad_request(f"Invalid API mapping key specified: {key[:300]!r}")
    root = _api_root(draft.tx, draft.root.scope, body["ApiId"])
    if draft.tx.documents.get(root, "stage", body["Stage"]) is None:
        raise bad_request("Invalid stage identifier specified")
    _check_protocol(draft, root)
    return {**body, "ApiMappingKey": key}


def _api_root(tx: Transaction, scope: Scope, id: str) -> Root:
    for service, kind in API_KINDS:
        root = Root(service, *scope, id)
        # A DeleteApi that holds the lock finishes first.
        tx.locks.root(root)
        if tx.documents.get(root, kind, id) is not None:
            return root
    raise not_found(f"Invalid API identifier specified {scope.account}:{id[:100]}")


def _check_protocol(draft: Draft, root: Root) -> None:
    """WebSocket APIs do not share a domain name with others."""

    def is_websocket(root: Root) -> bool:
        api = draft.tx.documents.get(root, "api", root.id)
        return api is not None and api.body.get("ProtocolType") == "WEBSOCKET"

    prefix = draft.id.rpartition("/")[0] + "/"
    for other in draft.tx.documents.list_of(draft.root, "api_mapping"):
        if other.id == draft.id or not other.id.startswith(prefix):
            continue
        mapped = Root("apigatewayv2", *draft.root.scope, other.body["ApiId"])
        if is_websocket(mapped) != is_websocket(root):
            raise bad_request(
                "A domain name cannot have mappings to WebSocket APIs and to other APIs"
            )


def _key_is_taken(_: str, key: str) -> ApiError:
    shown = f"The API mapping key {key}" if key else "An empty API mapping key"
    return conflict(f"{shown} already exists for this domain name")


KINDS = by_name(
    Kind(
        name="domain_name",
        noun="Domain Name",
        path=("DomainName",),
        place=Place.ACCOUNT,
        defaults={"RoutingMode": "API_MAPPING_ONLY", "Tags": {}},
        check=check_domain_name,
        count_max=120,
        missing=lambda _, __: not_found("Invalid domain name identifier specified"),
    ),
    Kind(
        name="api_mapping",
        noun="API Mapping",
        path=("DomainName", "ApiMappingId"),
        place=Place.ACCOUNT,
        parent="domain_name",
        id_length=6,
        defaults={"ApiMappingKey": ""},
        unique="ApiMappingKey",
        taken=_key_is_taken,
        check=check_mapping,
        count_max=200,
    ),
)
"""Kinds of the account's root."""


def mappings_of(
    tx: Transaction, scope: Scope, api: str, stage: str | None = None
) -> Sequence[Document]:
    """The mappings that lead to an API, or to a stage of it."""
    root = Root(SERVICE, *scope, "")
    return [
        mapping
        for mapping in tx.documents.list_of(root, "api_mapping")
        if mapping.body["ApiId"] == api and stage in (None, mapping.body["Stage"])
    ]


def check_api_is_unmapped(tx: Transaction, api: Document) -> None:
    """Raise `BadRequestException` if a domain name leads to an API."""
    if mappings_of(tx, api.root.scope, api.id):
        raise bad_request(
            f"Deleting API {api.id} failed. Please remove all API mappings for the API from your"
            " custom domain names."
        )


def check_stage_is_unmapped(tx: Transaction, stage: Document) -> None:
    """Raise `BadRequestException` if a domain name leads to a stage."""
    if mappings_of(tx, stage.root.scope, stage.root.id, stage.id):
        raise bad_request(
            f"Deleting stage {stage.id} failed. Please remove all API mappings for the stage from"
            " your custom domain names."
        )


def new_target(scope: Scope, domain: str) -> str:
    """A host name that DNS records of a domain name may lead to."""
    return f"d-{new_id(10)}.execute-api.{scope.region}.{domain}"

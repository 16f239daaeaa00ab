"""What methods of resources, and their responses, may be."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.paths import check_verb
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.model.document import Body, Root
from lambent.store.store import Transaction

NO_AUTHORIZER = (
    "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or"
    " COGNITO_USER_POOLS requires a valid authorizer."
)
_TYPES = ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS")
_PARAMETER = re.compile(
    r"method\.request\.(header|multivalueheader|querystring|multivaluequerystring|path)"
    r"\.([A-Za-z0-9._\-$:\[\]]{1,128})",
    re.ASCII,
)
_RESPONSE_PARAMETER = re.compile(
    r"method\.response\.(header|multivalueheader)\.[A-Za-z0-9._\-]{1,128}", re.ASCII
)
_CONTENT_TYPE = re.compile(r"\$default|[\w.+*\-]+/[\w.+*\-]+(?:\s*;.{0,200})?", re.ASCII)
STATUS = re.compile(r"[1-5][0-9][0-9]", re.ASCII)


def check_method(draft: Draft) -> Body:
    """The check of methods."""
    body = without_unset(draft.body)
    check_verb(body["httpMethod"])
    kind = body.get("authorizationType", "NONE")
    if kind not in _TYPES:
        raise bad_request(
            f"Invalid authorization type specified. Valid options are {','.join(_TYPES)}"
        )
    if kind in ("CUSTOM", "COGNITO_USER_POOLS"):
        _check_authorizer(draft.tx, draft.root, body, kind)
    else:
        body.pop("authorizerId", None)
    if body.get("authorizationScopes") and kind != "COGNITO_USER_POOLS":
        raise bad_request("Authorization scopes need the authorization type COGNITO_USER_POOLS.")
    check_parameters(body.get("requestParameters") or {})
    for content_type in body.get("requestModels") or {}:
        check_content_type(content_type)
    check_models(draft.tx, draft.root, (body.get("requestModels") or {}).values())
    return body


def check_parameters(parameters: Mapping[str, bool]) -> None:
    """Raises `BadRequestException` for names that no request has."""
    seen: set[str] = set()
    for name in parameters:
        found = _PARAMETER.fullmatch(name)
        if found is None:
            raise bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors :"
                f" [Invalid mapping expression parameter specified: {name[:200]}]"
            )
        if found[2] in seen:
            raise bad_request("Parameter names must be unique across querystring, header and path")
        seen.add(found[2])


def check_response(tx: Transaction, root: Root, body: Mapping[str, Any]) -> None:
    """The check of a method's response. Raises `BadRequestException`."""
    for name in body.get("responseParameters") or {}:
        if not _RESPONSE_PARAMETER.fullmatch(name):
            raise bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors :"
                f" [Invalid mapping expression parameter specified: {name[:200]}]"
            )
    models = body.get("responseModels") or {}
    for content_type in models:
        check_content_type(content_type)
    check_models(tx, root, models.values())


def check_content_type(content_type: str) -> None:
    """Raises `BadRequestException` for a text that is no media type."""
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise bad_request(
            "Validation Result: warnings : [], errors : [Invalid content type specified:"
            f" {content_type[:200]}]"
        )


def check_models(tx: Transaction, root: Root, names: Iterable[str]) -> None:
    """Raises `BadRequestException` for a model that does not exist."""
    for name in names:
        if tx.documents.get(root, "model", name) is None:
            raise bad_request(f"Invalid model identifier specified: {name[:200]}")


def _check_authorizer(tx: Transaction, root: Root, body: Mapping[str, Any], kind: str) -> None:
    id = body.get("authorizerId", "")
    authorizer = tx.documents.get(root, "authorizer", id) if 0 < len(id) <= 256 else None
    if authorizer is None:
        raise bad_request(NO_AUTHORIZER)
    is_pool = authorizer.body["type"] == "COGNITO_USER_POOLS"
    if is_pool != (kind == "COGNITO_USER_POOLS"):
        raise bad_request(NO_AUTHORIZER)
    if is_pool and len(body.get("authorizationScopes") or ()) > 100:
        raise unsupported("more than 100 authorization scopes")

"""API keys. Their values are secrets: only those who ask for a value receive it."""

import csv
import io
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Params
from lambent.control.apis.tags import check_tags
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document
from lambent.model.errors import ApiError

VALUE_LENGTH = 40
_LETTERS = string.ascii_letters + string.digits
_COLUMNS = ("name", "key", "description", "enabled", "usageplanids")
_ROWS_MAX = 1000


def shown(key: Document, *, has_value: bool, is_listed: bool = False) -> dict[str, Any]:
    """The output members of a key."""
    members = generic.shown(key, is_listed=is_listed)
    if not has_value:
        del members["value"]
    return {**members, "stageKeys": []}


def create(work: Work, params: Params) -> Params:
    """CreateApiKey."""
    if params.get("stageKeys"):
        raise unsupported("API keys that belong to stages. Use usage plans")
    return shown(make(work, params), has_value=True, is_listed=True)


def make(work: Work, given: Mapping[str, Any]) -> Document:
    """A new key; its value is made here unless it is given."""
    check_tags(given.get("tags") or {})
    dates = {"createdDate": work.now, "lastUpdatedDate": work.now}
    members = ("name", "description", "enabled", "value", "customerId", "tags")
    body = {name: given[name] for name in members if name in given}
    body["value"] = given.get("value") or new_value()
    return work.collection("api_key", {}).create(None, {**body, **dates})


def new_value() -> str:
    """A secret that cannot be guessed."""
    return "".join(secrets.choice(_LETTERS) for _ in range(VALUE_LENGTH))


def get(work: Work, params: Params) -> Params:
    """GetApiKey; with `includeValue`, with its value."""
    key = work.collection("api_key", params).require(params["apiKey"])
    return shown(key, has_value=bool(params.get("includeValue")))


def list_all(work: Work, params: Params) -> Params:
    """GetApiKeys: those whose names begin with `nameQuery`, and of one customer."""
    prefix, customer = params.get("nameQuery") or "", params.get("customerId")
    found = [
        key
        for key in work.collection("api_key", params).list()
        if key.body.get("name", "").startswith(prefix)
        and customer in (None, key.body.get("customerId"))
    ]
    has_values = bool(params.get("includeValues"))
    return generic.page(
        found, params, show=lambda key: shown(key, has_value=has_values, is_listed=True)
    )


def update(work: Work, params: Params) -> Params:
    """UpdateApiKey."""
    key = generic.patched(work, "api_key", params, lastUpdatedDate=work.now)
    return shown(key, has_value=False)


def delete(work: Work, params: Params) -> Params:
    """DeleteApiKey. Usage plans lose it."""
    key = work.collection("api_key", params).delete(params["apiKey"])
    for member in work.tx.documents.list_of(key.root, "usage_plan_key"):
        if member.id.rpartition("/")[2] == key.id:
            work.tx.documents.delete(key.root, "usage_plan_key", member.id)
    return {}


def import_all(work: Work, params: Params) -> Params:
    """ImportApiKeys: lines of `name,key,description,enabled,usageplanIds`, in any order of columns.
    Lines that cannot be imported are warnings, or an error with `failOnWarnings`."""
    ids: list[str] = []
    warnings: list[str] = []
    for number, row in enumerate(_read_rows(params["body"]), 1):
        plans = [id for id in row.get("usageplanids", "").replace(";", ",").split(",") if id]
        given: dict[str, Any] = {
            name: row[name] for name in ("name", "description") if row.get(name)
        }
        given |= {"value": row.get("key"), "enabled": row.get("enabled", "").lower() == "true"}
        try:
            if not row.get("key"):
                raise bad_request("the key is missing")
            for plan in plans:
                work.collection("usage_plan", {"usagePlanId": plan}).require(plan)
            key = make(work, given)
        except ApiError as error:
            warnings.append(f"Line {number}: {error.message}")
            continue
        for plan in plans:
            documents = work.collection("usage_plan_key", {"usagePlanId": plan, "keyId": key.id})
            documents.create(key.id, {"type": "API_KEY"})
        ids.append(key.id)
    if warnings and params.get("failOnWarnings"):
        raise bad_request(f"The import has warnings: {'; '.join(warnings)[:1000]}")
    return {"ids": ids, "warnings": warnings}


def _read_rows(body: bytes) -> Sequence[Mapping[str, str]]:
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise bad_request("The API keys are not in the format CSV.") from error
    if not lines:
        raise bad_request("The API keys are empty.")
    header = [name.strip().lower() for name in lines[0]]
    if "key" not in header or not set(header) <= set(_COLUMNS):
        raise bad_request(f"The first line must name columns of: {', '.join(_COLUMNS)}")
    if len(lines) > _ROWS_MAX:
        raise bad_request(f"A request must not import more than {_ROWS_MAX} API keys.")
    return [
        dict(zip(header, (cell.strip() for cell in line), strict=False))
        for line in lines[1:]
        if any(line)
    ]


READS: Mapping[str, Function] = {"GetApiKey": get, "GetApiKeys": list_all}
WRITES: Mapping[str, Function] = {
    "CreateApiKey": create,
    "ImportApiKeys": import_all,
    "UpdateApiKey": update,
    "DeleteApiKey": delete,
}

"""Function URL configurations: create, read, change, delete."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.lookup import find_version
from lambent.control.paging import NamePage, make_name_page, page_size, read_name_marker
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, conflict, invalid_parameter, not_found
from lambent.model.function import LATEST, FunctionKey
from lambent.model.function_url import FunctionUrl, new_url_id
from lambent.model.names import FunctionReference, parse_function_name, parse_unqualified
from lambent.model.times import iso_milliseconds
from lambent.store.function_settings import Kind, SettingRow
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"})


class Urls:
    """Use cases of function URLs."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> FunctionUrl:
        """CreateFunctionUrlConfig, of a function or one of its aliases."""
        reference = _reference(params, scope)
        now = self._now()
        url = FunctionUrl(
            key=reference.key,
            qualifier=reference.qualifier or LATEST,
            id=new_url_id(),
            auth_type=params["AuthType"],
            invoke_mode=params.get("InvokeMode"),
            cors=_cors(params.get("Cors")),
            created=now,
            modified=now,
        )

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            version = find_version(tx, reference.key, reference.qualifier)
            if version is None:
                raise not_found("Function does not exist")
            if version.isolates_tenants:
                raise invalid_parameter(
                    "Function URLs are not supported for functions with tenancy enabled."
                )
            if tx.settings.get(Kind.URL, url.key, url.qualifier) is not None:
                raise conflict(
                    "Failed to create function url config for [functionArn ="
                    f" {url.arn}]. Error message:  FunctionUrlConfig exists for this Lambda"
                    " function"
                )
            _put(tx, url)

        await self._store.transact(run)
        return url

    async def get(self, scope: Scope, params: Params) -> FunctionUrl:
        """GetFunctionUrlConfig."""
        reference = _reference(params, scope)
        return await self._store.read(lambda tx: _require(tx, reference))

    async def update(self, scope: Scope, params: Params) -> FunctionUrl:
        """UpdateFunctionUrlConfig: members that are absent stay as they were."""
        reference = _reference(params, scope)
        fields: dict[str, Any] = {"modified": self._now()}
        if "AuthType" in params:
            fields["auth_type"] = params["AuthType"]
        if "InvokeMode" in params:
            fields["invoke_mode"] = params["InvokeMode"]
        if "Cors" in params:
            fields["cors"] = _cors(params["Cors"])

        def run(tx: Transaction) -> FunctionUrl:
            tx.locks.function(reference.key)
            if find_version(tx, reference.key, reference.qualifier) is None:
                raise not_found("Function does not exist")
            changed = dataclasses.replace(_require(tx, reference), **fields)
            _put(tx, changed)
            return changed

        return await self._store.transact(run)

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteFunctionUrlConfig."""
        reference = _reference(params, scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            url = _require(tx, reference)
            tx.settings.delete(Kind.URL, url.key, url.qualifier)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> NamePage[FunctionUrl]:
        """ListFunctionUrlConfigs of one function and its aliases."""
        key = parse_unqualified(params["FunctionName"], scope)
        after = read_name_marker(params.get("Marker"))

        def run(tx: Transaction) -> Sequence[FunctionUrl]:
            if tx.functions.get(key) is None:
                raise not_found("Function does not exist")
            found = tx.settings.list_of(Kind.URL, key)
            return [_to_url(row) for row in found if row.qualifier > after]

        return make_name_page(
            await self._store.read(run),
            page_size(params.get("MaxItems")),
            lambda url: url.qualifier,
        )

    async def find(self, url_id: str) -> FunctionUrl | None:
        """The URL with this id, in any account; None if there is none, or if its alias is gone."""

        def run(tx: Transaction) -> FunctionUrl | None:
            for setting in tx.settings.find(Kind.URL, url_id):
                url = _to_url(setting)
                if find_version(tx, url.key, url.qualifier) is not None:
                    return url
            return None

        return await self._store.read(run)

    def _now(self) -> str:
        return iso_milliseconds(int(self._clock.now() * 1000))


def _reference(params: Params, scope: Scope) -> FunctionReference:
    reference = parse_function_name(
        params["FunctionName"], scope, qualifier=params.get("Qualifier")
    )
    if reference.qualifier is not None and reference.qualifier.isdigit():
        raise ApiError(
            "ValidationException",
            f"1 validation error detected: Value '{reference.qualifier}' at 'qualifier' failed to"
            " satisfy constraint: Member must satisfy regular expression pattern:"
            r" ((?!^\d+$)^[0-9a-zA-Z-_]+$)",
        )
    return reference


def _cors(cors: Params | None) -> Params | None:
    """The CORS configuration of a request. Raises `InvalidParameterValueException`."""
    if not cors:
        return None
    for member in ("AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders"):
        for value in cors.get(member) or ():
            if _HEADER_VALUE.fullmatch(value) is None:
                raise invalid_parameter(
                    f"cannot use {value!r} in {member}: it must be of printable ASCII characters."
                )
    unknown = set(cors.get("AllowMethods") or ()) - _METHODS
    if unknown:
        raise invalid_parameter(
            f"cannot use {', '.join(sorted(unknown))} in AllowMethods: it must be one of"
            f" {', '.join(sorted(_METHODS))}."
        )
    return dict(cors)


def _require(tx: Transaction, reference: FunctionReference) -> FunctionUrl:
    qualifier = reference.qualifier or LATEST
    document = tx.settings.get(Kind.URL, reference.key, qualifier)
    if document is None:
        raise not_found("The resource you requested does not exist.")
    return _to_url(SettingRow(reference.key, qualifier, document))


def _put(tx: Transaction, url: FunctionUrl) -> None:
    document = {
        name: value
        for name, value in dataclasses.asdict(url).items()
        if name not in ("key", "qualifier")
    }
    tx.settings.put(Kind.URL, url.key, document, qualifier=url.qualifier, reference=url.id)


def _to_url(setting: SettingRow) -> FunctionUrl:
    return FunctionUrl(
        key=FunctionKey(*setting.key), qualifier=setting.qualifier, **setting.document
    )

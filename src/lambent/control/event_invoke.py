"""How asynchronous invocations of a function, version or alias are retried, and where their
outcomes are sent."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.lookup import find_version
from lambent.control.paging import make_name_page, page_size, read_name_marker
from lambent.identity.execution_roles import ExecutionRoles
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope, has_right_partition
from lambent.model.delivery import object_prefix
from lambent.model.errors import invalid_parameter, not_found
from lambent.model.function import LATEST
from lambent.model.names import FunctionReference, parse_function_name, parse_unqualified
from lambent.store.function_settings import Kind, SettingRow
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
_SERVICES = ("events", "lambda", "s3", "sns", "sqs")
_DESTINATION = re.compile(
    r"arn:aws[a-zA-Z0-9-]*:(?:(?:sqs|sns|lambda|events):[a-z0-9-]+:\d{12}:.+|s3:::.+)"
)


class EventInvokeConfigs:
    """Use cases of event-invoke configurations."""

    def __init__(self, store: Store, clock: Clock, roles: ExecutionRoles) -> None:
        self._store = store
        self._clock = clock
        self._roles = roles

    async def put(self, scope: Scope, params: Params) -> Params:
        """PutFunctionEventInvokeConfig: replaces the existing one."""
        return await self._set(scope, params, replaces=True)

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateFunctionEventInvokeConfig: absent members stay unchanged."""
        return await self._set(scope, params, replaces=False)

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetFunctionEventInvokeConfig."""
        reference = _reference(params, scope)
        return _view(
            await self._store.read(lambda tx: _require_config(tx, reference)),
            reference,
        )

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteFunctionEventInvokeConfig."""
        reference = _reference(params, scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            _require_config(tx, reference)
            tx.settings.delete(Kind.EVENT_INVOKE, reference.key, reference.qualifier or LATEST)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListFunctionEventInvokeConfigs of one function."""
        key = parse_unqualified(params["FunctionName"], scope)
        after = read_name_marker(params.get("Marker"))

        def run(tx: Transaction) -> Sequence[SettingRow]:
            if tx.functions.get(key) is None:
                raise not_found("The function doesn't exist.")
            found = tx.settings.list_of(Kind.EVENT_INVOKE, key)
            return [row for row in found if row.qualifier > after]

        page = make_name_page(
            await self._store.read(run),
            page_size(params.get("MaxItems")),
            lambda setting: setting.qualifier,
        )
        return page.members(
            "FunctionEventInvokeConfigs",
            [_view(row.document, FunctionReference(row.key, row.qualifier)) for row in page.items],
        )

    async def _set(self, scope: Scope, params: Params, *, replaces: bool) -> Params:
        reference = _reference(params, scope)
        given = {name: params[name] for name in _MEMBERS if name in params}
        if not given:
            raise invalid_parameter(
                "You must specify at least one of error handling or destination setting."
            )

        await self._check_targets(reference, given.get("DestinationConfig") or {})

        def run(tx: Transaction) -> Params:
            tx.locks.function(reference.key)
            if find_version(tx, reference.key, reference.qualifier) is None:
                raise not_found("The function doesn't exist.")
            destinations = given.get("DestinationConfig") or {}
            _check_destinations(destinations, reference)
            _require_functions(tx, destinations, reference.key.scope)
            current = {} if replaces else _require_config(tx, reference)
            document = {**current, **given, "LastModified": self._clock.now()}
            tx.settings.put(
                Kind.EVENT_INVOKE,
                reference.key,
                document,
                qualifier=reference.qualifier or LATEST,
            )
            return document

        return _view(await self._store.transact(run), reference)

    async def _check_targets(self, reference: FunctionReference, config: Params) -> None:
        """Refuse destinations that the function's role may not send to."""
        if not self._roles.are_checked:
            return
        _check_destinations(config, reference)
        version = await self._store.read(
            lambda tx: find_version(tx, reference.key, reference.qualifier)
        )
        for target in ("OnSuccess", "OnFailure"):
            arn = (config.get(target) or {}).get("Destination")
            if arn and version is not None:
                prefix = object_prefix(reference.key.name)
                await self._roles.require_delivery(reference.key, version.role, arn, prefix)


def _reference(params: Params, scope: Scope) -> FunctionReference:
    return parse_function_name(params["FunctionName"], scope, qualifier=params.get("Qualifier"))


def _require_config(tx: Transaction, reference: FunctionReference) -> Params:
    qualifier = reference.qualifier or LATEST
    document = tx.settings.get(Kind.EVENT_INVOKE, reference.key, qualifier)
    if document is None:
        raise not_found(
            f"The function {reference.key.arn}:{qualifier} doesn't have an EventInvokeConfig"
        )
    return document


def _check_destinations(config: Params, reference: FunctionReference) -> None:
    for target in ("OnSuccess", "OnFailure"):
        arn = (config.get(target) or {}).get("Destination")
        if not arn:
            continue
        service = Arn.parse(arn).service
        if service not in _SERVICES or (target == "OnSuccess" and service == "s3"):
            raise invalid_parameter(f"The provided destination config {_shown(config)} is invalid.")
        is_one = _DESTINATION.fullmatch(arn) is not None
        if not is_one or not has_right_partition(arn, reference.key.region):
            raise invalid_parameter(f"The destination ARN {arn} is invalid.")
        if arn == reference.key.arn or arn.startswith(f"{reference.key.arn}:"):
            raise invalid_parameter("You can't specify the function as a destination for itself.")


def _require_functions(tx: Transaction, config: Params, scope: Scope) -> None:
    """A destination that is a function of this account and region must exist."""
    for target in ("OnSuccess", "OnFailure"):
        arn = (config.get(target) or {}).get("Destination") or ""
        parsed = Arn.try_parse(arn)
        if parsed is None or (parsed.service, parsed.scope) != ("lambda", scope):
            continue
        found = parse_function_name(arn, scope)
        if find_version(tx, found.key, found.qualifier) is None:
            raise invalid_parameter(f"The destination ARN {arn} is invalid.")


def _shown(config: Params) -> str:
    """A destination configuration, formatted as in AWS's error messages."""
    parts = []
    for target in ("OnSuccess", "OnFailure"):
        arn = (config.get(target) or {}).get("Destination")
        name = target[0].lower() + target[1:]
        parts.append(f"{name}={target}(destination={arn})" if arn else f"{name}=null")
    return f"DestinationConfig({', '.join(parts)})"


def _view(document: Params, reference: FunctionReference) -> Params:
    config = document.get("DestinationConfig") or {}
    return {
        **document,
        "LastModified": datetime.datetime.fromtimestamp(document["LastModified"], datetime.UTC),
        "FunctionArn": f"{reference.key.arn}:{reference.qualifier or LATEST}",
        "DestinationConfig": {
            target: config.get(target) or {} for target in ("OnSuccess", "OnFailure")
        },
    }

"""What AWS itself may do with a function: update its runtime, stop its recursive loops, scale it on
capacity providers. Lambent only detects recursive loops; it stores and returns the other settings
so that clients that read and write them work."""

from collections.abc import Mapping
from typing import Any

from lambent.control.lookup import require_function, require_version
from lambent.model.arn import Scope
from lambent.model.errors import invalid_parameter
from lambent.model.function import LATEST
from lambent.model.names import FunctionReference, parse_function_name, parse_unqualified
from lambent.store.function_settings import Kind
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]


class Management:
    """Use cases of runtime management, recursion and scaling configurations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put_runtime(self, scope: Scope, params: Params) -> Params:
        """PutRuntimeManagementConfig of `$LATEST` or a published version."""
        reference = _reference(params, scope)
        mode = params["UpdateRuntimeOn"]
        version_arn = params.get("RuntimeVersionArn")
        if (mode == "Manual") != bool(version_arn):
            raise invalid_parameter(
                "RuntimeVersionArn is required when UpdateRuntimeOn is Manual, and must not be"
                " given otherwise."
            )
        document = {"UpdateRuntimeOn": mode}
        if version_arn:
            document["RuntimeVersionArn"] = version_arn

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            require_version(tx, reference)
            tx.settings.put(
                Kind.RUNTIME_MANAGEMENT,
                reference.key,
                document,
                qualifier=reference.qualifier or LATEST,
            )

        await self._store.transact(run)
        return {**document, "FunctionArn": reference.arn}

    async def get_runtime(self, scope: Scope, params: Params) -> Params:
        """GetRuntimeManagementConfig; `Auto` if nothing was configured."""
        reference = _reference(params, scope)

        def run(tx: Transaction) -> Params | None:
            require_version(tx, reference)
            return tx.settings.get(
                Kind.RUNTIME_MANAGEMENT, reference.key, reference.qualifier or LATEST
            )

        document = await self._store.read(run) or {"UpdateRuntimeOn": "Auto"}
        return {**document, "FunctionArn": reference.arn}

    async def put_recursion(self, scope: Scope, params: Params) -> Params:
        """PutFunctionRecursionConfig."""
        key = parse_unqualified(params["FunctionName"], scope)
        document = {"RecursiveLoop": params["RecursiveLoop"]}

        def run(tx: Transaction) -> None:
            tx.locks.function(key)
            require_function(tx, key)
            tx.settings.put(Kind.RECURSION, key, document)

        await self._store.transact(run)
        return document

    async def get_recursion(self, scope: Scope, params: Params) -> Params:
        """GetFunctionRecursionConfig; `Terminate` if nothing was configured."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> Params:
            require_function(tx, key)
            return tx.settings.get(Kind.RECURSION, key) or {"RecursiveLoop": "Terminate"}

        return await self._store.read(run)

    async def refuse_scaling(self, scope: Scope, params: Params) -> Params:
        """PutFunctionScalingConfig and GetFunctionScalingConfig: only functions on capacity
        providers have one, and Lambent has none."""
        reference = _reference(params, scope)
        await self._store.read(lambda tx: require_version(tx, reference))
        raise invalid_parameter(
            f"{reference.arn} does not run on a capacity provider: scaling configurations are"
            " supported only for functions on Lambda Managed Instances."
        )


def _reference(params: Params, scope: Scope) -> FunctionReference:
    return parse_function_name(params["FunctionName"], scope, qualifier=params.get("Qualifier"))

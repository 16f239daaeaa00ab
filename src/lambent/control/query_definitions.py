"""Saved queries of CloudWatch Logs Insights: documents."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

_KIND = "query-definition"
_DEFINITIONS_MAX = 1000


class QueryDefinitions:
    """Use cases of saved queries."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, scope: Scope, params: Mapping[str, Any]) -> str:
        """PutQueryDefinition: create a query, or replace the one with this id. Returns its id."""
        known = params.get("queryDefinitionId")
        # A request that is repeated with its token makes no second query.
        token = params.get("clientToken")
        made = str(uuid.uuid5(uuid.NAMESPACE_OID, token) if token else uuid.uuid4())
        id = known or made
        body = {
            "queryDefinitionId": id,
            "name": params["name"],
            "queryString": params["queryString"],
            "queryLanguage": "CWLI",
            "lastModified": int(self._clock.now() * 1000),
            "logGroupNames": list(params.get("logGroupNames") or ()),
        }
        root = _root(scope)

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            if known is not None and tx.documents.get(root, _KIND, known) is None:
                raise _missing()
            if known is None and len(tx.documents.list_of(root, _KIND)) >= _DEFINITIONS_MAX:
                raise ApiError(
                    "LimitExceededException",
                    f"Resource limit exceeded: {_DEFINITIONS_MAX} query definitions.",
                )
            tx.documents.put(root, _KIND, id, body)

        await self._store.transact(run)
        return id

    async def list(self, scope: Scope) -> Sequence[Mapping[str, Any]]:
        """DescribeQueryDefinitions, by name."""
        found = await self._store.read(lambda tx: tx.documents.list_of(_root(scope), _KIND))
        return sorted(
            (each.body for each in found),
            key=lambda each: (each["name"], each["queryDefinitionId"]),
        )

    async def delete(self, scope: Scope, id: str) -> None:
        """DeleteQueryDefinition."""

        def run(tx: Transaction) -> None:
            if tx.documents.get(_root(scope), _KIND, id) is None:
                raise _missing()
            tx.documents.delete(_root(scope), _KIND, id)

        await self._store.transact(run)


def _missing() -> ApiError:
    return ApiError("ResourceNotFoundException", "The specified query definition does not exist.")


def _root(scope: Scope) -> Root:
    return Root("logs", *scope, "")

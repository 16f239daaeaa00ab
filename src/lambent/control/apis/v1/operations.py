"""All use cases of REST APIs, by the name of the operation."""

import itertools
from collections.abc import Mapping

from lambent.control.apis.kinds import Params
from lambent.control.apis.openapi.reading import read_document
from lambent.control.apis.tags import DocumentTags
from lambent.control.apis.v1 import (
    account,
    api_keys,
    deployments,
    documentation,
    domain_names,
    exporting,
    gateway_responses,
    integrations,
    methods,
    models,
    openapi_use_cases,
    parts,
    resources,
    rest_apis,
    stages,
    usage,
    usage_plans,
)
from lambent.control.apis.v1.work import Function, Work
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.store.store import Store, Transaction

_FAMILIES = (
    *(account, api_keys, deployments, documentation, domain_names, exporting, gateway_responses),
    *(integrations, methods, models, openapi_use_cases, parts, resources, rest_apis, stages),
    *(usage, usage_plans),
)
READS: Mapping[str, Function] = dict(
    itertools.chain.from_iterable(family.READS.items() for family in _FAMILIES)
)
WRITES: Mapping[str, Function] = dict(
    itertools.chain.from_iterable(family.WRITES.items() for family in _FAMILIES)
)
_TAGGING = frozenset({"GetTags", "TagResource", "UntagResource"})
"""Operations that both models of API Gateway have."""
OFFERED = frozenset(READS) | frozenset(WRITES) | _TAGGING
"""The names of all operations."""


class RestApis:
    """The use cases, with a store."""

    def __init__(self, store: Store, clock: Clock, domain: str) -> None:
        """`domain` is what the host names of APIs end with."""
        self._store = store
        self._clock = clock
        self._domain = domain
        self._tags = DocumentTags(store)

    async def perform(self, operation: str, scope: Scope, params: Params) -> Params:
        """Perform an operation in one transaction, which holds the API that it is about. Returns
        output members; moments are seconds since 1970. Raises `ApiError`."""
        if operation in _TAGGING:
            return await self._retag(operation, scope, params)
        if operation in openapi_use_cases.WRITES:
            document = await read_document(params["body"])
            params = {**params, openapi_use_cases.DOCUMENT: document}
        now = int(self._clock.now())

        def run(tx: Transaction) -> Params:
            work = Work(tx=tx, scope=scope, now=now, domain=self._domain)
            if operation in READS:
                return READS[operation](work, params)
            tx.locks.root(work.root(params.get("restApiId", "")))
            return WRITES[operation](work, params)

        is_read = operation in READS
        return await (self._store.read(run) if is_read else self._store.transact(run))

    async def _retag(self, operation: str, scope: Scope, params: Params) -> Params:
        """The same with the other model's names."""
        named = {f"{name[0].upper()}{name[1:]}": value for name, value in params.items()}
        if operation == "GetTags":
            return {"tags": (await self._tags.get(scope, named))["Tags"]}
        change = self._tags.add if operation == "TagResource" else self._tags.remove
        await change(scope, named)
        return {}

"""All use cases of REST APIs, by the name of the operation."""

import itertools
from collections.abc import Mapping

from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import (
    account,
    api_keys,
    deployments,
    documentation,
    gateway_responses,
    integrations,
    methods,
    models,
    parts,
    resources,
    rest_apis,
    stages,
    usage_plans,
)
from lambent.control.apis.v1.work import Function, Work
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.store.store import Store, Transaction

_FAMILIES = (
    *(account, api_keys, deployments, documentation, gateway_responses, integrations, methods),
    *(models, parts, resources, rest_apis, stages, usage_plans),
)
READS: Mapping[str, Function] = dict(
    itertools.chain.from_iterable(family.READS.items() for family in _FAMILIES)
)
WRITES: Mapping[str, Function] = dict(
    itertools.chain.from_iterable(family.WRITES.items() for family in _FAMILIES)
)
OFFERED = frozenset(READS) | frozenset(WRITES)
"""The names of all of them."""


class RestApis:
    """The use cases, with a store."""

    def __init__(self, store: Store, clock: Clock, domain: str) -> None:
        """`domain` is what the host names of APIs end with."""
        self._store = store
        self._clock = clock
        self._domain = domain

    async def perform(self, operation: str, scope: Scope, params: Params) -> Params:
        """Perform an operation in one transaction, which holds the API that it is about. Returns
        output members; moments are seconds since 1970. Raises `ApiError`."""
        now = int(self._clock.now())
        is_write = operation in WRITES
        function = WRITES[operation] if is_write else READS[operation]

        def run(tx: Transaction) -> Params:
            work = Work(tx=tx, scope=scope, now=now, domain=self._domain)
            if is_write:
                tx.locks.root(work.root(params.get("restApiId", "")))
            return function(work, params)

        return await (self._store.transact(run) if is_write else self._store.read(run))

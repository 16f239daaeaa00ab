"""REST APIs with an empty store."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from lambent.control.apis.v1.operations import RestApis
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.store.store import Store

HERE = Scope(AccountId("111111111111"), Region("us-east-1"))

Call = Callable[..., Awaitable[Mapping[str, Any]]]


@pytest.fixture
def call(store: Store) -> Call:
    """Performs an operation: `await call("GetRestApi", restApiId=…)`."""
    apis = RestApis(store, ManualClock(), "localhost")

    async def perform(operation: str, /, **params: Any) -> Mapping[str, Any]:
        return await apis.perform(operation, HERE, params)

    return perform

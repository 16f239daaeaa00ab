"""Resources that tests make on a real platform or emulator, as stacks make them."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio.to_thread
import botocore.exceptions

from lambent.identity.authorizer import Caller
from lambent.kit.clock import SystemClock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.principal import root_of
from lambent.stacks.resources.registry import ResourceTypes
from lambent.stacks.resources.resource_type import Made, ResourceType, Step
from tests.platforms import ACCOUNT
from tests.unit.stacks.resources.fake_api import CALLER, STEP

_NUMBERS = itertools.count()
SCOPE = Scope(ACCOUNT, "us-east-1")


class ClientApi:
    """Calls operations with a client of each service."""

    def __init__(self, client_of: Callable[[str], Any]) -> None:
        self._client_of = client_of
        self._clients: dict[str, Any] = {}

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], _caller: Caller
    ) -> Mapping[str, Any]:
        if service not in self._clients:
            self._clients[service] = self._client_of(service)
        perform = partial(self._clients[service]._make_api_call, operation, dict(params))
        try:
            output: Mapping[str, Any] = await anyio.to_thread.run_sync(perform)
        except botocore.exceptions.ClientError as error:
            told, status = error.response["Error"], error.response["ResponseMetadata"]
            raise ApiError(
                told["Code"], told["Message"], status=status["HTTPStatusCode"]
            ) from error
        return output


class Stack:
    """Resources by logical id, made one after the other."""

    def __init__(self, client_of: Callable[[str], Any]) -> None:
        self._types = ResourceTypes(ClientApi(client_of), SystemClock())
        self._caller = dataclasses.replace(CALLER, principal=root_of(ACCOUNT), scope=SCOPE)
        self._name = f"types{next(_NUMBERS)}"
        self.made: list[tuple[str, ResourceType, Made, Any]] = []

    def step(self, id: str, **more: Any) -> Step:
        return dataclasses.replace(
            STEP,
            caller=self._caller,
            logical_id=id,
            name=f"{self._name}-{id}-ABCDEFGHIJKL",
            token=f"{self._name}-{id}",
            **more,
        )

    async def make(self, id: str, type: str, **properties: Any) -> Made:
        """Check and create a resource; a repeated step takes the same one."""
        found = self._types.find_type(type)
        assert found is not None
        found.check(properties)
        made = await found.create(self.step(id), properties)
        self.made.append((id, found, made, properties))
        assert await found.read(self.step(id), made, properties) is not None
        return made

    async def again(self, id: str) -> Made:
        """Repeat the creation of a resource, as after a stop of the platform."""
        _, found, _, properties = self._entry(id)
        return await found.create(self.step(id, is_repeated=True), properties)

    async def change(self, id: str, **properties: Any) -> Made:
        """Update a resource in place; a repeated step does nothing else."""
        _, found, made, old = entry = self._entry(id)
        new = {**old, **properties}
        found.check(new)
        assert not found.replaces(old, new)
        changed = await found.update(self.step(id), made, old, new)
        again = await found.update(self.step(id, is_repeated=True), made, old, new)
        assert again.physical_id == changed.physical_id
        self.made[self.made.index(entry)] = (id, found, changed, new)
        assert changed.physical_id == made.physical_id
        return changed

    async def remove(self) -> None:
        """Delete all, the last one first, and once more."""
        for id, found, made, properties in reversed(self.made):
            await found.delete(self.step(id), made, properties)
            await found.delete(self.step(id), made, properties)

    def _entry(self, id: str) -> tuple[str, ResourceType, Made, Any]:
        return next(entry for entry in self.made if entry[0] == id)

"""An `AwsApi` that remembers its calls and responds as a test says."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from lambent.identity.authorizer import Caller
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.principal import root_of
from lambent.stacks.resources.registry import ResourceTypes
from lambent.stacks.resources.resource_type import ResourceType, Step

ACCOUNT = "111111111111"
CALLER = Caller(
    principal=root_of(ACCOUNT),
    scope=Scope(ACCOUNT, "eu-west-1"),
    service=None,
    access_key_id=None,
)
STEP = Step(
    caller=CALLER,
    stack_id=f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/shop/1",
    stack_name="shop",
    logical_id="Thing",
    name="shop-Thing-ABCDEFGHIJKL",
    token="token-1",
    tags={"aws:cloudformation:stack-name": "shop", "team": "a"},
)

Response = Mapping[str, Any] | ApiError | Callable[[Mapping[str, Any]], Mapping[str, Any]]


class QuickClock(ManualClock):
    """A clock on which every pause is over at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class FakeApi:
    """Responds by operation: with a response, or with each of a list once and the last forever."""

    def __init__(self, responses: Mapping[str, Response | list[Response]]) -> None:
        self.responses = {
            name: list(each) if isinstance(each, list) else [each]
            for name, each in responses.items()
        }
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        assert caller is CALLER
        self.calls.append((operation, dict(params)))
        waiting = self.responses.get(operation, [{}])
        response = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(response, ApiError):
            raise response
        return response(params) if callable(response) else response

    @property
    def operations(self) -> list[str]:
        """The names of what was called, in order."""
        return [name for name, _ in self.calls]

    def inputs(self, operation: str) -> list[Mapping[str, Any]]:
        """With what an operation was called."""
        return [params for name, params in self.calls if name == operation]


def type_of(name: str, api: FakeApi) -> ResourceType:
    """A type that calls a fake API."""
    found = ResourceTypes(api, QuickClock()).find_type(name)
    assert found is not None
    return found


@contextmanager
def refused(words: str) -> Iterator[None]:
    """What is inside raises an `ApiError` whose message contains these words."""
    with pytest.raises(ApiError) as error:
        yield
    assert words in error.value.message

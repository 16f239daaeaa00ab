"""What is kept in memory of deployed functions."""

import dataclasses

import anyio
import pytest

from lambent.invocation.catalog import Catalog
from lambent.model.function import FunctionKey, FunctionVersion
from tests.factories import function_version

KEY = FunctionKey("000000000000", "us-east-1", "f")
FUNCTION = function_version(key=KEY, configuration_id="1")


@pytest.mark.anyio
async def test_a_version_is_loaded_once_until_it_changes() -> None:
    """The store is asked again only after the bell."""
    loads = []

    async def load(key: FunctionKey, qualifier: str) -> FunctionVersion | None:
        loads.append(qualifier)
        return dataclasses.replace(FUNCTION, revision_id=str(len(loads)))

    catalog = Catalog(load)
    assert catalog.get_nowait(KEY, None) is None
    first = await catalog.get(KEY, None)
    assert first is not None
    assert catalog.get_nowait(KEY, "$LATEST") is first
    assert await catalog.get(KEY, None) is first
    catalog.forget(KEY)
    assert catalog.get_nowait(KEY, None) is None
    second = await catalog.get(KEY, None)
    assert second is not None
    assert second.revision_id == "2"
    assert loads == ["$LATEST", "$LATEST"]


@pytest.mark.anyio
async def test_an_answer_that_may_be_old_is_not_kept() -> None:
    """The function changes while it is being looked up."""
    catalog: Catalog

    async def load(key: FunctionKey, qualifier: str) -> FunctionVersion | None:
        catalog.forget(KEY)
        return FUNCTION

    catalog = Catalog(load)
    assert await catalog.get(KEY, None) is FUNCTION
    assert catalog.get_nowait(KEY, None) is None


@pytest.mark.anyio
async def test_what_does_not_exist_is_not_remembered() -> None:
    """A function may be created right after it was looked for, and guesses cost no memory."""

    async def load(key: FunctionKey, qualifier: str) -> FunctionVersion | None:
        return None

    catalog = Catalog(load)
    for number in range(100):
        assert await catalog.get(KEY._replace(name=f"guess-{number}"), None) is None
    assert catalog.size == 0


@pytest.mark.anyio
async def test_what_has_changed_is_looked_up_ahead_of_the_first_call() -> None:
    """After a change the new value is in memory before it is requested."""
    resolved: list[FunctionKey] = []

    async def load(key: FunctionKey, qualifier: str) -> FunctionVersion | None:
        resolved.append(key)
        return FUNCTION

    catalog = Catalog(load)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(catalog.follow_changes)
        catalog.forget(KEY)
        await anyio.wait_all_tasks_blocked()
        assert catalog.get_nowait(KEY, None) is FUNCTION
        tasks.cancel_scope.cancel()
    assert resolved == [KEY]


@pytest.mark.anyio
async def test_nothing_is_kept_of_functions_that_are_gone() -> None:
    """Thousands may come and go."""

    async def load(key: FunctionKey, qualifier: str) -> FunctionVersion | None:
        return None

    catalog = Catalog(load)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(catalog.follow_changes)
        for number in range(1000):
            catalog.forget(KEY._replace(name=f"f{number}"))
        while catalog.size:  # noqa: ASYNC110 - it notifies no listener
            await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_what_changes_while_two_look_it_up_is_not_kept() -> None:
    """Only the look-up that began after the change is."""
    gates = [anyio.Event(), anyio.Event(), anyio.Event()]
    found = [dataclasses.replace(FUNCTION, revision_id=str(number)) for number in range(3)]
    begun = 0

    async def load(key: FunctionKey, qualifier: str) -> FunctionVersion | None:
        nonlocal begun
        number = begun
        begun += 1
        await gates[number].wait()
        return found[number]

    catalog = Catalog(load)
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            if number == 2:
                catalog.forget(KEY)
            tasks.start_soon(catalog.get, KEY, None)
            await anyio.sleep(0.001)
        for number in (2, 0, 1):
            gates[number].set()
            await anyio.sleep(0.001)
            assert catalog.get_nowait(KEY, None) is found[2]

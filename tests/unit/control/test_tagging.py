"""Tags of functions."""

import pytest

from lambent.model.function import FunctionKey
from tests.unit.control.control_room import HERE, Room, refused

pytestmark = pytest.mark.anyio
ARN = FunctionKey(HERE.account, HERE.region, "f").arn


async def test_tags_come_and_go(room: Room) -> None:
    """Adding merges, removing ignores what is not there, and each changes the revision."""
    await room.create(Tags={"a": "1", "b": "2"})
    before = (await room.settled()).revision_id
    tags = room.control.tags
    await tags.add(HERE, {"Resource": ARN, "Tags": {"b": "3", "c": ""}})
    assert await tags.list(HERE, {"Resource": ARN}) == {"Tags": {"a": "1", "b": "3", "c": ""}}
    between = (await room.latest()).revision_id
    await tags.remove(HERE, {"Resource": ARN, "TagKeys": ["a", "x"]})
    assert await tags.list(HERE, {"Resource": ARN}) == {"Tags": {"b": "3", "c": ""}}
    assert len({before, between, (await room.latest()).revision_id}) == 3


async def test_limits(room: Room) -> None:
    """At most 50 tags, keys and values of bounded length, no reserved prefix."""
    await room.create_active(Tags={f"k{number}": "" for number in range(50)})
    for tags, message in (
        ({"one more": ""}, "Number of tags exceeds resource tag limit."),
        ({}, "An error occurred and the request cannot be processed."),
        ({"aws:x": ""}, "reserved"),
        ({"k" * 129: ""}, "length less than or equal to 128"),
        ({"k": "v" * 257}, "length less than or equal to 256"),
        ({"k": "\ud800"}, "surrogates"),
    ):
        error = await refused(room.control.tags.add(HERE, {"Resource": ARN, "Tags": tags}))
        assert message in error.message
    await room.control.tags.add(HERE, {"Resource": ARN, "Tags": {"k0": "changed"}})
    error = await refused(room.create("g", Tags={f"k{number}": "" for number in range(51)}))
    assert error.message == "Number of tags exceeds resource tag limit."


async def test_only_whole_functions_have_tags(room: Room) -> None:
    """Versions have none; other kinds of resources are not found."""
    await room.create_active()
    error = await refused(room.control.tags.list(HERE, {"Resource": f"{ARN}:1"}))
    assert error.message == (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
    mapping = "arn:aws:lambda:us-east-1:111111111111:event-source-mapping:x"
    error = await refused(room.control.tags.list(HERE, {"Resource": mapping}))
    assert error.code == "ResourceNotFoundException"

"""Repositories of ECR, as they are stored and shown."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambent.control.repositories import Repositories
from lambent.control.resources import Resources
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store

pytestmark = pytest.mark.anyio
HERE = Scope("111111111111", "us-east-1")
ARN = f"arn:aws:ecr:us-east-1:{HERE.account}:repository/a/r"


@pytest.fixture
async def repositories(tmp_path: Path) -> AsyncIterator[Repositories]:
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as store:
        found = Repositories(store, ManualClock())
        tags = [{"Key": "team", "Value": "blue"}]
        await found.create(HERE, {"repositoryName": "a/r", "tags": tags})
        assert (await Resources(store).policy(ARN)).tags == {"team": "blue"}
        yield found


async def refused(work: Any) -> ApiError:
    with pytest.raises(ApiError) as found:
        await work
    return found.value


async def test_they_are_shown(repositories: Repositories) -> None:
    """By name, and page by page."""
    await repositories.create(HERE, {"repositoryName": "b", "imageTagMutability": "IMMUTABLE"})
    first = await repositories.describe(HERE, {"maxResults": 1})
    assert [each["repositoryArn"] for each in first["repositories"]] == [ARN]
    second = await repositories.describe(HERE, {"nextToken": first["nextToken"]})
    (shown,) = second["repositories"]
    assert shown["imageTagMutability"] == "IMMUTABLE"
    assert shown["repositoryUri"].endswith(".amazonaws.com/b")
    assert "nextToken" not in second


async def test_refusals(repositories: Repositories) -> None:
    """In AWS's words."""
    error = await refused(repositories.describe(HERE, {"repositoryNames": ["x"]}))
    assert error.code == "RepositoryNotFoundException"
    assert error.message == (
        "The repository with name 'x' does not exist in the registry with id '111111111111'"
    )
    taken = await refused(repositories.create(HERE, {"repositoryName": "a/r"}))
    assert taken.code == "RepositoryAlreadyExistsException"
    named = {"repositoryName": "a/r"}
    missing = await refused(repositories.get_policy(HERE, named, "policyText"))
    assert missing.code == "RepositoryPolicyNotFoundException"
    missing = await refused(repositories.get_policy(HERE, named, "lifecyclePolicyText"))
    assert missing.code == "LifecyclePolicyNotFoundException"
    for text in ("[]", "{", "NaN", "[" * 100_000):
        bad = await refused(
            repositories.put_policy(HERE, {**named, "policyText": text}, "policyText")
        )
        assert bad.code == "InvalidParameterException"
    for arn in ("x", ARN.replace("us-east-1", "eu-west-1"), ARN.replace("repository/", "")):
        error = await refused(repositories.tag(HERE, {"resourceArn": arn, "tags": []}))
        assert error.code == "InvalidParameterException"
    other = {**named, "registryId": "2" * 12}
    assert (await refused(repositories.delete(HERE, other))).code == "InvalidParameterException"


async def test_policies_and_tags(repositories: Repositories) -> None:
    """Are stored, shown and deleted."""
    given = {"repositoryName": "a/r", "policyText": '{"Version": "2012-10-17"}'}
    await repositories.put_policy(HERE, given, "policyText")
    assert (await repositories.get_policy(HERE, given, "policyText"))["policyText"]
    await repositories.delete_policy(HERE, given, "policyText")
    await refused(repositories.get_policy(HERE, given, "policyText"))
    tags = [{"Key": str(number), "Value": ""} for number in range(50)]
    error = await refused(repositories.tag(HERE, {"resourceArn": ARN, "tags": tags}))
    assert error.code == "TooManyTagsException"
    await repositories.tag(HERE, {"resourceArn": ARN, "tags": tags, "tagKeys": ["team"]})
    assert len((await repositories.list_tags(HERE, {"resourceArn": ARN}))["tags"]) == 50
    await repositories.delete(HERE, {"repositoryName": "a/r"})
    await refused(repositories.list_tags(HERE, {"resourceArn": ARN}))

"""The page of permissions, the table that decides and AWS's list say the same.

aws_permissions.json has the facts of AWS's Service Authorization Reference: which actions each
operation needs, and each action's resource types and condition keys, without those that come with
tags of a resource.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.gateway.permissions.needs import Difference, Needs
from lambent.gateway.permissions_reference import render
from lambent.gateway.registry import SERVICES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "permissions.md"
AWS: dict[str, Any] = json.loads((Path(__file__).parent / "aws_permissions.json").read_text())
WITH_THE_RESOURCE = ("aws:ResourceTag/${TagKey}", "iam:ResourceTag/${TagKey}")

Found = tuple[str, bool, str]
"""What differs, whether it is ours, and of which action."""


def test_the_page_is_current() -> None:
    """Run `make docs` after changing a permission."""
    assert PAGE.read_text() == render()


def listed(action: str) -> tuple[set[str], set[str]]:
    """The resource types and the keys of an action. Both API Gateways have the same actions, and
    AWS lists the types of each separately: domain names and tags are in the older list only."""
    names = (action, f"apigateway {action}", f"apigatewayv2 {action}")
    found = [AWS["actions"][name] for name in names if name in AWS["actions"]]
    assert found, action
    types = {type for each in found for type in each["resources"]}
    return types, {key for each in found for key in each["keys"]}


def differences(service: str, operation: str, needs: Needs) -> Iterator[Found]:
    """How the permissions of an operation differ from AWS's."""
    ours: dict[str, tuple[set[str], set[str]]] = {}
    for need in needs:
        types, keys = ours.setdefault(need.action, (set(), set()))
        types.update(need.resource.types)
        keys.update(key.name for key in need.keys)
    theirs = set(AWS["operations"][service][operation])
    yield from ((f"action {our}", True, our) for our in ours.keys() - theirs)
    yield from ((f"action {their}", False, their) for their in theirs - ours.keys())
    for action, (types, keys) in ours.items():
        listed_types, listed_keys = listed(action)
        if action.startswith("apigateway:"):
            # The types of all paths that a method has: an operation is about one of them.
            listed_types &= types
        for kind, mine, yours in (
            ("resource", types, listed_types),
            ("key", keys, listed_keys.difference(WITH_THE_RESOURCE)),
        ):
            yield from ((f"{kind} {name}", True, action) for name in mine - yours)
            yield from ((f"{kind} {your}", False, action) for your in yours - mine)


@pytest.mark.parametrize("name", ["apigateway", "apigatewayv2"])
def test_facts_of_api_gateway_are_those_of_its_models(name: str) -> None:
    """The action of an operation is its HTTP method; only a resource policy needs another one."""
    (service,) = (service for service in SERVICES if service.name == name)
    policies = {"CreateRestApi", "ImportRestApi", "PutRestApi", "UpdateRestApi"}
    for operation, actions in AWS["operations"][name].items():
        method = service.model.operation_model(operation).http["method"]
        more = ["apigateway:UpdateRestApiPolicy"] if operation in policies else []
        assert actions == [f"apigateway:{method}", *more], operation
    assert set(AWS["operations"][name]) == set(service.permissions)


def covers(difference: Difference, found: Found) -> bool:
    kind, is_ours, action = found
    is_it = (difference.what, difference.is_ours) == (kind, is_ours)
    return is_it and (not difference.actions or action in difference.actions)


ALL = [
    (service.name, operation, needs)
    for service in SERVICES
    for operation, needs in service.permissions.items()
]
DIFFERENCES = [difference for service in SERVICES for difference in service.differences]


@pytest.mark.slow
@pytest.mark.parametrize(("service", "operation", "needs"), ALL)
def test_the_table_is_that_of_aws(service: str, operation: str, needs: Needs) -> None:
    """But for the differences that the page explains."""
    for found in differences(service, operation, needs):
        assert any(covers(difference, found) for difference in DIFFERENCES), found


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.what)
def test_every_difference_is_there(difference: Difference) -> None:
    """What the page explains is so, of each action that it names."""
    found = [each for row in ALL for each in differences(*row) if covers(difference, each)]
    assert found
    assert not set(difference.actions) - {action for _, _, action in found}

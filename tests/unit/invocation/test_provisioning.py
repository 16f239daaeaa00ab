"""What functions claim becomes what the node keeps ready."""

import pytest

from lambent.invocation.provisioning import Provisioning
from lambent.model.alias import Route
from lambent.model.concurrency import Claim, ProvisionedState, Reservation
from tests.unit.invocation.fake_node import FakeNode
from tests.unit.invocation.versions import version_of

ONE, TWO = version_of("f", "1"), version_of("f", "2")
KEY = ONE.key


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def provisioning(node: FakeNode) -> Provisioning:
    return Provisioning(node)


def wanted(node: FakeNode) -> dict[str, int]:
    """Environments that are wanted, by version."""
    return {
        configuration.rpartition("/")[2]: number for configuration, number in node.wanted.items()
    }


def reservation(**routes: tuple[Route, int]) -> Reservation:
    """What aliases claim."""
    claims = [Claim(name, route.split(number)) for name, (route, number) in routes.items()]
    return Reservation(claims=tuple(claims))


def test_an_alias_takes_its_environments_along(node: FakeNode, provisioning: Provisioning) -> None:
    """To the version it leads to now; without a claim there are none."""
    provisioning.apply_quota(KEY, reservation(live=(Route(ONE), 5)))
    assert wanted(node) == {"1": 5}
    provisioning.apply_quota(KEY, reservation(live=(Route(TWO), 5)))
    assert wanted(node) == {"1": 0, "2": 5}
    provisioning.apply_quota(KEY, Reservation(reserved=7))
    assert wanted(node) == {"1": 0, "2": 0}


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, {"1": 10}), (0.25, {"1": 8, "2": 2}), (1.0, {"2": 10})]
)
def test_two_versions_share_by_weight(
    node: FakeNode, provisioning: Provisioning, share: float, expected: dict[str, int]
) -> None:
    """As their calls do; none is lost in rounding."""
    provisioning.apply_quota(KEY, reservation(live=(Route(ONE, TWO, share), 10)))
    assert wanted(node) == expected


def test_claims_on_one_version_add_up(node: FakeNode, provisioning: Provisioning) -> None:
    """And are served in order."""
    provisioning.apply_quota(KEY, reservation(blue=(Route(ONE), 3), green=(Route(ONE), 4)))
    assert wanted(node) == {"1": 7}
    node.states[ONE.configuration_id] = ProvisionedState(5)
    assert provisioning.observe(KEY, "blue") == ProvisionedState(3)
    assert provisioning.observe(KEY, "green") == ProvisionedState(2)
    node.states[ONE.configuration_id] = ProvisionedState(5, "why")
    assert provisioning.observe(KEY, "green") == ProvisionedState(2, "why")
    assert provisioning.observe(KEY, "red") == ProvisionedState(0)
    assert provisioning.observe(version_of("g").key, "1") == ProvisionedState(0)

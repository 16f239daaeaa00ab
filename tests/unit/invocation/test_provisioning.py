"""What functions claim becomes what the scheduler keeps ready."""

from collections import Counter

import pytest

from lambent.invocation.provisioning import Provisioning
from lambent.model.alias import Route
from lambent.model.concurrency import Claim, ProvisionedState, Reservation
from lambent.model.function import FunctionVersion
from tests.unit.invocation.versions import version_of

ONE, TWO = version_of("f", "1"), version_of("f", "2")
KEY = ONE.key


class FakeScheduler:
    """Remembers what is wanted; a test says what is ready."""

    def __init__(self) -> None:
        self.wanted: Counter[str] = Counter()
        self.states: dict[str, ProvisionedState] = {}

    def provision(self, function: FunctionVersion, wanted: int) -> None:
        self.wanted[function.version] = wanted

    def provisioned(self, function: FunctionVersion) -> ProvisionedState:
        return self.states.get(function.version, ProvisionedState(0))


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler()


@pytest.fixture
def provisioning(scheduler: FakeScheduler) -> Provisioning:
    return Provisioning(scheduler)  # type: ignore[arg-type]


def reservation(**routes: tuple[Route, int]) -> Reservation:
    """What aliases claim."""
    claims = [Claim(name, route.split(number)) for name, (route, number) in routes.items()]
    return Reservation(claims=tuple(claims))


def test_an_alias_takes_its_environments_along(
    scheduler: FakeScheduler, provisioning: Provisioning
) -> None:
    """To the version it leads to now; without a claim there are none."""
    provisioning.apply_quota(KEY, reservation(live=(Route(ONE), 5)))
    assert scheduler.wanted == {"1": 5}
    provisioning.apply_quota(KEY, reservation(live=(Route(TWO), 5)))
    assert scheduler.wanted == {"1": 0, "2": 5}
    provisioning.apply_quota(KEY, Reservation(reserved=7))
    assert scheduler.wanted == {"1": 0, "2": 0}


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, {"1": 10}), (0.25, {"1": 8, "2": 2}), (1.0, {"2": 10})]
)
def test_two_versions_share_by_weight(
    scheduler: FakeScheduler, provisioning: Provisioning, share: float, expected: dict[str, int]
) -> None:
    """As their calls do; none is lost in rounding."""
    provisioning.apply_quota(KEY, reservation(live=(Route(ONE, TWO, share), 10)))
    assert scheduler.wanted == expected


def test_claims_on_one_version_add_up(scheduler: FakeScheduler, provisioning: Provisioning) -> None:
    """And are served in order."""
    provisioning.apply_quota(KEY, reservation(blue=(Route(ONE), 3), green=(Route(ONE), 4)))
    assert scheduler.wanted == {"1": 7}
    scheduler.states["1"] = ProvisionedState(5)
    assert provisioning.observe(KEY, "blue") == ProvisionedState(3)
    assert provisioning.observe(KEY, "green") == ProvisionedState(2)
    scheduler.states["1"] = ProvisionedState(5, "why")
    assert provisioning.observe(KEY, "green") == ProvisionedState(2, "why")
    assert provisioning.observe(KEY, "red") == ProvisionedState(0)
    assert provisioning.observe(version_of("g").key, "1") == ProvisionedState(0)

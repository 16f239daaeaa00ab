"""The auditor notices what it is there for."""

import dataclasses
from collections.abc import Sequence

import pytest

from tests.faults.auditor import Call, Evidence, Sent, judge
from tests.faults.injection import Happened
from tests.faults.plan import DATABASE, EVERY_S, Fault, plan
from tests.faults.recorder import Said

MACHINES = {"10.0.0.1": "one", "10.0.0.2": "two"}


def said(at: float, name: str, request: str = "r", address: str = "10.0.0.1") -> Said:
    """A run of one name."""
    return Said(at, address, {"names": [name], "request": request})


def fault(kind: str, target: str, began: float, ended: float) -> Happened:
    """A fault that happened."""
    return Happened(Fault(0, kind, target, 0), began, ended)


GOOD = Evidence(
    happened=[fault("kill", "one", 100, 106)],
    calls=[Call("one", 1, 2, 200, ""), Call("one", 101, 103, 0, "reset")],
    sent=[Sent("a", 1, "r"), Sent("bad", 1, "s", fails=True), Sent("message", 1, None)],
    said=[
        said(2, "a"),
        *(said(at, "bad", "s") for at in (2, 3, 4)),
        said(3, "message", "t"),
        said(100.5, "twice", "u"),
        said(104, "twice", "u", "10.0.0.2"),
        said(5, "tick", "v"),
    ],
    dead=["bad"],
    ticks=["tick"],
    most={"limited": 4},
    limits={"limited": 4},
    machines=MACHINES,
)


def test_what_is_right_is_accepted() -> None:
    assert judge(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"said": GOOD.said[1:]}, "a was acknowledged at 1.0 and is lost"),
        ({"said": GOOD.said[:-1]}, "tick was due and did not run"),
        ({"dead": []}, "bad failed and is not at its destination"),
        ({"said": [*GOOD.said, said(6, "tick", "w")]}, "tick became 2 events"),
        ({"said": [said(2, "a", "x"), *GOOD.said[1:]]}, "a ran as ['x'], not as r"),
        ({"said": [*GOOD.said, said(6, "a")]}, "a ran at 2.0 on one and again"),
        ({"said": [*GOOD.said, said(6, "bad", "s")]}, "bad ran at 4.0 on one and again"),
        ({"happened": []}, "one at 101.0 to 103.0: reset"),
        ({"happened": [fault("kill", "two", 100, 106)]}, "one at 101.0 to 103.0: reset"),
        ({"happened": [fault("shift clock", "one", 100, 106)]}, "twice ran at 100.5 on one"),
        ({"most": {"limited": 5}}, "5 at once of limited, whose limit is 4"),
    ],
)
def test_what_is_wrong_is_found(changes: dict[str, object], found: str) -> None:
    """Each rule that is broken is noticed."""
    wrong = judge(dataclasses.replace(GOOD, **changes))  # type: ignore[arg-type]
    assert any(problem.startswith(found) for problem in wrong), wrong


def test_a_database_explains_failures_everywhere() -> None:
    """It is needed by all machines."""
    happened = [fault("restart database", DATABASE, 100, 106)]
    assert judge(dataclasses.replace(GOOD, happened=happened)) == []


def test_a_plan_is_what_its_seed_says() -> None:
    """So a run can be repeated. No machine has two faults at once."""
    faults = plan(7, 200, ["one", "two", "three"])
    assert faults == plan(7, 200, ["one", "two", "three"]) != plan(8, 200, ["one", "two", "three"])
    assert len({each.kind for each in faults}) == 11
    _check_apart(faults)


def _check_apart(faults: Sequence[Fault]) -> None:
    until: dict[str, float] = {}
    for each in faults:
        assert each.at >= until.get(each.target, 0)
        assert each.at % EVERY_S == 0
        until[each.target] = each.at + each.lasts

"""The auditor of mappings finds faults."""

from pathlib import Path

import pytest

from tests.crash.mapping_auditor import MappingAuditor


def auditor(*, has_order: bool = True) -> MappingAuditor:
    judge = MappingAuditor(Path("/nowhere"), has_order=has_order)
    assert [judge.produce("a") for _ in range(3)] == ["a:0", "a:1", "a:2"]
    return judge


def test_all_is_well() -> None:
    """Repetitions after faults, failures in between."""
    judge = auditor()
    judge.judge(["began a:0 a:1", "failed a:0 a:1", "began a:0", "done a:0", "killed point"])
    judge.judge(["began a:0 a:1 a:2", "done a:0 a:1 a:2"])
    assert judge.left == 0
    assert judge.repeated == {"a:0": 1}
    assert judge.hits == {"point": 1}


@pytest.mark.parametrize(
    "lines",
    [
        # A call that had begun before the fault cannot acknowledge its records any more.
        ["began a:0", "breaking p", "killed p", "done a:0", "began a:0", "done a:0"],
        # The moment of a fault, between its announcement and its report, is unknown.
        ["breaking p", "began a:0", "done a:0", "killed p", "began a:0", "done a:0"],
        ["breaking p", "began a:0", "done a:0", "began a:0", "killed p", "done a:0"],
    ],
)
def test_a_fault_excuses_the_call_it_meets(lines: list[str]) -> None:
    """Its work is repeated."""
    judge = auditor()
    judge.judge(lines)
    assert judge.repeated == {"a:0": 1}


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (["done a:0", "done a:0"], "twice"),
        (["done a:0", "killed p", "done a:0", "done a:0"], "twice"),
        # Later events do not excuse repetitions after the second call began.
        (["began a:0", "done a:0", "began a:0", "killed p", "done a:0"], "twice"),
        (["breaking p", "killed p", "began a:0", "done a:0", "began a:0", "done a:0"], "twice"),
        (["done a:1"], "before a:0"),
        (["done a:0 a:2"], "before a:1"),
        (["done b:0"], "never produced"),
        (["done a:3"], "never produced"),
    ],
)
def test_what_is_wrong(lines: list[str], wrong: str) -> None:
    """It is reported."""
    with pytest.raises(AssertionError, match=wrong):
        auditor().judge(lines)


def test_without_order() -> None:
    """Only lost and repeated records matter; the rest is reported."""
    judge = auditor(has_order=False)
    judge.judge(["done a:2", "done a:0"])
    assert judge.left == 1

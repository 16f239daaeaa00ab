"""How a check ends, and what its line says."""

import time
from collections.abc import Callable

import pytest

from tests.hosts.inside.checks import Checks
from tests.hosts.inside.order import ALONE, DEADLINES
from tests.hosts.inside.outcomes import (
    FAILED,
    NOT_RUN,
    PASSED,
    REFUSED,
    NotRun,
    Outcome,
    Refused,
    outcome_of_line,
    run_check,
)
from tests.hosts.inside.served import Served


def raises(error: Exception) -> Callable[[], str]:
    """A check that ends so."""

    def check() -> str:
        raise error

    return check


@pytest.mark.parametrize(
    ("check", "state", "note"),
    [
        (lambda: "well\n done", PASSED, "well done"),
        (raises(Refused("not here")), REFUSED, "not here"),
        (raises(NotRun("no Node.js")), NOT_RUN, "no Node.js"),
        (raises(AssertionError("1 is not 2")), FAILED, "AssertionError: 1 is not 2"),
        (raises(OSError("gone")), FAILED, "OSError: gone"),
    ],
    ids=["passed", "refused", "not-run", "wrong", "broken"],
)
def test_every_end_is_an_outcome(check: Callable[[], str], state: str, note: str) -> None:
    """Nothing that a check raises ends the others."""
    outcome = run_check("name", check, 60)
    assert (outcome.check, outcome.state, outcome.note) == ("name", state, note)


def test_a_check_that_hangs_fails_at_its_deadline() -> None:
    """And the next one has its own."""
    hangs = run_check("hangs", lambda: time.sleep(60) or "", 1)  # noqa: TID251 - the deadline is real
    assert (hangs.state, hangs.note) == (FAILED, "TooLong: not done within 1 s")
    assert run_check("next", lambda: "", 1).state == PASSED


def test_a_line_contains_the_outcome() -> None:
    """Other output is not an outcome."""
    outcome = Outcome("kill", FAILED, 'a "quoted" note', 1.5)
    assert "\n" not in outcome.line()
    assert outcome_of_line(outcome.line()) == outcome
    for other in ("", "hello", "[1]", '{"check": "kill"}', "3", '{"x": 1}'):
        assert outcome_of_line(other) is None


def test_every_name_is_a_check(tmp_path: object) -> None:
    """The list of names and the checks themselves agree."""
    from pathlib import Path

    checks = Checks(Served(Path("/nowhere")), Path("/nowhere"))
    for name in DEADLINES:
        assert callable(checks.by_name(name)), name
    assert set(ALONE) <= set(DEADLINES)

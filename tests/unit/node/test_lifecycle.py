"""The lifecycle table."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.node.environment.failures import REACTIONS, Fault, Moment
from lambent.node.environment.lifecycle import (
    TRANSITIONS,
    EnvironmentState,
    IllegalTransition,
    mermaid,
)
from tests.unit.node.playbook import Call, Play

DOCUMENT = Path(__file__).parents[3] / "docs" / "environment-lifecycle.md"


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    """Change the table and this fails until the picture is drawn again."""
    assert f"```mermaid\n{mermaid()}\n```" in DOCUMENT.read_text()


def test_every_state_can_be_reached_and_left_except_the_last() -> None:
    """Only GONE is final, and it can be reached from everywhere."""
    assert set(TRANSITIONS) == set(EnvironmentState)
    for state in EnvironmentState:
        assert (EnvironmentState.GONE in TRANSITIONS[state]) == (state is not EnvironmentState.GONE)
    reached = {EnvironmentState.CREATING}
    for _ in EnvironmentState:
        reached |= {following for state in reached for following in TRANSITIONS[state]}
    assert reached == set(EnvironmentState)


def test_the_table_of_reactions_in_the_docs_is_the_code_s() -> None:
    """Row by row."""
    words = {moment: moment.name.replace("_", " ").lower() for moment in Moment}
    lines = [f"| what fails | {' | '.join(words.values())} |", "|---" * (len(words) + 1) + "|"]
    for fault, row in REACTIONS.items():
        reactions = [row[moment].name.replace("_", " ").lower() for moment in Moment]
        lines.append(f"| {fault.name.lower()} | {' | '.join(reactions)} |")
    assert "\n".join(lines) in DOCUMENT.read_text()


def test_every_fault_has_a_reaction_at_every_moment() -> None:
    """The table has no holes."""
    assert set(REACTIONS) == set(Fault)
    assert all(set(row) == set(Moment) for row in REACTIONS.values())


def test_a_step_that_is_not_in_the_table_is_an_error(playbook: Callable[..., Play]) -> None:
    """Not an assertion: optimised Python finds it, too."""
    play = playbook()
    play.begin_ready()
    play.invoke()
    second = Call(play.function, "id-2", b"", None, {})
    with pytest.raises(IllegalTransition, match="from BUSY"):
        play.loop.do(play.environment.assign, second.request, second)

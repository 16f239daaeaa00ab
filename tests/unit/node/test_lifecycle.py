"""The lifecycle table."""

from pathlib import Path

from lambent.node.environment.lifecycle import TRANSITIONS, EnvironmentState, mermaid

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

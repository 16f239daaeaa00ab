"""The lifecycle table."""

from pathlib import Path

from lambent.worker.lifecycle import LEGAL, State, mermaid

DOCUMENT = Path(__file__).parents[3] / "docs" / "environment-lifecycle.md"


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    """Change the table and this fails until the picture is drawn again."""
    assert f"```mermaid\n{mermaid()}\n```" in DOCUMENT.read_text()


def test_every_state_can_be_reached_and_left_except_the_last() -> None:
    """Only GONE is final, and it can be reached from everywhere."""
    assert set(LEGAL) == set(State)
    for state in State:
        assert (State.GONE in LEGAL[state]) == (state is not State.GONE)
    reached = {State.CREATING}
    for _ in State:
        reached |= {following for state in reached for following in LEGAL[state]}
    assert reached == set(State)

"""Which nodes are lost."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.nodes import BEAT_S, BROKEN_S, SILENT_S, Node, NodeState, NodeWatch

NODE = Node(
    number=2,
    host="there",
    pid=7,
    data_dir="/data",
    since="2023-11-14 22:13:20 UTC",
    release="1",
    url="",
    state=NodeState.LIVE,
    seen=1,
    beats=5,
    is_connected=True,
)
SILENT = dataclasses.replace(NODE, is_connected=False)


def observed(watch: NodeWatch, node: Node, begins: float, seconds: float) -> list[float]:
    """Observe a node that does not change; returns the times at which it was lost."""
    times = [begins + BEAT_S * beat for beat in range(round(seconds / BEAT_S) + 1)]
    return [now for now in times if watch.observe([node], now)]


def test_a_process_that_ended_is_lost_after_a_moment() -> None:
    """Its connection is closed and its beats stop."""
    watch = NodeWatch()
    assert observed(watch, NODE, 0, 1) == []
    lost = observed(watch, SILENT, 1.2, 1)
    assert lost[0] == pytest.approx(1.2)  # It has not changed since 0.


def test_a_paused_node_is_lost_later() -> None:
    lost = observed(NodeWatch(), NODE, 0, SILENT_S + 1)
    assert lost[0] == pytest.approx(SILENT_S)


def test_a_node_that_beats_is_never_lost() -> None:
    """Whether it is connected or not: its connection may just be broken."""
    watch = NodeWatch()
    for beat in range(100):
        node = dataclasses.replace(NODE, beats=beat, is_connected=beat % 3 == 0)
        assert not watch.observe([node], beat * BROKEN_S)


def test_after_an_absence_of_the_observer_the_others_have_time() -> None:
    """As after a restart of the database: no connection is left, and no node could beat."""
    watch = NodeWatch()
    assert observed(watch, NODE, 0, 1) == []
    lost = observed(watch, SILENT, 40, SILENT_S + 1)
    assert lost[0] == pytest.approx(40 + SILENT_S)


def test_those_that_never_connected_have_time() -> None:
    """What was left before the observer started."""
    assert observed(NodeWatch(), SILENT, 0, SILENT_S - 0.5) == []


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.2, 0.4, 1.5]), st.booleans(), st.booleans()),
        max_size=60,
    )
)
def test_no_node_is_lost_within_a_moment(steps: list[tuple[float, bool, bool]]) -> None:
    """Of its last beat, as the observer sees it."""
    watch, now, beats, last = NodeWatch(), 0.0, 0, 0.0
    watch.observe([dataclasses.replace(NODE, beats=beats)], now)
    for passes, has_beaten, is_connected in steps:
        now += passes
        if has_beaten:
            beats, last = beats + 1, now
        lost = watch.observe(
            [dataclasses.replace(NODE, beats=beats, is_connected=is_connected)], now
        )
        assert not lost or now - last >= BROKEN_S

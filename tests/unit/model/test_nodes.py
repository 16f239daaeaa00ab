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
    is_suspect=False,
    is_connected=True,
)
SILENT = dataclasses.replace(NODE, is_connected=False)


def observed(watch: NodeWatch, node: Node, begins: float, seconds: float) -> list[float]:
    """Observe a node that does not change; returns the times at which it was lost."""
    times = [begins + BEAT_S * beat for beat in range(round(seconds / BEAT_S) + 1)]
    return [now for now in times if watch.observe([node], now).silent]


def test_a_process_that_ended_is_silent_after_a_moment() -> None:
    """Its connection is closed and its beats stop."""
    watch = NodeWatch()
    assert observed(watch, NODE, 0, 1) == []
    silent = observed(watch, SILENT, 1.2, 1)
    assert silent[0] == pytest.approx(1.2)  # It has not changed since 0.


def test_a_paused_node_is_silent_later() -> None:
    silent = observed(NodeWatch(), NODE, 0, SILENT_S + 1)
    assert silent[0] == pytest.approx(SILENT_S)


def test_a_node_that_beats_is_never_silent() -> None:
    """Whether it is connected or not: its connection may just be broken."""
    watch = NodeWatch()
    for beat in range(100):
        node = dataclasses.replace(NODE, beats=beat, is_connected=beat % 3 == 0)
        assert not watch.observe([node], beat * BROKEN_S).silent


def test_after_an_absence_of_the_observer_the_others_have_time() -> None:
    """As after a restart of the database: no connection is left, and no node could beat."""
    watch = NodeWatch()
    assert observed(watch, NODE, 0, 1) == []
    silent = observed(watch, SILENT, 40, SILENT_S + 1)
    assert silent[0] == pytest.approx(40 + SILENT_S)


def test_those_that_never_connected_have_time() -> None:
    """What was left before the observer started."""
    assert observed(NodeWatch(), SILENT, 0, SILENT_S - 0.5) == []


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.2, 0.4, 1.5]), st.booleans(), st.booleans()),
        max_size=60,
    )
)
def test_no_node_is_silent_within_a_moment(steps: list[tuple[float, bool, bool]]) -> None:
    """Of its last beat, as the observer sees it."""
    watch, now, beats, last = NodeWatch(), 0.0, 0, 0.0
    watch.observe([dataclasses.replace(NODE, beats=beats)], now)
    for passes, has_beaten, is_connected in steps:
        now += passes
        if has_beaten:
            beats, last = beats + 1, now
        node = dataclasses.replace(NODE, beats=beats, is_connected=is_connected)
        silent = watch.observe([node], now).silent
        assert not silent or now - last >= BROKEN_S


def nodes(beats: int, *, marked: bool) -> list[Node]:
    """Node 2, which is silent, and the nodes 3, 4 and 5, of which 3 and 4 have beaten so often."""
    others = [dataclasses.replace(NODE, number=n, beats=beats if n < 5 else 0) for n in (3, 4, 5)]
    return [dataclasses.replace(NODE, is_suspect=marked), *others]


def test_a_suspect_is_lost_when_half_of_all_nodes_have_read_its_mark() -> None:
    """The observer and one or two others of five are less and more than half."""
    watch = NodeWatch()
    now = 0.0
    for beat in range(30):
        now += BEAT_S
        found = watch.observe(nodes(beat, marked=False), now)
    assert [node.number for node in found.silent] == [2, 5]
    assert not found.lost
    found = watch.observe(nodes(30, marked=True), now + BEAT_S)
    assert not found.lost
    assert [node.number for node in found.silent] == [5]
    assert not watch.observe(nodes(31, marked=True), now + 2 * BEAT_S).lost
    found = watch.observe(nodes(32, marked=True), now + 3 * BEAT_S)
    assert [node.number for node in found.lost] == [2]


def test_a_suspect_that_beats_again_is_none() -> None:
    watch = NodeWatch()
    observed(watch, NODE, 0, SILENT_S + 1)
    marked = dataclasses.replace(NODE, is_suspect=True)
    watch.observe([marked], SILENT_S + 1.2)
    again = dataclasses.replace(NODE, beats=6)
    assert watch.observe([again], SILENT_S + 1.4) == ([], [], [])

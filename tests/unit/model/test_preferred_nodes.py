"""Which node polls a mapping."""

from collections import Counter

from lambent.model.nodes import preferred

UUIDS = [f"mapping-{number}" for number in range(600)]


def test_mappings_are_spread() -> None:
    """Each of five nodes has about a fifth."""
    counts = Counter(preferred(uuid, [1, 2, 3, 4, 5]) for uuid in UUIDS)
    assert set(counts) == {1, 2, 3, 4, 5}
    assert all(90 <= count <= 150 for count in counts.values())


def test_a_node_that_goes_moves_only_its_own() -> None:
    before = {uuid: preferred(uuid, [1, 2, 3, 4, 5]) for uuid in UUIDS}
    after = {uuid: preferred(uuid, [1, 2, 4, 5]) for uuid in UUIDS}
    assert all(after[uuid] == node for uuid, node in before.items() if node != 3)


def test_without_nodes_no_node_polls() -> None:
    assert preferred("mapping", []) is None

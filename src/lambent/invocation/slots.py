"""Provisioned concurrency over several nodes: each environment is a slot that one node keeps.

Slot i of a configuration prefers a node by a hash over both, as event source mappings do.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from lambent.model.nodes import preferred


def own_slots(number: int, live: Callable[[], Sequence[int]]) -> Callable[[str, int], int]:
    """A function that says how many of the provisioned environments of a configuration are kept by
    the node `number`, given which nodes are live."""

    def own(configuration_id: str, wanted: int) -> int:
        return slots(configuration_id, wanted, live())[number]

    return own


def slots(configuration_id: str, wanted: int, live: Sequence[int]) -> Counter[int]:
    """How many environments each node keeps."""
    if not live:
        return Counter()
    share, rest = divmod(wanted, len(live))
    counts = Counter({node: share for node in live})
    others = list(live)
    for slot in range(rest):
        node = preferred(f"{configuration_id}:{slot}", others)
        assert node is not None
        counts[node] += 1
        others.remove(node)
    return counts

"""Service graphs: the services that traces have passed, and who called whom.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-gettingdata.html
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from lambent.telemetry.traces.facts import Trace
from lambent.telemetry.traces.trees import Node, Visit

CLIENT = "client"


class Statistics:
    """How requests to a service, or from one to another, went."""

    def __init__(self) -> None:
        self.ok = self.throttles = self.errors = self.faults = 0
        """`errors` are without throttles."""
        self.total_s = 0.0
        self.start, self.end = float("inf"), 0.0
        """Epoch seconds."""
        self.durations: Counter[float] = Counter()
        """By seconds, rounded to milliseconds."""

    @property
    def count(self) -> int:
        """Requests."""
        return self.ok + self.throttles + self.errors + self.faults

    def add(self, visit: Visit) -> None:
        """Count a request."""
        part, duration = visit.part, visit.end - visit.start
        if part.get("fault") is True:
            self.faults += 1
        elif part.get("throttle") is True:
            self.throttles += 1
        elif part.get("error") is True:
            self.errors += 1
        else:
            self.ok += 1
        self.total_s += duration
        self.start, self.end = min(self.start, visit.start), max(self.end, visit.end)
        self.durations[round(duration, 3)] += 1


class Service(NamedTuple):
    """A node of a graph, by its number."""

    number: int
    node: Node
    is_root: bool
    statistics: Statistics
    edges: dict[int, Statistics]
    """By the number of the service that is called."""


def make_graph(traces: Iterable[Trace]) -> list[Service]:
    """The graph of some traces. The caller of a trace's first service is a node of the type
    `client`."""
    services: dict[Node, Service] = {}

    def find(node: Node, *, is_root: bool = False) -> Service:
        known = services.get(node)
        if known is None:
            known = Service(len(services), node, is_root, Statistics(), {})
        elif is_root and not known.is_root:
            known = known._replace(is_root=True)
        services[node] = known
        return known

    for trace in traces:
        nodes = {visit.id: visit.node for visit in trace.visits}
        for visit in trace.visits:
            is_root = trace.root is visit.part
            service = find(visit.node, is_root=is_root)
            service.statistics.add(visit)
            caller = nodes.get(visit.caller) if visit.caller is not None else None
            if caller is None and is_root:
                caller = Node(visit.node.name, CLIENT)
            if caller is not None:
                edges = find(caller).edges
                edges.setdefault(service.number, Statistics()).add(visit)
    return sorted(services.values(), key=lambda service: service.number)

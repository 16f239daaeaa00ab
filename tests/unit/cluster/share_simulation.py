"""Nodes that share a limit out while everything breaks, in simulated time.

The rules are those of the platform: `NodeWatch`, `grant` and the constants. Around them are a
database, links that fail, processes that are paused or killed, and functions that run until they
end or their launcher ends them. What is counted is what really runs.
"""

import dataclasses
import random

from lambent.model import shares
from lambent.model.nodes import BEAT_S, Node, NodeState, NodeWatch

STEP_S = 0.25
LIMIT = 6
NODES = 3
LOSS_S = 20.0
"""Seconds until a broken thing works again, at most."""
CALL_S = 15.0


@dataclasses.dataclass(frozen=True)
class Rules:
    """What the platform does; tests break one of them each."""

    freed_s: float = shares.FREED_S
    launcher_ends: bool = True
    fences: bool = True
    asks_for_half: bool = True
    reads_marks: bool = True
    gives_back_unused_only: bool = True


@dataclasses.dataclass
class Row:
    """Of a node."""

    beats: int = 0
    is_connected: bool = True
    is_suspect: bool = False


class Database:
    """The rows, as far as they matter."""

    def __init__(self) -> None:
        self.is_up = True
        self.rows: dict[int, Row] = {}
        self.shares: dict[int, int] = {}
        self.free_at: dict[int, float] = {}

    def take(self, node: int, needed: int, now: float) -> shares.Grant:
        """As `ShareRows.take`."""
        for gone in [n for n, at in self.free_at.items() if at <= now]:
            del self.free_at[gone]
            self.shares.pop(gone, None)
        mine = self.shares.get(node, 0)
        others = sum(self.shares.values()) - mine
        granted = shares.grant(LIMIT, others, mine, needed, len(self.rows))
        self.shares[node] = granted.share
        return granted

    def remove(self, node: int, now: float, rules: Rules) -> None:
        """As `NodeRows.remove`."""
        del self.rows[node]
        self.free_at[node] = now + rules.freed_s


class SimulatedNode:
    """One platform with its launcher."""

    def __init__(self, number: int, now: float, database: Database) -> None:
        self.number = number
        self.share = 0
        self.usable = 0
        self.ends: list[float] = []
        """When each invocation that runs ends."""
        self.contact_at = now
        self.company_until = 0.0
        self.stays_until = now + shares.ENDED_S
        self.paused_until = 0.0
        self.cut_until = 0.0
        """Until when it cannot reach the database, nor other nodes."""
        self.is_dead = False
        self.watch = NodeWatch()
        self.known: dict[int, bool] = {}
        """The nodes of its last beat, and whether there was a mark against them."""
        database.rows[number] = Row()

    def reaches_database(self, database: Database, now: float) -> bool:
        return database.is_up and now >= self.cut_until

    def is_cut_off(self, now: float) -> bool:
        return now >= self.company_until

    def is_fenced(self, now: float) -> bool:
        return now - self.contact_at > shares.FENCED_S and self.is_cut_off(now)


class World:
    """All of it."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.random = random.Random(seed)
        self.rules = rules
        self.now = 0.0
        self.database = Database()
        self.down_until = 0.0
        self.numbers = NODES
        self.nodes = [SimulatedNode(n + 1, 0.0, self.database) for n in range(NODES)]
        self.most = 0

    def run(self, seconds: float) -> int:
        """Returns how many invocations ran at once, at most."""
        while self.now < seconds:
            self.now += STEP_S
            self.break_something()
            for node in self.nodes:
                self.launcher(node)
                if not node.is_dead and self.now >= node.paused_until:
                    self.platform(node)
            self.most = max(self.most, sum(len(node.ends) for node in self.nodes))
            self.replace_dead()
        return self.most

    def break_something(self) -> None:
        draw = self.random.random
        self.database.is_up = self.now >= self.down_until
        if draw() < 0.02:
            self.down_until = self.now + draw() * LOSS_S
        node = self.random.choice(self.nodes)
        if draw() < 0.04:
            node.paused_until = self.now + draw() * LOSS_S
        if draw() < 0.04:
            node.cut_until = self.now + draw() * LOSS_S
            # The server may learn of it at once, or not for long.
            if draw() < 0.5 and node.number in self.database.rows:
                self.database.rows[node.number].is_connected = False
        if draw() < 0.01:
            self.end(node)

    def end(self, node: SimulatedNode) -> None:
        """Its process and all boxes are gone; the server notices."""
        node.is_dead = True
        node.ends.clear()
        if node.number in self.database.rows:
            self.database.rows[node.number].is_connected = False

    def replace_dead(self) -> None:
        """A dead platform starts again in its place, some time later."""
        for index, node in enumerate(self.nodes):
            if node.is_dead and self.database.is_up and self.random.random() < 0.05:
                if node.number in self.database.rows:
                    self.database.remove(node.number, self.now, self.rules)
                self.numbers += 1
                self.nodes[index] = SimulatedNode(self.numbers, self.now, self.database)

    def launcher(self, node: SimulatedNode) -> None:
        """It runs while the platform is paused."""
        node.ends = [at for at in node.ends if at > self.now]
        if self.rules.launcher_ends and not node.is_dead and self.now >= node.stays_until:
            self.end(node)

    def platform(self, node: SimulatedNode) -> None:
        if node.reaches_database(self.database, self.now):
            if not self.beat(node):
                return
        elif self.now - node.contact_at >= 1.0:
            self.ask_others(node)
        away_s = self.now - node.contact_at
        if node.is_fenced(self.now) and self.rules.fences:
            node.usable = 0
        may_run = node.ends or node.usable
        if not (node.is_cut_off(self.now) and may_run):
            node.stays_until = self.now + shares.ENDED_S
        elif away_s < shares.FENCED_S:
            node.stays_until = self.now + shares.ENDED_S - away_s
        for _ in range(self.random.randrange(3)):
            self.call(node)
        if node.reaches_database(self.database, self.now) and self.random.random() < 0.3:
            left = len(node.ends) if self.rules.gives_back_unused_only else 0
            node.share = node.usable = self.database.shares[node.number] = left

    def beat(self, node: SimulatedNode) -> bool:
        database = self.database
        row = database.rows.get(node.number)
        if row is None:
            self.end(node)
            return False
        row.beats += 1
        row.is_connected, row.is_suspect = True, False
        node.known = {number: it.is_suspect for number, it in database.rows.items()}
        if node.is_fenced(self.now):
            node.usable = 0  # Until it takes a share again.
        node.contact_at = self.now
        others = [_seen(n, it) for n, it in database.rows.items() if n != node.number]
        silent, lost, _ = node.watch.observe(others, self.now)
        for other in silent:
            if self.is_refused(other):
                database.remove(other.number, self.now, self.rules)
            else:
                database.rows[other.number].is_suspect = True
        for other in lost if self.rules.asks_for_half else silent:
            if other.number in database.rows:
                database.remove(other.number, self.now, self.rules)
        return True

    def is_refused(self, row: Node) -> bool:
        """Its machine says that the process is gone."""
        return any(
            n.number == row.number and n.is_dead and self.now >= n.cut_until for n in self.nodes
        )

    def ask_others(self, node: SimulatedNode) -> None:
        """As `Contact.run`. A node that is cut off reaches no other, and a paused one is silent."""
        if self.now < node.cut_until:
            return
        company = sum(
            not other.is_dead
            and self.now >= other.paused_until
            and self.now >= other.cut_until
            and self.now - other.contact_at >= 1.0
            and (other.known.get(node.number) is False or not self.rules.reads_marks)
            for other in self.nodes
        )
        if 2 * company > NODES:
            node.company_until = self.now + 3.0

    def call(self, node: SimulatedNode) -> None:
        if len(node.ends) >= node.usable:
            if not node.reaches_database(self.database, self.now) or node.is_fenced(self.now):
                return
            granted = self.database.take(node.number, len(node.ends) + 1, self.now)
            node.share, node.usable = granted
            if len(node.ends) >= node.usable:
                return
        node.ends.append(self.now + self.random.random() * CALL_S)


def _seen(number: int, row: Row) -> Node:
    return Node(
        number=number,
        host="",
        pid=0,
        data_dir="",
        since="",
        release="",
        url="",
        state=NodeState.LIVE,
        seen=0,
        **dataclasses.asdict(row),
    )


assert STEP_S >= BEAT_S

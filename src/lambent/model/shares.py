"""Concurrency over several nodes: a limit is shared out, and each node counts against its share.

A *purse* is a limit that is shared: the reserved concurrency of one function, or what is unreserved
in an account and Region. The database has each node's share. The sum never exceeds the limit, and a
node runs no more than its share, so all nodes together never run more than the limit.

The share of a node that is lost stays counted for a while, because the node may still run what it
has begun: `FENCED_S` after its last contact with the database a node ends by itself what runs on
shares, and `FREED_S` after a node was removed its share is free.
"""

from typing import NamedTuple

from lambent.model.nodes import BROKEN_S, SILENT_S

FENCED_S = 4.0
"""Seconds without contact to the database after which a node that is alone counts on no share."""
ENDED_S = 6.0
"""Seconds after which the launcher ends the boxes of a platform that has not said that it runs."""
FREED_S = 8.0
"""Seconds after the removal of a node until its shares are free."""

assert FENCED_S < ENDED_S < min(BROKEN_S, SILENT_S) + FREED_S


class Grant(NamedTuple):
    """What a node has of a limit."""

    share: int
    """Its share in the database: at least what it runs. After a limit was lowered, the sum of all
    shares may exceed it until nodes run less."""
    usable: int
    """How many invocations it may run, together with those that run."""


def grant(limit: int, others: int, mine: int, needed: int, nodes: int) -> Grant:
    """Raise the share of a node that has `mine` and needs `needed`, while all others together have
    `others`. It gets a part of what is free ahead, so that it need not ask for each call."""
    free = max(limit - others - mine, 0)
    wanted = max(needed - mine, 0)
    ahead = max(free - wanted, 0) // (2 * max(nodes, 1))
    share = mine + min(wanted + ahead, free)
    return Grant(share, min(share, max(limit - others, 0)))


def spare(limit: int, nodes: int) -> int:
    """What a node keeps of a limit beyond its use, until another node needs it: a quarter of an
    equal part. Without the database no share can be raised, and calls may become more."""
    return limit // (4 * max(nodes, 1))

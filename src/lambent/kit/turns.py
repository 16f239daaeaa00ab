"""Fair turns: only a few are under way at once, however many callers ask.

Groups take turns, and so do the members of a group. So a member that asks for a thousand turns
delays each other member by one turn at most. The turns of one member come in their order.
"""

from collections import Counter

import anyio

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most


class Turn:
    """One turn: it waits, then is under way, then is over. The caller that asked for it ends it."""

    __slots__ = ("_came", "_state", "_turns", "group", "member")

    def __init__(self, turns: "Turns", group: str, member: str) -> None:
        self._turns = turns
        self.group = group
        self.member = member
        self._came: anyio.Event | None = None
        self._state = "waiting"

    @property
    def is_waiting(self) -> bool:
        """Whether the turn has not come yet."""
        return self._state == "waiting"

    async def wait(self) -> bool:
        """Wait until the turn comes. Returns False if it was closed instead. Raises TimeoutError if
        it does not come in time; then it is over."""
        if self.is_waiting:
            self._came = anyio.Event()
            try:
                if not await wait_at_most(self._turns.clock, self._came, self._turns.wait_s):
                    raise TimeoutError(f"no turn came within {self._turns.wait_s:g} s")
            except BaseException:
                self.close()
                raise
        return self._state == "under way"

    def close(self) -> None:
        """End the turn, or give up waiting for it. Idempotent."""
        state, self._state = self._state, "over"
        if state == "waiting":
            self._turns._withdraw(self)
        elif state == "under way":
            self._turns._release(self)
        if self._came is not None:
            self._came.set()

    async def __aenter__(self) -> None:
        await self.wait()

    async def __aexit__(self, *failure: object) -> None:
        self.close()

    def _begin(self) -> None:
        self._state = "under way"
        if self._came is not None:
            self._came.set()


_Members = dict[str, dict[Turn, None]]


class Turns:
    """Owner of the turns. `at_once` turns may be under way: of one group at most three quarters of
    them and of one member half, so that long turns leave some to others. None waits longer than
    `wait_s` seconds."""

    def __init__(self, at_once: int, wait_s: float, clock: Clock) -> None:
        self.wait_s = wait_s
        self.clock = clock
        self._free = at_once
        self._group_max = max(at_once * 3 // 4, 1)
        self._member_max = max(at_once // 2, 1)
        self._under_way: Counter[str | tuple[str, str]] = Counter()
        """How many turns of each group and member are under way."""
        self._waiting: dict[str, _Members] = {}
        """By group and member. The next one comes first in each."""

    def ask(self, group: str, member: str) -> Turn:
        """Ask for a turn. It comes at once if one is free, else as soon as possible."""
        turn = Turn(self, group, member)
        self._waiting.setdefault(group, {}).setdefault(member, {})[turn] = None
        self._begin_next()
        return turn

    def _begin_next(self) -> None:
        while self._free and (turn := self._find_next()) is not None:
            self._take_out(turn)
            self._free -= 1
            self._under_way.update((turn.group, (turn.group, turn.member)))
            turn._begin()

    def _find_next(self) -> Turn | None:
        for group, members in self._waiting.items():
            if self._under_way[group] < self._group_max:
                for member, turns in members.items():
                    if self._under_way[group, member] < self._member_max:
                        return next(iter(turns))
        return None

    def _take_out(self, turn: Turn) -> None:
        """Take a turn out, and move its group and member to the end of their lines."""
        group, member = turn.group, turn.member
        self._withdraw(turn)
        if members := self._waiting.pop(group, None):
            if turns := members.pop(member, None):
                members[member] = turns
            self._waiting[group] = members

    def _withdraw(self, turn: Turn) -> None:
        members = self._waiting[turn.group]
        turns = members[turn.member]
        del turns[turn]
        if not turns:
            del members[turn.member]
        if not members:
            del self._waiting[turn.group]

    def _release(self, turn: Turn) -> None:
        self._free += 1
        for key in (turn.group, (turn.group, turn.member)):
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
        self._begin_next()

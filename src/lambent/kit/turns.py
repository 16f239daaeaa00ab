"""A few things at once, however many ask: who asks gets a turn.

Turns go round: groups take turns, and so do the members of a group, so that whoever asks for a
thousand turns delays nobody else by more than one. One member's own turns come in their order.
"""

from collections import Counter

import anyio

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most


class Turn:
    """One turn: it waits, is under way, and is over. Owned by who asked for it, who ends it."""

    __slots__ = ("_came", "_state", "_turns", "group", "member")

    def __init__(self, turns: "Turns", group: str, member: str) -> None:
        self._turns = turns
        self.group = group
        self.member = member
        self._came: anyio.Event | None = None
        self._state = "waiting"

    @property
    def is_waiting(self) -> bool:
        """Whether it has not come yet."""
        return self._state == "waiting"

    async def wait(self) -> bool:
        """Wait until it comes; False if it was ended instead. Raises TimeoutError when it has not
        come for too long; then it is over."""
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
        """It is over, or not wanted any more. Idempotent."""
        state, self._state = self._state, "over"
        if state == "waiting":
            self._turns._withdraw(self)
        elif state == "under way":
            self._turns._give_back(self)
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
    """Owner of the turns. `at_once` may be under way, three quarters of them of one group and half
    of one member, so that those who hold theirs for long leave some to others. None waits longer
    than `wait_s` seconds."""

    def __init__(self, at_once: int, wait_s: float, clock: Clock) -> None:
        self.wait_s = wait_s
        self.clock = clock
        self._free = at_once
        self._group_max = max(at_once * 3 // 4, 1)
        self._member_max = max(at_once // 2, 1)
        self._under_way: Counter[str | tuple[str, str]] = Counter()
        """How many turns groups and members have."""
        self._waiting: dict[str, _Members] = {}
        """By group and member; in each the one to come next is the first."""

    def ask(self, group: str, member: str) -> Turn:
        """A turn that comes at once if one is free, else as soon as it may."""
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
        """All else of its group and its member has to wait behind the others."""
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

    def _give_back(self, turn: Turn) -> None:
        self._free += 1
        for key in (turn.group, (turn.group, turn.member)):
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
        self._begin_next()

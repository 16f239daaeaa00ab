"""A few things at once, however many ask: who asks gets a turn.

Turns go round: groups take turns, and so do the members of a group, so that whoever asks for a
thousand turns delays nobody else by more than one. One member's own turns come in their order.
"""

import anyio

from lambent.kit.clock import Clock, wait_at_most


class Turn:
    """One turn: it waits, is under way, and is over. Owned by who asked for it, who ends it."""

    __slots__ = ("_came", "_group", "_member", "_state", "_turns")

    def __init__(self, turns: "Turns", group: str, member: str) -> None:
        self._turns = turns
        self._group = group
        self._member = member
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
            self._turns._give_back()
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
    """Owner of the turns. `at_once` may be under way; none waits longer than `wait_s` seconds."""

    def __init__(self, at_once: int, wait_s: float, clock: Clock) -> None:
        self.wait_s = wait_s
        self.clock = clock
        self._free = at_once
        self._waiting: dict[str, _Members] = {}
        """By group and member; in each the one to come next is the first."""

    def ask(self, group: str, member: str) -> Turn:
        """A turn that comes at once if one is free, else as soon as it may."""
        turn = Turn(self, group, member)
        if self._free:
            self._free -= 1
            turn._begin()
        else:
            self._waiting.setdefault(group, {}).setdefault(member, {})[turn] = None
        return turn

    def _give_back(self) -> None:
        if self._waiting:
            self._take_next()._begin()
        else:
            self._free += 1

    def _take_next(self) -> Turn:
        """Take out the next turn; all else of its group and its member has to wait behind the
        others."""
        group, members = next(iter(self._waiting.items()))
        member, turns = next(iter(members.items()))
        turn = next(iter(turns))
        self._withdraw(turn)
        if turns:
            members[member] = members.pop(member)
        if members:
            self._waiting[group] = self._waiting.pop(group)
        return turn

    def _withdraw(self, turn: Turn) -> None:
        members = self._waiting[turn._group]
        turns = members[turn._member]
        del turns[turn]
        if not turns:
            del members[turn._member]
        if not members:
            del self._waiting[turn._group]

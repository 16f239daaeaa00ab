"""When rules and schedules are due next."""

from collections.abc import Mapping, Sequence

from lambent.control.events.naming import RULE, rule_arn
from lambent.control.schedules.groups import SCHEDULE
from lambent.control.schedules.schedules import schedule_arn
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.model.schedules.documents import RULES, is_on, schedule_of
from lambent.store.store import Store, Transaction
from lambent.store.ticks import Tick

_TIMES = 5
_SCHEDULES_MAX = 1000


class UpcomingTimes:
    """Reads the next times of all rules and schedules of an account and Region."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, scope: Scope) -> Mapping[str, Sequence[float]]:
        """Up to five times by the ARN of a rule or schedule, in epoch seconds. Those that are due
        first come first, up to 1,000 of them; those that are disabled or over are left out."""

        def read(tx: Transaction) -> list[tuple[Tick, Document]]:
            found = []
            for tick in tx.ticks.list_in(scope, _SCHEDULES_MAX):
                kind = RULE if tick.root.service == RULES else SCHEDULE
                document = tx.documents.get(tick.root, kind, tick.id)
                if document is not None and is_on(document.body):
                    found.append((tick, document))
            return found

        return await computed(_all_times, await self._store.read(read))


def _all_times(found: Sequence[tuple[Tick, Document]]) -> Mapping[str, Sequence[float]]:
    return {_arn(tick): _times(tick, document) for tick, document in found}


def _arn(tick: Tick) -> str:
    if tick.root.service == RULES:
        return rule_arn(tick.root.scope, tick.root.id, tick.id)
    return schedule_arn(tick.root, tick.id)


def _times(tick: Tick, document: Document) -> Sequence[float]:
    schedule = schedule_of(tick.root, document.body, anchor=tick.scheduled_at)
    times = [tick.scheduled_at]
    while len(times) < _TIMES and schedule.is_recurring:
        following = schedule.next_after(times[-1])
        if following is None:
            break
        times.append(following)
    return times

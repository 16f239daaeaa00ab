"""The metrics of all nodes as one store.

Each node keeps what was recorded on it; a reader asks all nodes and merges. Counts, sums, extremes
and percentiles of most metrics merge without loss. How many calls run at once does not: each node
records only what runs there, and not when. There the merged values are those that would be if all
nodes had their highest values of a minute at the same moment, and so on down to the lowest: the
real maximum is not higher, and not lower than the highest of one node.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.peers import SCAN_S, Peers
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.series.store import MetricStore

_AT_ONCE = frozenset(
    {
        "ConcurrentExecutions",
        "UnreservedConcurrentExecutions",
        "ProvisionedConcurrentExecutions",
    }
)
"""Metrics of `AWS/Lambda` that say how much there is at one moment, on each node."""
_NAMESPACE = "AWS/Lambda"
_STEPS = 100
"""In so many steps the values of such metrics are added up."""
_MINUTE_S = 60

Points = Sequence[tuple[float, Distribution]]
"""The moments at which periods begin, in order, with the values."""


class _Asked(NamedTuple):
    """What to read of one metric."""

    key: MetricKey
    """With any unit."""
    unit: str | None
    """None for all units."""
    start: float
    end: float
    period_s: int
    origin: float


class AllMetrics:
    """See the module."""

    def __init__(self, own: MetricStore, peers: Peers) -> None:
        self._own = own
        self._peers = peers
        self.now = own.now
        peers.serve("metrics/read", self._serve_read)
        peers.serve("metrics/list", self._serve_list)

    def reading(self) -> "MetricReading":
        """For one request."""
        return MetricReading(self._own, self._peers)

    async def _serve_read(self, value: Any) -> Any:
        (scope, *key), *rest = value
        asked = _Asked(_key_of(Scope(*scope), key), *rest)
        found = await _read(self._own, asked)
        return {
            unit: [(at, *_plain(values)) for at, values in points] for unit, points in found.items()
        }

    async def _serve_list(self, value: Any) -> Any:
        scope, since, after, limit = value
        place = Scope(*scope)
        start = None if after is None else _key_of(place, after)
        keys = await self._own.list(place, since=since, after=start, limit=limit)
        return [key[1:] for key in keys]


class MetricReading:
    """Reads metrics for one request, and knows which nodes did not answer."""

    def __init__(self, own: MetricStore, peers: Peers) -> None:
        self._own = own
        self._peers = peers
        self.silent: set[int] = set()
        """Nodes that are there and did not answer."""

    @property
    def missing(self) -> Sequence[int]:
        """All nodes whose metrics are missing."""
        return sorted({*self.silent, *self._peers.lost})

    async def read(
        self,
        key: MetricKey,
        unit: str | None,
        start: float,
        end: float,
        period_s: int,
        origin: float = 0.0,
    ) -> Mapping[str, Points]:
        """The values of a metric, whatever unit its key says, by unit: in one, or in all in which
        there are values. See `MetricStore.read`."""
        is_level = key.namespace == _NAMESPACE and key.name in _AT_ONCE
        asked = _Asked(key, unit, start, end, period_s, origin)
        if is_level and self._peers.numbers():
            asked = asked._replace(period_s=_MINUTE_S, origin=0.0)
        value = [[[*key.scope], *key[1:]], *asked[1:]]
        answers = await self._peers.ask("metrics/read", value, within_s=SCAN_S)
        self.silent.update(answers.missing)
        parts = [await _read(self._own, asked)]
        parts += [
            {
                name: [(at, _values_of(plain)) for at, *plain in points]
                for name, points in each.items()
            }
            for each in answers.found.values()
        ]
        units = sorted({name for part in parts for name in part})
        merge = _added if is_level else _merged
        return {
            name: _by_period(merge([part.get(name, ()) for part in parts]), period_s, origin)
            for name in units
        }

    async def list(
        self, scope: Scope, *, since: float, after: MetricKey | None, limit: int
    ) -> "list[MetricKey]":
        """See `MetricStore.list`."""
        value = [[*scope], since, None if after is None else after[1:], limit]
        answers = await self._peers.ask("metrics/list", value, within_s=SCAN_S)
        self.silent.update(answers.missing)
        found = set(await self._own.list(scope, since=since, after=after, limit=limit))
        for listed in answers.found.values():
            found.update(_key_of(scope, key) for key in listed)
        return sorted(found, key=order_of)[:limit]


def order_of(key: MetricKey) -> tuple[str, ...]:
    """The order of lists, which is that of the database."""
    return key.namespace, key.name, json.dumps(key.dimensions, ensure_ascii=False), key.unit


async def _read(store: MetricStore, asked: _Asked) -> dict[str, Points]:
    units = await store.units(asked.key) if asked.unit is None else [asked.unit]
    return {unit: await store.read(asked.key._replace(unit=unit), *asked[2:]) for unit in units}


def _merged(parts: Sequence[Points]) -> dict[float, Distribution]:
    """The values of several nodes, by moment."""
    found: dict[float, Distribution] = {}
    for part in parts:
        for at, values in part:
            found.setdefault(at, Distribution()).merge(values)
    return found


def _added(parts: Sequence[Points]) -> dict[float, Distribution]:
    """As `_merged`, for values that add up over nodes."""
    found: dict[float, list[Distribution]] = {}
    for part in parts:
        for at, values in part:
            found.setdefault(at, []).append(values)
    return {at: _sum_of(several) for at, several in found.items()}


def _sum_of(parts: Sequence[Distribution]) -> Distribution:
    """The values that there are if all nodes have their highest at the same moment, and so on."""
    if len(parts) == 1:
        return parts[0]
    made = Distribution()
    count = sum(part.count for part in parts)
    for step in range(_STEPS):
        values = [part.percentile(100 * (step + 0.5) / _STEPS) for part in parts]
        known = [value for value in values if value is not None]
        if len(known) == len(parts):
            made.add(sum(known), count / _STEPS)
    made.count = count
    made.sum = count * sum(part.average for part in parts)
    made.min, made.max = sum(part.min for part in parts), sum(part.max for part in parts)
    return made


def _by_period(found: Mapping[float, Distribution], period_s: int, origin: float) -> Points:
    merged: dict[float, Distribution] = {}
    for at in sorted(found):
        begin = (at - origin) // period_s * period_s + origin
        known = merged.setdefault(begin, found[at])
        if known is not found[at]:
            known.merge(found[at])
    return list(merged.items())


# -- as JSON -------------------------------------------------------------------------------


def _plain(values: Distribution) -> tuple[float, float, float, float, str]:
    return values.count, values.sum, values.min, values.max, values.dump()


def _values_of(plain: Sequence[Any]) -> Distribution:
    count, total, low, high, buckets = plain
    return Distribution.load(count, total, low, high, buckets)


def _key_of(scope: Scope, plain: Sequence[Any]) -> MetricKey:
    namespace, name, dimensions, unit = plain
    account, region = scope
    pairs = tuple((name, value) for name, value in dimensions)
    return MetricKey(Scope(AccountId(account), Region(region)), namespace, name, pairs, unit)

"""What the commands of a query do with records, as they pass one after the other."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lambent.telemetry.insights.aggregates import Aggregate
from lambent.telemetry.insights.expressions import Aggregated, Compute, Named
from lambent.telemetry.insights.records import Record
from lambent.telemetry.insights.values import Moment, Value, group_key, is_true, order_key, text_of

Step = Callable[[Iterable[Record]], Iterable[Record]]

ROWS_MAX = 10_000
GROUPS_MAX = 200_000


class TooMuch(Exception):
    """The query needs more than a query may."""


class Order(NamedTuple):
    """A field that records are sorted by."""

    compute: Compute
    is_descending: bool


def filters(condition: Compute) -> Step:
    """`filter`."""
    return lambda records: (record for record in records if is_true(condition(record)))


def computes(columns: Sequence[Named]) -> Step:
    """Add the columns that are not fields as they are."""
    added = [(column.name, column.compute) for column in columns if not column.is_field]

    def run(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            values = [(name, compute(record)) for name, compute in added]
            record.fields.update(values)
            yield record

    return run if added else lambda records: records


def matches_regex(source: Compute, pattern: re.Pattern[str], names: Sequence[str]) -> Step:
    """`parse` with a regular expression: `names` are those of its groups."""

    def run(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            value = source(record)
            match = None if value is None else pattern.search(text_of(value))
            found = match.groups() if match is not None else ()
            record.fields.update(zip(names, found, strict=False))
            yield record

    return run


def matches_glob(source: Compute, parts: Sequence[str], names: Sequence[str]) -> Step:
    """`parse` with a glob: `parts` are the texts before, between and after the wildcards."""

    def run(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            value = source(record)
            found = () if value is None else _glob(text_of(value), parts)
            record.fields.update(zip(names, found, strict=False))
            yield record

    return run


def _glob(text: str, parts: Sequence[str]) -> Sequence[str]:
    """What the wildcards match, each as little as it can; empty if the text does not match."""
    begin, *rest = parts
    at = text.find(begin)
    if at < 0:
        return ()
    at += len(begin)
    found = []
    for number, part in enumerate(rest):
        is_last = number == len(rest) - 1
        end = len(text) if is_last and not part else text.find(part, at)
        if end < 0:
            return ()
        found.append(text[at:end])
        at = end + len(part)
    return found


def dedups(fields: Sequence[Compute]) -> Step:
    """`dedup`: the first record of each combination of values. Records without one stay."""

    def run(records: Iterable[Record]) -> Iterator[Record]:
        seen: set[tuple[Value, ...]] = set()
        for record in records:
            values = tuple(group_key(compute(record)) for compute in fields)
            if None not in values:
                if values in seen:
                    continue
                seen.add(values)
            yield record

    return run


def limits(count: int) -> Step:
    """`limit`. It reads on to the end, because all records are counted."""

    def run(records: Iterable[Record]) -> Iterator[Record]:
        for number, record in enumerate(records):
            if number < count:
                yield record

    return run


def sorts(orders: Sequence[Order], count: int | None) -> Step:
    """`sort`; only the first `count` records are needed, or all."""

    def arranged(records: list[Record]) -> list[Record]:
        for order in reversed(orders):
            records.sort(
                key=lambda record: order_key(order.compute(record)),
                reverse=order.is_descending,
            )
        return records if count is None else records[:count]

    def run(records: Iterable[Record]) -> Iterator[Record]:
        kept: list[Record] = []
        for record in records:
            kept.append(record)
            if count is not None and len(kept) >= 2 * count + 1000:
                kept = arranged(kept)
        yield from arranged(kept)

    return run


class _Group(NamedTuple):
    values: Mapping[str, Value]
    aggregates: Sequence[Aggregate]


def aggregates(
    results: Sequence[Named], aggregated: Sequence[Aggregated], by: Sequence[Named]
) -> Step:
    """`stats`: one row for each combination of the values of `by`."""

    def run(records: Iterable[Record]) -> Iterator[Record]:
        groups: dict[tuple[Value, ...], _Group] = {}
        for record in records:
            values = [column.compute(record) for column in by]
            key = tuple(map(group_key, values))
            group = groups.get(key)
            if group is None:
                if len(groups) >= GROUPS_MAX:
                    raise TooMuch(f"stats has more than {GROUPS_MAX} groups")
                named = {column.name: value for column, value in zip(by, values, strict=True)}
                group = groups[key] = _Group(named, [each.new() for each in aggregated])
            at_ms = record.event.timestamp_ms if record.event is not None else 0
            for each, aggregate in zip(aggregated, group.aggregates, strict=True):
                value = 1 if each.argument is None else each.argument(record)
                if value is not None:
                    aggregate.add(value, at_ms)
        if not groups and not by:
            groups[()] = _Group({}, [each.new() for each in aggregated])
        yield from sorted(
            (_row(group, results, aggregated) for group in groups.values()),
            key=lambda row: _newest_first(row, by),
        )

    return run


def _row(group: _Group, results: Sequence[Named], aggregated: Sequence[Aggregated]) -> Record:
    row = Record()
    row.fields.update(group.values)
    for each, aggregate in zip(aggregated, group.aggregates, strict=True):
        row.fields[each.field] = aggregate.result()
    row.fields.update([(column.name, column.compute(row)) for column in results])
    return row


def _newest_first(row: Record, by: Sequence[Named]) -> int:
    first = row.fields.get(by[0].name) if by else None
    return -first if isinstance(first, Moment) else 0

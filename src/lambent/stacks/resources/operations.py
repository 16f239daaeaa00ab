"""The operations that a row names."""

from collections.abc import Iterator

from lambent.stacks.resources.row_type import Op, Row, Several


def writes(row: Row) -> Iterator[Op]:
    """Those that take properties."""
    if row.create is not None:
        yield row.create
    yield from row.update
    for part in row.parts:
        if not isinstance(part.put, Several):
            yield part.put


def reads(row: Row) -> Iterator[Op]:
    """Those that find the resource."""
    if row.read is not None:
        yield row.read
    if row.find is not None:
        yield row.find.list
    if row.existing is not None:
        yield row.existing.list


def removals(row: Row) -> Iterator[Op]:
    """Those that remove the resource or its parts."""
    for part in row.parts:
        if part.remove is not None and not isinstance(part.remove, Several):
            yield part.remove
    if row.delete is not None:
        yield row.delete


def named_operations(row: Row) -> frozenset[str]:
    """The names of all."""
    ops = (*writes(row), *reads(row), *removals(row))
    names = {op.name for op in ops}
    for part in row.parts:
        names.update(part.put.operations if isinstance(part.put, Several) else ())
    if row.patch is not None:
        names.add(row.patch.op.name)
    if row.retag is not None:
        names |= {row.retag.tag, row.retag.untag}
    return frozenset(names)

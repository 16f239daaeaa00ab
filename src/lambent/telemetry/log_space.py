"""Deletes the oldest logs: what exceeds a limit, and what is older than its group is kept.

All of it blocks: run it in a thread.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from lambent.telemetry import segments


def drop_older(group: Path, limit: float) -> None:
    """Delete the segments that were last written before `limit`, in epoch seconds."""
    if group.is_dir():
        for written, _, path in list(files_of(group)):
            if written < limit:
                path.unlink(missing_ok=True)


def files_of(group: Path) -> Iterator[tuple[float, int, Path]]:
    """Age, size and path of the segments of a group."""
    for stream in group.iterdir():
        yield from segments.sizes(stream)


def drop_oldest_streams(group: Path, streams_max: int) -> None:
    streams = [
        (max((written for written, _, _ in segments.sizes(path)), default=0.0), path)
        for path in group.iterdir()
        if path.is_dir()
    ]
    for _, path in sorted(streams)[: max(len(streams) - streams_max, 0)]:
        shutil.rmtree(path, ignore_errors=True)


def drop_oldest(
    files: list[tuple[float, int, Path]], bytes_max: int
) -> list[tuple[float, int, Path]]:
    """Delete from the oldest on until the rest is within the limit; returns the rest."""
    total = sum(size for _, size, _ in files)
    kept = sorted(files)
    while kept and total > bytes_max:
        _, size, path = kept.pop(0)
        path.unlink(missing_ok=True)
        total -= size
    return kept


def size_of(group: Path) -> int:
    return sum(size for _, size, _ in files_of(group))

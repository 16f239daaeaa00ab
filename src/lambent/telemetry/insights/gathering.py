"""Copies what other nodes have logged, so that a query on this one sees all of it.

A query reads files: it may compute anything over all events, so it has to see each of them. The
copies are deleted when it has ended, and those of a platform that was killed at the next start.
"""

import base64
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from lambent.kit.computing import computed
from lambent.kit.tasks import shielded, start_part
from lambent.model.arn import Scope
from lambent.model.peers import SCAN_S, Answers, NoAnswer, Peers
from lambent.telemetry import segments
from lambent.telemetry.logs import LogStore
from lambent.telemetry.queries import CLOCK_SLACK_MS

BYTES_MAX = 256 << 20
"""Of the copies that one query makes."""


class TooLarge(Exception):
    """Other nodes have logged more than is copied."""


class Gathered(NamedTuple):
    """What a query reads."""

    groups: Sequence[tuple[str, Path, int]]
    """Names of groups, their directories, and the places of the nodes that they are from."""
    missing: Sequence[int]
    """The nodes that did not answer."""


class Gathering:
    """See the module."""

    def __init__(
        self, logs: LogStore, peers: Peers, root: Path, *, bytes_max: int = BYTES_MAX
    ) -> None:
        """`root` is the directory of the copies."""
        self._logs = logs
        self._peers = peers
        self._root = root
        self._bytes_max = bytes_max
        self.number = peers.number
        """This node's."""
        peers.serve("logs/segments", self._serve_list)
        peers.serve("logs/segment", self._serve_segment)

    async def clean_up(self) -> None:
        """Delete what was left when the platform was killed."""
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(self._root, ignore_errors=True))

    @asynccontextmanager
    async def gathered(
        self, name: str, scope: Scope, groups: Sequence[str], start_ms: int
    ) -> AsyncIterator[Gathered]:
        """What this node has logged, and copies of what other nodes have logged since `start_ms`,
        for as long as the context lasts; `name` is unique. Raises `TooLarge` and `OSError`."""
        place = self._peers.place_of(self.number)
        own = [(group, self._logs.directory_of(*scope, group), place) for group in groups]
        if not self._peers.numbers():
            yield Gathered(own, self._peers.lost)
            return
        root = self._root / name
        try:
            value = [*scope, list(groups), start_ms]
            answers = await self._peers.ask("logs/segments", value, within_s=SCAN_S)
            copies, missing = await self._copy(root, scope, answers)
            yield Gathered([*own, *copies], sorted({*missing, *self._peers.lost}))
        finally:
            await shielded(
                lambda: anyio.to_thread.run_sync(lambda: shutil.rmtree(root, ignore_errors=True))
            )

    async def _copy(self, root: Path, scope: Scope, answers: Answers) -> Gathered:
        found = [each for listed in answers.found.values() for each in listed]
        total = sum(size for _, _, _, size in found)
        if total > self._bytes_max:
            raise TooLarge(
                f"other nodes have {total >> 20} MB of logs in this time, and a query copies"
                f" {self._bytes_max >> 20} MB: query less time or fewer groups"
            )
        copied: list[tuple[str, Path, int]] = []
        missing = list(answers.missing)

        async def copy(number: int, listed: Sequence[Any]) -> None:
            place = root / str(number)
            names = sorted({group for group, *_ in listed})
            try:
                for each in listed:
                    await self._copy_segment(number, place, scope, each)
            except NoAnswer:
                missing.append(number)
            copied.extend(
                (name, segments.directory_of(place, name), self._peers.place_of(number))
                for name in names
            )

        async with anyio.create_task_group() as tasks:
            for number, listed in answers.found.items():
                start_part(tasks, copy, number, listed)
        return Gathered(copied, missing)

    async def _copy_segment(self, number: int, place: Path, scope: Scope, listed: Any) -> None:
        group, stream, segment, size = listed
        value = [*scope, group, stream, segment, size]
        content = await self._peers.ask_one(number, "logs/segment", value, within_s=SCAN_S)

        def write() -> None:
            directory = segments.make_directory(segments.make_directory(place, group), stream)
            data = base64.b64decode(content)
            (directory / segments.segment_name(int(segment))).write_bytes(data)

        await computed(write)

    # -- what other nodes ask --------------------------------------------------------------

    async def _serve_list(self, value: Any) -> Any:
        account, region, groups, start_ms = value
        await self._logs.flush()

        def look() -> list[Any]:
            return [
                [group, stream, int(path.stem), size]
                for group in groups
                for stream, directory in segments.list_directories(
                    self._logs.directory_of(account, region, group)
                )
                for written, size, path in segments.sizes(directory)
                if written * 1000 + CLOCK_SLACK_MS >= start_ms
            ]

        return await computed(look)

    async def _serve_segment(self, value: Any) -> Any:
        account, region, group, stream, segment, size = value
        group_directory = self._logs.directory_of(account, region, group)
        directory = segments.directory_of(group_directory, stream)
        path = directory / segments.segment_name(int(segment))
        read: Callable[[], bytes] = path.read_bytes

        def encoded() -> str:
            try:
                return base64.b64encode(read()[: int(size)]).decode()
            except FileNotFoundError:
                return ""  # It has been trimmed meanwhile.

        return await computed(encoded)

"""Reads lines: the client sends a number, and the server sends all lines from that number on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.drivers import SourceDriver
from lambent.polling.ports import Envelope, Record, SourceError
from lambent.polling.reader import Reader
from lambent.store.positions import Position


class Text:
    """See `ports.Part`: the only part of the source."""

    name = "text"
    envelope = Envelope(b'{"lines":[', b"]}")

    def __init__(self, polled: ActiveMapping, next_number: int) -> None:
        self._polled = polled
        self._next = next_number
        self._address = polled.settings.brokers[polled.mapping.source_id]

    async def read(self) -> Sequence[Record]:
        """See `ports.Part`."""
        host, _, port = self._address.rpartition(":")
        text = b""
        try:
            async with await anyio.connect_tcp(host, int(port)) as stream:
                await stream.send(b"%d\n" % self._next)
                async for chunk in stream:
                    text += chunk
        except OSError as error:
            raise SourceError("PROBLEM: Connection error.", detail=str(error)) from error
        lines = text.decode().splitlines()
        if not lines:
            await self._polled.clock.sleep(self._polled.settings.idle_poll_s)
        records = [self._to_record(number, line) for number, line in enumerate(lines, self._next)]
        self._next += len(lines)
        return records

    def _to_record(self, number: int, line: str) -> Record:
        document = json.dumps({"number": number, "line": line}).encode()
        return Record(str(number), document, line, arrived_at=self._polled.clock.now())

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """See `ports.Part`."""
        await self._polled.positions.put({self.name: Position(after=record.id)})

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """See `ports.Part`."""
        return {"number": int(record.id)}, record.raw

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        return {"LinesInfo": {"first": records[0].id, "last": records[-1].id}}


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    positions = await polled.positions.load()
    last = positions.get(Text.name, Position()).after
    await Reader(polled).serve(Text(polled, int(last) + 1 if last else 0))


DRIVER = SourceDriver(poll)

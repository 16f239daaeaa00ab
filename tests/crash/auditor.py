"""Judges what a repeatedly killed platform did with its events.

It knows what was accepted with 202, what has arrived at the destination, which attempts were made
(the witness of `failpoints.py`) and, after each kill, the state of the database.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

RETRIES = 1


@dataclasses.dataclass(frozen=True)
class Left:
    """What a kill has left in the database; times by request id."""

    events: dict[str, int]
    """Events that wait or are in progress: how many failed attempts of each are stored."""
    deliveries: dict[str, bool]
    """Records that are being delivered: whether each is of an event that was to fail."""
    claimed: set[str]
    """Events of which an unrecorded attempt may have been in progress."""
    being_sent: set[str]
    """Records of which an unrecorded delivery may have been in progress."""


class Auditor:
    """Asserts, after every kill, the meaning of at-least-once."""

    def __init__(self, take: Callable[[], list[bytes]], database: sa.Engine, witness: Path) -> None:
        """`take` returns the records that have arrived since its last call."""
        self._take = take
        self._database = database
        self._witness = witness
        self._read_to = 0
        self.accepted: dict[str, bool] = {}
        """Events that were accepted with 202; by request ID, whether the function is to fail."""
        self.arrived = Counter[str]()
        """How often each record has arrived."""
        self.attempts = Counter[str]()
        """How often the function received each event."""
        self.hits = Counter[str]()
        """How often each point of `failpoints.py` has killed."""
        self._limits: dict[str, int] = {}
        """How often the function was to run for a completed event."""
        self._made_when_over: dict[str, int] = {}
        self._cut_attempts = Counter[str]()
        """Kills that may have hidden an attempt."""
        self._cut_sends = Counter[str]()
        """Kills that may have hidden a delivery."""

    @property
    def repeated_attempts(self) -> int:
        """Attempts that were made again because a kill had hidden the first."""
        return sum(
            max(self.attempts[event_id] - limit, 0) for event_id, limit in self._limits.items()
        )

    @property
    def repeated_records(self) -> int:
        """Records that have arrived again."""
        return sum(self.arrived.values()) - len(self.arrived)

    def receive(self) -> None:
        """Note what has arrived."""
        for record in self._take():
            self._note_arrival(json.loads(record))

    def _note_arrival(self, record: Any) -> None:
        context = record["requestContext"]
        fails = record["requestPayload"]["fails"]
        assert context["condition"] == ("RetriesExhausted" if fails else "Success")
        assert context["approximateInvokeCount"] == (RETRIES + 1 if fails else 1)
        assert self.accepted.get(context["requestId"], fails) is fails
        self.arrived[context["requestId"]] += 1
        self._limits[context["requestId"]] = RETRIES + 1 if fails else 1

    def audit(self) -> Left:
        """Compare what the dead platform has left with what it had acknowledged."""
        self.receive()
        self._read_witness()
        left = self._look()
        self._cut_attempts.update(left.claimed)
        self._cut_sends.update(left.being_sent)
        for request_id, fails in left.deliveries.items():
            self._limits[request_id] = RETRIES + 1 if fails else 1
        over = left.deliveries.keys() | self.arrived.keys()
        lost = self.accepted.keys() - left.events.keys() - over
        assert not lost, f"{len(lost)} events were accepted and are lost: {sorted(lost)[:5]}"
        assert not left.events.keys() & over, "events whose end is written down are tried again"
        for request_id, failed in left.events.items():
            self._judge_attempts(request_id, written=failed)
        for request_id in over:
            self._judge_attempts(request_id, written=self._limits[request_id])
            made = self.attempts[request_id]
            assert made == self._made_when_over.setdefault(request_id, made), (
                f"{request_id} was attempted after its end was written down"
            )
        for request_id, count in self.arrived.items():
            assert count <= 1 + self._cut_sends[request_id], f"{request_id} has arrived {count} x"
        return left

    def _judge_attempts(self, request_id: str, *, written: int) -> None:
        """The recorded ones, and one more for each kill that came before one could be recorded."""
        made, cut = self.attempts[request_id], self._cut_attempts[request_id]
        assert written <= made <= written + cut, (
            f"{request_id}: {made} attempts, {written} written down, {cut} cut off by kills"
        )
        assert written <= RETRIES + 1

    def _read_witness(self) -> None:
        lines = self._witness.read_text()[self._read_to :]
        self._read_to += len(lines)
        for word, about in map(str.split, lines.splitlines()):
            if word == "began":
                self.attempts[about] += 1
            elif word == "refused":
                self.attempts[about] -= 1
            else:
                self.hits[about] += 1

    def _look(self) -> Left:
        # One transaction, which waits for the rest of the platform's last one.
        with self._database.begin() as connection:
            events = connection.execute(
                sa.text("SELECT request_id, function_errors, claimed_by FROM async_events")
            ).all()
            deliveries = connection.execute(sa.text("SELECT body, claimed_by FROM deliveries"))
            records = [(json.loads(bytes(row.body)), row.claimed_by) for row in deliveries]
        ids = [(record["requestContext"]["requestId"], by) for record, by in records]
        return Left(
            events={row.request_id: row.function_errors for row in events},
            deliveries={
                record["requestContext"]["requestId"]: record["requestPayload"]["fails"]
                for record, _ in records
            },
            claimed={row.request_id for row in events if row.claimed_by is not None},
            being_sent={request_id for request_id, by in ids if by is not None},
        )

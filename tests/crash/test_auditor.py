"""The auditor finds what it is meant to find."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from lambent.store.tables import async_events, deliveries, metadata
from tests.crash.auditor import RETRIES, Auditor


class Crashed:
    """What a killed platform has left: one event, `e`, was accepted."""

    def __init__(self, directory: Path) -> None:
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        metadata.create_all(self.engine)
        self.messages: list[bytes] = []
        self.witness = directory / "witness"
        self.witness.touch()
        self.auditor = Auditor(self.take, self.engine, self.witness)
        self.auditor.accepted["e"] = False

    def take(self) -> list[bytes]:
        """The records that have arrived, as the auditor takes them."""
        taken, self.messages = self.messages, []
        return taken

    # -- what happened -----------------------------------------------------------------------

    def attempt(self, request_id: str = "e") -> None:
        with self.witness.open("a") as file:
            file.write(f"began {request_id}\n")

    def keep(self, failed: int = 0, by: str | None = None) -> None:
        """The event is in the database."""
        values = {
            "id": 1, "request_id": "e", "account": "a", "region": "r", "name": "f", "payload": b"",
            "trace_id": "t", "accepted_at": 0.0, "due_at": 0.0, "claimed_by": by,
            "function_errors": failed, "system_errors": 0,
        }  # fmt: skip
        self.forget()
        with self.engine.begin() as connection:
            connection.execute(sa.insert(async_events), [values])

    def record(self, fails: bool = False) -> bytes:
        context = {
            "requestId": "e",
            "condition": "RetriesExhausted" if fails else "Success",
            "approximateInvokeCount": RETRIES + 1 if fails else 1,
        }
        document = {"requestContext": context, "requestPayload": {"fails": fails}}
        return json.dumps(document).encode()

    def conclude(self, by: str | None = None) -> None:
        """The event is completed, and its record is being delivered."""
        values = {
            "id": 1, "target": "q", "document": {}, "body": self.record(), "created_at": 0.0,
            "due_at": 0.0, "claimed_by": by, "attempts": 0,
        }  # fmt: skip
        self.forget()
        with self.engine.begin() as connection:
            connection.execute(sa.insert(deliveries), [values])

    def arrive(self, fails: bool = False) -> None:
        self.messages.append(self.record(fails))

    def forget(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.delete(async_events))
            connection.execute(sa.delete(deliveries))


def test_what_at_least_once_allows(tmp_path: Path) -> None:
    """An attempt and a record that kills interrupted are repeated."""
    crashed = Crashed(tmp_path)
    crashed.attempt()
    crashed.keep(by="x")
    crashed.auditor.audit()
    crashed.attempt()
    crashed.arrive()
    crashed.conclude(by="x")
    crashed.auditor.audit()
    crashed.arrive()
    crashed.forget()
    left = crashed.auditor.audit()
    assert not left.events
    assert (crashed.auditor.repeated_attempts, crashed.auditor.repeated_records) == (1, 1)


def _lost(crashed: Crashed) -> None:
    crashed.attempt()


def _alive_after_its_end(crashed: Crashed) -> None:
    crashed.attempt()
    crashed.arrive()
    crashed.keep()


def _never_attempted(crashed: Crashed) -> None:
    crashed.conclude()


def _attempted_twice(crashed: Crashed) -> None:
    crashed.attempt()
    crashed.attempt()
    crashed.conclude()


def _attempted_twice_in_one_life(crashed: Crashed) -> None:
    crashed.attempt()
    crashed.attempt()
    crashed.keep(by="x")


def _attempted_after_its_end(crashed: Crashed) -> None:
    crashed.attempt()
    crashed.keep(by="x")
    crashed.auditor.audit()
    crashed.conclude()
    crashed.auditor.audit()
    crashed.attempt()


def _retried_beyond_the_limit(crashed: Crashed) -> None:
    for _ in range(RETRIES + 2):
        crashed.attempt()
    crashed.keep(failed=RETRIES + 2)


def _told_twice(crashed: Crashed) -> None:
    crashed.attempt()
    crashed.conclude(by=None)
    crashed.auditor.audit()
    crashed.forget()
    crashed.arrive()
    crashed.arrive()


def _told_of_another_outcome(crashed: Crashed) -> None:
    for _ in range(RETRIES + 1):
        crashed.attempt()
    crashed.arrive(fails=True)


@pytest.mark.parametrize(
    "happened",
    [
        _lost,
        _alive_after_its_end,
        _never_attempted,
        _attempted_twice,
        _attempted_twice_in_one_life,
        _attempted_after_its_end,
        _retried_beyond_the_limit,
        _told_twice,
        _told_of_another_outcome,
    ],
)
def test_what_it_does_not(tmp_path: Path, happened: Callable[[Crashed], None]) -> None:
    """Everything else is found."""
    crashed = Crashed(tmp_path)
    happened(crashed)
    with pytest.raises(AssertionError):
        crashed.auditor.audit()

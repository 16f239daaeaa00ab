"""Concurrency in the API: the desired state is stored, the actual state is observed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.control.settings import ControlSettings
from lambent.model.changes import Changes
from lambent.model.concurrency import ProvisionedState, Reservation
from lambent.model.function import FunctionKey
from tests.unit.control.control_room import HERE, Room, open_room, refused

pytestmark = pytest.mark.anyio
KEY = FunctionKey(*HERE, "f")
SMALL = ControlSettings(unreserved_concurrency_min=2)


def put(room: Room, qualifier: str, number: int) -> Any:
    """PutProvisionedConcurrencyConfig."""
    return room.control.concurrency.provision(
        HERE,
        {
            "FunctionName": "f",
            "Qualifier": qualifier,
            "ProvisionedConcurrentExecutions": number,
        },
    )


async def test_the_status_is_observed(tmp_path: Path) -> None:
    """Until all are ready it is in progress, unless they cannot be made ready."""
    async with open_room(tmp_path, SMALL) as room:
        await room.create_active()
        await room.publish()
        assert (await put(room, "1", 3))["Status"] == "IN_PROGRESS"
        for state, status, ready, reason in (
            (ProvisionedState(0), "IN_PROGRESS", 0, None),
            (ProvisionedState(2), "IN_PROGRESS", 2, None),
            (ProvisionedState(1, "why"), "FAILED", 1, "why"),
            (ProvisionedState(3), "READY", 3, None),
            (ProvisionedState(4, "why"), "READY", 3, None),
        ):
            room.provisioned["1"] = state
            which = {"FunctionName": "f", "Qualifier": "1"}
            shown = await room.control.concurrency.get_provisioned(HERE, which)
            assert (shown["Status"], shown.get("StatusReason")) == (status, reason)
            assert shown["RequestedProvisionedConcurrentExecutions"] == 3
            assert shown["AvailableProvisionedConcurrentExecutions"] == ready
            assert shown["AllocatedProvisionedConcurrentExecutions"] == ready
            page = await room.control.concurrency.list_provisioned(HERE, {"FunctionName": "f"})
            (listed,) = page["ProvisionedConcurrencyConfigs"]
            assert listed == {"FunctionArn": f"{KEY.arn}:1", **shown}


async def test_how_much_must_stay_is_a_setting(tmp_path: Path) -> None:
    """Of seven two; by default a hundred."""
    async with open_room(tmp_path, SMALL) as room:
        await room.create_active()
        reserve: Callable[..., Any] = room.control.concurrency.reserve
        await reserve(HERE, {"FunctionName": "f", "ReservedConcurrentExecutions": 5})
        error = await refused(
            reserve(HERE, {"FunctionName": "f", "ReservedConcurrentExecutions": 6})
        )
        assert error.message.endswith("below its minimum value of [2].")


@pytest.mark.slow
async def test_admission_is_notified_before_the_response(tmp_path: Path) -> None:
    """Listeners get reservations within the call that changes them, and at the start."""
    reservations: list[Reservation] = []

    class Follower:
        def note_changes(self, changes: Changes) -> None:
            assert set(changes.functions) <= {KEY}
            reservations.extend(changes.functions.values())

    follower = Follower()

    concurrency = {"FunctionName": "f", "ReservedConcurrentExecutions": 4}
    async with open_room(tmp_path, SMALL) as room:
        await room.create_active()
        await room.publish()
        await room.store.follow(follower)
        assert reservations == []
        await room.control.concurrency.reserve(HERE, concurrency)
        assert reservations[-1] == Reservation(4)
        await room.control.aliases.create(
            HERE, {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}
        )
        await put(room, "live", 3)
        (claim,) = reservations[-1].claims
        assert claim.qualifier == "live"
        assert [(version.version, number) for version, number in claim.shares] == [("1", 3)]
    async with open_room(tmp_path, SMALL) as room:
        reservations.clear()
        await room.store.follow(follower)
        assert [
            (reservation.reserved, len(reservation.claims)) for reservation in reservations
        ] == [(4, 1)]
        await room.control.aliases.delete(HERE, {"FunctionName": "f", "Name": "live"})
        assert reservations[-1] == Reservation(4)
        await room.control.functions.delete(HERE, {"FunctionName": "f"})
        assert reservations[-1] == Reservation()

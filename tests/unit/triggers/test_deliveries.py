"""What the emulator asks for."""

from typing import Any

import pytest

from lambent.model.arn import AccountId, Region, Scope
from lambent.triggers.deliveries import EventsOfServices

ENTRY = {"Source": "aws.s3", "DetailType": "Object Created", "Detail": "{}", "Time": "now"}
REQUEST = {
    "account": "000000000000",
    "region": "eu-west-1",
    "Entries": [ENTRY],
    "IsFromService": True,
}


def test_events_are_for_buses_of_their_account() -> None:
    """Of an entry, the members that are known are kept."""
    read = EventsOfServices.from_document(REQUEST)
    assert read.scope == Scope(AccountId("000000000000"), Region("eu-west-1"))
    assert read.is_from_service
    (entry,) = read.entries
    assert entry == {**{k: v for k, v in ENTRY.items() if k != "Time"}, "Resources": []}


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        {},
        {**REQUEST, "Entries": []},
        {**REQUEST, "Entries": [ENTRY] * 11},
        {**REQUEST, "Entries": ["a"]},
        {**REQUEST, "Entries": {"a": 1}},
        {**REQUEST, "account": "1:2"},
        {**REQUEST, "region": "../x"},
        {**REQUEST, "Entries": [{**ENTRY, "Source": {"a": 1}}]},
        {**REQUEST, "Entries": [{**ENTRY, "Resources": [1]}]},
        {**REQUEST, "Entries": [{**ENTRY, "Resources": 1}]},
        {
            **REQUEST,
            "Entries": [
                {
                    **ENTRY,
                    "EventBusName": "arn:aws:events:eu-west-1:111111111111:event-bus/default",
                }
            ],
        },
    ],
)
def test_what_has_another_form_is_refused(request_: Any) -> None:
    """The emulator serves functions, who may confuse it: it reaches no other account."""
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        EventsOfServices.from_document(request_)

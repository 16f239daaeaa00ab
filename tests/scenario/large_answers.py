"""How every language handles large results, errors and log events."""

from typing import Any

from tests.platforms import Platform, wait_for


def check_what_is_too_large(act: Any) -> None:
    """A result and an error that are too large are reported, and the same process continues."""
    count = act("count")[0]
    for deed in ("large", "overflow"):
        assert act(deed)[0]["errorType"] == "Function.ResponseSizeTooLarge"
        count += 1
        assert act("count")[0] == count


def check_a_long_log_event(platform: Platform, function: str) -> None:
    """A log event that is too large is split, and nothing else is logged."""
    pages = platform.client("logs").get_paginator("filter_log_events")

    def cut() -> list[str]:
        found = [
            event["message"].removesuffix("\n")
            for page in pages.paginate(logGroupName=f"/aws/lambda/{function}")
            for event in page["events"]
        ]
        return [line for line in found if "yyyy" in line]

    wait_for(lambda: sum(map(len, cut())) >= 5 << 20, "all of it in the log")
    assert {character for line in cut() for character in line} == {"y"}

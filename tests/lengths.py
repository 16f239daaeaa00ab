"""How long properties are tried: shortly in every run, fully in `make test-long`."""

import os

from hypothesis import settings

IS_LONG = os.environ.get("LONG_TESTS") == "1"


def examples(long: int) -> int:
    """How many examples of a property are tried."""
    return long if IS_LONG else max(long // 4, 5)


def load_profile() -> None:
    """How properties are tried that do not say it themselves. No example has a deadline: how fast
    it is depends on what else the machine does."""
    for name, is_long in (("short", False), ("long", True)):
        settings.register_profile(name, max_examples=100 if is_long else 25, deadline=None)
    settings.load_profile("long" if IS_LONG else "short")

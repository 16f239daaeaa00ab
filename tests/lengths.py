"""How many examples property tests try: few in every run, all in `make test-long`."""

import os

from hypothesis import HealthCheck, settings

IS_LONG = os.environ.get("LONG_TESTS") == "1"


def examples(long: int) -> int:
    """The number of examples of a property."""
    return long if IS_LONG else max(long // 4, 5)


def load_profile() -> None:
    """The default settings of property tests. How fast examples are made or run does not count: it
    depends on what else the machine does. A short run tries the same examples each time, a long
    one tries others."""
    for name, is_long in (("short", False), ("long", True)):
        settings.register_profile(
            name,
            max_examples=100 if is_long else 25,
            deadline=None,
            derandomize=not is_long,
            suppress_health_check=[HealthCheck.too_slow],
        )
    settings.load_profile("long" if IS_LONG else "short")

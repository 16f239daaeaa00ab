"""What these tests share is in `tests/platforms.py`."""

from tests.crash.streams import streams
from tests.platforms import start_platform

__all__ = ["start_platform", "streams"]

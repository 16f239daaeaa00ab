"""Times as in access logs, which events have too."""

import time
from functools import lru_cache


@lru_cache(maxsize=8)
def log_time(second: int) -> str:
    """`12/Mar/2020:19:03:58 +0000`; `second` is epoch seconds."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))

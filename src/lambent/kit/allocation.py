"""How the C library returns memory to the system."""

import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 256 * 1024


def return_large_blocks() -> None:
    """Make the C library return large blocks, such as bodies of requests, to the system as soon as
    they are freed. By default glibc begins to keep them once it has seen some, and it can never
    return one that lies below a small block in use. Does nothing with other C libraries."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)

"""How the C library gives memory back."""

import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 256 * 1024


def give_back_large_blocks() -> None:
    """Have memory of large blocks, as of requests' bodies, given back when they are freed. By
    itself glibc begins to keep them once it has seen some: forever, if something small lies
    behind them. Other libraries are left as they are."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)

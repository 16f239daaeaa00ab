"""User IDs, and what this process may do with them."""

import os
from pathlib import Path

CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID = 0, 1, 5, 6, 7
CAP_SETPCAP, CAP_SYS_ADMIN = 8, 21
_PER_INSTANCE = 1000
_INSTANCES, _INSTANCES_IN_CONTAINER = 100, 15
_FIRST_IN_CONTAINER = 45_000
"""Containers with mapped users have 65,536 of them; the last ones have a special meaning."""


def has_capability(number: int) -> bool:
    """Whether this process has a capability."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def is_root() -> bool:
    """Whether this process is root of other users, too. Root of a user namespace without other
    users (`unshare -r`) is an ordinary user that looks like root."""
    return os.geteuid() == 0 and _exists(_FIRST_IN_CONTAINER)


def can_separate(platform_uid: int) -> bool:
    """Whether this process may start others as separate users, own their files and end them."""
    needed = (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID)
    return is_root() and _exists(platform_uid) and all(map(has_capability, needed))


def first_users(wanted: int, instance: int) -> list[int]:
    """Return where the user IDs of an instance's environments may start, the usual place first:
    from `wanted` on, or lower if this user namespace does not map such IDs."""
    count = _INSTANCES
    if not _exists(wanted + _INSTANCES * _PER_INSTANCE - 1):
        wanted, count = _FIRST_IN_CONTAINER, _INSTANCES_IN_CONTAINER
    return [wanted + (instance + at) % count * _PER_INSTANCE for at in range(count)]


def _exists(number: int) -> bool:
    """Whether a user ID is mapped in this user namespace."""
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= number < int(first) + int(count) for first, _, count in ranges)

"""Which releases of Lambent can run on one database at the same time."""

import re

_RELEASE = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})(?:[.a-z+-].*)?")


def are_neighbors(one: str, other: str) -> bool:
    """Whether two releases are the same or follow each other, by their first two numbers: 1.4 and
    1.5; 1.4 and 1.4.2. The first release with another first number follows any with the number
    before, because it is not known which of them was the last: 0.9 and 1.0."""
    if one == other:
        return True
    first, second = _RELEASE.fullmatch(one), _RELEASE.fullmatch(other)
    if first is None or second is None:
        return False
    older, newer = sorted((int(found[1]), int(found[2])) for found in (first, second))
    if older[0] == newer[0]:
        return newer[1] - older[1] <= 1
    return newer == (older[0] + 1, 0)

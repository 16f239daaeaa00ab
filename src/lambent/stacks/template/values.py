"""Values that only a deployment knows."""

from typing import Final


class Unknown:
    """Stands for a value that is not known yet, such as the ARN of a resource that has not been
    made. Whatever is computed from it is unknown, too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""The only one."""

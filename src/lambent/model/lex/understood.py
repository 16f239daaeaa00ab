"""What a text may ask for."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Understood:
    """An intent that a text may ask for."""

    intent: str
    score: float
    """From 0 to 1."""
    slots: Mapping[str, Any]
    """Documents of values by slot."""
    is_whole: bool = True
    """Whether every slot of the utterance has a value."""

"""Aliases: names for versions, and where their invocations go."""

import dataclasses
import random
from collections.abc import Mapping

from lambent.model.function import FunctionKey, FunctionVersion


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name for one version of a function, or for two that share its invocations."""

    key: FunctionKey
    name: str
    version: str
    """`$LATEST` or a decimal number."""
    description: str = ""
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Version number to the share of invocations it gets instead of `version`, 0.0 to 1.0; at
    most one entry."""
    revision_id: str

    @property
    def arn(self) -> str:
        """The function's ARN, qualified by the alias."""
        return f"{self.key.arn}:{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Which version an invocation with a qualifier runs: always one, or either of two."""

    version: FunctionVersion
    other: FunctionVersion | None = None
    other_share: float = 0.0
    """Share of the invocations that `other` gets, 0.0 to 1.0."""
    may_loop: bool = False
    """Whether the function may call itself, on whatever way, without end."""

    def split(self, number: int) -> tuple[tuple[FunctionVersion, int], ...]:
        """Divide something among the versions as their invocations are divided."""
        others = 0 if self.other is None else round(number * self.other_share)
        parts = ((self.version, number - others), (self.other, others))
        return tuple((version, part) for version, part in parts if version is not None and part)

    def choose(self) -> FunctionVersion:
        """The version for one invocation, drawn again each time."""
        if self.other is not None and random.random() < self.other_share:
            return self.other
        return self.version

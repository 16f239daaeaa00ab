"""How much one evaluation may take."""

from typing import Any, Final

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.shape import DEPTH_MAX

STEPS_MAX: Final = 200_000
"""Values that are looked at: twice as many as a template may have. They take half a second."""
CHARACTERS_MAX: Final = 4_000_000
"""Characters of all texts: four times the largest template."""


class Budget:
    """Steps and characters that are left for one evaluation."""

    __slots__ = ("_characters", "_steps")

    def __init__(self) -> None:
        self._steps = STEPS_MAX
        self._characters = CHARACTERS_MAX

    def step(self, count: int = 1) -> None:
        """Take steps. Raises `TemplateError` if too few are left."""
        self._steps -= count
        if self._steps < 0:
            raise TemplateError(
                f"Template error: The template takes more than {STEPS_MAX:,} steps to evaluate."
            )

    def make(self, characters: int) -> None:
        """Take characters, before they are made. Raises `TemplateError` if too few are left."""
        self._characters -= characters
        if self._characters < 0:
            raise TemplateError(
                f"Template error: Functions make more than {CHARACTERS_MAX:,} characters."
            )

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Take what a value has that is made already; returns the value. Raises `TemplateError` if
        too few are left, or the value is too deep, as a custom resource may make it."""
        if depth > DEPTH_MAX:
            raise TemplateError(
                f"Template error: A value is nested deeper than {DEPTH_MAX} levels."
            )
        if isinstance(value, str):
            self.make(len(value))
        elif isinstance(value, list | tuple):
            self.step(len(value))
            for item in value:
                self.copy(item, depth + 1)
        elif isinstance(value, dict):
            self.step(len(value))
            for member in value.values():
                self.copy(member, depth + 1)
        return value

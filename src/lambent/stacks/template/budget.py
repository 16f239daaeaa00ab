"""How much one evaluation may take."""

from typing import Final

from lambent.stacks.template.errors import TemplateError

STEPS_MAX: Final = 1_000_000
"""Values that are looked at: a second or two."""
CHARACTERS_MAX: Final = 4_000_000
"""Characters that functions make."""


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

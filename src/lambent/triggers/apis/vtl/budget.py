"""What a template may use: steps, characters, depth. Every loop of the interpreter counts here."""

from lambent.kit.linear_regex import Work

STEPS_MAX = 100_000
OUTPUT_BYTES_MAX = 10 * 1024 * 1024
"""What a template may write, and what all texts that it makes may amount to, in characters."""
PATTERN_STEPS_MAX = 500_000
DEPTH_MAX = 40
"""How deeply values, blocks and calls may be nested."""
_CHARACTERS_A_STEP = 1_000
"""To copy or search so many characters takes as long as a step."""


class TemplateError(Exception):
    """A template is wrong, or takes more than it may. The message says what is wrong."""


class InputError(TemplateError):
    """A template reads a body as JSON that is not JSON. API Gateway returns 400 for a request."""


class OverBudget(TemplateError):
    """A template takes more than it may."""


class Budget:
    """What is left for one rendering."""

    __slots__ = ("_characters", "_depth", "_steps", "pattern_work")

    def __init__(self, steps: int = STEPS_MAX) -> None:
        self._steps = steps
        self._characters = OUTPUT_BYTES_MAX
        self._depth = 0
        self.pattern_work = Work(min(PATTERN_STEPS_MAX, 5 * steps))

    def step(self, steps: int = 1) -> None:
        """Take steps. Raises `OverBudget`."""
        self._steps -= steps
        if self._steps < 0:
            raise OverBudget(f"The template takes more than {STEPS_MAX:,} steps.")

    def read(self, characters: int) -> None:
        """Read so many characters. Raises `OverBudget`."""
        self.step(characters // _CHARACTERS_A_STEP)

    def make(self, characters: int) -> None:
        """Make a text of so many characters; to be called before it is made. Raises
        `OverBudget`."""
        self._characters -= characters
        if self._characters < 0:
            raise OverBudget("The template makes more than 10 MB of text.")
        self.read(characters)

    def enter(self) -> None:
        """Go one level deeper. Raises `OverBudget`."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise OverBudget(f"The template nests more than {DEPTH_MAX} levels.")

    def leave(self) -> None:
        """Undo `enter`."""
        self._depth -= 1

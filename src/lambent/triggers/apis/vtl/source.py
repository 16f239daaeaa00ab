"""The text of a template, with the position up to which it was parsed."""

import re

from lambent.triggers.apis.vtl.budget import DEPTH_MAX, TemplateError

_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_END = re.compile(r"[ \t]*(?:\r\n|\n|\r)")


class Source:
    """A cursor in a template."""

    __slots__ = ("_depth", "at", "text")

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self._depth = depth

    @property
    def depth(self) -> int:
        """How many levels are open."""
        return self._depth

    def error(self, fault: str) -> TemplateError:
        """An error at the cursor."""
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - self.text.rfind("\n", 0, self.at)
        return TemplateError(f"{fault} at line {line}, column {column}.")

    def enter(self) -> None:
        """Go one level deeper. Raises `TemplateError`."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.error(f"More than {DEPTH_MAX} levels are nested")

    def leave(self) -> None:
        """Undo `enter`."""
        self._depth -= 1

    def starts_with(self, text: str) -> bool:
        """Whether a text follows."""
        return self.text.startswith(text, self.at)

    def accept(self, text: str) -> bool:
        """Move past a text, if it follows."""
        if not self.starts_with(text):
            return False
        self.at += len(text)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Move past what a pattern matches."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def expect(self, text: str) -> None:
        """Move past space and a text. Raises `TemplateError` if the text does not follow."""
        self.skip_space()
        if not self.accept(text):
            raise self.error(f"Expected {text!r}")

    def skip_space(self) -> None:
        """Move past space, which includes ends of lines."""
        self.match(_SPACE)

    def skip_line_end(self) -> None:
        """Move past spaces and the end of the line, if nothing else is on it: what directives
        take with them."""
        self.match(_LINE_END)

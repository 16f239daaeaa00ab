"""Prints events of several functions, each with its name in a colour."""

import re
import time
from collections.abc import Mapping
from typing import Any

from lambent.cli.output import console

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could change the terminal: a function decides what it logs."""
_FRAMES = ("START ", "END ", "REPORT ", "INIT_START ")
_FUNCTIONS = "/aws/lambda/"
_WIDTH_MAX = 40


def name_of(group: str) -> str:
    """What a log group is called: by its function, if it has one."""
    return group.removeprefix(_FUNCTIONS)


class LinePrinter:
    """Prints lines on stdout."""

    def __init__(self) -> None:
        self._out = console()
        self._colours: dict[str, str] = {}
        self._width = 0

    def expect(self, name: str) -> None:
        """Make room for a name, and choose its colour."""
        if name not in self._colours:
            self._colours[name] = _COLOURS[len(self._colours) % len(_COLOURS)]
            self._width = max(self._width, min(len(name), _WIDTH_MAX))

    def print(self, name: str, event: Mapping[str, Any]) -> None:
        """Print an event, line by line."""
        from rich.text import Text

        self.expect(name)
        at = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
        for line in event["message"].rstrip("\n").split("\n"):
            line = _CONTROLS.sub("�", line)
            style = "dim" if line.startswith(_FRAMES) else ""
            style = "red" if "[ERROR]" in line or "\tERROR\t" in line else style
            label = (f"{name:<{self._width}} ", self._colours[name])
            self._out.print(Text.assemble((f"{at} ", "dim"), label, (line, style)))

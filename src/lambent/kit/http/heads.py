"""Heads of answers: status line, date, headers."""

import http
from collections.abc import Iterable
from email.utils import formatdate

from lambent.kit.clock import Clock

REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class DateLine:
    """The `Date` header, made once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._line = ""
        self._end = b""

    @property
    def line(self) -> str:
        """The header, without its line end."""
        self._refresh()
        return self._line

    @property
    def end(self) -> bytes:
        """The header, and the empty line that ends a head."""
        self._refresh()
        return self._end

    def _refresh(self) -> None:
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}"
            self._end = f"{self._line}\r\n\r\n".encode()


def head_lines(status: int, headers: Iterable[tuple[str, str]], date: DateLine) -> list[str]:
    """Status line, headers and, if it is not among them, the date. Raises ValueError for what would
    end them early."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
    has_date = False
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"cannot send header {name}: its value has a line break or NUL")
        lines.append(f"{name}: {value}")
        has_date = has_date or name.lower() == "date"
    if not has_date:
        lines.append(date.line)
    return lines

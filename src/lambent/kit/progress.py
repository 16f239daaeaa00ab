"""Progress of the slow steps of a start: one changing line on a terminal, else line by line."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

_REFRESH_S = 0.5
_REPEAT_S = 10.0


class Steps(Protocol):
    """Receives what is being done, from any thread."""

    def begin(self, name: str, step: str) -> None:
        """A step that may take long begins."""
        ...

    def end(self, name: str, failure: str | None = None) -> None:
        """A step has ended; `failure` says why, if it failed. Does nothing if it never began."""
        ...


class _Steps:
    """See `Steps`. `tell` is called with one line whenever something changes."""

    def __init__(self, tell: Callable[[str], None], print_line: Callable[[str], None]) -> None:
        self._tell = tell
        self._print_line = print_line
        self._lock = threading.Lock()
        self._under_way: dict[str, tuple[str, float]] = {}
        self._repeated_at = time.monotonic()

    def begin(self, name: str, step: str) -> None:
        with self._lock:
            self._under_way[name] = (step, time.monotonic())
            self._print_line(f"{name}: {step}")
            self._tell(self._describe())

    def end(self, name: str, failure: str | None = None) -> None:
        with self._lock:
            if name not in self._under_way:
                return
            _, began = self._under_way.pop(name)
            took_s = time.monotonic() - began
            self._print_line(f"{name}: {failure or 'ready'} after {took_s:.0f} s")
            self._tell(self._describe())

    def look(self) -> None:
        """Refresh the display: some time has passed."""
        with self._lock:
            if not self._under_way:
                return
            self._tell(self._describe())
            if time.monotonic() - self._repeated_at >= _REPEAT_S:
                self._repeated_at = time.monotonic()
                self._print_line(f"still at work: {self._describe()}")

    def _describe(self) -> str:
        now = time.monotonic()
        return ", ".join(
            f"{name}: {step} ({now - began:.0f} s)"
            for name, (step, began) in self._under_way.items()
        )


@contextmanager
def shown_steps(tell: Callable[[str], None]) -> Iterator[Steps]:
    """Show the steps that run: on a terminal one line that changes, else a line on stderr when a
    step begins, when it ends, and every 10 s. `tell` is also called with each state, as one line.
    """
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False)
    with console.status("") if console.is_terminal else _nothing() as status:

        def show(text: str) -> None:
            if status is not None:
                status.update(f"Preparing {text}" if text else "")
            if text:
                tell(f"Preparing {text}")

        def print_line(text: str) -> None:
            if status is None:
                print(f"{_prefix()}preparing {text}", file=sys.stderr, flush=True)

        steps = _Steps(show, print_line)
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(_REFRESH_S):
                steps.look()

        # The thread ends with the context: a process that then drops privileges may have only one.
        thread = threading.Thread(target=look, name="progress", daemon=True)
        thread.start()
        try:
            yield steps
        finally:
            ended.set()
            thread.join()


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _prefix() -> str:
    """The priority for the journal: other output on stderr counts as an error there."""
    from lambent.kit import journal

    return f"<{journal.INFO}>" if isinstance(sys.stderr, journal.PriorityLines) else ""

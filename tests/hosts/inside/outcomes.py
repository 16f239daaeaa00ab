"""How a check ends, and how it is reported to the machine that started it."""

import json
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

PASSED, FAILED, REFUSED, NOT_RUN = "passed", "failed", "refused", "not run"


class Refused(Exception):
    """The platform refused with a clear message, which is the text."""


class NotRun(Exception):
    """The check is not possible here; the message says why."""


class TooLong(Exception):
    """The check's deadline passed."""


@dataclass(frozen=True)
class Outcome:
    """The result of a check."""

    check: str
    state: str
    note: str
    seconds: float

    def line(self) -> str:
        """The outcome as one line of text."""
        return json.dumps(asdict(self))


def outcome_of_line(line: str) -> Outcome | None:
    """Parse a line; None if it is other output."""
    try:
        return Outcome(**json.loads(line))
    except (ValueError, TypeError):
        return None


def run_check(name: str, check: Callable[[], str], deadline_s: int) -> Outcome:
    """Run one check; `check` returns a note, perhaps empty. Never raises."""

    def too_long(number: int, frame: object) -> None:
        raise TooLong(f"not done within {deadline_s} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(deadline_s)
    began = time.monotonic()
    try:
        state, note = PASSED, check()
    except Refused as error:
        state, note = REFUSED, str(error)
    except NotRun as error:
        state, note = NOT_RUN, str(error)
    except Exception as error:
        traceback.print_exc()
        state, note = FAILED, f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Outcome(name, state, " ".join(note.split())[:600], round(time.monotonic() - began, 1))

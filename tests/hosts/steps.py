"""Programs of this machine, run with a deadline and a log, and messages about their progress."""

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
WORK = (ROOT / "build" / "hosts").resolve()
"""Images, wheels and logs; a cache that may be deleted."""


class StepFailed(Exception):
    """A program failed or took too long. The message ends with its last output."""


def say(text: str) -> None:
    """Print a progress message."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the start of a step, and how long it took."""
    say(f"{name} …")
    began = time.monotonic()
    yield
    say(f"{name}: {time.monotonic() - began:.0f} s")


def run(
    command: Sequence[str | Path], *, log: Path, deadline_s: float, stdin: bytes | None = None
) -> bytes:
    """Run a program; returns its output, which is also appended to `log`.

    Raises StepFailed.
    """
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=deadline_s)
    except subprocess.TimeoutExpired as error:
        _append(log, words, error.stdout or b"", error.stderr or b"")
        raise StepFailed(f"{words[0]} took more than {deadline_s:g} s; see {log}") from error
    _append(log, words, done.stdout, done.stderr)
    if done.returncode != 0:
        tail = (done.stderr or done.stdout).decode(errors="replace")[-1500:]
        raise StepFailed(f"{shlex.join(words)[:200]} ended with {done.returncode}:\n{tail}")
    return done.stdout


def wait_until(is_so: Callable[[], bool], description: str, deadline_s: float) -> None:
    """Poll until the condition is true. Raises StepFailed when that takes too long."""
    deadline = time.monotonic() + deadline_s
    while not is_so():
        if time.monotonic() > deadline:
            raise StepFailed(f"{description}: not within {deadline_s:g} s")
        time.sleep(0.5)  # noqa: TID251 - a poll of an outside process


def _append(log: Path, words: Sequence[str], *outputs: bytes) -> None:
    with log.open("ab") as file:
        file.write(f"\n$ {shlex.join(words)}\n".encode())
        for output in outputs:
            file.write(output)


def stop_with(text: str) -> None:
    """Print why nothing can run, and exit."""
    print(text, file=sys.stderr)
    raise SystemExit(1)

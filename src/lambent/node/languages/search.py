"""Finds programs: on PATH, in the system's directories and in those of version managers."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_DEADLINE_S = 10.0


def directories(environment: Mapping[str, str], system: Iterable[Path]) -> Iterator[Path]:
    """Those on PATH, then the system's."""
    for entry in environment.get("PATH", "").split(os.pathsep):
        if os.path.isabs(entry):
            yield Path(entry)
    yield from system


def glob(directory: Path, *patterns: str) -> Iterator[Path]:
    """The matches in a directory, pattern by pattern, each sorted."""
    for pattern in patterns:
        try:
            yield from sorted(directory.glob(pattern))
        except OSError:
            return  # A directory that may not be read is skipped.


def executables(paths: Iterable[Path]) -> Iterator[Path]:
    """The real files behind the paths: executable, and not scripts, which shims are."""
    for path in paths:
        try:
            real = path.resolve(strict=True)
            if not os.access(real, os.X_OK) or not real.is_file():
                continue
            with real.open("rb") as file:
                is_script = file.read(2) == b"#!"
        except (OSError, RuntimeError):
            continue
        if not is_script:
            yield real


def run_probe(program: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run an interpreter to ask it something, without our environment variables and with a
    deadline. Raises OSError, `subprocess.SubprocessError`."""
    return subprocess.run(
        [program, *arguments],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DEADLINE_S,
        cwd="/",
    )


def json_of(program: Path, arguments: Sequence[str]) -> Any:
    """An interpreter's output, parsed as JSON. Raises ValueError, too."""
    printed = run_probe(program, arguments).stdout
    try:
        return json.loads(printed)
    except RecursionError:
        raise ValueError(f"{program} prints no answer") from None

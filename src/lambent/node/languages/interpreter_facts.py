"""Remembers what interpreters reported about themselves: asking a dozen of them takes a third of a
second of CPU, at every start of the platform."""

import contextlib
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Answers:
    """Answers by program, valid as long as its file is unchanged. Without a file nothing is
    stored."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known = _read(file) if file is not None else {}
        self._is_changed = False

    def of(self, program: Path, ask: Callable[[], Any]) -> Any:
        """The program's answer; `ask` is called, and may raise, if that is not known. Safe to call
        from several threads."""
        status = program.stat()
        # A file that was replaced or written to has another change time, which no program can set.
        mark = [status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns]
        known = self._known.get(str(program))
        if isinstance(known, dict) and known.get("mark") == mark:
            return known.get("answer")
        answer = ask()
        self._known[str(program)] = {"mark": mark, "answer": answer}
        self._is_changed = True
        return answer

    def save(self) -> None:
        """Write the answers for the next start. An answer that cannot be written is asked for
        again."""
        if self._file is None or not self._is_changed:
            return
        # `Path.exists` would raise for paths that this user may not read.
        kept = {name: known for name, known in self._known.items() if os.path.exists(name)}
        partial = self._file.with_name(f".{self._file.name}-{uuid.uuid4().hex}")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            try:
                partial.write_text(json.dumps(kept))
                os.replace(partial, self._file)
            finally:
                partial.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

"""`lambent up --detach`: a platform in the background, and the wait until it is ready.

The child is an ordinary `lambent up` in its own session that logs to a file. It reports the
progress of its start as it does to systemd (`kit/service_manager.py`).
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lambent.cli.output import CliError, console, print_note
from lambent.instance.data_directory import DataDirectory
from lambent.instance.lock import Facts, InstanceUnknown, find_running
from lambent.instance.log_file import open_log

_LOOK_S = 0.2
_REPEAT_S = 10.0
_STOP_S = 30.0
_SHOWN_LINES = 20
_SHOWN_BYTES = 16_384
_MESSAGE_MAX = 4096


def start(data_dir: Path, arguments: Sequence[str], *, replaces: bool = False) -> Facts:
    """Start `lambent up` with these arguments and wait until it is ready; returns its facts. It may
    replace a platform that runs. Raises CliError, with its output, if it ends before that."""
    data = DataDirectory(data_dir.absolute())
    try:
        with find_running(data.root) as running:
            if running is not None and not replaces:
                where = running.facts.url or "(it is starting)"
                raise CliError(f"it already runs: {where}, pid {running.facts.pid}")
        data.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        log, descriptor = open_log(data.state)
    except InstanceUnknown as error:
        raise CliError(str(error)) from error
    except OSError as error:
        raise CliError(
            f"cannot use the data directory {data.root}: {error.strerror or error}; choose another"
            " with --data-dir"
        ) from error
    with tempfile.TemporaryDirectory(prefix="lambent-") as directory, _bound(directory) as news:
        at = os.fstat(descriptor).st_size
        program = [sys.executable, "-P", "-m", "lambent", "up"]
        process = subprocess.Popen(
            [*program, *(["--replace"] if replaces else []), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env={**os.environ, "NOTIFY_SOCKET": str(news.getsockname())},
            start_new_session=True,
        )
        os.close(descriptor)
        signal.signal(signal.SIGTERM, _give_up)
        try:
            _wait_ready(process, news, log, at)
        except BaseException:
            _end(process)
            raise
    with find_running(data.root) as running:
        if running is None or running.facts.pid != process.pid:
            raise CliError(_describe_end(process, log, at))
        return running.facts


@contextmanager
def _bound(directory: str) -> Iterator[socket.socket]:
    """A socket for reports of progress; only its owner and root can reach it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news:
        news.bind(str(Path(directory) / "notify"))
        news.settimeout(_LOOK_S)
        yield news


def _wait_ready(
    process: "subprocess.Popen[bytes]", news: socket.socket, log: Path, at: int
) -> None:
    with _shown() as show:
        while True:
            with contextlib.suppress(TimeoutError):
                for line in news.recv(_MESSAGE_MAX).decode(errors="replace").splitlines():
                    name, _, value = line.partition("=")
                    if name == "READY":
                        return
                    if name == "STATUS":
                        show(value)
            if process.poll() is not None:
                raise CliError(_describe_end(process, log, at), exit_code=process.returncode or 1)


@contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """Shows progress: one changing line on a terminal, elsewhere a line every 10 s at most."""
    errors = console(is_error=True)
    if errors.is_terminal:
        with errors.status("Starting") as status:
            yield status.update
        return
    shown_at = time.monotonic()

    def show(text: str) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _REPEAT_S:
            shown_at = time.monotonic()
            print_note(text)

    yield show


def _describe_end(process: "subprocess.Popen[bytes]", log: Path, at: int) -> str:
    """The end of its output, which begins at byte `at` of the log."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(at, end - _SHOWN_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    said = "\n".join(lines[-_SHOWN_LINES:])
    return said or f"lambent ended with exit code {process.returncode} and said nothing"


def _give_up(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a platform that has not become ready."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()

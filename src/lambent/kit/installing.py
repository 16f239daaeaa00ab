"""Directories of packages that are made once and then only read.

A directory appears by rename, complete or not at all. A lock file keeps two processes from making
the same one. Its files are world-readable, because other users read them.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_STEP_DEADLINE_S = 600.0
_REASON_MAX = 400
_under_way: set["subprocess.Popen[str]"] = set()
"""The steps that run, of all threads."""
_starting: set[int] = set()
"""Threads that are starting a step, which is not in `_under_way` yet."""
_deferred: set[int] = set()
"""Signals that arrived while a step was starting."""


class InstallFailed(Exception):
    """A step failed; the message says which and why."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, which excludes other processes."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_directory(directory: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write everything into a temporary directory next to `directory`, then rename it.
    The caller holds the lock of `directory`."""
    prefix = f".partial-{directory.name}-"
    for left in directory.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)  # Its maker has ended: the lock is ours.
    partial = directory.with_name(prefix + uuid.uuid4().hex)
    try:
        partial.mkdir()
        fill(partial)
        _make_readable(partial)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def keep(directory: Path) -> bool:
    """Protect a directory from `remove_unused` for as long as this process lives. Returns False if
    it has been removed already."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.path.samestat(os.stat(directory), os.fstat(descriptor)):
            return True  # The descriptor stays open, and with it the lock.
    except FileNotFoundError:
        return False
    except OSError:
        return True  # This file system has no locks, so `remove_unused` gets none either.
    os.close(descriptor)
    return False


def remove_unused(directory: Path) -> bool:
    """Remove a directory unless a process keeps it. Returns whether it is removed. Raises
    OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        doomed = directory.with_name(f".partial-{directory.name}-{uuid.uuid4().hex}")
        directory.rename(doomed)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    shutil.rmtree(doomed)
    return True


def left_over(cache: Path) -> list[Path]:
    """Incomplete directories in a cache: the process that made or removed them has ended early."""
    found = []
    for path in sorted(cache.glob(".partial-*")):
        name = path.name.removeprefix(".partial-").rpartition("-")[0]
        try:
            with open(cache / f".{name}.lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # It is being made.
        found.append(path)
    return found


def pip_install(python: Path, line: str, target: Path, requirements: Sequence[str]) -> None:
    """Install packages for an interpreter of version `line` (`3.11`) into a directory, from wheels
    only. Raises `InstallFailed`."""
    options = ["install", "--quiet", "--target", str(target), "--only-binary", ":all:"]
    options += ["--python-version", line]
    for_pip = ["--no-compile", "--no-user", "--disable-pip-version-check", "--no-input"]
    for_pip += ["--implementation", "cp"]
    own_pip = [str(python), "-m", "pip"]
    # Another interpreter's pip checks packages against its own version, if their index does not say
    # which versions they support.
    if _works([*own_pip, "--version"]):
        command = [*own_pip, *options, *for_pip]
    elif importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", *options, *for_pip]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", *options, "--python", str(python)]
    else:
        raise InstallFailed("neither pip nor uv is installed")
    run_step("pip", [*command, *requirements])
    # Bytecode that is never compared with its source, because the directory does not change.
    compile_ = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(target)]
    run_step("compileall", [str(python), "-I", *compile_])


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def run_step(
    step: str,
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    deadline_s: float = _STEP_DEADLINE_S,
) -> None:
    """Run a program to its end, in its own process group. Raises `InstallFailed` with its error
    output."""
    with _start(command, cwd, environment) as process:
        try:
            output, errors = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired as error:
            raise InstallFailed(f"{step} did not end within {deadline_s:.0f} s") from error
        finally:
            _kill(process)
            _under_way.discard(process)
    if process.returncode != 0:
        lines = [line.strip() for line in (errors or output).splitlines()]
        telling = [line for line in lines if "error" in line.lower()] or lines
        status = f"exit status {process.returncode}"
        raise InstallFailed(f"{step}: {' '.join(filter(None, telling))[:_REASON_MAX] or status}")


def _start(
    command: Sequence[str], cwd: Path | None, environment: Mapping[str, str] | None
) -> "subprocess.Popen[str]":
    """Start a step. A signal that arrives meanwhile takes effect once it runs. Raises OSError."""
    _starting.add(threading.get_ident())
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        _under_way.add(process)
        return process
    finally:
        _starting.discard(threading.get_ident())
        while _deferred:
            os.kill(os.getpid(), _deferred.pop())


def _kill(process: "subprocess.Popen[str]") -> None:
    """Kill a step, if it still runs, with the processes it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def steps_end_with_us() -> Iterator[None]:
    """While the context lasts, a SIGTERM or SIGINT that ends this process also ends its steps: npm
    would otherwise continue for minutes, with a result that is not used. For the main thread."""

    def end(number: int, _: FrameType | None) -> None:
        if _starting:
            _deferred.add(number)
            return
        for process in list(_under_way):
            _kill(process)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _make_readable(root: Path) -> None:
    """Let all users read everything, whatever the umask is."""
    for where, _, names in os.walk(root):
        os.chmod(where, 0o755)  # noqa: S103 - all users read it
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                runs = stat.S_IMODE(os.stat(path).st_mode) & stat.S_IXUSR
                os.chmod(path, 0o755 if runs else 0o644)

"""The lock file of a data directory, which a platform holds while it runs.

The kernel releases the lock when the process ends in any way. What the file says about the process
counts only while the lock is held: its process id may belong to another process by now.
"""

import dataclasses
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

_LOCK = "lock"
_LAUNCHER_LOCK = "sandbox/lock"
_LAUNCHER_LOCKS_OF_CELLS = f"cells/*/{_LAUNCHER_LOCK}"
_FILE_MAX = 4096
_LOOKS, _TAKES, _LOOK_PAUSE_S = 50, 10, 0.02
"""A platform writes its facts shortly after it takes the lock; a reader holds the lock briefly."""


class InstanceUnknown(Exception):
    """It is unknown whether a platform runs; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a platform writes about itself into its lock file."""

    pid: int
    pid_namespace: str
    """The process id is valid only there."""
    start_ticks: int
    """Its start time in the kernel's unit; with the process id it identifies the process."""
    began_at: float
    """Seconds since the epoch."""
    version: str
    url: str | None = None
    """None until it listens."""
    unit: str | None = None
    """The systemd unit that runs it."""
    log: str | None = None
    """The file that its log goes to."""
    cells: int = 1
    """How many processes serve, besides this one if there are several."""


class Running:
    """A running platform."""

    def __init__(self, facts: Facts, pidfd: int, data_dir: Path) -> None:
        self.facts = facts
        self._pidfd = pidfd
        self._data_dir = data_dir

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pidfd)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; does nothing if it has ended. Raises PermissionError."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass

    def wait(self, seconds: float) -> bool:
        """Wait for its end for some seconds at most; returns whether it has ended."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(max(seconds, 0) * 1000))

    def has_launcher(self) -> bool:
        """Whether a launcher of it still runs: it ends after the platform."""
        return has_launcher(self._data_dir)


def has_launcher(data_dir: Path) -> bool:
    """Whether a launcher still works on a data directory, for any cell."""
    return any(map(_is_held, (data_dir / _LAUNCHER_LOCK, *data_dir.glob(_LAUNCHER_LOCKS_OF_CELLS))))


def hold(root: Path) -> int | None:
    """Take the lock of an existing data directory; returns its descriptor, or None if another
    process holds it. Raises OSError."""
    lock = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_TAKES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_PAUSE_S)  # noqa: TID251 - another process is looked at
        else:
            return lock
    os.close(lock)
    return None


def write_facts(lock: int, facts: Facts) -> None:
    """Write who holds the lock."""
    text = json.dumps(dataclasses.asdict(facts)).encode()
    os.pwrite(lock, text.ljust(_FILE_MAX), 0)


def add_facts(lock: int, **more: str | int | None) -> None:
    """Add to the facts of the process that holds the lock."""
    write_facts(lock, dataclasses.replace(read_facts(lock), **more))  # type: ignore[arg-type]


def read_facts(lock: int) -> Facts:
    """The facts that this process has written."""
    facts = _read_facts(lock)
    assert facts is not None
    return facts


def own_facts(version: str) -> Facts:
    """The facts of this process."""
    return Facts(
        pid=os.getpid(),
        pid_namespace=_pid_namespace(),
        start_ticks=_start_ticks(os.getpid()),
        began_at=time.time(),
        version=version,
        unit=_own_unit(),
    )


@contextmanager
def find_running(data_dir: Path) -> Iterator[Running | None]:
    """The platform that runs on a data directory; None if none does. It is never confused with
    another process. Raises InstanceUnknown."""
    data_dir = data_dir.absolute()
    lock, found = data_dir / _LOCK, None
    for _ in range(_LOOKS):
        facts = _facts_of_holder(lock)
        if facts is None and not _is_held(lock):
            break
        if facts is not None and (found := _open(facts, data_dir)) is not None:
            break
        time.sleep(_LOOK_PAUSE_S)  # noqa: TID251 - another process is looked at
    else:
        raise InstanceUnknown(f"{lock} is held by a process that does not say who it is")
    if found is None:
        yield None
        return
    with found:
        yield found


def _open(facts: Facts, data_dir: Path) -> Running | None:
    if facts.pid_namespace != _pid_namespace():
        raise InstanceUnknown(
            f"the platform of {data_dir} runs in another pid namespace, a container perhaps: ask"
            " there"
        )
    try:
        pidfd = os.pidfd_open(facts.pid)
    except ProcessLookupError:
        return None
    running = Running(facts, pidfd, data_dir)
    # The file may name a process whose id was reused.
    if _start_ticks(facts.pid) != facts.start_ticks or running.wait(0):
        os.close(pidfd)
        return None
    return running


def _facts_of_holder(lock: Path) -> Facts | None:
    """The facts in the file; None if no process holds the lock."""
    if not _is_held(lock):
        return None
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InstanceUnknown(f"cannot read {lock}: {error.strerror}") from error
    try:
        return _read_facts(descriptor)
    finally:
        os.close(descriptor)


def _read_facts(descriptor: int) -> Facts | None:
    text = os.pread(descriptor, _FILE_MAX, 0)
    try:
        found: dict[str, Any] = json.loads(text)
        known = {field.name for field in dataclasses.fields(Facts)}
        return Facts(**{name: value for name, value in found.items() if name in known})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InstanceUnknown(
            f"cannot read {lock}: {error.strerror}. Run this as the user who started the platform,"
            " or as root"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_ticks(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _own_unit() -> str | None:
    """The systemd unit whose main process this is, as an argument of `systemctl`."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text().strip()
        groups = Path("/proc/self/cgroup").read_text()
    except OSError:
        return None
    return unit_of(groups) if parent == "systemd" else None


def unit_of(groups: str) -> str | None:
    """The service that a process belongs to, from the text of its `/proc/PID/cgroup`."""
    for line in groups.splitlines():
        group = line.split(":", 2)[2].split("/")
        units = [part for part in group if part.endswith(".service")]
        if units and not units[-1].startswith("user@"):
            return f"--user {units[-1]}" if len(units) > 1 else units[-1]
    return None

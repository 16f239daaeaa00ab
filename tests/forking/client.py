"""Clients of the server: tests, and the commands of shells."""

import atexit
import fcntl
import functools
import inspect
import marshal
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.packages import INSTALLED

ROOT = Path(__file__).parents[2]
_READY_S = 120
_BARE = ("tests.crash.failing_tasks", "tests.forking.mirror")
"""Programs that change Lambent before it is imported, or look at what is."""
_APART = {"samcli": INSTALLED / "sam"}
"""Programs with libraries of their own."""
_STARTED: list["subprocess.Popen[bytes]"] = []
"""Servers that others may need when this process ends."""
_COMMAND = """#!{python} -IS
import _signal, _socket, marshal, os, sys  # Without the libraries around them: half of the time.
read, write = os.pipe()
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
server.connect({socket!r})
request = dict(
    program={program!r}, is_module={is_module}, arguments=sys.argv[1:], directory=os.getcwd(),
    environment=dict(os.environ), new_session=False,
)
descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2, write))
rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)
server.sendmsg([marshal.dumps(request)], [rights])
os.close(write)
pid = int(server.recv(32))
server.close()
for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
    _signal.signal(number, lambda number, _: os.kill(pid, number))
for descriptor in (0, 1, 2):
    os.close(descriptor)
code = os.waitstatus_to_exitcode(int.from_bytes(os.read(read, 4) or b"\\x09", "little"))
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def _kind(module: str) -> str:
    """The kind of server for a module, as `server.LOADED` names it."""
    if module in _APART:
        return module
    return "bare" if module in _BARE else "lambent"


@functools.cache
def share() -> tuple[Path, int]:
    """Where the servers are, and a pipe that ends them when it does: this process and all that are
    forked from it afterwards have to end."""
    directory = Path(tempfile.mkdtemp(prefix="lambent-forking-"))
    stdin, _held = os.pipe()
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(directory)

    atexit.register(remove)
    return directory, stdin


@functools.cache
def _server(kind: str) -> Path:
    """Start the server for a kind of program, unless another process of this run has; returns the
    path of its socket."""
    directory, stdin = share()
    path = directory / kind
    with (directory / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _start(kind, path, stdin)
    return path


def _start(kind: str, path: Path, stdin: int) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forking.server", str(path), kind],
        stdin=stdin,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(_APART[kind])} if kind in _APART else None,
    )
    _STARTED.append(server)
    deadline = time.monotonic() + _READY_S
    while not path.exists():
        assert server.poll() is None, "the server of forks ended"
        assert time.monotonic() < deadline, "the server of forks did not start"
        time.sleep(0.01)  # noqa: TID251 - a poll of an outside process


@functools.cache
def commands() -> Path:
    """A directory with `lambent` and `aws`, for a PATH."""
    directory = Path(tempfile.mkdtemp(prefix="bin-", dir=share()[0]))
    programs = {
        "lambent": ("lambent", True),
        "aws": (str(Path(sys.executable).with_name("aws")), False),
    }
    for name, (program, is_module) in programs.items():
        text = _COMMAND.format(
            python=sys.executable, socket=str(_server(name)), program=program, is_module=is_module
        )
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    return directory


class Forked(subprocess.Popen[Any]):
    """`python -m MODULE` or a Python script, with the interface of `Popen`."""

    def _execute_child(self, *arguments: Any) -> None:
        """Ask the server instead of forking and executing here."""
        signature = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
        bound = signature.bind(self, *arguments).arguments
        command = [os.fspath(part) for part in bound["args"]]
        assert command[0] == sys.executable
        is_module = command[1] == "-m"
        program, *rest = command[2:] if is_module else command[1:]
        kind = _kind(program) if is_module else Path(program).name
        environment = os.environ if bound["env"] is None else bound["env"]
        request = {
            "program": program,
            "is_module": is_module,
            "arguments": rest,
            "directory": os.fspath(bound["cwd"] or os.getcwd()),
            "environment": dict(environment),
            "new_session": bound["start_new_session"],
        }
        wanted = (bound["p2cread"], bound["c2pwrite"], bound["errwrite"])
        streams = [number if fd == -1 else fd for number, fd in enumerate(wanted)]
        self._status, status_writer = os.pipe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.connect(str(_server(kind)))
            socket.send_fds(server, [marshal.dumps(request)], [*streams, status_writer])
            os.close(status_writer)
            self.pid = int(server.recv(32))
        self._child_created = True
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(bound[name] for name in names))  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if flags == os.WNOHANG and not select.select([self._status], [], [], 0)[0]:
            return 0, 0
        # If the server is killed, its children continue, and nothing can report how they end.
        status = int.from_bytes(os.read(self._status, 4) or bytes([signal.SIGKILL]), "little")
        os.close(self._status)
        return self.pid, status

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):  # type: ignore[attr-defined]
            try:
                if self.returncode is None:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid == self.pid:
                        self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


def run(
    command: list[str], *, timeout: float, given: str | None = None, **how: Any
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end, with `given` on stdin; its output is text, read from pipes."""
    stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
    pipes = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Forked(command, text=True, **pipes, **how) as process:
        try:
            out, err = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)

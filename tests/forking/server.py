"""The server: forks programs on request, and reports how they ended.

    python -m tests.forking.server SOCKET KIND

A request is one message: a marshaled dictionary, and the descriptors 0, 1 and 2 of the program and
one that its wait status is written to when it has ended. The response is its process id. The server
ends when its own stdin does.
"""

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from tests.forking.remembering import REMEMBER

_LIBRARIES = (
    "aiohttp",
    "alembic.command",
    "anyio._backends._asyncio",
    "asn1crypto.cms",
    "botocore.session",
    "cryptography.x509",
    "httptools",
    "jsonpath",
    "jsonschema",
    "obstore.store",
    "psycopg",
    "rich.progress",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "typer",
    "typer._adapters",
    "typer.rich_utils",
    "uvloop",
)
LOADED = {
    "lambent": (*_LIBRARIES, "lambent.assembly.platform", "lambent.cli.app"),
    "bare": _LIBRARIES,
    "aws": ("awscli.clidriver", "awscli.handlers"),
    "samcli": (
        "samcli.cli.main",
        *(f"samcli.commands.{name}.command" for name in ("deploy", "delete", "logs")),
        "samcli.commands.list.resources.command",
        "samcli.commands.remote.invoke.cli",
    ),
}
"""What each kind of server loads: for Lambent and programs of the tests that run it; for those of
them that change Lambent before it is imported; for the AWS CLI, which has its own botocore; for the
SAM CLI, which has libraries of its own."""
REQUEST_BYTES_MAX = 200_000


def serve(listener: socket.socket) -> dict[str, Any] | None:
    """Serve until stdin ends; returns None. In each child, returns the program to run."""
    statuses: dict[int, int] = {}
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    with selectors.PollSelector() as selector:
        for source in (0, woken, listener):
            selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    return None
                if key.fd == woken:
                    os.read(woken, 4096)
                    _tell_ends(statuses)
                    continue
                if (request := _fork(listener, statuses)) is not None:
                    return request


def _tell_ends(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with os.fdopen(statuses.pop(pid), "wb", buffering=0) as writer:
            try:
                writer.write(status.to_bytes(4, "little"))
            except BrokenPipeError:
                pass  # The client has gone.


def _fork(listener: socket.socket, statuses: dict[int, int]) -> dict[str, Any] | None:
    connection, _ = listener.accept()
    with connection:
        message, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 4)
        pid = os.fork()
        if pid == 0:
            return {**marshal.loads(message), "descriptors": descriptors}
        *streams, status_writer = descriptors
        statuses[pid] = status_writer
        for stream in streams:
            os.close(stream)
        connection.send(str(pid).encode())
    return None


def _become(request: dict[str, Any]) -> None:
    """Make this child what a new Python would be."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if request["new_session"]:
        os.setsid()
    for number, descriptor in enumerate(request["descriptors"][:3]):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, getattr(sys, f"__{name}__"))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(number: int, model: TextIO) -> TextIO:
    """As Python opened the server's own streams, where that depends on the locale."""
    mode, buffering = "r" if number == 0 else "w", -1
    if number == 2 or (number == 1 and os.isatty(number)):
        buffering = 1
    return open(number, mode, buffering, model.encoding, model.errors, closefd=False)


def _run(request: dict[str, Any]) -> None:
    """Run it and end as Python does, but without tearing down the libraries."""
    code = 0
    try:
        _run_program(request)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        code = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _run_program(request: dict[str, Any]) -> None:
    program, arguments = request["program"], request["arguments"]
    sys.argv = [program, *arguments]
    sys.path[0] = request["directory"]
    if request["is_module"]:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(program).parent)
        runpy.run_path(program, run_name="__main__")


def main() -> None:
    before = dict(os.environ)
    for library in LOADED[sys.argv[2]]:
        importlib.import_module(library)
    if sys.argv[2] in REMEMBER:
        REMEMBER[sys.argv[2]]()
    of_libraries = dict(os.environ.items() - before.items())
    gc.freeze()  # A collection in a child would copy all of it.
    assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose threads"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        path = Path(sys.argv[1])
        partial = path.with_suffix(".new")
        listener.bind(str(partial))
        listener.listen(64)
        partial.rename(path)
        request = serve(listener)
    if request is not None:
        request["environment"] = of_libraries | request["environment"]
        _become(request)
        _run(request)


if __name__ == "__main__":
    main()

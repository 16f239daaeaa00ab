"""The first steps of a start: hold the data directory, listen.

They load little: the supervisor of cells takes only these.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from lambent.console.settings import PAGE as CONSOLE_PAGE
from lambent.instance import lock as instance_lock
from lambent.instance.data_directory import DataDirectory
from lambent.instance.listening import Sockets, bind, serves


@contextmanager
def hold_data(root: Path) -> Iterator[DataDirectory]:
    """The data directory, created if missing, and locked against a second platform."""
    root = root.absolute()
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = instance_lock.hold(root)
    except OSError as error:
        raise SystemExit(
            f"lambent: cannot use the data directory {root}: {error.strerror}; choose another with "
            "--data-dir"
        ) from error
    if lock is None:
        raise SystemExit(
            f"lambent: {root} is already in use by another lambent ({_describe_holder(root)}); stop"
            " it with `lambent down` or choose another directory with --data-dir"
        )
    try:
        instance_lock.write_facts(lock, instance_lock.own_facts(version("lambent")))
        yield DataDirectory(root, lock)
    finally:
        os.close(lock)


def _describe_holder(root: Path) -> str:
    try:
        with instance_lock.find_running(root) as running:
            return "it is starting or ending" if running is None else f"pid {running.facts.pid}"
    except instance_lock.InstanceUnknown as error:
        return str(error)


def listen(passed: Sockets, name: str, host: str, port: int, option: str) -> socket.socket:
    """The socket with a name that was passed to this process, or a new one. Raises SystemExit."""
    if (listener := passed.get(name)) is not None:
        if not serves(listener, host, port):
            at = "{}:{}".format(*listener.getsockname()[:2])
            raise SystemExit(
                f"lambent: cannot use the socket that was passed: it listens on {at}, and the"
                f" settings say {host}:{port}. Make server.host and {option} say the same as"
                " ListenStream= in lambent.socket"
            )
        return listener
    try:
        return bind(host, port)
    except (OSError, OverflowError) as error:
        raise SystemExit(
            f"lambent: cannot listen on {host}:{port}: {error}; choose another with {option}"
        ) from error


def address_of(listener: socket.socket, *, is_secure: bool) -> str:
    """The URL of a listener."""
    address, port = listener.getsockname()[:2]
    name = f"[{address}]" if ":" in address else address
    return f"{'https' if is_secure else 'http'}://{name}:{port}"


def announce(data: DataDirectory, url: str, tls_url: str | None, *, has_console: bool) -> None:
    """Print where clients reach the platform, which is ready."""
    if tls_url is not None:
        print(f"lambent serves TLS at {tls_url}; trust {data.ca_certificate}", flush=True)
    print(f"lambent is ready at {url}", flush=True)
    if has_console:
        print(f"lambent's console is at {url}{CONSOLE_PAGE}", flush=True)

"""`lambent status` and `lambent down`, for the platform of a data directory."""

import dataclasses
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lambent.cli.cell_status import described, status_of_cells
from lambent.cli.output import CliError
from lambent.instance.data_directory import DataDirectory
from lambent.instance.listening import FRONT, TLS, serves
from lambent.instance.lock import Facts, InstanceUnknown, Running, find_running
from lambent.instance.operator_socket import (
    OperatorSocketError,
    ask,
    is_served,
    take_listeners,
)

NOT_RUNNING, UNKNOWN = 3, 4
"""Exit codes of `status`, those of the Linux Standard Base for init scripts."""
_ANSWER_S = 10.0
_CUT_OFF_S, _KILLED_S, _LAUNCHER_S = 30.0, 10.0, 60.0
_LOOK_S, _TWO_SIGNALS_S = 0.5, 0.3
_REPLACED_S = 60.0
"""As `lambent down` gives requests in progress."""


def status(data_dir: Path) -> dict[str, Any]:
    """The state of the platform. Raises CliError if it is unknown."""
    data = DataDirectory(data_dir.absolute())
    try:
        with find_running(data.root) as running:
            if running is None:
                return {"running": False, "data_dir": str(data.root)}
            return {"running": True, **_describe(running.facts, data)}
    except InstanceUnknown as error:
        raise CliError(str(error), exit_code=UNKNOWN) from error


def _describe(facts: Facts, data: DataDirectory) -> dict[str, Any]:
    found: dict[str, Any] = {
        "state": "starting" if facts.url is None else "ready",
        "url": facts.url,
        "pid": facts.pid,
        "version": facts.version,
        "uptime_s": round(max(time.time() - facts.began_at, 0.0), 1),
        "data_dir": str(data.root),
        "log": facts.log,
        "unit": facts.unit,
    }
    if facts.url is None:
        return found
    if facts.cells == 1:
        return found | _ask(data)
    cells = [dataclasses.replace(data, cell=number + 1) for number in range(facts.cells)]
    return found | status_of_cells({cell.cell: _ask(cell) for cell in cells}) | {"pid": facts.pid}


def _ask(data: DataDirectory) -> dict[str, Any]:
    """What a process says of itself."""
    try:
        return dict(ask(data.state, "status", _ANSWER_S))
    except OperatorSocketError as error:
        return {"state": "silent", "problem": str(error)}


def console_url(data_dir: Path) -> str:
    """The address of the console. Raises CliError if there is none."""
    data = DataDirectory(data_dir.absolute())
    try:
        with find_running(data.root) as running:
            if running is None or running.facts.url is None:
                raise CliError(
                    f"no platform runs in {data.root}; `lambent up --detach` starts one",
                    exit_code=NOT_RUNNING,
                )
            url = ask(data.state, "console_link", _ANSWER_S)["url"]
    except (InstanceUnknown, OperatorSocketError) as error:
        raise CliError(str(error), exit_code=UNKNOWN) from error
    if url is None:
        raise CliError(
            "this platform has no console: set console.enabled = true, which an address other than"
            " loopback needs"
        )
    return str(url)


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table that shows the state."""
    shown = {name: value for name, value in found.items() if value is not None}
    shown.pop("running")
    if "uptime_s" in shown:
        shown["uptime"] = _duration(shown.pop("uptime_s"))
    if "environments" in shown:
        counts = shown["environments"].items()
        shown["environments"] = ", ".join(f"{count} {name}" for name, count in counts)
        shown["environments"] = shown["environments"].replace("_", " ")
    if "cells" in shown:
        shown["cells"] = "; ".join(map(described, shown["cells"]))
    if "memory_mb" in shown:
        memory = shown.pop("memory_mb")
        shown["memory"] = (
            f"{memory['platform']:,} MB of its own; {memory['available']:,} of"
            f" {memory['total']:,} MB available"
        )
    if "database" in shown:
        database = shown["database"]
        size = "" if database["bytes"] is None else f", {database['bytes']:,} B"
        shown["database"] = f"{database['name']}{size}, answers in {database['answers_in_ms']} ms"
    if problems := list(_problems(shown)):
        shown["problem"] = "; ".join(problems)
    return [{"what": name.replace("_", " "), "": value} for name, value in shown.items()]


def _problems(shown: dict[str, Any]) -> Iterator[str]:
    """What is wrong, in words. Removes what they are made of."""
    if shown.pop("can_run_functions", True) is False:
        yield "the launcher has ended: nothing can be run until it is restarted"
    stores = {name: shown.pop(name, {}) for name in ("logs", "metrics", "traces")}
    lost = [name for name, store in stores.items() if store.get("can_be_written") is False]
    if lost:
        yield f"{' and '.join(lost)} cannot be written and are lost: make room on the disk"


def _duration(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    hours, minutes, left = rest // 3600, rest % 3600 // 60, rest % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])


def stop(data_dir: Path, wait_s: float, show: Callable[[str], None]) -> dict[str, Any]:
    """Stop the platform of a data directory, if one runs; returns what happened.

    It may finish requests in progress for `wait_s` seconds; then they are cut off, and finally it
    is killed. Raises CliError if this user may not stop it, or it does not end.
    """
    data = DataDirectory(data_dir.absolute())
    began = time.monotonic()
    try:
        with find_running(data.root) as running:
            if running is None:
                return {"stopped": False, "data_dir": str(data.root)}
            if running.facts.unit is not None:
                raise CliError(
                    f"systemd runs this platform: stop it with `systemctl stop"
                    f" {running.facts.unit}`"
                )
            how = _end(running, data, wait_s, show)
            facts = running.facts
    except InstanceUnknown as error:
        raise CliError(str(error)) from error
    except PermissionError as error:
        raise CliError(f"cannot stop it: {error.strerror}. Run this as root") from error
    return {
        "stopped": True,
        "how": how,
        "pid": facts.pid,
        "url": facts.url,
        "data_dir": str(data.root),
        "took_s": round(time.monotonic() - began, 1),
    }


def take_over(server: Any, show: Callable[[str], None]) -> dict[str, socket.socket]:
    """Stop the platform of a data directory, if one runs; returns its listening sockets that serve
    the addresses in these settings of the server. Meanwhile the kernel queues connections to them.
    Raises CliError if it does not pass them, or does not end; then it runs on, or is stopped."""
    data = DataDirectory(server.data_dir.absolute())
    try:
        with find_running(data.root) as running:
            if running is None:
                return {}
            if running.facts.unit is not None:
                raise CliError(
                    "systemd runs this platform: restart it with `systemctl restart"
                    f" {running.facts.unit}`; lambent.socket keeps its connections"
                )
        taken = dict(take_listeners(data.state, _ANSWER_S))
    except (InstanceUnknown, OperatorSocketError) as error:
        raise CliError(f"{error}; `lambent down` stops it") from error
    ports = {FRONT: server.port, TLS: server.tls_port}
    for name, listener in list(taken.items()):
        if not serves(listener, server.host, ports.get(name, 0)):
            taken.pop(name).close()
    stop(server.data_dir, _REPLACED_S, show)
    return taken


def _end(running: Running, data: DataDirectory, wait_s: float, show: Callable[[str], None]) -> str:
    how = "finished"
    running.send(signal.SIGTERM)
    # Not at once: the kernel merges two pending signals of one kind.
    if not _wait(running, max(wait_s, _TWO_SIGNALS_S), lambda: show(_describe_rest(data))):
        how = "cut off"
        running.send(signal.SIGTERM)  # The second one cuts off requests in progress.
        if not _wait(running, _CUT_OFF_S, lambda: show("Cutting off what is in progress")):
            how = "killed"
            running.send(signal.SIGKILL)
            if not _wait(running, _KILLED_S, lambda: show("Killing it")):
                raise CliError(f"pid {running.facts.pid} does not end, although it was killed")
    deadline = time.monotonic() + _LAUNCHER_S
    while running.has_launcher():
        if time.monotonic() > deadline:
            raise CliError("the platform has ended, but its launcher still removes sandboxes")
        show("Removing the sandboxes")
        time.sleep(_LOOK_S / 5)  # noqa: TID251 - another process is looked at
    return how


def _wait(running: Running, seconds: float, look: Callable[[], None]) -> bool:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if running.wait(min(left, _LOOK_S)):
            return True
        look()
    return running.wait(0)


def _describe_rest(data: DataDirectory) -> str:
    try:
        cells = [cell for cell in data.all_cells() if is_served(cell.state)]
        busy = sum(ask(cell.state, "status", 1.0)["environments"]["busy"] for cell in cells)
    except (OperatorSocketError, KeyError):
        return "Waiting for its end"
    return f"Waiting for what is in progress: {busy} invocations run"

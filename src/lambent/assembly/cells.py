"""`lambent up --cells`: several platform processes on one machine that are one platform.

Each cell is a node (docs/nodes.md). What they share is in the data directory; limits of the machine
are divided among them.
"""

import dataclasses
import gc
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lambent.assembly.entrance import address_of, announce, hold_data, listen
from lambent.instance.cell import Cell
from lambent.instance.data_directory import DataDirectory
from lambent.instance.listening import FRONT, TLS, ListeningError, Sockets, inherited
from lambent.instance.log_file import own_log
from lambent.instance.supervisor import Supervisor
from lambent.kit.service_manager import ServiceManager
from lambent.model.cells import CELLS_MAX
from lambent.sandbox.cell_groups import CellGroups
from lambent.settings import Settings

_CORES_OF_CELL = 2
"""What a busy cell uses: about as much for the platform as for functions."""


def cells_of(settings: Settings) -> int:
    """How many cells the settings ask for. Raises SystemExit."""
    wanted = settings.server.cells
    if wanted == "auto":
        return max(1, min(len(os.sched_getaffinity(0)) // _CORES_OF_CELL, CELLS_MAX))
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= CELLS_MAX:
        return int(wanted)
    raise SystemExit(
        f"lambent: cannot use server.cells = {wanted!r}: it must be auto, or 1 to {CELLS_MAX}"
    )


def settings_of_cell(settings: Settings, cell: Cell) -> Settings:
    """The settings of one cell: all share the database and the packages, and each has its part of
    what the machine has."""
    data = DataDirectory(settings.server.data_dir.absolute())
    store, count = settings.store, cell.count
    url = store.url or f"sqlite:///{data.state / 'lambent.db'}"
    blobs_dir = store.blobs_dir or str(data.state / "blobs")
    telemetry, edge = settings.telemetry, settings.edge
    return dataclasses.replace(
        settings,
        store=dataclasses.replace(store, url=url, blobs_dir=blobs_dir, shared=True),
        worker=dataclasses.replace(
            settings.worker,
            snapshots_mb=settings.worker.snapshots_mb // count,
            code_mb=settings.worker.code_mb // count,
        ),
        sandbox=dataclasses.replace(
            settings.sandbox, prepared_memory_mb=max(settings.sandbox.prepared_mb // count, 1)
        ),
        telemetry=dataclasses.replace(
            telemetry,
            group_bytes_max=telemetry.group_bytes_max // count,
            total_bytes_max=telemetry.total_bytes_max // count,
            metrics_mb=telemetry.metrics_mb // count,
            traces_mb=telemetry.traces_mb // count,
        ),
        edge=dataclasses.replace(
            edge, memory_mb=edge.memory_mb // count, disk_mb=edge.disk_mb // count
        ),
        gateway=dataclasses.replace(settings.gateway, held_mb=settings.gateway.held_mb // count),
    )


def run_cells(settings: Settings, taken_over: Sockets, count: int) -> None:
    """Run so many cells until SIGTERM or SIGINT. `taken_over` are listening sockets of a platform
    that this one replaces. Raises SystemExit if it cannot, or a cell has failed."""
    manager = ServiceManager()
    try:
        passed = {**inherited(), **taken_over}
    except ListeningError as error:
        raise SystemExit(f"lambent: cannot use the sockets of systemd: {error}") from error
    server = settings.server
    with hold_data(server.data_dir) as data:
        data.add_facts(log=own_log(data.state), cells=count)
        sockets = {FRONT: listen(passed, FRONT, server.host, server.port, "--port")}
        if server.tls == "auto":
            sockets[TLS] = listen(passed, TLS, server.host, server.tls_port, "--tls-port")
        groups = CellGroups(data.group)
        with _listening_services(settings) as services:
            supervisor = Supervisor(
                count,
                partial(_run_cell, settings, sockets, groups),
                manager,
                services=services,
                on_ready=partial(_note_ready, settings, data, sockets, manager),
            )
            code = supervisor.run()
    if code:
        raise SystemExit(code)


@contextmanager
def _listening_services(settings: Settings) -> Iterator[socket.socket | None]:
    """The socket of the emulator of other services: all cells know its address."""
    if not settings.services.enabled:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener


def _run_cell(settings: Settings, sockets: Sockets, groups: CellGroups, cell: Cell) -> int:
    """Be a cell until it ends; returns the exit code."""
    groups.enter(cell.number)
    gc.disable()  # As in `lambent up`: the platform starts it when it is ready.
    from lambent.assembly.platform import run

    try:
        run(settings_of_cell(settings, cell), sockets, cell)
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        if end.code is not None:
            print(end.code, file=sys.stderr)
            return 1
    return 0


def _note_ready(
    settings: Settings, data: DataDirectory, sockets: Sockets, manager: ServiceManager
) -> None:
    url = address_of(sockets[FRONT], is_secure=bool(settings.server.tls_cert))
    data.add_facts(url=url)
    tls_url = address_of(sockets[TLS], is_secure=True) if TLS in sockets else None
    announce(data, url, tls_url, has_console=settings.has_console)
    manager.tell_ready(f"Listening on {url}")

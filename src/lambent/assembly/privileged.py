"""The first part: what needs the privileges of the user who starts the platform."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lambent.assembly.entrance import hold_data, listen
from lambent.assembly.startup import (
    Listener,
    RootCredentials,
    choose_tier,
    find_runtimes,
    isolate,
    load_certificate,
    prepare_services,
)
from lambent.instance.cell import Cell
from lambent.instance.data_directory import DataDirectory
from lambent.instance.listening import FRONT, TLS, Sockets
from lambent.instance.log_file import own_log
from lambent.kit.installing import steps_end_with_us
from lambent.kit.progress import shown_steps
from lambent.kit.service_manager import ServiceManager
from lambent.node.languages.runtimes import Runtimes
from lambent.sandbox.client import LauncherHandle
from lambent.settings import ROOT_CREDENTIALS, Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Privileged:
    """What was opened or prepared before the process gave up its privileges."""

    data: DataDirectory
    front: Listener
    runtimes: Runtimes
    packages: Path | None
    """Packages of the emulator of other AWS services; None if the emulator is not wanted."""
    launcher: LauncherHandle
    cell: Cell | None
    """Which of several processes this one is; None if it is the platform alone."""

    @property
    def cells(self) -> int:
        """How many processes the platform consists of on this machine."""
        return 1 if self.cell is None else self.cell.count


@contextmanager
def open_privileged(
    settings: Settings, passed: Sockets, manager: ServiceManager, cell: Cell | None
) -> Iterator[Privileged]:
    """Prepare everything that needs privileges, then give them up. `passed` are listening sockets
    that this process was given. On exit the launcher ends and the data directory is free again,
    unless this is a cell: then its supervisor holds the directory. Raises SystemExit and
    SandboxError."""
    with _hold_data(settings.server.data_dir, cell) as data:
        data.add_facts(log=own_log(data.state))
        server, tls_listener = settings.server, None
        listener = listen(passed, FRONT, server.host, server.port, "--port")
        if server.tls == "auto":
            tls_listener = listen(passed, TLS, server.host, server.tls_port, "--tls-port")
        of_cell = None if cell is None else listen({}, FRONT, server.host, 0, "--host")
        tls = load_certificate(server)
        root_credentials = RootCredentials(data.root / ROOT_CREDENTIALS)
        tier = choose_tier(settings)
        with steps_end_with_us(), shown_steps(manager.tell_status) as steps:
            runtimes = find_runtimes(settings, tier, steps)
            packages = prepare_services(settings, tier, steps)
        launcher = isolate(settings, tier, data, runtimes, packages)
        try:
            yield Privileged(
                data=data,
                front=Listener(listener, tls, tls_listener, root_credentials, of_cell),
                runtimes=runtimes,
                packages=packages,
                launcher=launcher,
                cell=cell,
            )
        finally:
            launcher.close()


@contextmanager
def _hold_data(root: Path, cell: Cell | None) -> Iterator[DataDirectory]:
    if cell is None:
        with hold_data(root) as data:
            yield data
        return
    data = DataDirectory(root.absolute(), cell=cell.number)
    data.own.mkdir(mode=0o755, parents=True, exist_ok=True)
    yield data

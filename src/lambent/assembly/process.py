"""The process: its ready and stop messages, its signals, and what else ends it."""

import asyncio
import signal
import sys

import anyio

from lambent.assembly.api import Api
from lambent.assembly.entrance import announce
from lambent.assembly.execution import Execution
from lambent.assembly.names import Names
from lambent.assembly.privileged import Privileged
from lambent.assembly.storage import Storage
from lambent.gateway.server import open_front_door
from lambent.kit.clock import Clock
from lambent.kit.http.server import HttpServer
from lambent.kit.service_manager import ServiceManager
from lambent.kit.tasks import start_loop, start_task
from lambent.kit.waiting import wait_at_most
from lambent.model.shares import FENCED_S
from lambent.sandbox.client import Launcher
from lambent.sandbox.ports import SandboxError
from lambent.settings import Settings
from lambent.store.problems import StoreError
from lambent.store.store import Store

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAST_RESPONSES_S = 2.0


async def serve_until_stopped(
    settings: Settings,
    privileged: Privileged,
    storage: Storage,
    api: Api,
    execution: Execution,
    names: Names,
    manager: ServiceManager,
) -> None:
    """Accept clients until the process is asked to stop; then finish what is in progress."""
    data, front, clock = privileged.data, privileged.front, storage.clock
    stop = anyio.Event()
    signals = _receive_stop_signals()
    async with anyio.create_task_group() as watching:
        listeners = [each for each in (front.listener, front.of_cell) if each is not None]
        plain = [] if front.tls is not None else listeners
        tls = [] if front.tls is None else [(each, front.tls) for each in listeners]
        if front.tls_listener is not None:
            tls.append((front.tls_listener, names.tls_of_front))
        async with open_front_door(api.gateway, settings.gateway, *plain, tls=tls) as server:
            start_loop(watching, clock, _watch_signals, signals, stop, server)
            start_loop(watching, clock, _watch_database, storage.store, clock, stop, server)
            if data.is_of_unit or storage.membership is not None:
                start_loop(
                    watching, clock, _watch_launcher, execution.sandboxes, clock, stop, server
                )
            data.add_facts(url=front.url)
            if privileged.cell is None:
                announce(data, front.url, front.tls_url, has_console=settings.has_console)
            manager.tell_ready(f"Listening on {front.url}")
            await stop.wait()
            if privileged.cell is None:
                print("lambent is stopping", file=sys.stderr, flush=True)
            manager.tell_stopping()
            api.gateway.is_closing = True
            if storage.membership is not None:
                start_task(watching, None, storage.membership.drain)
            first, second = signals
            if first.is_set():
                server.leave()
                await wait_at_most(clock, second, settings.gateway.shutdown_lag_s)
            storage.store.note_stopping()
        watching.cancel_scope.cancel()
    # Each remaining part ends by a deadline of its own; a signal must not cut that short.
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def raise_cause_of_end(privileged: Privileged, storage: Storage, execution: Execution) -> None:
    """Raise StoreError or SandboxError if the platform did not end because it was asked to."""
    if storage.store.lost is not None:
        raise storage.store.lost
    membership = storage.membership
    if execution.sandboxes.is_gone and membership is not None and membership.away_s > FENCED_S:
        raise StoreError(
            f"this platform was paused or could not use the database for {membership.away_s:.0f} s."
            " Its sandboxes have ended, because other nodes may have its share of limits. It ends,"
            " and may start again"
        )
    must_end = privileged.data.is_of_unit or storage.membership is not None
    if execution.sandboxes.is_gone and must_end:
        raise SandboxError("the launcher, which builds the sandboxes, has ended unexpectedly")


def _receive_stop_signals() -> tuple[anyio.Event, anyio.Event]:
    """Set at the first and at the second stop signal from now on. The handlers stay until others
    replace them: asyncio removes its own first, and a signal in that moment would kill a platform
    that is about to end."""
    first, second = anyio.Event(), anyio.Event()
    loop = asyncio.get_running_loop()

    def note() -> None:
        (second if first.is_set() else first).set()

    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(note))
    return first, second


async def _watch_signals(
    signals: tuple[anyio.Event, anyio.Event], stop: anyio.Event, server: HttpServer
) -> None:
    """The first SIGTERM or SIGINT lets what is in progress finish; the second one cuts it off."""
    first, second = signals
    await first.wait()
    stop.set()
    await second.wait()
    await server.close()


async def _watch_database(
    store: Store, clock: Clock, stop: anyio.Event, server: HttpServer
) -> None:
    """End at once when another platform has taken the database."""
    await store.wait_lost(clock)
    await server.close()
    stop.set()


async def _watch_launcher(
    sandboxes: Launcher, clock: Clock, stop: anyio.Event, server: HttpServer
) -> None:
    """End when the launcher has ended: only a new platform has one. Callers that wait for a
    response get an error."""
    await sandboxes.wait_gone()
    stop.set()
    await clock.sleep(_LAST_RESPONSES_S)
    await server.close()

"""The state of a platform for its operator: `lambent status`."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import anyio.to_thread

from lambent.instance.data_directory import DataDirectory
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.pools.memory import SystemMemory
from lambent.node.worker import Worker
from lambent.sandbox.client import Launcher
from lambent.settings import Settings
from lambent.store.database import file_of, name_of, url_of
from lambent.store.store import Store

_SHOWN = {
    EnvironmentState.BUSY: "busy",
    EnvironmentState.IDLE: "idle",
    EnvironmentState.FROZEN: "frozen",
}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


async def observe_status(
    settings: Settings,
    data: DataDirectory,
    url: str,
    tier: str,
    sandboxes: Launcher,
    store: Store,
    worker: Worker,
    memory: SystemMemory,
) -> dict[str, Any]:
    """A document with stable names. Memory is in MB."""
    began = time.monotonic()
    functions, queued = await store.read(
        lambda tx: (tx.functions.count_everywhere(), tx.async_events.count())
    )
    database_ms = (time.monotonic() - began) * 1000
    states = Counter(_SHOWN.get(one, "starting_or_ending") for one in worker.states())
    database = url_of(settings.store, data.state)
    file = file_of(database)
    return {
        "url": url,
        "auth": settings.server.auth,
        "isolation": tier,
        "can_run_functions": not sandboxes.is_gone,
        "functions": functions,
        "environments": {name: states[name] for name in (*_SHOWN.values(), "starting_or_ending")},
        "queued_events": queued,
        "memory_mb": {
            "platform": await anyio.to_thread.run_sync(_own_memory_mb),
            "available": memory.available_mb(),
            "total": memory.total_mb(),
        },
        "database": {
            "name": name_of(database).removeprefix("the database "),
            "bytes": file.stat().st_size if file is not None else None,
            "answers_in_ms": round(database_ms, 1),
        },
    }


def _own_memory_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * _PAGE_BYTES >> 20

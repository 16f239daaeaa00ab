"""The state of a platform for its operator: `lambent status`."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread

from lambent.assembly.storage import Storage
from lambent.instance.data_directory import DataDirectory
from lambent.invocation.ports import Node
from lambent.sandbox.client import Launcher
from lambent.settings import Settings
from lambent.store.database import file_of, name_of, url_of

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


async def observe_status(
    settings: Settings,
    data: DataDirectory,
    url: str,
    tier: str,
    sandboxes: Launcher,
    node: Node,
    storage: Storage,
) -> dict[str, Any]:
    """A document with stable names. Memory is in MB."""
    began = time.monotonic()
    functions, queued = await storage.store.read(
        lambda tx: (tx.functions.count_everywhere(), tx.async_events.count())
    )
    database_ms = (time.monotonic() - began) * 1000
    load = node.load()
    database = url_of(settings.store, data.state)
    file = file_of(database)
    return {
        "pid": os.getpid(),
        "url": url,
        "auth": settings.server.auth,
        "isolation": tier,
        "can_run_functions": not sandboxes.is_gone,
        "functions": functions,
        "environments": {
            "busy": load.busy,
            "idle": load.idle,
            "frozen": load.frozen,
            "starting_or_ending": load.changing,
        },
        "queued_events": queued,
        "logs": {"can_be_written": not storage.logs.is_failing},
        "metrics": {
            "can_be_written": not storage.metrics.is_failing,
            "lost_points": storage.metrics.lost,
        },
        "traces": {"can_be_written": not storage.traces.is_failing},
        "memory_mb": {
            "platform": await anyio.to_thread.run_sync(_own_memory_mb),
            "available": load.memory_available_mb,
            "total": load.memory_total_mb,
        },
        "database": {
            "name": name_of(database).removeprefix("the database "),
            "kind": database.get_backend_name(),
            "bytes": file.stat().st_size if file is not None else None,
            "answers_in_ms": round(database_ms, 1),
        },
    }


def without_names(status: Mapping[str, Any]) -> dict[str, Any]:
    """The same document for callers of the API, who need not know the files of the host."""
    database = {key: value for key, value in status["database"].items() if key != "name"}
    return {**status, "database": database}


def _own_memory_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * _PAGE_BYTES >> 20

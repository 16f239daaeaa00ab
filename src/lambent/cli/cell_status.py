"""The status of a platform of several cells: what they say of themselves, taken together."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

_OF_CELL = ("pid", "environments", "memory_mb", "problem")
_STORES = ("logs", "metrics", "traces")


def status_of_cells(statuses: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """The status of all, from those of the cells by their numbers. A cell that is silent has a
    `problem`."""
    cells = [
        {"cell": number, **{name: said[name] for name in _OF_CELL if name in said}}
        for number, said in statuses.items()
    ]
    ready = [said for said in statuses.values() if "problem" not in said]
    if not ready:
        return {"state": "silent", "problem": "no cell answers", "cells": cells}
    environments = Counter[str]()
    for said in ready:
        environments.update(said["environments"])
    own_mb = sum(said["memory_mb"]["platform"] for said in ready)
    return {
        **ready[0],
        "environments": dict(environments),
        "memory_mb": {**ready[0]["memory_mb"], "platform": own_mb},
        "can_run_functions": all(said["can_run_functions"] for said in ready),
        **{name: _worst([said[name] for said in ready]) for name in _STORES},
        "cells": cells,
    }


def described(cell: Mapping[str, Any]) -> str:
    """A cell in words."""
    if "problem" in cell:
        return f"{cell['cell']}: {cell['problem']}"
    return f"{cell['cell']}: pid {cell['pid']}, {cell['memory_mb']['platform']:,} MB"


def _worst(stores: list[dict[str, Any]]) -> dict[str, Any]:
    """That of a store that cannot be written, if there is one."""
    return next((store for store in stores if not store["can_be_written"]), stores[0])

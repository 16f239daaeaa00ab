"""The platform's own events in an environment's lifecycle, as in the Telemetry API and JSON logs.

Pure: an event is `(type, record)`; the sender adds the time. The system log level of an event
decides whether a log in JSON shows it.
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.telemetry.report import Report

Record = dict[str, Any]
Event = tuple[str, Record]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Log levels, in rising order."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What initializes, and when."""

    initialization_type: str
    """`on-demand`, `provisioned-concurrency` or `snap-start`."""
    phase: str
    """`init`, or `invoke` if it is repeated within an invocation, or `snap-start`."""

    def record(self, **more: Any) -> Record:
        return {"initializationType": self.initialization_type, "phase": self.phase, **more}


def iso_time(epoch_s: float) -> str:
    """Milliseconds, UTC."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def encode(epoch_s: float, event: Event) -> bytes:
    """Encode one event as JSON, with its time."""
    kind, record = event
    return to_json({"time": iso_time(epoch_s), "type": kind, "record": record})


def to_json(value: Any) -> bytes:
    """Compact, as UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def status_of(error_type: str | None) -> str:
    """`failure` for failures of the sandbox, `error` for those from inside."""
    if error_type is None:
        return "success"
    return "failure" if error_type.startswith("Sandbox.") else "error"


def init_start(phase: Phase, *, function: Mapping[str, Any], runtime: Mapping[str, str]) -> Event:
    """Init starts. `function` and `runtime` are members that describe them."""
    return "platform.initStart", phase.record(**function, **runtime)


def init_runtime_done(phase: Phase, status: str, error_type: str | None) -> Event:
    """The runtime's part of init is over."""
    return "platform.initRuntimeDone", phase.record(status=status, **_error(error_type))


def init_report(phase: Phase, status: str, error_type: str | None, duration_ms: float) -> Event:
    """Init is over."""
    metrics = {"durationMs": round(duration_ms, 3)}
    return "platform.initReport", phase.record(status=status, **_error(error_type), metrics=metrics)


def extension(
    name: str, state: str, listens_to: Sequence[str], error_type: str | None = None
) -> Event:
    """An extension is ready, or failed while the environment started."""
    return "platform.extension", {
        "name": name,
        "state": state,
        "events": list(listens_to),
        **_error(error_type),
    }


def subscription(kind: str, name: str, types: Sequence[str]) -> Event:
    """An extension has subscribed; `kind` is `telemetrySubscription` or `logsSubscription`."""
    return f"platform.{kind}", {"name": name, "state": "Subscribed", "types": list(types)}


def start(request_id: str, version: str, tracing: Record, tenant_id: str = "") -> Event:
    """An invocation starts."""
    return "platform.start", {
        "requestId": request_id,
        "version": version,
        **tracing,
        **_tenant(tenant_id),
    }


def runtime_done(
    request_id: str,
    *,
    status: str,
    error_type: str | None,
    duration_ms: float,
    produced_bytes: int,
    spans: Sequence[Record],
    tracing: Record,
    tenant_id: str = "",
) -> Event:
    """The runtime has done its part of an invocation."""
    return "platform.runtimeDone", {
        "requestId": request_id,
        "status": status,
        **_error(error_type),
        "metrics": {"durationMs": round(duration_ms, 3), "producedBytes": produced_bytes},
        "spans": list(spans),
        **tracing,
        **_tenant(tenant_id),
    }


def report(report_: Report, *, tracing: Record, tenant_id: str = "") -> Event:
    """The durations and memory of an invocation."""
    return "platform.report", {
        "requestId": report_.request_id,
        "status": report_.status or "success",
        **_error(report_.error_type),
        "metrics": report_metrics(report_),
        **tracing,
        **_tenant(tenant_id),
    }


def report_metrics(report_: Report) -> Record:
    """The numbers of a report."""
    metrics: Record = {
        "durationMs": round(report_.duration_ms, 3),
        "billedDurationMs": report_.billed_ms,
        "memorySizeMB": report_.memory_mb,
        "maxMemoryUsedMB": report_.memory_used_mb,
    }
    if report_.init_ms is not None:
        metrics["initDurationMs"] = round(report_.init_ms, 3)
    if report_.restore_ms is not None:
        metrics["restoreDurationMs"] = round(report_.restore_ms, 3)
        metrics["billedRestoreDurationMs"] = report_.billed_restore_ms
    return metrics


def restore_start(*, function: Mapping[str, Any], runtime: Mapping[str, str]) -> Event:
    """The restore of an environment from a snapshot starts."""
    return "platform.restoreStart", {**function, **runtime}


def restore_runtime_done(status: str, error_type: str | None) -> Event:
    """The runtime has run the hooks after a restore."""
    return "platform.restoreRuntimeDone", {"status": status, **_error(error_type)}


def restore_report(status: str, error_type: str | None, duration_ms: float) -> Event:
    """The restore is over."""
    return "platform.restoreReport", {
        "status": status,
        **_error(error_type),
        "metrics": {"durationMs": round(duration_ms, 3)},
    }


def logs_dropped(reason: str, records: int, size: int) -> Event:
    """A subscriber was too slow."""
    return "platform.logsDropped", {
        "reason": reason,
        "droppedRecords": records,
        "droppedBytes": size,
    }


def span(name: str, began: float, duration_ms: float) -> Record:
    """A part of an invocation; `began` is in epoch seconds."""
    return {"name": name, "start": iso_time(began), "durationMs": round(duration_ms, 3)}


def tracing(trace_id: str) -> Record:
    """Return the member that contains an invocation's trace header, if it has one."""
    return {"tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id}} if trace_id else {}


def level_of(event: Event) -> str:
    """Return the system log level of an event."""
    kind, record = event
    name = kind.removeprefix("platform.")
    is_good = record.get("status", "success") == "success" and "errorType" not in record
    if name in ("initStart", "restoreStart"):
        return "INFO" if record.get("runtimeVersion") else "DEBUG"
    if name in ("initRuntimeDone", "restoreRuntimeDone", "runtimeDone"):
        return "DEBUG" if is_good else "WARN"
    if name == "initReport":
        if not is_good:
            return "WARN"
        return "DEBUG" if record["initializationType"] == "on-demand" else "INFO"
    if name == "logsDropped":
        return "WARN"
    return "INFO" if is_good else "WARN"


def is_shown(level: str, lowest: str | None) -> bool:
    """Whether a log with the lowest level `lowest` shows this level."""
    return lowest is None or LEVELS.index(level) >= LEVELS.index(lowest)


def _error(error_type: str | None) -> Record:
    return {} if error_type is None else {"errorType": error_type}


def _tenant(tenant_id: str) -> Record:
    return {"tenantId": tenant_id} if tenant_id else {}

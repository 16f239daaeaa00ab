"""The platform's own lines in a function's log, with AWS's texts.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html The functions take plain
values and return one line of bytes without its newline.
"""

import dataclasses
import datetime
import hashlib
import math
import re
from collections.abc import Sequence

from lambent.model.traces import TraceContext

_NAME = re.compile(r"([a-z]+)\.?(.*)", re.DOTALL)
"""Of a language, and its version."""
_VERSION = "v1"
"""AWS counts the versions of its runtimes; the host's have only one."""


@dataclasses.dataclass(slots=True)
class Report:
    """Durations of an invocation in milliseconds, memory in MB."""

    request_id: str
    duration_ms: float
    memory_mb: int
    memory_used_mb: int
    init_ms: float | None = None
    """Only of a cold start."""
    restore_ms: float | None = None
    """Only of the first invocation after a restore."""
    status: str | None = None
    """`timeout`, `failure` or `error` if the platform ended it; else None."""
    error_type: str | None = None
    trace: TraceContext | None = None
    """Of a sampled call; its parent is the function's segment."""

    @property
    def billed_ms(self) -> int:
        """AWS bills init as well."""
        return math.ceil(round(self.duration_ms + (self.init_ms or 0.0), 2))

    @property
    def billed_restore_ms(self) -> int:
        """The duration of a restore."""
        return math.ceil(round(self.restore_ms or 0.0, 2))


def stream_name(version: str, environment_id: str, date: datetime.date) -> str:
    """`YYYY/MM/DD/[version]id`; `environment_id` is 32 hex digits, the date UTC's."""
    return f"{date:%Y/%m/%d}/[{version}]{environment_id}"


def runtime_version(runtime: str | None, region: str) -> dict[str, str]:
    """Return name and ARN of a runtime as AWS shows them: `python3.12` is `python:3.12.v1`,
    `nodejs22.x` `nodejs:22.v1`, `provided.al2023` `provided:al2023.v1`. The ARN is that of the
    function's configuration."""
    digest = hashlib.sha256(str(runtime).encode()).hexdigest()
    arn = f"arn:aws:lambda:{region}::runtime:{digest}"
    name, version = _NAME.fullmatch(runtime or "provided").groups()  # type: ignore[union-attr]
    line = f"{name}:{version.removesuffix('.x')}" if version else name
    return {"runtimeVersion": f"{line}.{_VERSION}", "runtimeVersionArn": arn}


def init_start(runtime: dict[str, str]) -> bytes:
    """The init of an environment starts; `runtime` is a result of `runtime_version`."""
    return _begins("INIT_START", runtime)


def restore_start(runtime: dict[str, str]) -> bytes:
    """The restore of an environment starts."""
    return _begins("RESTORE_START", runtime)


def init_report(init_ms: float, phase: str, status: str | None, error_type: str | None) -> bytes:
    """The result of an init; `status` is `timeout` or `error`, None for success."""
    line = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}"
    return (line + _failure(status, error_type)).encode()


def restore_report(restore_ms: float, status: str | None, error_type: str | None) -> bytes:
    """The result of a restore."""
    line = f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms"
    return (line + _failure(status, error_type)).encode()


def extension(name: str, state: str, events: Sequence[str], error_type: str | None) -> bytes:
    """An extension is ready, or failed while the environment started."""
    error = f"\tError Type: {error_type}" if error_type else ""
    return f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]{error}".encode()


def subscription(kind: str, name: str, types: Sequence[str]) -> bytes:
    """An extension has subscribed; `kind` is `TELEMETRY` or `LOGS`."""
    shown = ", ".join(type_.capitalize() for type_ in types)
    return f"{kind}\tName: {name}\tState: Subscribed\tTypes: [{shown}]".encode()


def start(request_id: str, version: str) -> bytes:
    """An invocation starts."""
    return f"START RequestId: {request_id} Version: {version}".encode()


def end(request_id: str) -> bytes:
    """An invocation is over."""
    return f"END RequestId: {request_id}".encode()


def report(report_: Report) -> bytes:
    """Durations and memory of an invocation."""
    line = (
        f"REPORT RequestId: {report_.request_id}\tDuration: {report_.duration_ms:.2f} ms\t"
        f"Billed Duration: {report_.billed_ms} ms\tMemory Size: {report_.memory_mb} MB\t"
        f"Max Memory Used: {report_.memory_used_mb} MB\t"
    )
    if report_.init_ms is not None:
        line += f"Init Duration: {report_.init_ms:.2f} ms\t"
    if report_.restore_ms is not None:
        line += f"Restore Duration: {report_.restore_ms:.2f} ms\t"
        line += f"Billed Restore Duration: {report_.billed_restore_ms} ms\t"
    if report_.status is not None:
        line += _failure(report_.status, report_.error_type).lstrip("\t")
    if (trace := report_.trace) is not None:
        line += f"\nXRAY TraceId: {trace.root}\tSegmentId: {trace.parent}\tSampled: true\t"
    return line.encode()


def timed_out(at: str, request_id: str, timeout_s: float) -> bytes:
    """A function was too slow; `at` is a time as text."""
    return f"{at} {request_id} Task timed out after {timeout_s:.2f} seconds\n".encode()


def _begins(word: str, runtime: dict[str, str]) -> bytes:
    name, arn = runtime["runtimeVersion"], runtime["runtimeVersionArn"]
    return f"{word} Runtime Version: {name}\tRuntime Version ARN: {arn}".encode()


def _failure(status: str | None, error_type: str | None) -> str:
    if status is None:
        return ""
    return f"\tStatus: {status}" + (f"\tError Type: {error_type}" if error_type else "")

"""The platform's own lines in a function's log, in AWS's words.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
Plain numbers in, one line of bytes without its newline out.
"""

import datetime
import hashlib
import math


def stream_name(version: str, environment_id: str, date: datetime.date) -> str:
    """`YYYY/MM/DD/[version]id`; `environment_id` is 32 hex digits, the date UTC's."""
    return f"{date:%Y/%m/%d}/[{version}]{environment_id}"


def init_start(runtime: str | None) -> bytes:
    """An environment begins its init."""
    name = _runtime_name(runtime or "provided")
    digest = hashlib.sha256(name.encode()).hexdigest()
    arn = f"arn:aws:lambda:us-east-1::runtime:{digest}"
    return f"INIT_START Runtime Version: {name}\tRuntime Version ARN: {arn}".encode()


def init_report(init_ms: float, phase: str, status: str, error_type: str | None) -> bytes:
    """An init failed; `status` is `timeout` or `error`."""
    error = f"\tError Type: {error_type}" if error_type else ""
    return (
        f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}{error}"
    ).encode()


def start(request_id: str, version: str) -> bytes:
    """An invocation begins."""
    return f"START RequestId: {request_id} Version: {version}".encode()


def end(request_id: str) -> bytes:
    """An invocation is over."""
    return f"END RequestId: {request_id}".encode()


def report(
    request_id: str,
    *,
    duration_ms: float,
    memory_mb: int,
    memory_used_mb: int,
    init_ms: float | None = None,
    status: str | None = None,
    error_type: str | None = None,
) -> bytes:
    """What an invocation took. `init_ms` only for a cold start; `status` and `error_type` only if
    it ended by the platform's word."""
    billed_ms = math.ceil(round(duration_ms + (init_ms or 0.0), 2))
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {billed_ms} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {memory_used_mb} MB\t"
    )
    if init_ms is not None:
        line += f"Init Duration: {init_ms:.2f} ms\t"
    if status is not None:
        line += f"Status: {status}"
        if error_type is not None:
            line += f"\tError Type: {error_type}"
    return line.encode()


def _runtime_name(runtime: str) -> str:
    """`python3.12` as AWS writes it here: `python:3.12`."""
    digit = next((at for at, char in enumerate(runtime) if char.isdigit()), len(runtime))
    return f"{runtime[:digit].rstrip('.')}:{runtime[digit:]}" if digit < len(runtime) else runtime

"""The platform's own lines, in AWS's words."""

import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.telemetry import report

ID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"


def test_around_an_invocation() -> None:
    """START and END."""
    assert report.start(ID, "$LATEST") == f"START RequestId: {ID} Version: $LATEST".encode()
    assert report.end(ID) == f"END RequestId: {ID}".encode()


def test_a_warm_invocation() -> None:
    """Two decimals, whole billed milliseconds, tabs, one at the end."""
    line = report.report(
        report.Report(request_id=ID, duration_ms=2.75, memory_mb=128, memory_used_mb=56)
    )
    assert line.decode() == (
        f"REPORT RequestId: {ID}\tDuration: 2.75 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 56 MB\t"
    )


def test_a_cold_start() -> None:
    """The init is reported and billed."""
    line = report.report(
        report.Report(
            request_id=ID, duration_ms=2.75, memory_mb=128, memory_used_mb=56, init_ms=113.51
        )
    )
    assert b"Billed Duration: 117 ms\t" in line
    assert line.endswith(b"Max Memory Used: 56 MB\tInit Duration: 113.51 ms\t")


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        ("timeout", None, "\tStatus: timeout"),
        ("error", "Runtime.ExitError", "\tStatus: error\tError Type: Runtime.ExitError"),
    ],
)
def test_a_failure(status: str, error_type: str | None, expected: str) -> None:
    """What the platform had to end says why."""
    line = report.report(
        report.Report(
            request_id=ID,
            duration_ms=3000.0,
            memory_mb=128,
            memory_used_mb=56,
            status=status,
            error_type=error_type,
        )
    )
    assert b"\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t" in line
    assert line.decode().endswith(expected)


@given(st.floats(0, 900_000), st.one_of(st.none(), st.floats(0, 10_000)))
def test_what_is_billed_is_not_less_than_what_is_shown(
    duration_ms: float, init_ms: float | None
) -> None:
    """Billed is the next whole millisecond of what it took, read back from the line."""
    line = report.report(
        report.Report(
            request_id=ID, duration_ms=duration_ms, memory_mb=128, memory_used_mb=1, init_ms=init_ms
        )
    ).decode()
    billed = int(re.search(r"Billed Duration: (\d+) ms", line)[1])  # type: ignore[index]
    assert -0.01 <= billed - duration_ms - (init_ms or 0.0) <= 1.01
    assert "\n" not in line


@pytest.mark.parametrize(
    ("runtime", "shown"),
    [
        ("python3.13", "python:3.13.v1"),
        ("nodejs22.x", "nodejs:22.v1"),
        ("java8.al2", "java:8.al2.v1"),
        ("java21", "java:21.v1"),
        ("ruby3.4", "ruby:3.4.v1"),
        ("provided.al2023", "provided:al2023.v1"),
        ("provided.al2", "provided:al2.v1"),
    ],
)
def test_runtimes_have_names_and_versions(runtime: str, shown: str) -> None:
    """As AWS writes them."""
    assert report.runtime_version(runtime, "eu-west-1")["runtimeVersion"] == shown


def test_inits() -> None:
    """INIT_START names a runtime, INIT_REPORT what went wrong."""
    assert re.fullmatch(
        rb"INIT_START Runtime Version: python:3\.12\.v1\tRuntime Version ARN: "
        rb"arn:aws:lambda:[a-z0-9-]+::runtime:[0-9a-f]{64}",
        report.init_start(report.runtime_version("python3.12", "eu-west-1")),
    )
    assert report.init_report(1236.04, "init", "timeout", None) == (
        b"INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"
    )
    assert report.init_report(1.0, "invoke", "error", "Extension.Crash").endswith(
        b"\tPhase: invoke\tStatus: error\tError Type: Extension.Crash"
    )


def test_streams_are_called_by_day_version_and_environment() -> None:
    """As AWS calls them."""
    environment = "3893xmpl7fac4485b47bb75b671a283c"
    name = report.stream_name("$LATEST", environment, datetime.date(2020, 1, 31))
    assert name == "2020/01/31/[$LATEST]" + environment

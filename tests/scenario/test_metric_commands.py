"""`lambent top` and `lambent metrics`, as a user runs them."""

import json
import subprocess
from typing import Any

from tests.forking import commands
from tests.platforms import Platform, deploy

FUNCTION = "def handler(event, context):\n    return 1 / event"


def lambent(platform: Platform, *arguments: str) -> str:
    done = subprocess.run(
        [f"{commands()}/lambent", *arguments, "--endpoint-url", platform.endpoint],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_top_and_metrics(platform: Platform) -> None:
    """Rates, errors, durations, environments and memory; and the past as a line."""
    client, name = platform.client("lambda"), "seen-by-top"
    deploy(client, name, {"app.py": FUNCTION})
    for event in ("1", "2", "0"):
        client.invoke(FunctionName=name, Payload=event)
    rows: list[dict[str, Any]] = json.loads(lambent(platform, "top", "--json"))
    (row,) = [row for row in rows if row["function"] == name]
    assert 0 < row["calls_per_s"] <= 3 / 300 * 1.01
    assert (row["errors"], row["throttles"], row["environments"]) == (1, 0, 1)
    assert 0 < row["p50_ms"] <= row["p99_ms"] < 10_000
    assert row["concurrency"] == 1
    table = lambent(platform, "top", "--once")
    assert "calls/s" in table
    assert name in table
    shown = json.loads(lambent(platform, "metrics", name, "--json"))
    totals = {metric["label"]: metric["total"] for metric in shown["metrics"]}
    assert (totals["Invocations"], totals["Errors"]) == (3, 1)
    assert 60 <= len(shown["metrics"][0]["slots"]) <= 61
    for since in ("1h", "24h", "14d"):
        text = lambent(platform, "metrics", name, "--since", since)
        assert "Duration, p99" in text
        assert "█" in text
    client.delete_function(FunctionName=name)


def test_what_is_not_there(platform: Platform) -> None:
    """A function or a time that is unknown: exit codes 1 and 2."""
    for arguments, code in ((["nobody"], 1), (["nobody", "--since", "3d"], 2)):
        done = subprocess.run(
            [f"{commands()}/lambent", "metrics", *arguments, "--endpoint-url", platform.endpoint],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert done.stderr

"""A kind of event source that is a separate folder and one line of the registry."""

import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import Platform, deploy, log_lines, start_platform, wait_for
from tests.scenario.functions_api import refusal

__all__ = ["start_platform"]

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "line_source"
ARN = "arn:aws:lines:us-east-1:000000000000:text:poem"
HANDLER = """
def handler(event, context):
    if any(entry["line"] == "fails" for entry in event["lines"]):
        raise ValueError
    print("lines", *(f'{entry["number"]}:{entry["line"]}' for entry in event["lines"]))
"""


@contextmanager
def line_server(lines: list[str]) -> Iterator[str]:
    """Serves lines, also those that are added later; yields the address."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in lines[int(self.rfile.readline()) :]:
                self.wfile.write(f"{line}\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_page_shows_the_source_that_is_tested() -> None:
    """Word for word."""
    page = (ROOT / "docs/adding-an-event-source.md").read_text(encoding="utf-8")
    for name in ("kind.py", "driver.py"):
        assert f"```python\n{(FOLDER / name).read_text(encoding='utf-8')}```" in page


@pytest.mark.timeout(300)
def test_a_new_kind_of_source(start_platform: Callable[..., Platform]) -> None:
    """A mapping of it is created, runs, and is deleted through the API."""
    lines = ["zero", "one", "skipped", "three"]
    with line_server(lines) as address:
        platform = start_platform(
            None,
            *("--set", f"polling.brokers={ARN}={address}"),
            *("--set", "polling.idle_poll_s=0.1", "--set", "polling.retry_s=0.05"),
            prefix=(sys.executable, "-m", "tests.scenario.line_source"),
            environment={"PYTHONPATH": str(ROOT)},
        )
        client = platform.client("lambda")
        deploy(client, "reader", {"app.py": HANDLER})
        members: dict[str, Any] = {"EventSourceArn": ARN, "FunctionName": "reader"}
        assert refusal(client.create_event_source_mapping, **members, ParallelizationFactor=2) == (
            "InvalidParameterValueException",
            "Unsupported ParallelizationFactor parameter for given event source mapping type.",
        )
        created = client.create_event_source_mapping(
            **members,
            MaximumRetryAttempts=1,
            FilterCriteria={"Filters": [{"Pattern": '{"line": [{"anything-but": ["skipped"]}]}'}]},
        )
        which = {"UUID": created["UUID"]}
        assert created["BatchSize"] == 100
        assert created["StateTransitionReason"] == "USER_INITIATED"
        code, message = refusal(client.create_event_source_mapping, **members)
        assert code == "ResourceConflictException"
        assert message.startswith(f'The text "{ARN}" already calls the function "reader".')

        def processed() -> list[str]:
            try:
                logged = log_lines(platform, "reader")
            except ClientError:  # It was not called yet.
                return []
            found = (line.split()[1:] for line in logged if line.startswith("lines "))
            return [word for words in found for word in words]

        wait_for(lambda: client.get_event_source_mapping(**which)["State"] == "Enabled", "enabled")
        wait_for(lambda: processed() == ["0:zero", "1:one", "3:three"], "three lines")
        client.update_event_source_mapping(**which, BatchSize=1)
        wait_for(lambda: client.get_event_source_mapping(**which)["State"] == "Enabled", "updated")
        lines += ["fails", "five"]
        wait_for(lambda: processed()[3:] == ["5:five"], "the failing line is discarded")
        wait_for(
            lambda: client.get_event_source_mapping(**which)["LastProcessingResult"] == "OK",
            "the result is written",
        )
        assert client.delete_event_source_mapping(**which)["State"] == "Deleting"
        wait_for(
            lambda: not client.list_event_source_mappings()["EventSourceMappings"],
            "the mapping is gone",
        )

"""Platforms that share one database are one platform to their clients."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.databases import PostgreSql
from tests.platforms import ROLE, Platform, deploy, invoke, log_lines, wait_for
from tests.servers.kinesis import Kinesis
from tests.servers.ministack import ACCOUNT

pytestmark = pytest.mark.timeout(300)
ECHO = "def handler(event, context): return event"
SLEEPS = """
import os, time
def handler(event, context):
    print("ran", event["number"])
    if event.get("file"):
        time.sleep(60 if not os.path.exists("/tmp/never") else 0)
"""
FAILS = "def handler(event, context): raise ValueError('as wanted')"
READS = """
import base64
def handler(event, context):
    for record in event["Records"]:
        print("record", base64.b64decode(record["kinesis"]["data"]).decode())
"""


@pytest.fixture(scope="module")
def kinesis() -> Iterator[Kinesis]:
    with Kinesis() as server:
        yield server


@pytest.fixture
def start_node(
    start_platform: Callable[..., Platform],
    tmp_path: Path,
    postgresql: PostgreSql,
    kinesis: Kinesis,
) -> Callable[[str], Platform]:
    """Starts platforms on one database."""
    shared = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(tmp_path / "packages"),
        "LAMBENT_POLLING__IDLE_POLL_S": "0.1",
        "LAMBENT_AWS__KINESIS__ENDPOINT_URL": kinesis.endpoint,
    }
    return lambda name: start_platform(tmp_path / name, environment=shared)


def nodes_of(platform: Platform) -> list[dict[str, Any]]:
    """What `lambent nodes --json` shows."""
    raise NotImplementedError

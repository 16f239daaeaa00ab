"""Streams of the tests' servers, and what functions received from them."""

import base64
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.platforms import Platform, wait_for

from .conftest import Function

NewFunction = Callable[..., Function]
StartPlatform = Callable[..., Platform]

IMPATIENT = (
    "retry_s=0.05",
    "retry_max_s=0.2",
    "throttled_max_s=0.5",
    "idle_poll_s=0.1",
    "backoff_s=0.2",
    "backoff_max_s=0.5",
)
FIRST, LAST = "0", str(2**128 - 1)
"""Hash keys of the first and last shard."""


def options_of(endpoints: Mapping[str, str]) -> list[str]:
    """Arguments of a platform that finds services there, with short waits."""
    settings = [f"aws.{service}.endpoint_url={url}" for service, url in endpoints.items()]
    settings += [f"polling.{setting}" for setting in IMPATIENT]
    return [option for setting in settings for option in ("--set", setting)]


@contextlib.contextmanager
def running(data: Path, endpoints: Mapping[str, str]) -> Iterator[Platform]:
    """A platform that finds services there."""
    platform = Platform(data, *options_of(endpoints))
    try:
        yield platform
    finally:
        code = platform.stop()
    assert code == 0, platform.output


class Stream:
    """A Kinesis stream."""

    def __init__(self, client: Any, name: str, shards: int = 1) -> None:
        self.client = client
        self.name = name
        self.arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
        self.shards = shards
        self.create()

    def create(self) -> None:
        """Create it and wait until it is active."""
        self.client.create_stream(StreamName=self.name, ShardCount=self.shards)
        self.wait_active()

    def wait_active(self) -> None:
        """Wait until a change is complete."""
        wait_for(
            lambda: self._summary()["StreamStatus"] == "ACTIVE", f"the stream {self.name} is active"
        )

    def _summary(self) -> Any:
        return self.client.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]

    def put(self, *texts: str, key: str = "k", at: str | None = None) -> list[Any]:
        """Put records, one by one, into the shard of a hash key."""
        place = {} if at is None else {"ExplicitHashKey": at}
        return [
            self.client.put_record(
                StreamName=self.name, PartitionKey=key, Data=text.encode(), **place
            )
            for text in texts
        ]

    def split(self, shard_id: str = "shardId-000000000000") -> None:
        """Split a shard in the middle."""
        (shard,) = [shard for shard in self.list() if shard["ShardId"] == shard_id]
        first, last = (
            int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending")
        )
        self.client.split_shard(
            StreamName=self.name,
            ShardToSplit=shard_id,
            NewStartingHashKey=str((first + last) // 2 + 1),
        )
        self.wait_active()

    def merge(self, one: str, other: str) -> None:
        """Merge two neighbors."""
        self.client.merge_shards(StreamName=self.name, ShardToMerge=one, AdjacentShardToMerge=other)
        self.wait_active()

    def list(self) -> Sequence[Any]:
        """Its shards."""
        shards: Sequence[Any] = self.client.list_shards(StreamName=self.name)["Shards"]
        return shards


def texts(events: Sequence[Any]) -> list[str]:
    """The data of all records of some events, in order."""
    return [
        base64.b64decode(record["kinesis"]["data"]).decode()
        for event in events
        for record in event["Records"]
    ]


def wait_texts(function: Function, *wanted: str) -> list[str]:
    """Wait until the function has received all of them; returns what it received, in order."""
    wait_for(
        lambda: set(wanted) <= set(texts(function.events())),
        f"{function.name} sees {wanted}",
    )
    return texts(function.events())


def positions(data: Path, uuid: str) -> dict[str, int]:
    """The stored sequence number of the last completed record, by shard."""
    with contextlib.closing(sqlite3.connect(data / "state" / "lambent.db")) as connection:
        rows = connection.execute(
            "SELECT part, document FROM mapping_positions WHERE uuid = ?", (uuid,)
        ).fetchall()
    return {part: int(json.loads(document)["after"] or 0) for part, document in rows}

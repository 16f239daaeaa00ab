"""Sources whose server, or the way to it, can be broken while records flow: one class each."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

from tests.servers.kinesis import Kinesis
from tests.servers.ministack import ACCOUNT, Ministack
from tests.servers.proxy import Proxy


class Flow(ABC):
    """A source with a server of its own, which the platform reaches through a port that can be
    cut; records are sent to it directly."""

    has_order = True

    def __init__(self) -> None:
        self._stack = ExitStack()

    @abstractmethod
    def open(self, stack: ExitStack) -> None:
        """Start the server."""

    @property
    @abstractmethod
    def options(self) -> list[str]:
        """Flags of `lambent up` that say where it is."""

    @property
    @abstractmethod
    def mapping(self) -> dict[str, Any]:
        """Members of CreateEventSourceMapping."""

    @abstractmethod
    def send(self, names: Sequence[str]) -> None:
        """Put records in, in order; the key is what stands before the colon."""

    @abstractmethod
    def break_server(self) -> None:
        """End the server's process and start it again, on the data it has."""

    @abstractmethod
    def cut(self) -> None:
        """Reset the platform's connections."""

    def __enter__(self) -> Self:
        self.open(self._stack)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class SqsFlow(Flow):
    """A standard queue."""

    has_order = False
    name = "crashes"
    attributes: dict[str, str] = {"VisibilityTimeout": "3"}  # noqa: RUF012

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(Ministack())
        self._proxy = stack.enter_context(Proxy(self._server.port))
        self._client = self._server.client("sqs")
        answer = self._client.create_queue(QueueName=self.name, Attributes=self.attributes)
        self._url = answer["QueueUrl"]

    @property
    def options(self) -> list[str]:
        return ["--set", f"aws.sqs.endpoint_url=http://127.0.0.1:{self._proxy.port}"]

    @property
    def mapping(self) -> dict[str, Any]:
        return {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name}", "BatchSize": 5}

    def send(self, names: Sequence[str]) -> None:
        for name in names:
            self._client.send_message(QueueUrl=self._url, MessageBody=name, **self._of(name))

    def _of(self, name: str) -> dict[str, Any]:
        return {}

    def break_server(self) -> None:
        # It keeps what it is asked to keep when it is asked to end.
        self._server.stop()
        self._server.start()

    def cut(self) -> None:
        self._proxy.cut()


class FifoFlow(SqsFlow):
    """A FIFO queue, in groups."""

    has_order = True
    name = "crashes.fifo"
    attributes = {"VisibilityTimeout": "3", "FifoQueue": "true"}  # noqa: RUF012

    def _of(self, name: str) -> dict[str, Any]:
        return {
            "MessageGroupId": name.partition(":")[0],
            "MessageDeduplicationId": name.replace(":", "-"),
        }


class KinesisFlow(Flow):
    """A stream of two shards, of each of which two batches are under way at a time."""

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(Kinesis())
        self._proxy = stack.enter_context(Proxy(self._server.port))
        self._client = self._server.client()
        self._unbroken = threading.Lock()
        """The server saves what it holds when it is asked to, but not what comes meanwhile."""
        self._client.create_stream(StreamName="crashes", ShardCount=2)
        self._client.get_waiter("stream_exists").wait(
            StreamName="crashes", WaiterConfig={"Delay": 1}
        )

    @property
    def options(self) -> list[str]:
        return [
            *("--set", f"aws.kinesis.endpoint_url=http://127.0.0.1:{self._proxy.port}"),
            *("--set", "polling.idle_poll_s=0.1"),
        ]

    @property
    def mapping(self) -> dict[str, Any]:
        return {
            "EventSourceArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/crashes",
            "StartingPosition": "LATEST",
            "BatchSize": 5,
            "ParallelizationFactor": 2,
        }

    def send(self, names: Sequence[str]) -> None:
        for name in names:
            key = name.partition(":")[0]
            with self._unbroken:
                self._client.put_record(StreamName="crashes", PartitionKey=key, Data=name.encode())

    def break_server(self) -> None:
        with self._unbroken:
            self._server.stop()
            self._server.start()

    def cut(self) -> None:
        self._proxy.cut()


FLOWS: dict[str, type[Flow]] = {"sqs": SqsFlow, "fifo": FifoFlow, "kinesis": KinesisFlow}

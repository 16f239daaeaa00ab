"""Streams of NATS JetStream, read from the server itself."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import nats
import pytest
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from tests.scenario.test_readme import run_page
from tests.servers.nats import Nats

from .brokers import FAILS_TWICE, OwnBrokers, own_brokers
from .conftest import Function, Platform, wait_for

NewFunction = Callable[..., Function]


class Stream:
    """A stream with the subjects `NAME.>`."""

    def __init__(self, server: Nats, name: str) -> None:
        self._server = server
        self.name = name
        self._do(lambda jetstream: jetstream.add_stream(name=name, subjects=[f"{name}.>"]))

    def send(self, *bodies: str, subject: str = "x", **headers: str) -> None:
        """Messages in this order."""

        async def publish(jetstream: Any) -> None:
            for body in bodies:
                await jetstream.publish(
                    f"{self.name}.{subject}", body.encode(), headers=headers or None
                )

        self._do(publish)

    def wait_consumer(self, uuid: str) -> None:
        """Wait until a mapping has made its consumer."""

        def is_there() -> bool:
            try:
                return bool(self.consumer(uuid))
            except NotFoundError:
                return False

        wait_for(is_there, f"{uuid} has a consumer")

    def consumer(self, uuid: str) -> ConsumerInfo:
        """A mapping's consumer."""
        found: ConsumerInfo = self._do(
            lambda jetstream: jetstream.consumer_info(self.name, f"lambent-{uuid}")
        )
        return found

    def wait_acknowledged(self, uuid: str, number: int) -> None:
        """Wait until that many messages, and no others, are acknowledged."""
        self.wait_consumer(uuid)

        def is_done() -> bool:
            found = self.consumer(uuid)
            assert found.ack_floor is not None
            return found.ack_floor.consumer_seq >= number and found.num_ack_pending == 0

        wait_for(is_done, f"{number} messages of {self.name} are acknowledged")

    def delete(self) -> None:
        """The stream."""
        self._do(lambda jetstream: jetstream.delete_stream(self.name))

    def _do(self, operation: Callable[[Any], Any]) -> Any:
        async def run() -> Any:
            client = await nats.connect(self._server.url, connect_timeout=20)
            try:
                return await operation(client.jetstream(timeout=20))
            finally:
                await client.close()

        return anyio.run(run)


def bodies_of(event: Any) -> list[str]:
    """The data of its messages."""
    return [base64.b64decode(message["data"]).decode() for message in event["messages"]]


@pytest.fixture(scope="module")
def brokers(nats_server: Nats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBrokers]:
    """A platform that knows the server for every stream of these tests."""
    streams = (
        "arrive",
        "subjects",
        "retried",
        "poison",
        "partial",
        "waits",
        "guessed",
        "deleted",
    )
    places = {f"nats:us-east-1:000000000000:stream/{name}": _url(nats_server) for name in streams}
    directory = tmp_path_factory.mktemp("nats")
    with own_brokers(directory, places) as running:
        yield running


@pytest.fixture(scope="module")
def platform(brokers: OwnBrokers) -> Platform:
    return brokers.platform


def _url(server: Nats) -> str:
    return f"nats://127.0.0.1:{server.port}"


def map_stream(function: Function, brokers: OwnBrokers, stream: Stream, **more: Any) -> str:
    """Map a stream to a function; returns the mapping's UUID."""
    access = [{"Type": "BASIC_AUTH", "URI": more.pop("secret", brokers.secret)}]
    arn = f"arn:aws:nats:us-east-1:000000000000:stream/{stream.name}"
    return function.map(arn, SourceAccessConfigurations=access, **more)


def test_messages_arrive_and_are_acknowledged(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """From the beginning of the stream, with subject, headers and data."""
    stream, function = Stream(nats_server, "arrive"), new_function()
    stream.send("grüße", subject="hello.world", Kind="greeting")
    uuid = map_stream(function, brokers, stream)
    (event,) = function.wait_events(1)
    (message,) = event.pop("messages")
    assert event == {
        "eventSource": "nats",
        "eventSourceArn": "arn:aws:nats:us-east-1:000000000000:stream/arrive",
    }
    assert message.pop("timestamp") > 1_700_000_000_000
    assert message == {
        "subject": "arrive.hello.world",
        "stream": "arrive",
        "sequence": 1,
        "deliveries": 1,
        "headers": {"Kind": "greeting"},
        "data": base64.b64encode("grüße".encode()).decode(),
    }
    stream.wait_acknowledged(uuid, 1)
    stream.send(*map(str, range(300)))
    wait_for(lambda: sum(len(e["messages"]) for e in function.events()) == 301, "all arrived")
    texts = [text for event in function.events()[1:] for text in bodies_of(event)]
    assert texts == [*map(str, range(300))]
    stream.wait_acknowledged(uuid, 301)


def test_a_mapping_reads_the_subjects_it_names(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """Those that match `Queues`, from now on, and of these what its filter admits."""
    stream, function = Stream(nats_server, "subjects"), new_function()
    stream.send("old", subject="eu.orders")
    pattern = json.dumps({"data": {"total": [{"numeric": [">", 10]}]}})
    uuid = map_stream(
        function,
        brokers,
        stream,
        Queues=["subjects.*.orders"],
        StartingPosition="LATEST",
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    stream.wait_consumer(uuid)
    stream.send('{"total": 20}', subject="eu.news")
    stream.send('{"total": 1}', '{"total": 30}', subject="us.orders")
    (event,) = function.wait_events(1)
    assert bodies_of(event) == ['{"total": 30}']
    stream.wait_acknowledged(uuid, 2)


def test_a_failed_batch_is_retried(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """The same messages, until the function succeeds."""
    stream, function = Stream(nats_server, "retried"), new_function(FAILS_TWICE)
    stream.send("a", "b")
    uuid = map_stream(function, brokers, stream)
    events = function.wait_events(3)
    assert [bodies_of(event) for event in events] == [bodies_of(events[0])] * 3
    stream.wait_acknowledged(uuid, 2)


def test_messages_that_fail_for_good_go_to_the_destination(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """After the last attempt, with what identifies them; then the next messages follow."""
    stream = Stream(nats_server, "poison")
    function = new_function(
        "def act(event):\n    if len(event['messages']) == 1: raise ValueError('no')"
    )
    stream.send("poison")
    bucket = brokers.bucket("poison-bin")
    uuid = map_stream(
        function,
        brokers,
        stream,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    record = brokers.wait_object(bucket)
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["NATSBatchInfo"] == {
        "stream": "poison",
        "startSequence": 1,
        "endSequence": 1,
        "batchSize": 1,
    }
    stream.wait_acknowledged(uuid, 1)


def test_a_function_says_which_messages_failed(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """By their sequence: those before are done."""
    stream = Stream(nats_server, "partial")
    function = new_function(
        "seen = []\n"
        "def act(event):\n"
        "    seen.append(1)\n"
        "    last = str(event['messages'][-1]['sequence'])\n"
        "    failed = [{'itemIdentifier': last}] if len(seen) == 1 else []\n"
        "    return {'batchItemFailures': failed}\n"
    )
    stream.send("a", "b", "c")
    uuid = map_stream(
        function,
        brokers,
        stream,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumBatchingWindowInSeconds=1,
    )
    first, second = function.wait_events(2)[:2]
    assert (bodies_of(first), bodies_of(second)) == (["a", "b", "c"], ["c"])
    stream.wait_acknowledged(uuid, 3)


def test_messages_wait_for_a_disabled_mapping(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """What comes meanwhile is read when it is enabled again, and nothing twice."""
    stream, function = Stream(nats_server, "waits"), new_function()
    uuid = map_stream(function, brokers, stream)
    stream.send("one")
    function.wait_events(1)
    stream.wait_acknowledged(uuid, 1)
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    function.wait_state(uuid, "Disabled")
    stream.send("two")
    function.update(uuid, Enabled=True)
    events = function.wait_events(2)
    assert [bodies_of(event) for event in events] == [["one"], ["two"]]


def test_problems_are_shown(
    nats_server: Nats, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """A wrong password, a stream that was deleted, an address that is not set."""
    function = new_function()
    stream = Stream(nats_server, "guessed")
    uuid = map_stream(function, brokers, stream, secret=brokers.wrong_secret)
    found = function.wait_result(uuid, "PROBLEM: Server failed to authenticate Lambda")
    assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"
    stream = Stream(nats_server, "deleted")
    uuid = map_stream(function, brokers, stream)
    stream.wait_consumer(uuid)
    stream.delete()
    function.wait_result(uuid, "PROBLEM: There is no stream deleted")
    uuid = function.map("arn:aws:nats:us-east-1:000000000000:stream/unknown")
    function.wait_result(uuid, "PROBLEM: The setting polling.brokers has no address with nats://")


def test_it_goes_on_when_the_server_comes_back(tmp_path: Path) -> None:
    """The mapping of the page's example connects again by itself."""
    with Nats(is_open=True) as server:
        place = {"nats:us-east-1:000000000000:stream/orders": f"nats://127.0.0.1:{server.port}"}
        with own_brokers(tmp_path, place) as own:
            stream = Stream(server, "orders")
            printed = run_page("event-sources/nats", own.platform, tmp_path)
            uuid = json.loads(printed[printed.index("{") :])["UUID"]
            stream.send("one", subject="eu.pizza")
            wait_for(lambda: "one" in own.log("orders"), "the message came")
            stream.wait_acknowledged(uuid, 1)
            server.stop()
            own.wait_result(uuid, "PROBLEM: Connection error.")
            server.start()
            stream.send("two", subject="us.pizza")
            wait_for(lambda: "from orders.us.pizza two" in own.log("orders"), "the next came")

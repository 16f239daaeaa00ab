"""Queues of ActiveMQ, read from the broker itself."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import stomp
from stomp.utils import Frame

from tests.servers.activemq import ActiveMq
from tests.servers.ministack import Ministack
from tests.servers.processes import free_port
from tests.servers.proxy import Proxy
from tests.yardstick import slowdown

from .broker_platforms import PASSWORD, Secret, broker_platform, map_queue
from .conftest import Function, Platform, wait_for

NewFunction = Callable[..., Function]

FAILS_TWICE = """
calls = 0
def act(event):
    global calls
    calls += 1
    if calls < 3:
        raise ValueError("not yet")
"""


class Inbox(stomp.ConnectionListener):
    """The messages that a connection received."""

    def __init__(self) -> None:
        self.frames: SimpleQueue[Frame] = SimpleQueue()
        self.receipts: SimpleQueue[str] = SimpleQueue()

    def on_message(self, frame: Frame) -> None:
        """See `stomp.ConnectionListener`."""
        self.frames.put(frame)

    def on_receipt(self, frame: Frame) -> None:
        """See `stomp.ConnectionListener`."""
        self.receipts.put(frame.headers["receipt-id"])


class Queue:
    """A queue, as other clients write and read it."""

    def __init__(self, activemq: ActiveMq, name: str) -> None:
        self._port = activemq.port
        self.name = name

    def send(self, *bodies: str | bytes, **headers: str) -> None:
        """Send persistent messages: text messages for text, bytes messages for bytes."""
        with self._connect() as (connection, inbox):
            for number, body in enumerate(bodies):
                length = {"content-length": str(len(body))} if isinstance(body, bytes) else {}
                more = {"persistent": "true", "receipt": f"{number}", **length, **headers}
                connection.send(f"/queue/{self.name}", body, headers=more)
                inbox.receipts.get(timeout=20)

    def take(self) -> str:
        """The next message that any consumer can get."""
        with self._connect() as (connection, inbox):
            headers = {"activemq.prefetchSize": "1"}
            connection.subscribe(
                f"/queue/{self.name}", id="1", ack="client-individual", headers=headers
            )
            frame = inbox.frames.get(timeout=10)
            connection.ack(frame.headers["ack"])
            body: str = frame.body
            return body

    def bodies(self) -> list[str]:
        """The bodies of all messages that are not acknowledged."""
        with self._connect() as (connection, inbox):
            connection.subscribe(f"/queue/{self.name}", id="1", headers={"browser": "true"})
            found: list[str] = []
            while (frame := inbox.frames.get(timeout=10)).headers.get("browser") != "end":
                found.append(frame.body)
            return found

    def wait_empty(self) -> None:
        """Wait until all are acknowledged."""
        wait_for(lambda: not self.bodies(), f"{self.name} is empty")

    @contextmanager
    def _connect(self) -> Iterator[tuple[Any, Inbox]]:
        connection = stomp.Connection12(
            [("127.0.0.1", self._port)], auto_content_length=False, reconnect_attempts_max=1
        )
        inbox = Inbox()
        connection.set_listener("inbox", inbox)
        connection.connect("alice", PASSWORD, wait=True)
        try:
            yield connection, inbox
        finally:
            connection.disconnect(receipt="bye")


def bodies_of(event: Any) -> list[str]:
    """The data of its messages."""
    return [base64.b64decode(message["data"]).decode() for message in event["messages"]]


@pytest.fixture(scope="module")
def proxy(activemq: ActiveMq) -> Iterator[Proxy]:
    with Proxy(activemq.port) as running:
        yield running


@pytest.fixture(scope="module")
def platform(
    ministack: Ministack,
    activemq: ActiveMq,
    proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Platform]:
    """A platform that trusts the tests' authority."""
    places = {
        "active": f"stomp://127.0.0.1:{activemq.port}",
        "proxied": f"stomp://127.0.0.1:{proxy.port}",
        # One of two brokers is always on standby.
        "secured": f"stomp+ssl://localhost:{free_port()};stomp+ssl://localhost:{activemq.tls_port}",
    }
    directory = tmp_path_factory.mktemp("activemq")
    authority = activemq.certificates.authority
    with broker_platform(ministack, directory, places, authority) as running:
        yield running


@pytest.fixture(scope="module")
def secret(ministack: Ministack) -> Secret:
    return Secret(ministack)


@pytest.fixture
def queue(activemq: ActiveMq, request: pytest.FixtureRequest) -> Queue:
    return Queue(activemq, request.node.name)


def test_messages_arrive_and_are_acknowledged(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """The event is AWS's, for text and for bytes, with headers and properties; processed messages
    are gone. The connection has TLS."""
    function = new_function()
    uuid = map_queue(function, "secured", queue.name, secret, BatchSize=2)
    expires = str(round(time.time() * 1000) + 60_000)
    queue.send(
        "grüße",
        priority="7",
        type="greeting",
        expires=expires,
        index="1",
        **{"correlation-id": "c1", "reply-to": "/queue/answers", "odd": "a\n:b"},
    )
    queue.send(b"a\0\xff", persistent="false")
    events = function.wait_events(1)
    wait_for(lambda: sum(len(event["messages"]) for event in function.events()) == 2, "both came")
    text, other = (message for event in function.events() for message in event["messages"])
    assert events[0]["eventSource"] == "aws:mq"
    assert events[0]["eventSourceArn"].endswith(":broker:secured:b-secured")
    sent_ms = text.pop("timestamp")
    assert text.pop("brokerInTime") == sent_ms
    assert text.pop("brokerOutTime") >= sent_ms > (time.time() - 60) * 1000
    assert text.pop("messageID").startswith("ID:")
    assert text == {
        "messageType": "jms/text-message",
        "deliveryMode": 2,
        "replyTo": "queue://answers",
        "type": "greeting",
        "expiration": expires,
        "priority": 7,
        "correlationId": "c1",
        "redelivered": False,
        "destination": {"physicalName": queue.name},
        "data": base64.b64encode("grüße".encode()).decode(),
        "properties": {"index": "1", "odd": "a\n:b"},
    }
    assert other["messageType"] == "jms/bytes-message"
    assert other["deliveryMode"] == 1
    assert other["data"] == base64.b64encode(b"a\0\xff").decode()
    function.wait_result(uuid, "OK")
    queue.wait_empty()


def test_batches_in_order(queue: Queue, secret: Secret, new_function: NewFunction) -> None:
    """Waiting messages arrive in order, in full batches and a rest. A batch that is not full waits
    for its window, which begins with its first message."""
    function = new_function()
    bodies = [f"{number}" for number in range(450)]
    queue.send(*bodies)
    uuid = map_queue(
        function, "active", queue.name, secret, BatchSize=200, MaximumBatchingWindowInSeconds=2
    )
    events = function.wait_events(3)
    assert [len(bodies_of(event)) for event in events] == [200, 200, 50]
    assert [body for event in events for body in bodies_of(event)] == bodies
    function.update(uuid, MaximumBatchingWindowInSeconds=1)
    queue.send("a", "b")
    assert bodies_of(function.wait_events(4)[3]) == ["a", "b"]
    queue.wait_empty()


def test_filters(queue: Queue, secret: Secret, new_function: NewFunction) -> None:
    """Filters apply to data and properties; other messages are acknowledged and never delivered."""
    function = new_function()
    patterns = [{"data": {"kind": ["wanted"]}}, {"properties": {"vip": ["yes"]}}]
    filters = [{"Pattern": json.dumps(pattern)} for pattern in patterns]
    uuid = map_queue(
        function, "active", queue.name, secret, FilterCriteria={"Filters": filters}, BatchSize=3
    )
    queue.send('{"kind": "other"}', '{"kind": "other"}')
    queue.send('{"kind": "any"}', vip="yes")
    queue.send('{"kind": "other"}', '{"kind": "wanted"}')
    queue.wait_empty()
    bodies = [body for event in function.events() for body in bodies_of(event)]
    assert bodies == ['{"kind": "any"}', '{"kind": "wanted"}']
    assert function.shown(uuid)["counts"]["FilteredOutEventCount"] == 3


def test_a_failed_batch_is_tried_until_it_succeeds(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """The same messages, in order, before later ones; none goes to the dead-letter queue."""
    function = new_function(FAILS_TWICE)
    queue.send("a", "b", "c", "d")
    map_queue(function, "active", queue.name, secret, BatchSize=2)
    events = function.wait_events(4)
    assert [bodies_of(event) for event in events] == [*(3 * [["a", "b"]]), ["c", "d"]]
    queue.wait_empty()


def test_messages_that_expire_or_are_too_large(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """They are discarded, one while the function fails, the other when it arrives; their neighbors
    are not."""
    function = new_function(
        """
def act(event):
    if any(message["expiration"] != "0" for message in event["messages"]):
        raise ValueError("no")
"""
    )
    queue.send("kept")
    queue.send("x" * 6_500_000, b"y" * 6_500_000)
    queue.send("short", expires=str(round(time.time() * 1000) + 3000))
    uuid = map_queue(
        function, "active", queue.name, secret, BatchSize=2, MaximumBatchingWindowInSeconds=20
    )
    function.wait_result(uuid, "PROBLEM: Function call failed")
    function.wait_result(uuid, "OK")
    events = [bodies_of(event) for event in function.events()]
    assert events[0] == ["kept", "short"]
    assert events[-1] == ["kept"]
    assert function.shown(uuid)["counts"]["DroppedEventCount"] == 3
    queue.wait_empty()


def test_disabling_hands_back(queue: Queue, secret: Secret, new_function: NewFunction) -> None:
    """Messages after the current batch are available to other consumers, and the batch is
    completed. Once the mapping is enabled again, the rest is processed, and nothing twice."""
    function = new_function("import time\ndef act(event): time.sleep(2)\n")
    uuid = map_queue(function, "active", queue.name, secret, BatchSize=1)
    queue.send(*"abc")
    function.wait_events(1)
    began = time.monotonic()
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert queue.take() == "b"
    function.wait_state(uuid, "Disabled")
    assert time.monotonic() - began < 6 * slowdown()
    wait_for(lambda: queue.bodies() == ["c"], "the first is acknowledged")
    function.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert [bodies_of(event) for event in function.wait_events(2)] == [["a"], ["c"]]


def test_a_connection_that_breaks(
    queue: Queue, proxy: Proxy, secret: Secret, new_function: NewFunction
) -> None:
    """In the middle of a batch: its messages are delivered again, marked as redelivered; none is
    lost."""
    function = new_function("import time\ndef act(event): time.sleep(1)")
    map_queue(function, "proxied", queue.name, secret, BatchSize=2)
    queue.send("a", "b", "c")
    function.wait_events(1)
    proxy.cut()
    events = function.wait_events(3)
    assert [bodies_of(event) for event in events] == [["a", "b"], ["a", "b"], ["c"]]
    assert [message["redelivered"] for message in events[1]["messages"]] == [True, True]
    queue.wait_empty()


def test_a_broker_that_is_killed(
    activemq: ActiveMq, queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """It is found again when it is back, with its messages."""
    function = new_function()
    uuid = map_queue(function, "active", queue.name, secret)
    queue.send("before")
    function.wait_events(1)
    queue.wait_empty()
    activemq.kill()
    function.wait_result(uuid, "PROBLEM: Connection error")
    activemq.start()
    queue.send("after")
    wait_for(lambda: bodies_of(function.events()[-1])[-1] == "after", "it reads on")
    function.wait_result(uuid, "OK")


def test_who_is_not_let_in(ministack: Ministack, queue: Queue, new_function: NewFunction) -> None:
    """AWS's code says that a password is wrong, or that a user may not read the queue; once
    the secrets are right, messages are read, and nothing needs to be restarted."""
    function = new_function()
    guess, bob = Secret(ministack, "a guess"), Secret(ministack, "bobs", "bob")
    first = map_queue(function, "active", queue.name, guess)
    second = map_queue(function, "active", f"{queue.name}-2", bob)
    queue.send("m")
    found = function.wait_result(first, "PROBLEM: Server failed to authenticate Lambda")
    assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"
    found = function.wait_result(second, "PROBLEM: Lambda is not allowed to read the queue")
    assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHZ_ERROR"
    guess.change(PASSWORD)
    bob.change(PASSWORD)
    function.wait_events(1)
    found = function.wait_result(first, "OK")
    assert found["StateTransitionReason"] == "USER_INITIATED"
    function.wait_result(second, "OK")


def test_amazon_mq_tells_where_the_broker_is(
    activemq: ActiveMq, queue: Queue, tmp_path: Path
) -> None:
    """Without a setting, DescribeBroker is called, and endpoints of other protocols are skipped."""
    with Ministack() as control:
        broker = control.client("mq").create_broker(
            BrokerName="b",
            AutoMinorVersionUpgrade=True,
            DeploymentMode="SINGLE_INSTANCE",
            EngineType="ACTIVEMQ",
            EngineVersion="5.18",
            HostInstanceType="mq.m5.large",
            PubliclyAccessible=False,
            Users=[{"Username": "alice", "Password": "secret-secret"}],
        )
        endpoints = ["ssl://localhost:61617", f"stomp://127.0.0.1:{activemq.port}"]
        control.move_broker(broker["BrokerId"], endpoints)
        arn = f"arn:aws:mq:us-east-1:000000000000:broker:b:{broker['BrokerId']}"
        secret = Secret(control)
        queue.send("m")
        with broker_platform(control, tmp_path, {}) as platform:
            function = Function(platform, "f", "def act(event): pass")
            function.map(
                arn,
                Queues=[queue.name],
                SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": secret.arn}],
            )
            assert function.wait_events(1)[0]["eventSourceArn"] == arn


def test_a_platform_that_is_killed(
    ministack: Ministack, activemq: ActiveMq, queue: Queue, secret: Secret, tmp_path: Path
) -> None:
    """In the middle of a batch: the next platform gets its messages again, marked, and loses
    none."""
    places = {"active": f"stomp://127.0.0.1:{activemq.port}"}
    with broker_platform(ministack, tmp_path, places) as platform:
        function = Function(platform, "f", "import time\ndef act(event): time.sleep(1)")
        map_queue(function, "active", queue.name, secret, BatchSize=2)
        queue.send("a", "b", "c")
        function.wait_events(1)
        platform.kill()
    with broker_platform(ministack, tmp_path, places) as platform:
        function = function.at(platform)
        wait_for(lambda: any("Yw==" in json.dumps(event) for event in function.events()), "c came")
        events = function.events()[-2:]
        assert [bodies_of(event) for event in events] == [["a", "b"], ["c"]]
        assert [message["redelivered"] for message in events[0]["messages"]] == [True, True]
        queue.wait_empty()

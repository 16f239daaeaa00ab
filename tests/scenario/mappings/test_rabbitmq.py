"""Queues of RabbitMQ, read from the broker itself."""

import base64
import datetime
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aio_pika
import anyio
import pytest

from tests.platforms import wait_active
from tests.servers.ministack import Ministack
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMq
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


class Queue:
    """A durable queue of a virtual host."""

    def __init__(self, rabbitmq: RabbitMq, name: str, vhost: str = "/") -> None:
        self._url = rabbitmq.url(vhost)
        self.name = name
        self._do(lambda channel: channel.declare_queue(name, durable=True))

    def send(self, *bodies: str | bytes, **properties: Any) -> None:
        """Persistent messages, in this order."""

        async def publish(channel: aio_pika.abc.AbstractChannel) -> None:
            for body in bodies:
                message = aio_pika.Message(
                    body.encode() if isinstance(body, str) else body,
                    **{"delivery_mode": aio_pika.DeliveryMode.PERSISTENT, **properties},
                )
                await channel.default_exchange.publish(message, routing_key=self.name)

        self._do(publish)

    def count(self) -> int:
        """The number of messages that were not delivered to any consumer."""
        found = self._do(lambda channel: channel.declare_queue(self.name, passive=True))
        number: int = found.declaration_result.message_count
        return number

    def wait_count(self, number: int, within_s: float = 20) -> None:
        """Wait until there are that many."""
        wait_for(lambda: self.count() == number, f"{self.name} has {number} messages", within_s)

    def delete(self) -> None:
        """The queue."""
        self._do(lambda channel: channel.queue_delete(self.name))

    def _do(self, operation: Callable[[Any], Any]) -> Any:
        async def run() -> Any:
            async with await aio_pika.connect(self._url) as connection:
                return await operation(await connection.channel())

        return anyio.run(run)


def bodies_of(event: Any) -> list[str]:
    """The data of its messages."""
    (messages,) = event["rmqMessagesByQueue"].values()
    return [base64.b64decode(message["data"]).decode() for message in messages]


@pytest.fixture(scope="module")
def proxy(rabbitmq: RabbitMq) -> Iterator[Proxy]:
    with Proxy(rabbitmq.port) as running:
        yield running


@pytest.fixture(scope="module")
def platform(
    ministack: Ministack,
    rabbitmq: RabbitMq,
    proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Platform]:
    """A platform that trusts the tests' authority."""
    places = {
        "rabbit": f"amqp://127.0.0.1:{rabbitmq.port}",
        "proxied": f"amqp://127.0.0.1:{proxy.port}",
        "secured": f"amqps://localhost:{rabbitmq.tls_port}",
    }
    directory = tmp_path_factory.mktemp("rabbitmq")
    authority = rabbitmq.certificates.authority
    with broker_platform(ministack, directory, places, authority) as running:
        yield running


@pytest.fixture(scope="module")
def secret(ministack: Ministack) -> Secret:
    return Secret(ministack)


@pytest.fixture
def queue(rabbitmq: RabbitMq, request: pytest.FixtureRequest) -> Queue:
    return Queue(rabbitmq, request.node.name)


def test_messages_arrive_and_are_acknowledged(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """The event is AWS's, with all properties and headers; processed messages are gone. The
    connection has TLS."""
    function = new_function()
    uuid = map_queue(function, "secured", queue.name, secret)
    queue.send(
        "grüße",
        content_type="text/plain",
        headers={"text": "vë", "number": 10, "nested": {"list": [True, None, "x"]}},
        priority=3,
        correlation_id="c1",
        reply_to="answers",
        expiration=60,
        message_id="m1",
        timestamp=datetime.datetime(1970, 1, 1, 0, 33, 41, tzinfo=datetime.UTC),
        type="greeting",
        user_id="alice",
        app_id="tests",
    )
    (event,) = function.wait_events(1)
    assert event["eventSource"] == "aws:rmq"
    assert event["eventSourceArn"].endswith(":broker:secured:b-secured")
    assert event["rmqMessagesByQueue"] == {
        f"{queue.name}::/": [
            {
                "basicProperties": {
                    "contentType": "text/plain",
                    "contentEncoding": None,
                    "headers": {
                        "text": {"bytes": [118, -61, -85]},
                        "number": 10,
                        "nested": {"list": [True, None, {"bytes": [120]}]},
                    },
                    "deliveryMode": 2,
                    "priority": 3,
                    "correlationId": "c1",
                    "replyTo": "answers",
                    "expiration": "60000",
                    "messageId": "m1",
                    "timestamp": "Jan 1, 1970, 12:33:41 AM",
                    "type": "greeting",
                    "userId": "alice",
                    "appId": "tests",
                    "clusterId": None,
                    "bodySize": 7,
                },
                "redelivered": False,
                "data": base64.b64encode("grüße".encode()).decode(),
            }
        ]
    }
    function.wait_result(uuid, "OK")
    queue.wait_count(0)


def test_batches_in_order(queue: Queue, secret: Secret, new_function: NewFunction) -> None:
    """Waiting messages arrive in order, in full batches and a rest. A batch that is not full waits
    for its window, which begins with its first message."""
    function = new_function()
    bodies = [f"{number}" for number in range(450)]
    queue.send(*bodies)
    uuid = map_queue(
        function, "rabbit", queue.name, secret, BatchSize=200, MaximumBatchingWindowInSeconds=2
    )
    events = function.wait_events(3)
    assert [len(bodies_of(event)) for event in events] == [200, 200, 50]
    assert [body for event in events for body in bodies_of(event)] == bodies
    function.update(uuid, MaximumBatchingWindowInSeconds=1)
    queue.send("a")
    queue.send("b")
    assert bodies_of(function.wait_events(4)[3]) == ["a", "b"]
    queue.wait_count(0)


def test_virtual_hosts(rabbitmq: RabbitMq, secret: Secret, new_function: NewFunction) -> None:
    """The mapping names it; events contain it."""
    rabbitmq.add_vhost("shop/de+1")
    queue = Queue(rabbitmq, "orders", "shop/de+1")
    function = new_function()
    map_queue(function, "rabbit", "orders", secret, vhost="shop/de+1")
    queue.send("m")
    (event,) = function.wait_events(1)
    assert list(event["rmqMessagesByQueue"]) == ["orders::shop/de+1"]


def test_filters(queue: Queue, secret: Secret, new_function: NewFunction) -> None:
    """Filters apply to data and properties; other messages are acknowledged and never delivered."""
    function = new_function()
    patterns = [{"data": {"kind": ["wanted"]}}, {"basicProperties": {"type": ["vip"]}}]
    filters = [{"Pattern": json.dumps(pattern)} for pattern in patterns]
    uuid = map_queue(
        function, "rabbit", queue.name, secret, FilterCriteria={"Filters": filters}, BatchSize=3
    )
    queue.send('{"kind": "other"}', '{"kind": "other"}')
    queue.send('{"kind": "any"}', type="vip")
    queue.send('{"kind": "other"}', '{"kind": "wanted"}')
    wait_for(lambda: sum(len(bodies_of(event)) for event in function.events()) == 2, "two messages")
    bodies = [body for event in function.events() for body in bodies_of(event)]
    assert bodies == ['{"kind": "any"}', '{"kind": "wanted"}']
    assert function.shown(uuid)["counts"]["FilteredOutEventCount"] == 3
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    function.wait_state(uuid, "Disabled")
    assert queue.count() == 0


def test_a_failed_batch_is_tried_until_it_succeeds(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """The same messages, in order, before later ones."""
    function = new_function(FAILS_TWICE)
    queue.send("a", "b", "c", "d")
    map_queue(function, "rabbit", queue.name, secret, BatchSize=2)
    events = function.wait_events(4)
    assert [bodies_of(event) for event in events] == [*(3 * [["a", "b"]]), ["c", "d"]]
    queue.wait_count(0)


def test_messages_that_expire_while_they_fail(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """They are discarded; the others of their batch are not."""
    function = new_function(
        """
def act(event):
    (messages,) = event["rmqMessagesByQueue"].values()
    if any(message["basicProperties"]["expiration"] for message in messages):
        raise ValueError("no")
"""
    )
    queue.send("kept")
    queue.send("short", expiration=1)
    uuid = map_queue(function, "rabbit", queue.name, secret, BatchSize=2)
    function.wait_result(uuid, "PROBLEM: Function call failed")
    function.wait_result(uuid, "OK")
    events = [bodies_of(event) for event in function.events()]
    assert events[0] == ["kept", "short"]
    assert events[-1] == ["kept"]
    assert function.shown(uuid)["counts"]["DroppedEventCount"] == 1
    queue.wait_count(0)


def test_messages_no_event_has_room_for(
    queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """They are dropped; their neighbors are processed, in events that are not too large."""
    function = new_function("def act(event): pass", name="large-messages")
    client = function.platform.client("lambda")
    client.update_function_configuration(FunctionName=function.name, Handler="app.act")
    wait_active(client, function.name)  # Until then calls find no handler, and are made again.
    queue.send(b"x" * 5_000_000)
    queue.send(b"y" * 2_500_000, b"z" * 2_500_000)
    uuid = map_queue(function, "rabbit", queue.name, secret)
    wait_for(
        lambda: function.shown(uuid)["counts"].get("InvokedEventCount") == 2, "both are processed"
    )
    assert function.shown(uuid)["counts"]["DroppedEventCount"] == 1
    queue.wait_count(0)


def test_disabling_hands_back(queue: Queue, secret: Secret, new_function: NewFunction) -> None:
    """Messages outside of the batch are available to other consumers within seconds, while the
    batch is completed. Once the mapping is enabled again, the rest is processed, and nothing
    twice."""
    function = new_function("import time\ndef act(event): time.sleep(4)\n")
    uuid = map_queue(function, "rabbit", queue.name, secret, BatchSize=10)
    queue.send("first")
    function.wait_events(1)
    queue.send(*"abcde")
    queue.wait_count(0)
    began = time.monotonic()
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    queue.wait_count(5, 3)
    function.wait_state(uuid, "Disabled")
    assert time.monotonic() - began < 5.5 * slowdown()
    function.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    events = function.wait_events(2)
    assert [bodies_of(event) for event in events] == [["first"], [*"abcde"]]


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
    (again,) = events[1]["rmqMessagesByQueue"].values()
    assert [message["redelivered"] for message in again] == [True, True]
    queue.wait_count(0)


def test_a_broker_that_is_killed(
    rabbitmq: RabbitMq, queue: Queue, secret: Secret, new_function: NewFunction
) -> None:
    """It is found again when it is back, with its messages."""
    function = new_function()
    uuid = map_queue(function, "rabbit", queue.name, secret)
    queue.send("before")
    function.wait_events(1)
    queue.wait_count(0)
    rabbitmq.write_down()
    rabbitmq.kill()
    function.wait_result(uuid, "PROBLEM: Connection error")
    rabbitmq.start()
    queue.send("after")
    wait_for(lambda: bodies_of(function.events()[-1])[-1] == "after", "it reads on")
    function.wait_result(uuid, "OK")


def test_a_wrong_password(ministack: Ministack, queue: Queue, new_function: NewFunction) -> None:
    """Is reported with AWS's code; once the secret is right, messages are read, and nothing needs
    a restart."""
    secret = Secret(ministack, "a guess")
    function = new_function()
    uuid = map_queue(function, "rabbit", queue.name, secret)
    queue.send("m")
    found = function.wait_result(uuid, "PROBLEM: Server failed to authenticate Lambda")
    assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"
    assert found["State"] == "Enabled"
    secret.change(PASSWORD)
    function.wait_events(1)
    found = function.wait_result(uuid, "OK")
    assert found["StateTransitionReason"] == "USER_INITIATED"


def test_what_cannot_be_read(
    ministack: Ministack, rabbitmq: RabbitMq, queue: Queue, new_function: NewFunction
) -> None:
    """Each with its reason: no such queue, no such virtual host, no permission for either, no such
    secret, a secret of another form, an unknown broker. A queue that is created later is read."""
    rabbitmq.control("add_user", "bob", "bobs")
    rabbitmq.control("set_permissions", "bob", "", "", "^nothing$")
    rabbitmq.add_vhost("private")
    function = new_function()
    secret, bob = Secret(ministack), Secret(ministack, "bobs", "bob")
    bad = Secret(ministack)
    bad.change("x")
    ministack.client("secretsmanager").put_secret_value(SecretId=bad.arn, SecretString="secret")
    gone = Secret(ministack)
    gone.arn = gone.arn.replace("broker-", "nothing-")
    cases = [
        ("rabbit", "later", secret, "", "There is no queue later", "ESM_CONFIG_NOT_VALID"),
        ("rabbit", "q2", secret, "v", "There is no virtual host v", "ESM_CONFIG_NOT_VALID"),
        (
            "rabbit", "q3", bob, "private",
            "Lambda is not allowed to use the virtual host private", "EVENT_SOURCE_AUTHZ_ERROR",
        ),
        (
            "rabbit", queue.name, bob, "",
            f"Lambda is not allowed to read the queue {queue.name}", "EVENT_SOURCE_AUTHZ_ERROR",
        ),
        ("rabbit", "q4", bad, "", "the secret", "ESM_CONFIG_NOT_VALID"),
        ("rabbit", "q5", gone, "", "there is no secret", "ESM_CONFIG_NOT_VALID"),
        ("unknown", "q6", secret, "", "There is no broker", "ESM_CONFIG_NOT_VALID"),
    ]  # fmt: skip
    uuids = [map_queue(function, *case[:3], vhost=case[3]) for case in cases]
    for uuid, case in zip(uuids, cases, strict=True):
        found = function.wait_result(uuid, f"PROBLEM: {case[4]}")
        assert found["StateTransitionReason"] == case[5]
    later = Queue(rabbitmq, "later")
    later.send("m")
    function.wait_events(1)
    function.wait_result(uuids[0], "OK")
    later.delete()
    function.wait_result(uuids[0], "PROBLEM: There is no queue later")


def test_a_certificate_of_an_unknown_authority(
    ministack: Ministack, rabbitmq: RabbitMq, secret: Secret, tmp_path: Path
) -> None:
    """Is not accepted: no password is sent."""
    places = {"secured": f"amqps://localhost:{rabbitmq.tls_port}"}
    with broker_platform(ministack, tmp_path, places) as platform:
        function = Function(platform, "f", "def act(event): pass")
        uuid = map_queue(function, "secured", "q", secret)
        found = function.wait_result(uuid, "PROBLEM: Lambda failed to authenticate server")
        assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"


def test_a_platform_that_is_killed(
    ministack: Ministack,
    rabbitmq: RabbitMq,
    queue: Queue,
    secret: Secret,
    tmp_path: Path,
) -> None:
    """In the middle of a batch: the next platform gets its messages again, marked, and loses
    none."""
    places = {"rabbit": f"amqp://127.0.0.1:{rabbitmq.port}"}
    with broker_platform(ministack, tmp_path, places) as platform:
        function = Function(platform, "f", "import time\ndef act(event): time.sleep(1)")
        map_queue(function, "rabbit", queue.name, secret, BatchSize=2)
        queue.send("a", "b", "c")
        function.wait_events(1)
        platform.kill()
        queue.wait_count(3)
    with broker_platform(ministack, tmp_path, places) as platform:
        function = function.at(platform)
        wait_for(lambda: any("Yw==" in json.dumps(event) for event in function.events()), "c came")
        events = function.events()[-2:]
        assert [bodies_of(event) for event in events] == [["a", "b"], ["c"]]
        (again,) = events[0]["rmqMessagesByQueue"].values()
        assert [message["redelivered"] for message in again] == [True, True]
        queue.wait_count(0)

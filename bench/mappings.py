"""What event source mappings cost: messages and records on their way to a function, the wait for
the first, and mappings that have nothing to do."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.own import (
    NO_OP,
    Report,
    Row,
    cpu_s,
    deploy,
    lambda_client,
    pid_of,
    running_platform,
)
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.servers.kafka import Tansu
from tests.servers.ministack import Ministack

_MESSAGES = 2_000
"""The server of real messages is slower, the more it has."""
_PLAIN_MESSAGES = 30_000
_RECORDS = 200_000
_PARTITIONS = 4
_IDLE = 200
_WATCHED_S = 30
_TRIALS = 20
_MEMORY_MB = 1769
_SERVICES = ("sqs", "kinesis", "dynamodbstreams", "secretsmanager")


def measure_mappings(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    yield _measure_plain_queue(max(int(_PLAIN_MESSAGES * scale), 500), report)
    with Ministack() as server:
        variables = {
            f"LAMBENT_AWS__{service.upper()}__ENDPOINT_URL": server.endpoint
            for service in _SERVICES
        }
        with running_platform(environment=variables) as endpoint:
            deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
            yield from _measure_queue(server, endpoint, max(int(_MESSAGES * scale), 500), report)
            yield from _measure_topic(endpoint, max(int(_RECORDS * scale), 5000), report)
            yield _measure_first(server, endpoint, max(int(_TRIALS * scale), 3), report)
        with running_platform(environment=variables) as endpoint:
            deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
            yield _measure_idle(server, endpoint, scale, report)


def _measure_plain_queue(count: int, report: Report) -> Row:
    """Messages of a server that only hands them out."""
    report("messages as fast as they are taken")
    command = [sys.executable, "-m", "bench.queue_server", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            variables = {"LAMBENT_AWS__SQS__ENDPOINT_URL": server.stdout.readline().strip()}
            with running_platform(environment=variables) as endpoint:
                deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
                uuid = _map(endpoint, "/queue", BatchSize=10)
                began = time.perf_counter()
                _wait_deleted(endpoint, uuid, count)
                rate = count / (time.perf_counter() - began)
        finally:
            server.kill()
    return {
        "measurement": "messages handed out at once, batch 10",
        "count": count,
        "errors": 0,
        "per_second": round(rate, 1),
        "note": "what the platform takes, the server on the same processors",
    }


def _wait_deleted(endpoint: str, uuid: str, count: int) -> None:
    _wait(lambda: _shown(endpoint, uuid)["counts"].get("DeletedEventCount", 0) >= count)


def _measure_queue(server: Ministack, endpoint: str, count: int, report: Report) -> Iterator[Row]:
    report("the queue server alone")
    alone = _new_queue(server, "alone")
    _fill(server, alone, count)
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as threads:
        done = sum(threads.map(lambda _: _drain(server, alone), range(8)))
    alone_rate = done / (time.perf_counter() - began)
    yield {
        "measurement": "queue server alone",
        "count": done,
        "errors": 0,
        "per_second": round(alone_rate, 1),
        "note": "received and deleted by ten, 8 threads of boto3",
    }
    report("messages to a function")
    queue = _new_queue(server, "to-function")
    _fill(server, queue, count)
    uuid = _map(endpoint, queue, BatchSize=10)
    began = time.perf_counter()
    _wait_deleted(endpoint, uuid, count)
    rate = count / (time.perf_counter() - began)
    yield {
        "measurement": "messages of a queue, batch 10",
        "count": count,
        "errors": 0,
        "per_second": round(rate, 1),
        "note": f"{rate / alone_rate:.0%} of what the queue server gives alone",
    }
    lambda_client(endpoint).delete_event_source_mapping(UUID=uuid)


def _measure_topic(endpoint: str, count: int, report: Report) -> Iterator[Row]:
    """Records of a topic with four partitions, by a hundred."""
    report("records of a topic to a function")
    with Tansu() as broker:
        bootstrap = f"127.0.0.1:{broker.port}"
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for future in admin.create_topics([NewTopic("bench", _PARTITIONS, 1)]).values():
            future.result(30)
        producer = Producer({"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 10**7})
        value = b'{"reading": 21.5, "unit": "degrees", "station": "a station somewhere", "n": 1}'
        for number in range(count):
            producer.produce("bench", value, partition=number % _PARTITIONS)
        producer.flush(60)
        alone = _read_alone(bootstrap, count)
        yield {
            "measurement": "broker alone",
            "count": count,
            "errors": 0,
            "per_second": round(alone, 1),
            "note": "records read by one consumer",
        }
        uuid = lambda_client(endpoint).create_event_source_mapping(
            FunctionName="noop",
            SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [bootstrap]}},
            SourceAccessConfigurations=[{"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"}],
            Topics=["bench"],
            StartingPosition="TRIM_HORIZON",
            BatchSize=100,
        )["UUID"]

        def invoked() -> int:
            found: int = _shown(endpoint, uuid)["counts"].get("InvokedEventCount", 0)
            return found

        _wait(lambda: invoked() > 0)
        began, before = time.perf_counter(), invoked()
        _wait(lambda: invoked() >= count)
        rate = (count - before) / (time.perf_counter() - began)
        yield {
            "measurement": "records of a topic, batch 100",
            "count": count - before,
            "errors": 0,
            "per_second": round(rate, 1),
            "note": f"{_PARTITIONS} partitions; {rate / alone:.0%} of what the broker gives alone",
        }
        lambda_client(endpoint).delete_event_source_mapping(UUID=uuid)


def _read_alone(bootstrap: str, count: int) -> float:
    """Records per second that a consumer gets which does nothing with them."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "alone",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition("bench", partition, 0) for partition in range(_PARTITIONS)])
    began, got = time.perf_counter(), 0
    while got < count:
        got += len(consumer.consume(1000, 10.0))
    consumer.close()
    return got / (time.perf_counter() - began)


def _measure_first(server: Ministack, endpoint: str, trials: int, report: Report) -> Row:
    """From enabling a mapping until the function was called with what waits."""
    report("from enabling to the first batch")
    client = lambda_client(endpoint)
    queue = _new_queue(server, "first")
    uuid = _map(endpoint, queue, Enabled=False)
    taken_s = []
    for _ in range(trials):
        server.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
        began = time.perf_counter()
        client.update_event_source_mapping(UUID=uuid, Enabled=True)
        _wait(lambda: _shown(endpoint, uuid)["counts"].get("InvokedEventCount", 0) > 0)
        taken_s.append(time.perf_counter() - began)
        client.update_event_source_mapping(UUID=uuid, Enabled=False)
        _wait(lambda: _shown(endpoint, uuid)["state"] == "Disabled")
    taken_s.sort()
    return {
        "measurement": "mapping enabled to first batch",
        "count": trials,
        "errors": 0,
        "p50_ms": round(taken_s[len(taken_s) // 2] * 1000, 1),
        "p99_ms": round(taken_s[-1] * 1000, 1),
    }


def _measure_idle(server: Ministack, endpoint: str, scale: float, report: Report) -> Row:
    """Mappings of empty queues."""
    count = max(int(_IDLE * scale), 10)
    pid = pid_of(endpoint)
    report("settling")
    time.sleep(5)  # noqa: TID251 - another process is measured, on the wall clock
    before_mb = _memory_mb(pid)
    for number in range(count):
        _map(endpoint, _new_queue(server, f"idle-{number}"))
    report(f"{count} idle mappings")
    time.sleep(25)  # noqa: TID251 - for what was only to begin with
    began, used_s = time.perf_counter(), cpu_s(pid)
    time.sleep(_WATCHED_S * min(scale, 1.0))  # noqa: TID251
    share = (cpu_s(pid) - used_s) / (time.perf_counter() - began)
    return {
        "measurement": f"{count} idle mappings",
        "count": count,
        "errors": 0,
        "note": f"{share:.1%} of a core, {_memory_mb(pid) - before_mb} MB",
    }


def _new_queue(server: Ministack, name: str) -> str:
    url: str = server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url


def _fill(server: Ministack, url: str, count: int) -> None:
    client = server.client("sqs")
    for at in range(0, count, 10):
        client.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "MessageBody": "{}"} for number in range(min(10, count - at))
            ],
        )


def _drain(server: Ministack, url: str) -> int:
    client = server.client("sqs")
    done = 0
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        client.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ],
        )
        done += len(messages)
    return done


def _map(endpoint: str, url: str, **more: Any) -> str:
    """A mapping of a queue; returns its UUID."""
    arn = f"arn:aws:sqs:us-east-1:000000000000:{url.rpartition('/')[2]}"
    found = lambda_client(endpoint).create_event_source_mapping(
        FunctionName="noop", EventSourceArn=arn, **more
    )
    uuid: str = found["UUID"]
    return uuid


def _shown(endpoint: str, uuid: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{endpoint}/_lambent/mappings", timeout=20) as answer:
        found: dict[str, Any] = next(
            mapping for mapping in json.load(answer)["mappings"] if mapping["uuid"] == uuid
        )
    return found


def _wait(condition: Callable[[], bool], deadline_s: float = 600) -> None:
    give_up_at = time.perf_counter() + deadline_s
    while not condition():
        if time.perf_counter() > give_up_at:
            raise SystemExit("the platform does not get there")
        time.sleep(0.005)  # noqa: TID251 - another process is measured, on the wall clock


def _memory_mb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024

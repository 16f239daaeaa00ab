"""Three machines, a database, queues and streams, and clients: what faults happen to."""

import contextlib
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tests.faults.auditor import RETRIES
from tests.faults.database import Database
from tests.faults.functions import BUSY_FOR_A_WHILE, ECHO, RECORD
from tests.faults.injection import OUTSIDE, Injection
from tests.faults.load import Load
from tests.faults.machine import Machine
from tests.faults.network import Network
from tests.faults.plan import DATABASE
from tests.faults.recorder import Recorder, recorder
from tests.faults.sampler import Sampler
from tests.faults.services import Services
from tests.faults.signed_requests import signed_get
from tests.platforms import ROLE, client_at, deploy, invoke, wait_for
from tests.servers.ministack import ACCOUNT

NODES = ("one", "two", "three")
LIMIT = 4
CONCURRENCY = 24
_TICK_EVERY_S = 2
_TICKS_AFTER_S = 5


class World:
    """Everything that runs, ready for load and faults."""

    def __init__(
        self,
        network: Network,
        machines: Sequence[Machine],
        database: Database,
        services: Services,
        recorder: Recorder,
    ) -> None:
        self.network = network
        self.database = database
        self.machines = machines
        self.services = services
        self.recorder = recorder
        self.injection = Injection(network, database, {node.name: node for node in machines})
        self.sampler = Sampler(machines)
        self.ticks: list[str] = []
        (self.keys,) = filter(None, (machine.root for machine in machines))
        self._queue = self._dead = ""
        self._found: set[str] = set()

    def client(self, service: str, machine: Machine | None = None) -> Any:
        """A boto3 client of a machine, to be used in the outside network."""
        return client_at((machine or self.machines[0]).endpoint, service, **self.keys)

    # -- before ------------------------------------------------------------------------------

    def prepare(self, seconds: float) -> None:
        """Make functions, mappings, and schedules for so many seconds; in the outside network."""
        client = self.client("lambda")
        self._make_role()
        variables = {"Variables": {"RECORDER": self.network.address(OUTSIDE)}}
        sources = {"echo": ECHO, "record": RECORD, "limited": BUSY_FOR_A_WHILE}
        for name, source in sources.items():
            deploy(client, name, {"app.py": source}, Timeout=10, Environment=variables)
        client.put_function_concurrency(FunctionName="limited", ReservedConcurrentExecutions=LIMIT)
        queues = self.services.client("sqs")
        self._queue = queues.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "10"})[
            "QueueUrl"
        ]
        self._dead = queues.create_queue(QueueName="dead")["QueueUrl"]
        client.put_function_event_invoke_config(
            FunctionName="record",
            MaximumRetryAttempts=RETRIES,
            DestinationConfig={
                "OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"}
            },
        )
        streams = self.services.client("kinesis")
        streams.create_stream(StreamName="stream", ShardCount=1)
        streams.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
        for arn, more in (
            (f"arn:aws:sqs:us-east-1:{ACCOUNT}:work", {}),
            (
                f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/stream",
                {"StartingPosition": "TRIM_HORIZON"},
            ),
        ):
            made = client.create_event_source_mapping(
                FunctionName="record", EventSourceArn=arn, BatchSize=10, **more
            )
            wait_for(partial(_is_enabled, client, made["UUID"]), f"{arn} is mapped")
        for node in self.machines:
            invoke(self.client("lambda", node), "limited", {"s": 0})
            assert node.groups, f"no control groups of {node.name}"
        self._make_schedules(seconds)

    def _make_role(self) -> None:
        """The role of functions and schedules."""
        identities = self.client("iam")
        services = ["lambda.amazonaws.com", "scheduler.amazonaws.com"]
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        may = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        identities.create_role(RoleName="lambda-role", AssumeRolePolicyDocument=_policy(trust))
        identities.put_role_policy(
            RoleName="lambda-role", PolicyName="all", PolicyDocument=_policy(may)
        )

    def _make_schedules(self, seconds: float) -> None:
        client = self.client("scheduler")
        record = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:record"
        begins = time.time() + _TICKS_AFTER_S
        for number in range(int(seconds / _TICK_EVERY_S)):
            at = datetime.fromtimestamp(begins + number * _TICK_EVERY_S, UTC)
            name = f"tick-{number}"
            client.create_schedule(
                Name=name,
                ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": record, "RoleArn": ROLE, "Input": json.dumps({"name": name})},
            )
            self.ticks.append(name)

    def new_load(self, seed: int) -> Load:
        """Clients of all kinds."""
        load = Load(self.network.namespace(OUTSIDE), self.machines, self.keys, random.Random(seed))
        queues, streams = self.services.client("sqs"), self.services.client("kinesis")
        for machine in self.machines:
            load.add(load.call(machine), 0.2)
            load.add(load.send_event(machine), 0.5)
        for _ in range(6):
            load.add(load.call_limited("limited", 0.3), 0.01)
        load.add(load.produce("message", lambda name: queues.send_message(
            QueueUrl=self._queue, MessageBody=name)), 0.25)  # fmt: skip
        load.add(load.produce("record", lambda name: streams.put_record(
            StreamName="stream", PartitionKey="k", Data=name.encode())), 0.25)  # fmt: skip
        return load

    # -- after -------------------------------------------------------------------------------

    def wait_whole(self, deadline_s: float) -> None:
        """Wait until every node sees that all are live."""
        wait_for(lambda: all(map(self._sees_all, self.machines)), "all nodes are live", deadline_s)

    def _sees_all(self, node: Machine) -> bool:
        try:
            answer = signed_get(self.keys, node.address, "/_lambent/nodes")
            states = [found["state"] for found in json.loads(answer)["nodes"]]
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return False
        return states == ["live"] * len(NODES)

    def names(self) -> set[str]:
        """What functions have said."""
        return {name for said in list(self.recorder.said) for name in said.fields["names"]}

    def dead(self) -> set[str]:
        """The names of events at the destination for failures."""
        queues = self.services.client("sqs")
        while True:
            got = queues.receive_message(QueueUrl=self._dead, MaxNumberOfMessages=10)
            for message in got.get("Messages", ()):
                self._found.add(json.loads(message["Body"])["requestPayload"]["name"])
                queues.delete_message(QueueUrl=self._dead, ReceiptHandle=message["ReceiptHandle"])
            if not got.get("Messages"):
                return self._found


def _policy(statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _is_enabled(client: Any, uuid: str) -> bool:
    return bool(client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")


@contextmanager
def world(seconds: float) -> Iterator[World]:
    """Make all of it, for a run of so many seconds."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network(*NODES, DATABASE, OUTSIDE))
        written = stack.enter_context(recorder(network, OUTSIDE))
        services = Services(network, OUTSIDE)
        starting = threading.Thread(target=stack.enter_context, args=(services,))
        starting.start()
        database = Database(network, DATABASE)
        stack.callback(database.stop, "immediate")
        packages = network.directory / "packages"
        settings = {
            "LAMBENT_STORE__URL": database.url,
            "LAMBENT_STORE__SHARED": "true",
            "LAMBENT_STORE__BLOBS_DIR": str(packages),
            "LAMBENT_POLLING__IDLE_POLL_S": "0.2",
            "LAMBENT_INVOCATION__CONCURRENT_EXECUTIONS": str(CONCURRENCY),
            "LAMBENT_CONTROL__UNRESERVED_CONCURRENCY_MIN": "0",
            "LAMBENT_ASYNCHRONOUS__RETRY_S": "0.5",
            "LAMBENT_ASYNCHRONOUS__BACKOFF_MAX_S": "4",
            "LAMBENT_AWS__SQS__ENDPOINT_URL": services.endpoint,
            "LAMBENT_AWS__KINESIS__ENDPOINT_URL": services.endpoint,
        }
        machines = []
        for name in NODES:
            machine = Machine(network, name, settings)
            stack.callback(machine.stop)
            machines.append(machine)
        for machine in machines:
            machine.wait_ready()
        starting.join()
        made = World(network, machines, database, services, written)
        with network.inside(OUTSIDE):
            made.wait_whole(60)
            made.prepare(seconds)
            yield made
            with ThreadPoolExecutor(len(NODES)) as stopping:
                list(stopping.map(Machine.stop, machines))

"""Kafka's rules: how records look, where reading starts, how to log in, what is wrong."""

import base64
import json
from collections.abc import Sequence
from typing import Any, cast

import anyio
import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import SystemClock
from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping, MappingState
from lambent.model.sources.kafka import KAFKA
from lambent.model.sources.kafka import MSK as MSK_KIND
from lambent.model.sources.kind import SourceKind
from lambent.polling.credentials import SourceCredentials
from lambent.polling.ports import PartLost, Record
from lambent.polling.retries import BatchAttempts, Discard
from lambent.polling.sources.kafka.cluster import login
from lambent.polling.sources.kafka.errors import is_lost, problem
from lambent.polling.sources.kafka.offsets import Start, find_offsets
from lambent.polling.sources.kafka.partition import HELD_MAX, Partition
from lambent.polling.sources.kafka.records import Rendering, view
from lambent.polling.stop import Stop

MSK = "arn:aws:kafka:us-east-1:111111111111:cluster/c/00000000-0000"


def mapping(kind: SourceKind, source_id: str) -> EventSourceMapping:
    return EventSourceMapping(
        uuid="u",
        scope=Scope("111111111111", "us-east-1"),
        kind=kind,
        source_id=source_id,
        function_arn="arn:aws:lambda:us-east-1:111111111111:function:f",
        function_name="f",
        state=MappingState.ENABLED,
        state_reason="",
        last_modified=0.0,
        configuration={},
    )


RENDERING = Rendering(mapping(KAFKA, "k:9092"), "k:9092", "t", 3)


def message(offset: int = 0, **members: Any) -> Message:
    return Message(topic="t", partition=3, offset=offset, **members)


@given(
    key=st.none() | st.binary(),
    value=st.none() | st.binary(),
    headers=st.lists(st.tuples(st.text(min_size=1), st.binary())),
    offset=st.integers(0, 2**63 - 1),
)
def test_records(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], offset: int
) -> None:
    """Are JSON whatever is in them, and what filters see is what functions see."""
    stamp = (TIMESTAMP_LOG_APPEND_TIME, 1545084650987)
    (record,) = RENDERING.render(
        [message(offset, key=key, value=value, headers=headers, timestamp=stamp)]
    )
    assert record.id == f"t-3:{offset}"
    assert record.arrived_at == 1545084650.987
    seen = json.loads(record.document)
    shown = seen.pop("value")
    assert (None if shown is None else base64.b64decode(shown)) == value
    assert (seen["timestamp"], seen["timestampType"]) == (1545084650987, "LOG_APPEND_TIME")
    found = [
        (name, bytes(byte & 255 for byte in data))
        for header in seen["headers"]
        for name, data in header.items()
    ]
    assert found == headers
    assert view(record) == (seen, value)


def test_events() -> None:
    """Of a self-managed cluster, and of Amazon MSK."""
    stamp = (TIMESTAMP_CREATE_TIME, 1573691884835)
    records = RENDERING.render([message(n, value=b"x", timestamp=stamp) for n in (7, 8)])
    event = RENDERING.envelope.wrap([record.document for record in records])
    seen = json.loads(event)
    assert [record["offset"] for record in seen["records"].pop("t-3")] == [7, 8]
    assert seen == {"eventSource": "SelfManagedKafka", "bootstrapServers": "k:9092", "records": {}}
    assert RENDERING.describe(records) == {
        "KafkaBatchInfo": {
            "batchSize": 2,
            "bootstrapServers": "k:9092",
            "payloadSize": len(event),
            "recordsInfo": {
                "t-3": {
                    "firstRecordOffset": "7",
                    "lastRecordOffset": "8",
                    "firstRecordTimestamp": "2019-11-14T00:38:04.835Z",
                    "lastRecordTimestamp": "2019-11-14T00:38:04.835Z",
                }
            },
        }
    }
    theirs = Rendering(mapping(MSK_KIND, MSK), "b:9092", "t", 0)
    assert json.loads(theirs.envelope.wrap([])) == {
        "eventSource": "aws:kafka",
        "eventSourceArn": MSK,
        "bootstrapServers": "b:9092",
        "records": {"t-0": []},
    }


class Group:
    """Answers as a consumer of a topic with three partitions of ten messages."""

    def __init__(self, *known: int) -> None:
        self.known = dict(enumerate(known))
        self.commits: list[tuple[int, int]] = []

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float
    ) -> list[TopicPartition]:
        return [
            TopicPartition(
                "t", partition.partition, self.known.get(partition.partition, OFFSET_INVALID)
            )
            for partition in partitions
        ]

    def list_topics(self, topic: str, timeout: float) -> Any:
        class Topic:
            partitions = (0, 1, 2)

        class Metadata:
            topics = {"t": Topic}  # noqa: RUF012

        return Metadata

    def get_watermark_offsets(self, of: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, 10

    def offsets_for_times(
        self, partitions: Sequence[TopicPartition], timeout: float
    ) -> list[TopicPartition]:
        """Message N is from second N."""
        found = []
        for partition in partitions:
            at = -(-partition.offset // 1000)
            found.append(TopicPartition("t", partition.partition, at if at < 10 else -1))
        return found

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        self.commits += [(offset.partition, offset.offset) for offset in offsets]


@pytest.mark.parametrize(
    ("position", "known", "found", "commits"),
    [
        (Start("TRIM_HORIZON"), (), [OFFSET_BEGINNING] * 3, []),
        (Start("LATEST"), (), [10, 10, 10], [(0, 10), (1, 10), (2, 10)]),
        (Start("AT_TIMESTAMP", 6.5), (), [7, 7, 7], [(0, 7), (1, 7), (2, 7)]),
        (Start("AT_TIMESTAMP", 99.0), (), [10, 10, 10], [(0, 10), (1, 10), (2, 10)]),
        (Start("LATEST"), (4, 5, 6), [4, 5, 6], []),
        (Start("LATEST"), (4, 5), [4, 5, OFFSET_BEGINNING], []),
    ],
)
def test_where_reading_starts(
    position: Start, known: tuple[int, ...], found: list[int], commits: list[tuple[int, int]]
) -> None:
    """Where the group left off, else at the mapping's starting position, which is stored. A
    partition that was added since is read from its beginning."""
    group = Group(*known)
    assigned = [TopicPartition("t", number) for number in range(3)]
    assert [
        offset.offset for offset in find_offsets(cast(Consumer, group), position, assigned)
    ] == found
    assert group.commits == commits


SCRAM = SourceCredentials(mechanism="SCRAM-SHA-512", user="u", password="p")
ROOT = SourceCredentials(mechanism="PLAIN", user="u", password="p", root_certificate="r")
CLIENT = SourceCredentials(certificate="c", private_key="k")


@pytest.mark.parametrize(
    ("access", "bootstrap", "protocol"),
    [
        (SourceCredentials(), "k:9092", "PLAINTEXT"),
        (SCRAM, "k:9092", "SASL_SSL"),
        (SCRAM, "127.0.0.1:9092,[::1]:9092,localhost:1", "SASL_PLAINTEXT"),
        (SCRAM, "127.0.0.1:9092,k:9092", "SASL_SSL"),
        (SCRAM, "127.evil.example:9092", "SASL_SSL"),
        (ROOT, "127.0.0.1:9092", "SASL_SSL"),
        (CLIENT, "127.0.0.1:9092", "SSL"),
        (SourceCredentials(root_certificate="r"), "k:9092", "SSL"),
    ],
)
def test_passwords_stay_secret(access: SourceCredentials, bootstrap: str, protocol: str) -> None:
    """They leave the machine over TLS only."""
    assert login(access, bootstrap)["security.protocol"] == protocol


@pytest.mark.parametrize(
    ("code", "text", "result", "reason"),
    [
        (KafkaError._AUTHENTICATION, "", "SASL authentication failed", "EVENT_SOURCE_AUTHN_ERROR"),
        (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            "",
            "Cluster failed to authorize Lambda",
            "EVENT_SOURCE_AUTHZ_ERROR",
        ),
        (
            KafkaError._SSL,
            "routines::certificate verify failed:",
            "Lambda failed to authenticate server",
            "EVENT_SOURCE_AUTHN_ERROR",
        ),
        (
            KafkaError._SSL,
            "tlsv13 alert certificate required",
            "Server failed to authenticate Lambda",
            "EVENT_SOURCE_AUTHN_ERROR",
        ),
        (
            KafkaError._INVALID_ARG,
            "ssl.key.pem failed",
            "Provided certificate or private key is invalid",
            "ESM_CONFIG_NOT_VALID",
        ),
        (
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            "",
            "The topic t does not exist",
            "ESM_CONFIG_NOT_VALID",
        ),
        (
            KafkaError._ALL_BROKERS_DOWN,
            "",
            "Connection error. The event source cannot be reached",
            "",
        ),
    ],
)
def test_problems(code: int, text: str, result: str, reason: str) -> None:
    """Are reported with AWS's texts."""
    found = problem(KafkaError(code, text), "t")
    assert (found.result, found.reason) == (f"PROBLEM: {result}", reason)


def test_losses() -> None:
    """A member that the group has removed has lost its partitions; one that cannot reach the
    cluster has not."""
    assert is_lost(KafkaError(KafkaError.ILLEGAL_GENERATION))
    assert not is_lost(KafkaError(KafkaError._TRANSPORT))


def test_errors_of_single_partitions() -> None:
    """Are errors."""

    class Refusing(Group):
        def committed(self, partitions: Any, timeout: float) -> list[TopicPartition]:
            class Refused:
                offset = OFFSET_INVALID
                error = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)

            return [cast(TopicPartition, Refused())]

    with pytest.raises(KafkaException):
        find_offsets(cast(Consumer, Refusing()), Start("LATEST"), [TopicPartition("t", 0)])


@pytest.mark.anyio
async def test_a_partition_holds_so_much() -> None:
    """It becomes full, has space again once, and returns no unread message to a reader that has
    lost it."""
    commits: list[int] = []
    drained: list[int] = []

    async def commit(_: Partition, offset: int) -> None:
        commits.append(offset)

    part = Partition(3, RENDERING, commit, drained.append, Stop(), next_offset=None)
    assert not part.put([message(0, value=b"x")])
    assert part.put([message(n, value=b"x") for n in range(1, HELD_MAX)])
    records: list[Record] = []
    while len(records) < HELD_MAX - 1000:
        records += await part.read()
    assert [record.raw.offset() for record in records] == list(range(len(records)))
    assert drained == [3]
    await part.commit(records[5])
    await part.commit(records[3])
    assert commits == [6, 6], "what was committed is never taken back"
    part.lose()
    with pytest.raises(PartLost), anyio.fail_after(1):
        await part.read()


def test_a_record_that_no_event_can_hold() -> None:
    """Is given up untried, the others are not."""
    options = mapping(KAFKA, "k:9092").options
    small, large = RENDERING.render([message(0, value=b"x"), message(1, value=b"x" * 300)])
    work = BatchAttempts([large], options, bytes_max=200)
    found = work.next(0.0)
    assert isinstance(found, Discard)
    assert found.condition == "MaximumPayloadSizeExceeded"
    assert work.next(0.0) is None
    assert not isinstance(BatchAttempts([small], options, bytes_max=200).next(0.0), Discard)


@pytest.mark.anyio
async def test_a_part_is_stopped_before_the_whole() -> None:
    """Or with it; work in progress in the part is in progress in the whole."""
    whole = Stop()
    first, second = Stop(whole), Stop(whole)
    first.set()
    assert (whole.is_set, second.is_set) == (False, False)
    with first.under_way(), anyio.move_on_after(0.05) as waiting:
        await whole.wait_quiet(SystemClock(), 5)
    assert waiting.cancelled_caught
    with anyio.fail_after(1):
        await whole.wait_quiet(SystemClock(), 5)
    with anyio.fail_after(1), second.interrupts():
        whole.set()
        await anyio.sleep_forever()
    assert second.is_set
    assert Stop(whole).is_set

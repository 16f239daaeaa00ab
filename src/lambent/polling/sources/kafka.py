"""Apache Kafka, self-managed and Amazon MSK.

A mapping is one member of its consumer group. Each partition that the group gives it is read in
order, one batch at a time, independently of the others; its offset is committed when a batch is
done with, and before the group gives the partition to somebody else.
https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
"""

import json
from functools import partial

import anyio
from anyio import to_thread
from confluent_kafka import KafkaError, KafkaException, Producer

from lambent.model.mapping import Source
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.item_failures import failed_offsets
from lambent.polling.ports import Part
from lambent.polling.reader import Reader
from lambent.polling.sources.kafka_cluster import ClientLog, Cluster, find_cluster
from lambent.polling.sources.kafka_consumer import Member
from lambent.polling.sources.kafka_errors import problem
from lambent.polling.sources.kafka_offsets import Start
from lambent.polling.sources.kafka_records import Rendering

_TOPIC_DESTINATION = "kafka://"
_DELIVERY_S = 10
_PRODUCER = {
    "acks": "all",
    "message.timeout.ms": _DELIVERY_S * 1000,
    "message.max.bytes": 64 * 1024 * 1024,  # The broker says what is too much.
}


async def poll(polled: ActiveMapping) -> None:
    """See `poller.Poll`."""
    cluster: Cluster | None = None
    with polled.stop.interrupts():
        cluster = await find_cluster(polled)
    if cluster is None or polled.stop.is_set:
        return
    target = polled.options.on_failure
    tell = None
    if target.startswith(_TOPIC_DESTINATION):
        tell = partial(_tell_topic, cluster, target.removeprefix(_TOPIC_DESTINATION))

    async def serve(polled: ActiveMapping, part: Part) -> bool:
        return await Reader(polled, tell, read_failures=failed_offsets).serve(part)

    await _member(polled, cluster).run(serve)


def _member(polled: ActiveMapping, cluster: Cluster) -> Member:
    mapping = polled.mapping
    found = mapping.configuration
    (topic,) = found["Topics"]
    own = (
        "AmazonManagedKafkaEventSourceConfig"
        if mapping.source is Source.MSK
        else "SelfManagedKafkaEventSourceConfig"
    )
    settings = {
        **cluster.settings,
        "group.id": found[own]["ConsumerGroupId"],
        "session.timeout.ms": int(polled.settings.session_s * 1000),
        "heartbeat.interval.ms": int(polled.settings.session_s * 1000 / 3),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Only for offsets that the cluster has deleted; `Start` says where a group begins.
        "auto.offset.reset": "earliest",
        # Read ahead, all partitions together; what is ours to hold is bounded by partition.
        "queued.min.messages": 10_000,
        "queued.max.messages.kbytes": 32 * 1024,
        "fetch.queue.backoff.ms": 20,
    }
    rendering = partial(Rendering, mapping, cluster.bootstrap, topic)
    return Member(polled, settings, topic, Start.of(found), rendering)


async def _tell_topic(cluster: Cluster, topic: str, body: bytes, _trace_id: str) -> None:
    """Send to a topic of the same cluster, without the payload if it takes nothing so large;
    returns when all replicas have it. Raises `SourceError`."""
    error = await _produce(cluster, topic, body)
    if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        members = json.loads(body)
        members.pop("payload", None)
        error = await _produce(cluster, topic, json.dumps(members, separators=(",", ":")).encode())
    if error is not None:
        raise problem(error, topic)


async def _produce(cluster: Cluster, topic: str, body: bytes) -> KafkaError | None:
    """Such records are rare: each has a producer of its own, which is gone afterwards."""

    def produce() -> KafkaError | None:
        answers: list[KafkaError | None] = []
        try:
            producer = Producer({**cluster.settings, **_PRODUCER}, logger=ClientLog())
            producer.produce(topic, body, on_delivery=lambda error, _: answers.append(error))
            producer.flush(_DELIVERY_S + 1)
        except KafkaException as error:
            refusal: KafkaError = error.args[0]
            return refusal
        return answers[0] if answers else KafkaError(KafkaError._TIMED_OUT)

    return await to_thread.run_sync(
        produce, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
    )

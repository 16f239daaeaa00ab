"""The driver of Apache Kafka, self-managed and Amazon MSK.

A mapping is one member of its consumer group. Each partition that the group assigns to it is read
in order, one batch at a time, independently of the others. Its offset is committed when a batch is
done, and before the group assigns the partition to another member.
https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
"""

import json
from functools import partial

import anyio
from anyio import to_thread
from confluent_kafka import KafkaError, KafkaException, Producer

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.drivers import SourceDriver
from lambent.polling.item_failures import failed_offsets
from lambent.polling.ports import Part
from lambent.polling.reader import Reader
from lambent.polling.sources.kafka.cluster import ClientLog, Cluster, find_cluster
from lambent.polling.sources.kafka.consumer import Member
from lambent.polling.sources.kafka.errors import problem
from lambent.polling.sources.kafka.offsets import Start
from lambent.polling.sources.kafka.records import Rendering

_TOPIC_DESTINATION = "kafka://"
_DELIVERY_S = 10
_PRODUCER = {
    "acks": "all",
    "message.timeout.ms": _DELIVERY_S * 1000,
    "message.max.bytes": 64 * 1024 * 1024,  # The broker says what is too much.
}


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    cluster: Cluster | None = None
    with polled.stop.interrupts():
        cluster = await find_cluster(polled.mapping, polled.aws, polled.settings.brokers)
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
    options = mapping.options
    (topic,) = options.topics
    settings = {
        **cluster.settings,
        "group.id": options.consumer_group,
        "session.timeout.ms": int(polled.settings.session_s * 1000),
        "heartbeat.interval.ms": int(polled.settings.session_s * 1000 / 3),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Only for offsets that the cluster has deleted; `Start` decides where a group begins.
        "auto.offset.reset": "earliest",
        # Limits of all partitions together. `Partition` limits what is held of each.
        "queued.min.messages": 10_000,
        "queued.max.messages.kbytes": 32 * 1024,
        "fetch.queue.backoff.ms": 20,
    }
    rendering = partial(Rendering, mapping, cluster.bootstrap, topic)
    start = Start(options.starting_position, options.starting_at or 0.0)
    return Member(polled, settings, topic, start, rendering)


async def _tell_topic(cluster: Cluster, topic: str, body: bytes, _trace_id: str) -> None:
    """Send a failure record to a topic of the same cluster, without the payload if the topic
    refuses its size. Returns when all replicas have it. Raises `SourceError`."""
    error = await _produce(cluster, topic, body)
    if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        members = json.loads(body)
        members.pop("payload", None)
        error = await _produce(cluster, topic, json.dumps(members, separators=(",", ":")).encode())
    if error is not None:
        raise problem(error, topic)


async def _produce(cluster: Cluster, topic: str, body: bytes) -> KafkaError | None:
    """Failure records are rare, so each has a producer that is closed afterwards."""

    def produce() -> KafkaError | None:
        results: list[KafkaError | None] = []
        try:
            producer = Producer({**cluster.settings, **_PRODUCER}, logger=ClientLog())
            producer.produce(topic, body, on_delivery=lambda error, _: results.append(error))
            producer.flush(_DELIVERY_S + 1)
        except KafkaException as error:
            refusal: KafkaError = error.args[0]
            return refusal
        return results[0] if results else KafkaError(KafkaError._TIMED_OUT)

    return await to_thread.run_sync(
        produce, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
    )


DRIVER = SourceDriver(poll)

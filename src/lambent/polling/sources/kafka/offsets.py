"""Where a partition is read from that the group has not read yet."""

import dataclasses
from collections.abc import Sequence

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    Consumer,
    KafkaException,
    TopicPartition,
)

_ASK_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """A mapping's StartingPosition."""

    position: str
    at: float = 0.0
    """For AT_TIMESTAMP; epoch seconds."""


def find_offsets(
    consumer: Consumer, start: Start, assigned: Sequence[TopicPartition]
) -> list[TopicPartition]:
    """The offsets from which assigned partitions are read: the group's, else the mapping's starting
    position. The latter is committed, so that a restart before the first batch skips no later
    record. Blocks. Raises `KafkaException`.
    """
    found = _checked(consumer.committed(list(assigned), timeout=_ASK_S))
    new = [partition for partition in found if partition.offset == OFFSET_INVALID]
    if not new:
        return found
    if start.position == "TRIM_HORIZON" or _has_begun(consumer, new[0].topic):
        for partition in new:
            partition.offset = OFFSET_BEGINNING
        return found
    if start.position == "AT_TIMESTAMP":
        for partition in new:
            partition.offset = int(start.at * 1000)
        found_at = _checked(consumer.offsets_for_times(new, timeout=_ASK_S))
        for partition, at in zip(new, found_at, strict=True):
            partition.offset = at.offset
    for partition in new:
        if partition.offset < 0:  # LATEST, or all records are older than the time.
            partition.offset = consumer.get_watermark_offsets(partition, timeout=_ASK_S)[1]
    _checked(consumer.commit(offsets=new, asynchronous=False) or [])
    return found


def _has_begun(consumer: Consumer, topic: str) -> bool:
    """Whether the group has read any partition of the topic. If so, a partition that it does not
    know was added later, and all its records are new."""
    metadata = consumer.list_topics(topic, timeout=_ASK_S).topics[topic]
    everything = [TopicPartition(topic, number) for number in metadata.partitions]
    known = _checked(consumer.committed(everything, timeout=_ASK_S))
    return any(partition.offset >= 0 for partition in known)


def _checked(partitions: list[TopicPartition]) -> list[TopicPartition]:
    for partition in partitions:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return partitions

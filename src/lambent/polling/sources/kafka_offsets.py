"""From where a partition is read that the group has not read from yet."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

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

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Start":
        """As a mapping has it."""
        return cls(
            configuration.get("StartingPosition", "TRIM_HORIZON"),
            float(configuration.get("StartingPositionTimestamp") or 0.0),
        )


def find_offsets(
    consumer: Consumer, start: Start, assigned: Sequence[TopicPartition]
) -> list[TopicPartition]:
    """Where the partitions that were assigned are read from: where the group left off, else where
    the mapping starts, which the group then knows too: what comes after that is never skipped, even
    if nothing was read before a restart. Blocks. Raises `KafkaException`.
    """
    found = _checked(consumer.committed(list(assigned), timeout=_ASK_S))
    new = [one for one in found if one.offset == OFFSET_INVALID]
    if not new:
        return found
    if start.position == "TRIM_HORIZON" or _has_begun(consumer, new[0].topic):
        for one in new:
            one.offset = OFFSET_BEGINNING
        return found
    if start.position == "AT_TIMESTAMP":
        for one in new:
            one.offset = int(start.at * 1000)
        for one, at in zip(
            new, _checked(consumer.offsets_for_times(new, timeout=_ASK_S)), strict=True
        ):
            one.offset = at.offset
    for one in new:
        if one.offset < 0:  # LATEST, or all is older than that.
            one.offset = consumer.get_watermark_offsets(one, timeout=_ASK_S)[1]
    _checked(consumer.commit(offsets=new, asynchronous=False) or [])
    return found


def _has_begun(consumer: Consumer, topic: str) -> bool:
    """Whether the group has read from any partition of the topic: then one that it does not know
    was made since, and all of it is news."""
    metadata = consumer.list_topics(topic, timeout=_ASK_S).topics[topic]
    everything = [TopicPartition(topic, number) for number in metadata.partitions]
    known = _checked(consumer.committed(everything, timeout=_ASK_S))
    return any(one.offset >= 0 for one in known)


def _checked(partitions: list[TopicPartition]) -> list[TopicPartition]:
    for one in partitions:
        if one.error is not None:
            raise KafkaException(one.error)
    return partitions

"""Which records of a source a mapping's function is called with.

Where the record is filtered by what it carries, the pattern names the source's data key. If record
and pattern are not of the same form there, sources differ in what they do:

| record    | pattern for the data key | SQS   | Kinesis, DynamoDB | MQ, Kafka |
|-----------|--------------------------|-------|-------------------|-----------|
| JSON      | object                   | fits? | fits?             | fits?     |
| text      | list                     | fits? | refused by the API| fits?     |
| text      | object                   | no    | no                | ignored   |
| JSON      | list                     | no    | refused by the API| ignored   |
| not UTF-8 | either                   | -     | no                | ignored   |

A JSON record is an object or an array; a number or a word by itself is text.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lambent.kit.strict_json import parse
from lambent.model.filters import is_pattern, top_fields
from lambent.model.mapping import Source
from lambent.model.matching import Holds, Test, compile_object, compile_value

DATA_KEYS: Mapping[Source, str] = {
    Source.SQS: "body",
    Source.SQS_FIFO: "body",
    Source.KINESIS: "data",
    Source.DYNAMODB: "dynamodb",
    Source.MSK: "value",
    Source.KAFKA: "value",
    Source.MQ: "data",
}
"""What patterns call that which a record carries."""

Data = bytes | str | Mapping[str, Any] | None
"""What a record carries: bytes as they were sent, a message's text, an item's change, or nothing
(of Kafka's records that have no value)."""

_NOT_TEXT = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Criteria:
    """The filters of one mapping, compiled. A record needs to fit one of them."""

    source: Source
    fits: Holds
    reads_data: bool
    """Whether a filter is about more than metadata."""

    @classmethod
    def compile(cls, source: Source, criteria: Mapping[str, Any] | None) -> "Criteria | None":
        """None if there are no filters. Raises `ValueError` for a pattern that is none."""
        filters = (criteria or {}).get("Filters") or []
        if not filters:
            return None
        key = DATA_KEYS[source]
        patterns = [_parsed(one.get("Pattern", "null")) for one in filters]
        whole = patterns[0] if len(patterns) == 1 else {"$or": patterns}
        return cls(
            source=source,
            fits=compile_object(whole, {key: _data_test(source)}),
            reads_data=any(name == key for name, _ in top_fields(whole)),
        )

    def admits(self, metadata: Mapping[str, Any], data: Data) -> bool:
        """Whether the function is to see a record. `metadata` is the record as functions see it but
        for its data.

        Kinesis's `data` stands at the top of a pattern. So does the rest of what is in `kinesis`,
        such as `partitionKey`, which may be written as it stands in the record, too.
        """
        document = dict(metadata)
        if self.source is Source.KINESIS:
            document.update(metadata.get("kinesis") or {})
        if self.reads_data:
            document[DATA_KEYS[self.source]] = _read(data)
        return self.fits(document)


def _parsed(text: str) -> Mapping[str, Any]:
    if not is_pattern(text):
        raise ValueError(f"not a filter pattern: {text!r}")
    pattern: Mapping[str, Any] = parse(text)
    return pattern


def _read(data: Data) -> Any:
    """JSON as an object or array, other text as it is."""
    if isinstance(data, bytes):
        try:
            data = data.decode()
        except UnicodeDecodeError:
            return _NOT_TEXT
    if isinstance(data, str):
        if data.lstrip(" \t\r\n")[:1] in ("{", "["):
            try:
                return parse(data)
            except ValueError:
                pass
        return data
    return None if data is None else dict(data)


def _data_test(source: Source) -> Callable[[Any], Test]:
    """What to make of a pattern for the data key, as the table above has it."""
    mismatched = source.is_kafka or source is Source.MQ

    def compile_data(pattern: Any) -> Test:
        test = compile_value(pattern)
        if isinstance(pattern, dict):
            return lambda data: test(data) if isinstance(data, dict | list) else mismatched
        if source.is_stream:
            return lambda _: False
        return lambda data: test(data) if data is None or isinstance(data, str) else mismatched

    return compile_data

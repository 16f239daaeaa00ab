"""Which records of a source a mapping's function is called with.

A filter on the data of a record names the source's data key. Where the record has JSON there and
the pattern is for text, or the reverse, sources differ:

| record    | pattern for the data key | SQS     | Kinesis, DynamoDB  | MQ, Kafka |
|-----------|--------------------------|---------|--------------------|-----------|
| JSON      | object                   | matched | matched            | matched   |
| text      | list                     | matched | refused by the API | matched   |
| text      | object                   | no      | no                 | admitted  |
| JSON      | list                     | no      | refused by the API | admitted  |
| not UTF-8 | either                   | -       | no                 | admitted  |

A JSON record is an object or an array; a number or a word by itself is text. `FilterRules` has what
each kind of source does.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.kit.strict_json import parse
from lambent.model.filters import is_pattern, top_fields
from lambent.model.matching import Holds, Test, compile_object, compile_value
from lambent.model.sources.kind import FilterRules

Data = bytes | str | Mapping[str, Any] | None
"""The data of a record: bytes as they were sent, the text of a message, the change of an item, or
None (Kafka's records without a value)."""

_NOT_TEXT = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Criteria:
    """The filters of one mapping, compiled. A record must match one of them."""

    rules: FilterRules
    fits: Holds
    reads_data: bool
    """Whether a filter is about the data, not only about metadata."""

    @classmethod
    def compile(cls, rules: FilterRules, patterns: Sequence[str]) -> "Criteria | None":
        """The criteria for `patterns`, JSON texts; None if there are none. Raises `ValueError` for
        a malformed pattern."""
        if not patterns:
            return None
        key = rules.data_key
        parsed = [_parsed(pattern) for pattern in patterns]
        whole = parsed[0] if len(parsed) == 1 else {"$or": parsed}
        return cls(
            rules=rules,
            fits=compile_object(whole, {key: _data_test(rules)}),
            reads_data=any(name == key for name, _ in top_fields(whole)),
        )

    def admits(self, metadata: Mapping[str, Any], data: Data) -> bool:
        """Whether the function gets a record. `metadata` is the record as functions see it, without
        its data.

        Members of the record's `metadata_key`, such as Kinesis's `partitionKey`, may stand at the
        top level of a pattern, or where they are in the record.
        """
        document = dict(metadata)
        if self.rules.metadata_key:
            document.update(metadata.get(self.rules.metadata_key) or {})
        if self.reads_data:
            document[self.rules.data_key] = _read(data)
        return self.fits(document)


def _parsed(text: str) -> Mapping[str, Any]:
    if not is_pattern(text):
        raise ValueError(f"not a filter pattern: {text!r}")
    pattern: Mapping[str, Any] = parse(text)
    return pattern


def _read(data: Data) -> Any:
    """Parses JSON that is an object or array; returns other text as it is."""
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


def _data_test(rules: FilterRules) -> Callable[[Any], Test]:
    """How to compile the part of a pattern for the data key, see the table above."""
    mismatched = rules.admits_mismatch

    def compile_data(pattern: Any) -> Test:
        test = compile_value(pattern)
        if isinstance(pattern, dict):
            return lambda data: test(data) if isinstance(data, dict | list) else mismatched
        if rules.is_always_json:
            return lambda _: False
        return lambda data: test(data) if data is None or isinstance(data, str) else mismatched

    return compile_data

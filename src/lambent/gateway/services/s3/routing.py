"""From a request to an operation of S3.

S3 gives the same method and path to several operations: what else a request has decides. The bucket
is in the path or in the host name.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from lambent.gateway.models import OperationModel, ServiceModel
from lambent.gateway.protocols.protocol import Found
from lambent.kit.http.messages import Exchange

_BUCKET = r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
_HOSTS = (
    re.compile(rf"{_BUCKET}\.s3[.-].+"),
    re.compile(rf"(?!s3[.-]){_BUCKET}\.localhost"),
)
_COPY_SOURCE = "x-amz-copy-source"


class _Candidate(NamedTuple):
    operation: OperationModel
    literals: Mapping[str, str]
    """What the query must have."""
    parameters: frozenset[str]
    """Names of parameters that the query must have."""
    copies: bool

    @property
    def rank(self) -> int:
        """How much of a request it asks for."""
        return len(self.literals) + len(self.parameters) + self.copies


class S3Router:
    """See `Router`."""

    def __init__(self, service: ServiceModel) -> None:
        self._candidates: dict[tuple[str, int], list[_Candidate]] = {}
        """By method, and by how many of bucket and key the path has."""
        for name in service.operation_names:
            operation = service.operation_model(name)
            if not operation.deprecated:
                self._add(operation)
        for several in self._candidates.values():
            several.sort(key=lambda candidate: -candidate.rank)

    def find(self, exchange: Exchange) -> Found | None:
        """The operation and its labels, or None."""
        labels = labels_of(exchange)
        given = dict(parse_qsl(exchange.query, keep_blank_values=True))
        copies = _COPY_SOURCE in exchange.headers
        for candidate in self._candidates.get((exchange.method, len(labels)), ()):
            if (
                candidate.literals.items() <= given.items()
                and candidate.parameters <= given.keys()
                and (copies or not candidate.copies)
            ):
                return candidate.operation, labels
        return None

    def _add(self, operation: OperationModel) -> None:
        path, _, query = operation.http["requestUri"].partition("?")
        shape = operation.input_shape
        members = {} if shape is None else shape.members
        required = [] if shape is None else shape.required_members
        where = {
            name: (
                members[name].serialization.get("location"),
                members[name].serialization.get("name", name),
            )
            for name in required
        }
        candidate = _Candidate(
            operation,
            dict(parse_qsl(query, keep_blank_values=True)),
            frozenset(name for location, name in where.values() if location == "querystring"),
            ("header", _COPY_SOURCE) in where.values(),
        )
        key = (operation.http["method"], path.count("{"))
        self._candidates.setdefault(key, []).append(candidate)


def labels_of(exchange: Exchange) -> Mapping[str, str]:
    """The bucket and the key that a request names, decoded, as far as it does."""
    host = exchange.headers.get("host", "").rpartition("@")[2].partition(":")[0].lower()
    named = next((match["bucket"] for each in _HOSTS if (match := each.fullmatch(host))), None)
    path = exchange.path.removeprefix("/")
    bucket, key = (named, path) if named is not None else path.partition("/")[::2]
    found = {"Bucket": unquote(bucket), "Key": unquote(key)}
    return {name: value for name, value in found.items() if value}

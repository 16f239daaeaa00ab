"""Layers: packages that functions share."""

import base64
import dataclasses
import re
from typing import NamedTuple

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:"
    r"(?P<name>[a-zA-Z0-9-_]{1,140})(?::(?P<number>[0-9]{1,18}))?"
)


class LayerKey(NamedTuple):
    """Identity of a layer across its versions."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN without a version."""
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{self.name}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """One published version of a layer. Immutable."""

    key: LayerKey
    number: int
    """From 1, never used again."""
    code_key: str
    """Hex SHA-256 of the zipped content: its name in the blob store."""
    code_size: int
    """Bytes, zipped."""
    unzipped_size: int
    """Bytes of all files."""
    created_ms: int
    """Epoch milliseconds."""
    description: str = ""
    license_info: str | None = None
    runtimes: tuple[str, ...] | None = None
    """Compatible runtimes, as far as its publisher named some."""
    architectures: tuple[str, ...] | None = None

    @property
    def arn(self) -> str:
        """The ARN with the version."""
        return f"{self.key.arn}:{self.number}"

    @property
    def code_sha256(self) -> str:
        """The content's SHA-256 in base64."""
        return base64.b64encode(bytes.fromhex(self.code_key)).decode()


def parse_layer_arn(arn: str) -> LayerKey | None:
    """The layer an ARN names, with or without a version; None if it is no such ARN."""
    match = _ARN.fullmatch(arn)
    return None if match is None else LayerKey(match["account"], match["region"], match["name"])


def parse_layer_version_arn(arn: str) -> tuple[LayerKey, int] | None:
    """The layer and the version's number; None if it is no such ARN."""
    match = _ARN.fullmatch(arn)
    if match is None or match["number"] is None:
        return None
    return LayerKey(match["account"], match["region"], match["name"]), int(match["number"])

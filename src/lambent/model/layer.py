"""Layers: packages that functions share."""

import base64
import dataclasses
import re
from typing import NamedTuple

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import invalid_parameter, not_found

_ARN = re.compile(
    r"arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):layer:"
    r"(?P<name>[a-zA-Z0-9-_]{1,140})(?::(?P<number>[1-9][0-9]{0,17}))?"
)

_NUMBER_MAX = 1 << 62


class LayerKey(NamedTuple):
    """Identity of a layer across its versions."""

    account: AccountId
    region: Region
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
    token: str = ""
    """Of the step of a stack that has published it; empty if another caller has."""

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
    return None if match is None else _key(match)


def parse_layer_name(name: str, scope: Scope) -> LayerKey:
    """The layer that a `LayerName` means, which may be an ARN.

    Raises `ApiError`: `InvalidParameterValueException` for an ARN of something else,
    `ResourceNotFoundException` for another region.
    """
    if not name.startswith("arn:"):
        return LayerKey(scope.account, scope.region, name)
    key = parse_layer_arn(name)
    if key is None:
        raise invalid_parameter(f"cannot read {name} as the ARN of a layer.")
    if key.region != scope.region:
        raise not_found(
            f"Layers from '{key.region}' are not reachable in this region ('{scope.region}')"
        )
    return key


def parse_layer_version(name: str, number: int, scope: Scope) -> tuple[LayerKey, int]:
    """The layer version that `LayerName` and `VersionNumber` mean. Raises `ApiError` as
    `parse_layer_name`, and `InvalidParameterValueException` for a number below 1."""
    if number < 1:
        raise invalid_parameter("Layer Version Cannot be less than 1")
    return parse_layer_name(name, scope), min(number, _NUMBER_MAX)


def require_layer_version_arn(arn: str) -> tuple[LayerKey, int]:
    """The layer version that an ARN names. Raises `InvalidParameterValueException`."""
    parsed = parse_layer_version_arn(arn)
    if parsed is None:
        raise invalid_parameter(f"cannot read {arn} as the ARN of a layer version.")
    return parsed


def parse_layer_version_arn(arn: str) -> tuple[LayerKey, int] | None:
    """The layer and the version's number; None if it is no such ARN."""
    match = _ARN.fullmatch(arn)
    if match is None or match["number"] is None:
        return None
    return _key(match), int(match["number"])


def _key(match: re.Match[str]) -> LayerKey:
    return LayerKey(AccountId(match["account"]), Region(match["region"]), match["name"])

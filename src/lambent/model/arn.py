"""ARNs, and the two names every resource is found by: an account and a region.

An ARN has six parts, `arn:partition:service:region:account:resource`; the resource may hold colons
and slashes of its own. Some services leave the region or the account empty.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from typing import NamedTuple, NewType

AccountId = NewType("AccountId", str)
"""Twelve digits."""
Region = NewType("Region", str)
"""For example `eu-central-1`. Both are strings; the types keep one from standing for the other."""

_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
)


class Scope(NamedTuple):
    """Where a resource lives: every name is unique within one account and one region."""

    account: AccountId
    region: Region


class Arn(NamedTuple):
    """The parts of an ARN. Nothing is checked but that there are six."""

    partition: str
    service: str
    region: Region
    """Empty for services that have no regions, and for S3."""
    account: AccountId
    """Empty for S3."""
    resource: str

    def __str__(self) -> str:
        return ":".join(("arn", *self))

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Raises `ValueError` if `text` is not an ARN."""
        arn = cls.try_parse(text)
        if arn is None:
            raise ValueError(f"not an ARN: {text!r}")
        return arn

    @classmethod
    def try_parse(cls, text: str) -> "Arn | None":
        """The parts of `text`; None if it is not an ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            return None
        _, partition, service, region, account, resource = parts
        return cls(partition, service, Region(region), AccountId(account), resource)

    @property
    def scope(self) -> Scope:
        """Account and region."""
        return Scope(self.account, self.region)

    @property
    def name(self) -> str:
        """What follows the last slash, or else the last colon, of the resource."""
        return self.resource.rpartition("/" if "/" in self.resource else ":")[2]

    def is_in_partition_of(self, region: str) -> bool:
        """Whether its partition is that of its region, or of `region` if it has none: no resource
        has two ARNs. Functions and layers are in the partition `aws` in every region here."""
        region = self.region or region
        expected = next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")
        return self.partition == ("aws" if self.service == "lambda" else expected)


def has_right_partition(text: str, region: str = "") -> bool:
    """Whether `text` is an ARN with the partition of its region, or of `region` if it has none."""
    arn = Arn.try_parse(text)
    return arn is not None and arn.is_in_partition_of(region)

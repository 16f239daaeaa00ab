"""Partitions: an ARN's partition goes with its region, so that no resource has two ARNs. What is
ours, such as functions, is in the partition `aws` whatever the region."""

_BY_PREFIX = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
)


def has_right_partition(arn: str, region: str = "") -> bool:
    """Whether an ARN has the partition of its region; `region` is meant where the ARN has none."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        return False
    region = parts[3] or region
    found = next((name for prefix, name in _BY_PREFIX if region.startswith(prefix)), "aws")
    return parts[1] == ("aws" if parts[2] == "lambda" else found)

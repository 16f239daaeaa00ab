"""The policies that AWS manages, as far as they are about services that functions here use.

`aws_policies.json` has AWS's documents, from AWS's public list of managed policies. That of
ReadOnlyAccess is limited to services that the platform serves or forwards.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambent.model.arn import AccountId
from lambent.model.managed_policy import AWS, ManagedPolicy, PolicyKey, PolicyVersion

_FILE = Path(__file__).with_suffix(".json")


def find_aws_policy(arn: str) -> ManagedPolicy | None:
    """The policy of AWS with this ARN; None if it is not among those known here."""
    return aws_policies().get(arn)


@functools.cache
def aws_policies() -> Mapping[str, ManagedPolicy]:
    """All known policies of AWS, by ARN."""
    found: dict[str, ManagedPolicy] = {}
    for name, known in json.loads(_FILE.read_text()).items():
        number = known["version"]
        policy = ManagedPolicy(
            key=PolicyKey(AccountId(AWS), name),
            id=known["id"],
            path=known["path"],
            created_ms=known["created_ms"],
            updated_ms=known["updated_ms"],
            versions={number: _version_of(known)},
            default=number,
            last=number,
        )
        found[policy.arn] = policy
    return found


def _version_of(known: Mapping[str, Any]) -> PolicyVersion:
    return PolicyVersion(document=known["document"], created_ms=known["updated_ms"])

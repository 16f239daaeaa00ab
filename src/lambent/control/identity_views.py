"""Users, roles and access keys as IAM shows them."""

import datetime
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lambent.control.identity_tags import listed_tags
from lambent.model.identity import AccessKey, Identity


def encoded(document: Mapping[str, Any]) -> str:
    """A policy document as IAM shows it."""
    return quote(json.dumps(document), safe="")


def instant(epoch_ms: int) -> datetime.datetime:
    """A time as IAM shows it: to the second."""
    return datetime.datetime.fromtimestamp(epoch_ms // 1000, datetime.UTC)


def identity_view(identity: Identity) -> Mapping[str, Any]:
    """`User`, `Role` or `Group` of the API."""
    kind = identity.key.kind.title()
    members: dict[str, Any] = {
        "Path": identity.path,
        f"{kind}Name": identity.key.name,
        f"{kind}Id": identity.id,
        "Arn": identity.arn,
        "CreateDate": instant(identity.created_ms),
    }
    if identity.tags:
        members["Tags"] = listed_tags(identity.tags)
    if identity.trust is not None:
        members["AssumeRolePolicyDocument"] = encoded(identity.trust)
        members["Description"] = identity.description
        members["MaxSessionDuration"] = identity.max_session_s
    return members


def key_view(key: AccessKey) -> Mapping[str, Any]:
    """`AccessKeyMetadata` of the API: a key without its secret."""
    return {
        "UserName": key.user_name or "root",
        "AccessKeyId": key.id,
        "Status": "Active" if key.is_active else "Inactive",
        "CreateDate": instant(key.created_ms),
    }

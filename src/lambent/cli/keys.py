"""`lambent keys`: access keys, and the users they are for, over the IAM API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambent.cli.output import UsageError

_POLICY_NAME = "lambent"


def create_key(client: Any, user: str | None, policy: Path | None) -> dict[str, Any]:
    """Create a key of a user, or of the account's root without one. A missing user is created; the
    policy is attached to the user. Returns the key with its secret, which is not shown again."""
    if user is None:
        if policy is not None:
            raise UsageError("cannot use --policy without --user: the root may do everything")
        return _shown(client.create_access_key()["AccessKey"])
    document = _read_policy(policy) if policy is not None else None
    try:
        client.create_user(UserName=user)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
    if document is not None:
        client.put_user_policy(
            UserName=user, PolicyName=_POLICY_NAME, PolicyDocument=json.dumps(document)
        )
    return _shown(client.create_access_key(UserName=user)["AccessKey"])


def list_keys(client: Any) -> Iterator[dict[str, Any]]:
    """The keys of the account's root, then those of its users by name."""
    users = [user["UserName"] for user in client.list_users()["Users"]]
    for members in ({}, *({"UserName": user} for user in users)):
        for key in client.list_access_keys(**members)["AccessKeyMetadata"]:
            yield _shown(key)


def revoke_key(client: Any, key_id: str) -> None:
    """Delete a key of any user. Raises `UsageError` if it does not exist."""
    for key in list_keys(client):
        if key["key"] == key_id:
            member = {} if key["user"] == "root" else {"UserName": key["user"]}
            client.delete_access_key(AccessKeyId=key_id, **member)
            return
    raise UsageError(f"cannot revoke {key_id}: there is no such key (`lambent keys list`)")


def _read_policy(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"cannot read {file} as JSON: {error}") from error


def _shown(key: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "key": key["AccessKeyId"],
        "user": key["UserName"],
        "status": key["Status"],
        "created": key["CreateDate"].isoformat(),
    }
    if "SecretAccessKey" in key:
        shown["secret"] = key["SecretAccessKey"]
    return shown

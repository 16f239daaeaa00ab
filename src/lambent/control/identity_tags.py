"""Tags of users, roles and managed policies: conditions refer to them by `aws:PrincipalTag` and
`iam:ResourceTag`."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model import limits
from lambent.model.errors import ApiError


def changed_tags(present: Mapping[str, str], params: Mapping[str, Any]) -> Mapping[str, str]:
    """The tags after adding a request's `Tags` and removing those in its `TagKeys`.

    Raises `LimitExceeded`, and `InvalidInput` for keys that differ only in case.
    """
    tags = dict(present)
    seen = set()
    for tag in params.get("Tags") or ():
        name = tag["Key"].lower()
        if name in seen or name.startswith("aws:"):
            raise ApiError("InvalidInput", f"The tag key {tag['Key']} is reserved or given twice.")
        seen.add(name)
        tags = {key: value for key, value in tags.items() if key.lower() != name}
        tags[tag["Key"]] = tag["Value"]
    removed = {key.lower() for key in params.get("TagKeys") or ()}
    tags = {key: value for key, value in tags.items() if key.lower() not in removed}
    if len(tags) > limits.TAGS_MAX:
        raise ApiError(
            "LimitExceeded", f"Cannot exceed quota for tags: {limits.TAGS_MAX}", status=409
        )
    return tags


def listed_tags(tags: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    """The tags in the form of IAM's lists."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]

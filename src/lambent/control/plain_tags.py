"""Tags of resources that are documents: in the member `tags` of the body, by key."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lambent.model import limits
from lambent.model.arn import Arn
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

TAGS = "tags"


def _name_of_parameter(resource: str) -> str:
    """A name without levels has no slash before it."""
    path = resource.removeprefix("parameter")
    return path if "/" in path[1:] else path[1:]


def group_id(name: str) -> str:
    """The id of a log group's document: names can be too long for one."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


_KINDS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "ecr": ("repository", lambda resource: resource.removeprefix("repository/")),
    "ssm": ("parameter", _name_of_parameter),
    "secretsmanager": ("secret", lambda resource: resource.removeprefix("secret:")[:-7]),
    "cloudwatch": ("alarm", lambda resource: resource.removeprefix("alarm:")),
    "logs": ("group", lambda resource: group_id(f"{resource}:".split(":")[1])),
}
"""By service of an ARN: the kind of its documents, and how to find their ids in the ARN."""


def changed(
    present: Mapping[str, str],
    added: Mapping[str, str],
    removed: Iterable[str] = (),
    *,
    code: str = "TooManyTagsException",
) -> Mapping[str, str]:
    """The tags after some were added and some removed. Raises `ApiError` with `code` if there are
    too many."""
    gone = set(removed)
    tags = {key: value for key, value in {**present, **added}.items() if key not in gone}
    if len(tags) > limits.TAGS_MAX:
        raise ApiError(code, f"A resource has at most {limits.TAGS_MAX} tags.")
    return tags


def from_list(listed: Iterable[Mapping[str, str]] | None) -> Mapping[str, str]:
    """Tags from the form of most APIs."""
    return {tag["Key"]: tag["Value"] for tag in listed or ()}


def to_list(tags: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    """Tags in the form of most APIs."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tags_of_document(tx: Transaction, text: str) -> Mapping[str, str]:
    """The tags of the resource with this ARN; none if it is not a document with tags."""
    arn = Arn.try_parse(text)
    if arn is None or arn.service not in _KINDS:
        return {}
    kind, id_of = _KINDS[arn.service]
    root = Root(arn.service, arn.account, arn.region, "")
    found = tx.documents.get(root, kind, id_of(arn.resource))
    tags: Mapping[str, Any] = {} if found is None else found.body.get(TAGS, {})
    return tags

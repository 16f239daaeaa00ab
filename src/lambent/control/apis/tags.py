"""Tags of APIs, stages and domain names: a member of their documents."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lambent.control.apis.errors import bad_request, not_found
from lambent.control.apis.kinds import Params
from lambent.model import limits
from lambent.model.arn import Scope
from lambent.model.document import Document, Root
from lambent.store.store import Store, Transaction

_ARN = re.compile(r"arn:aws:apigateway:(?P<region>[a-z0-9-]+)::(?P<path>/.+)")


class Tagged(NamedTuple):
    """A kind of document that has tags, and how ARNs name it."""

    path: re.Pattern[str]
    """Of ARNs: the group `root` is the id of the API, `id` the document's id."""
    service: str
    kind: str
    member: str
    """The member of the body with the tags."""


TAGGED = (
    Tagged(re.compile(r"/apis/(?P<root>(?P<id>[^/]+))"), "apigatewayv2", "api", "Tags"),
    Tagged(
        re.compile(r"/apis/(?P<root>[^/]+)/stages/(?P<id>[^/]+)"), "apigatewayv2", "stage", "Tags"
    ),
    Tagged(re.compile(r"/restapis/(?P<root>(?P<id>[^/]+))"), "apigateway", "api", "tags"),
    Tagged(
        re.compile(r"/restapis/(?P<root>[^/]+)/stages/(?P<id>[^/]+)"), "apigateway", "stage", "tags"
    ),
    Tagged(re.compile(r"/apikeys/(?P<root>)(?P<id>[^/]+)"), "apigateway", "api_key", "tags"),
    Tagged(re.compile(r"/usageplans/(?P<root>)(?P<id>[^/]+)"), "apigateway", "usage_plan", "tags"),
    Tagged(
        re.compile(r"/domainnames/(?P<root>)(?P<id>[^/]+)"), "apigateway", "domain_name", "Tags"
    ),
)
"""All kinds that have tags."""


class Place(NamedTuple):
    """Where a document with tags is."""

    tagged: Tagged
    root: Root
    id: str


def parse_arn(arn: str, scope: Scope) -> Place | None:
    """What an ARN names in an account; None if it is no ARN of something that has tags, or of
    another region."""
    match = _ARN.fullmatch(arn)
    if match is None or match["region"] != scope.region:
        return None
    for tagged in TAGGED:
        found = tagged.path.fullmatch(match["path"])
        if found is not None:
            return Place(tagged, Root(tagged.service, *scope, found["root"]), found["id"])
    return None


def tags_of(tx: Transaction, arn: str) -> Mapping[str, str]:
    """The tags of the resource with this ARN, which has no account in it; none if there is no such
    resource."""
    match = _ARN.fullmatch(arn)
    for tagged in TAGGED if match is not None else ():
        assert match is not None
        found = tagged.path.fullmatch(match["path"])
        if found is None:
            continue
        document = _find(tx, tagged, found["root"], found["id"])
        if document is None or document.root.region != match["region"]:
            return {}
        return dict(document.body.get(tagged.member) or {})
    return {}


def _find(tx: Transaction, tagged: Tagged, root: str, id: str) -> Document | None:
    if not root or tagged.kind == "api":
        return tx.documents.find(tagged.service, tagged.kind, id)
    # Ids of APIs are unique, names of stages are not.
    api = tx.documents.find(tagged.service, "api", root)
    return None if api is None else tx.documents.get(api.root, tagged.kind, id)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise `BadRequestException` for tags that a resource cannot have."""
    if len(tags) > limits.TAGS_MAX:
        raise bad_request(f"A resource has at most {limits.TAGS_MAX} tags")
    for name, value in tags.items():
        if not 1 <= len(name) <= limits.TAG_KEY_LENGTH_MAX:
            raise bad_request(f"A tag key has 1 to {limits.TAG_KEY_LENGTH_MAX} characters")
        if len(value) > limits.TAG_VALUE_LENGTH_MAX:
            raise bad_request(f"A tag value has at most {limits.TAG_VALUE_LENGTH_MAX} characters")
        if name.lower().startswith("aws:"):
            raise bad_request(f"The tag key {name} is reserved: it starts with aws:")


class DocumentTags:
    """Use cases of tags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetTags."""

        def run(tx: Transaction) -> Params:
            document, member = _require_tagged(tx, scope, params["ResourceArn"])
            return {"Tags": document.body.get(member) or {}}

        return await self._store.read(run)

    async def add(self, scope: Scope, params: Params) -> Params:
        """TagResource."""
        added: Mapping[str, str] = params.get("Tags") or {}
        return await self._retag(scope, params, lambda tags: {**tags, **added})

    async def remove(self, scope: Scope, params: Params) -> Params:
        """UntagResource."""
        keys = set(params["TagKeys"])
        return await self._retag(
            scope, params, lambda tags: {key: tags[key] for key in tags if key not in keys}
        )

    async def _retag(
        self,
        scope: Scope,
        params: Params,
        change: Callable[[Mapping[str, str]], Mapping[str, str]],
    ) -> Params:
        def run(tx: Transaction) -> Params:
            place = parse_arn(params["ResourceArn"], scope)
            if place is not None:
                tx.locks.root(place.root)
            document, member = _require_tagged(tx, scope, params["ResourceArn"])
            tags = change(document.body.get(member) or {})
            check_tags(tags)
            body = {**document.body, member: tags}
            tx.documents.put(document.root, document.kind, document.id, body)
            return {}

        return await self._store.transact(run)


def _require_tagged(tx: Transaction, scope: Scope, arn: str) -> tuple[Document, str]:
    place = parse_arn(arn, scope)
    if place is None:
        raise bad_request(f"Invalid resource ARN specified: {arn[:200]!r}")
    document = tx.documents.get(place.root, place.tagged.kind, place.id)
    if document is None:
        raise not_found(f"Invalid resource identifier specified: {arn[:200]!r}")
    return document, place.tagged.member

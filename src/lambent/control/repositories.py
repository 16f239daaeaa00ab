"""Repositories of ECR. They are stored and shown, so that templates that have one deploy; there is
no registry of images.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
"""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control import plain_tags
from lambent.control.paging import make_name_page, read_name_marker
from lambent.kit.clock import Clock
from lambent.kit.strict_json import parse_plain
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_SERVICE, _KIND = "ecr", "repository"
_PAGE = 100
_REPOSITORIES_MAX = 10_000
_POLICY, _LIFECYCLE = "policyText", "lifecyclePolicyText"
_SETTINGS: Mapping[str, Any] = {
    "imageTagMutability": "MUTABLE",
    "imageScanningConfiguration": {"scanOnPush": False},
    "encryptionConfiguration": {"encryptionType": "AES256"},
}
"""Members that are stored and shown, with AWS's defaults."""


class Repositories:
    """Use cases of repositories."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateRepository."""
        root, name = _root(scope, params), params["repositoryName"]
        body = {
            **{member: params.get(member, value) for member, value in _SETTINGS.items()},
            "createdAt": int(self._clock.now()),
            plain_tags.TAGS: plain_tags.changed({}, plain_tags.from_list(params.get("tags"))),
        }

        def run(tx: Transaction) -> Document:
            tx.locks.account(*scope)
            if tx.documents.get(root, _KIND, name) is not None:
                raise ApiError(
                    "RepositoryAlreadyExistsException",
                    f"The repository with name '{name}' already exists in the registry with id"
                    f" '{scope.account}'",
                )
            if len(tx.documents.list_of(root, _KIND)) >= _REPOSITORIES_MAX:
                raise ApiError(
                    "LimitExceededException", f"At most {_REPOSITORIES_MAX} repositories."
                )
            return tx.documents.put(root, _KIND, name, body)

        return {"repository": _view(await self._store.transact(run))}

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeRepositories."""
        root, names = _root(scope, params), params.get("repositoryNames")
        if names:
            found = await self._store.read(lambda tx: [_require(tx, root, each) for each in names])
            return {"repositories": [_view(document) for document in found]}
        after = read_name_marker(params.get("nextToken"))
        size = min(params.get("maxResults") or _PAGE, 1000)
        listed = await self._store.read(
            lambda tx: tx.documents.list_of(root, _KIND, after=after, limit=size + 1)
        )
        page = make_name_page(listed, size, lambda document: document.id)
        members: dict[str, Any] = {"repositories": [_view(document) for document in page.items]}
        if page.next_marker is not None:
            members["nextToken"] = page.next_marker
        return members

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteRepository. There are no images in it, so `force` makes no difference."""
        root, name = _root(scope, params), params["repositoryName"]

        def run(tx: Transaction) -> Document:
            document = _require(tx, root, name)
            tx.documents.delete(root, _KIND, name)
            return document

        return {"repository": _view(await self._store.transact(run))}

    async def set_members(self, scope: Scope, params: Params, *names: str) -> Params:
        """PutImageTagMutability, PutImageScanningConfiguration: store these members."""
        given = {name: params[name] for name in names if name in params}
        document = await self._change(scope, params, lambda body: {**body, **given})
        return {**_named(document), **{name: document.body.get(name) for name in names}}

    async def put_policy(self, scope: Scope, params: Params, member: str) -> Params:
        """SetRepositoryPolicy, PutLifecyclePolicy: store the document as text."""
        text = params[member]
        try:
            is_object = isinstance(parse_plain(text), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise ApiError(
                "InvalidParameterException",
                f"Invalid parameter at '{member}' failed to satisfy constraint: 'it must be a JSON"
                " object'",
            )
        document = await self._change(scope, params, lambda body: {**body, member: text})
        return {**_named(document), member: text}

    async def get_policy(self, scope: Scope, params: Params, member: str) -> Params:
        """GetRepositoryPolicy, GetLifecyclePolicy."""
        root, name = _root(scope, params), params["repositoryName"]
        document = await self._store.read(lambda tx: _require(tx, root, name))
        if member not in document.body:
            raise _missing_policy(document, member)
        return {**_named(document), member: document.body[member]}

    async def delete_policy(self, scope: Scope, params: Params, member: str) -> Params:
        """DeleteRepositoryPolicy, DeleteLifecyclePolicy. Returns what was deleted."""
        root, name = _root(scope, params), params["repositoryName"]

        def run(tx: Transaction) -> Params:
            tx.locks.account(*scope)
            document = _require(tx, root, name)
            if member not in document.body:
                raise _missing_policy(document, member)
            rest = {each: value for each, value in document.body.items() if each != member}
            tx.documents.put(root, _KIND, name, rest)
            return {**_named(document), member: document.body[member]}

        return await self._store.transact(run)

    async def tag(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""
        name = _name_in(scope, params["resourceArn"])
        added = plain_tags.from_list(params.get("tags"))

        def change(body: Body) -> Body:
            before = body[plain_tags.TAGS]
            return {
                **body,
                plain_tags.TAGS: plain_tags.changed(before, added, params.get("tagKeys") or ()),
            }

        await self._change(scope, {"repositoryName": name}, change)
        return {}

    async def list_tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        root, name = _root(scope, {}), _name_in(scope, params["resourceArn"])
        document = await self._store.read(lambda tx: _require(tx, root, name))
        return {"tags": plain_tags.to_list(document.body[plain_tags.TAGS])}

    async def _change(
        self, scope: Scope, params: Params, change: Callable[[Body], Body]
    ) -> Document:
        """Replace the body of a repository."""
        root, name = _root(scope, params), params["repositoryName"]

        def run(tx: Transaction) -> Document:
            tx.locks.account(*scope)
            body = change(_require(tx, root, name).body)
            return tx.documents.put(root, _KIND, name, body)

        return await self._store.transact(run)


def repository_arn(scope: Scope, name: str) -> str:
    """The ARN of a repository."""
    return f"arn:aws:ecr:{scope.region}:{scope.account}:repository/{name}"


def _root(scope: Scope, params: Params) -> Root:
    """Raises `InvalidParameterException` for the registry of another account."""
    registry = params.get("registryId", scope.account)
    if registry != scope.account:
        raise ApiError(
            "InvalidParameterException",
            f"The registry '{registry}' is that of another account: leave registryId out.",
        )
    return Root(_SERVICE, *scope, "")


def _name_in(scope: Scope, text: str) -> str:
    """The name of the repository in an ARN."""
    arn = Arn.try_parse(text)
    prefix = "repository/"
    if arn is None or arn.scope != scope or not arn.resource.startswith(prefix):
        raise ApiError(
            "InvalidParameterException",
            "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
        )
    return arn.resource.removeprefix(prefix)


def _require(tx: Transaction, root: Root, name: str) -> Document:
    document = tx.documents.get(root, _KIND, name)
    if document is None:
        raise ApiError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id"
            f" '{root.account}'",
        )
    return document


def _missing_policy(document: Document, member: str) -> ApiError:
    noun = "Lifecycle" if member == _LIFECYCLE else "Repository"
    return ApiError(
        f"{noun}PolicyNotFoundException",
        f"{noun} policy does not exist for the repository with name '{document.id}' in the"
        f" registry with id '{document.root.account}'",
    )


def _named(document: Document) -> dict[str, Any]:
    return {"registryId": document.root.account, "repositoryName": document.id}


def _view(document: Document) -> Params:
    """`Repository` of the API."""
    root, body = document.root, document.body
    return {
        **_named(document),
        "repositoryArn": repository_arn(root.scope, document.id),
        "repositoryUri": f"{root.account}.dkr.ecr.{root.region}.amazonaws.com/{document.id}",
        "createdAt": datetime.datetime.fromtimestamp(body["createdAt"], datetime.UTC),
        **{member: body[member] for member in _SETTINGS},
    }

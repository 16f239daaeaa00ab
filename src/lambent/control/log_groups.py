"""Log groups that are created, kept for a time, and tagged.

A group exists when its directory in the log store does: a function's first line creates it, too.
What is configured of it is a document.
"""

from collections.abc import Callable, Mapping, Sequence

from lambent.control import plain_tags
from lambent.model.arn import Scope
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey
from lambent.store.store import Store, Transaction
from lambent.telemetry.logs import LogStore

_SERVICE, _KIND = "logs", "group"
_NAME, RETENTION = "name", "retentionInDays"
_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


class LogGroups:
    """Use cases of log groups."""

    def __init__(self, store: Store, logs: LogStore) -> None:
        self._store = store
        self._logs = logs

    async def create(self, key: LogGroupKey, tags: Mapping[str, str]) -> None:
        """CreateLogGroup."""
        checked = plain_tags.changed({}, tags)
        if not await self._logs.create_group(*key.scope, key.name):
            raise ApiError(
                "ResourceAlreadyExistsException", "The specified log group already exists"
            )
        if checked:
            await self._change(key, lambda body: {**body, plain_tags.TAGS: checked})

    async def delete(self, key: LogGroupKey) -> None:
        """DeleteLogGroup, with its events."""
        await self._store.transact(
            lambda tx: tx.documents.delete(_root(key.scope), _KIND, plain_tags.group_id(key.name))
        )
        if not await self._logs.delete_group(*key.scope, key.name):
            raise no_group()

    async def keep_for(self, key: LogGroupKey, days: int | None) -> None:
        """PutRetentionPolicy, DeleteRetentionPolicy."""
        if days is not None and days not in _DAYS:
            raise ApiError(
                "InvalidParameterException",
                f"retentionInDays must be one of {', '.join(map(str, _DAYS))}.",
            )

        def change(body: Body) -> Body:
            rest = {name: value for name, value in body.items() if name != RETENTION}
            return rest if days is None else {**rest, RETENTION: days}

        await self._require(key)
        await self._change(key, change)

    async def tag(
        self, key: LogGroupKey, added: Mapping[str, str], removed: Sequence[str] = ()
    ) -> None:
        """TagResource, UntagResource, TagLogGroup, UntagLogGroup."""

        def change(body: Body) -> Body:
            tags = plain_tags.changed(body.get(plain_tags.TAGS, {}), added, removed)
            return {**body, plain_tags.TAGS: tags}

        await self._require(key)
        await self._change(key, change)

    async def tags(self, key: LogGroupKey) -> Mapping[str, str]:
        """ListTagsForResource, ListTagsLogGroup."""
        await self._require(key)
        found = await self._store.read(
            lambda tx: tx.documents.get(_root(key.scope), _KIND, plain_tags.group_id(key.name))
        )
        tags: Mapping[str, str] = {} if found is None else found.body.get(plain_tags.TAGS, {})
        return tags

    async def retentions(self, scope: Scope) -> Mapping[str, int]:
        """For how many days groups are kept, by name; without those that never end."""
        found = await self._store.read(lambda tx: tx.documents.list_of(_root(scope), _KIND))
        return {
            group.body[_NAME]: group.body[RETENTION] for group in found if RETENTION in group.body
        }

    async def all_retentions(self) -> Mapping[tuple[Scope, str], int]:
        """As `retentions`, of all accounts and regions."""
        found = await self._store.read(lambda tx: tx.documents.everywhere(_SERVICE, _KIND))
        return {
            (group.root.scope, group.body[_NAME]): group.body[RETENTION]
            for group in found
            if RETENTION in group.body
        }

    async def _require(self, key: LogGroupKey) -> None:
        if not await self._logs.has_group(*key.scope, key.name):
            raise no_group()

    async def _change(self, key: LogGroupKey, change: Callable[[Body], Body]) -> None:
        root, id = _root(key.scope), plain_tags.group_id(key.name)

        def run(tx: Transaction) -> None:
            tx.locks.scope(key.scope)
            found = tx.documents.get(root, _KIND, id)
            body = change({_NAME: key.name} if found is None else found.body)
            tx.documents.put(root, _KIND, id, body)

        await self._store.transact(run)


def no_group() -> ApiError:
    """`ResourceNotFoundException`."""
    return ApiError("ResourceNotFoundException", "The specified log group does not exist.")


def _root(scope: Scope) -> Root:
    return Root(_SERVICE, *scope, "")

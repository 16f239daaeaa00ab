"""Log groups that are created, kept for a time, and tagged.

A group exists when its directory in the log store does: a function's first line creates it, too.
What is configured of it is a document.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.control import plain_tags
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.model.log_subscription import LogSubscription
from lambent.model.names import parse_function_name
from lambent.model.resources import LogGroupKey
from lambent.store.store import Store, Transaction
from lambent.telemetry.all_logs import AllLogs
from lambent.telemetry.patterns import compile_pattern

_SERVICE, _KIND = "logs", "group"
_FILTERS, _FILTERS_MAX = "filters", 2
_NAME, RETENTION, PROTECTION = "name", "retentionInDays", "deletionProtectionEnabled"
_DAY_MS = 86_400_000
_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


CheckDestination = Callable[[LogGroupKey, str], Awaitable[None]]


async def _any_destination(_group: LogGroupKey, _function_arn: str) -> None:
    """Accept every destination."""


class LogGroups:
    """Use cases of log groups."""

    def __init__(self, store: Store, logs: AllLogs, clock: Clock) -> None:
        self._store = store
        self._logs = logs
        self._clock = clock
        self.check_destination: CheckDestination = _any_destination
        """Checks that a function may be called for a group. Raises `ApiError`."""

    async def create(
        self, key: LogGroupKey, tags: Mapping[str, str], *, is_protected: bool = False
    ) -> None:
        """CreateLogGroup."""
        checked = plain_tags.changed({}, tags)
        if not await self._logs.create_group(*key.scope, key.name):
            raise ApiError(
                "ResourceAlreadyExistsException", "The specified log group already exists"
            )
        more: Body = {plain_tags.TAGS: checked} if checked else {}
        if is_protected:
            more = {**more, PROTECTION: True}
        if more:
            await self.change(key, lambda body: {**body, **more})

    async def delete(self, key: LogGroupKey) -> None:
        """DeleteLogGroup, with its events."""
        if await self._logs.has_group(*key.scope, key.name):
            await self.require_deletable(key)
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

        await self.require(key)
        await self.change(key, change)

    async def protect(self, key: LogGroupKey, *, is_protected: bool) -> None:
        """PutLogGroupDeletionProtection."""
        await self.require(key)
        await self.change(key, lambda body: {**body, PROTECTION: is_protected})

    async def tag(
        self, key: LogGroupKey, added: Mapping[str, str], removed: Sequence[str] = ()
    ) -> None:
        """TagResource, UntagResource, TagLogGroup, UntagLogGroup."""

        def change(body: Body) -> Body:
            tags = plain_tags.changed(body.get(plain_tags.TAGS, {}), added, removed)
            return {**body, plain_tags.TAGS: tags}

        await self.require(key)
        await self.change(key, change)

    async def tags(self, key: LogGroupKey) -> Mapping[str, str]:
        """ListTagsForResource, ListTagsLogGroup."""
        await self.require(key)
        tags: Mapping[str, str] = (await self._body(key)).get(plain_tags.TAGS, {})
        return tags

    async def subscribe(self, key: LogGroupKey, params: Mapping[str, Any]) -> None:
        """PutSubscriptionFilter. Raises `ApiError`, also for a function that logs to the group: it
        would call itself again and again."""
        name, arn = params["filterName"], params["destinationArn"]
        target = Arn.try_parse(arn)
        if target is None or target.service != "lambda" or ":function:" not in arn:
            raise _invalid("Lambent offers functions as destinations of subscription filters.")
        for member in ("fieldSelectionCriteria", "emitSystemFields", "applyOnTransformedLogs"):
            if params.get(member):
                raise _invalid(f"Lambent does not offer {member}: leave it out.")
        reference = parse_function_name(arn, target.scope)
        compile_pattern(params["filterPattern"])
        await self.require(key)
        if await self._store.read(lambda tx: _logs_to(tx, reference.key, key)):
            raise _invalid("The function logs to this log group: it would call itself.")
        await self.check_destination(key, arn)
        entry = {
            "filterPattern": params["filterPattern"],
            "destinationArn": arn,
            "distribution": params.get("distribution", "ByLogStream"),
            "creationTime": int(self._clock.now() * 1000),
        }

        def change(body: Body) -> Body:
            filters = {**body.get(_FILTERS, {}), name: entry}
            if len(filters) > _FILTERS_MAX:
                raise ApiError(
                    "LimitExceededException",
                    f"Resource limit exceeded: {_FILTERS_MAX} subscription filters.",
                )
            return {**body, _FILTERS: filters}

        await self.change(key, change)

    async def unsubscribe(self, key: LogGroupKey, name: str) -> None:
        """DeleteSubscriptionFilter."""

        def change(body: Body) -> Body:
            filters = body.get(_FILTERS, {})
            if name not in filters:
                raise ApiError(
                    "ResourceNotFoundException", "The specified subscription filter does not exist."
                )
            return {
                **body,
                _FILTERS: {each: entry for each, entry in filters.items() if each != name},
            }

        await self.require(key)
        await self.change(key, change)

    async def filters(self, key: LogGroupKey) -> Mapping[str, Mapping[str, Any]]:
        """DescribeSubscriptionFilters: by name."""
        await self.require(key)
        filters: Mapping[str, Mapping[str, Any]] = (await self._body(key)).get(_FILTERS, {})
        return filters

    async def subscriptions(self) -> Sequence[LogSubscription]:
        """Those of all groups, without those of functions that log to the group now."""

        def run(tx: Transaction) -> Sequence[LogSubscription]:
            found = []
            for group in tx.documents.everywhere(_SERVICE, _KIND):
                key = LogGroupKey(group.root.scope, group.body[_NAME])
                for name, entry in group.body.get(_FILTERS, {}).items():
                    arn = entry["destinationArn"]
                    reference = parse_function_name(arn, Arn.parse(arn).scope)
                    if not _logs_to(tx, reference.key, key):
                        found.append(LogSubscription(key, name, entry["filterPattern"], arn))
            return found

        return await self._store.read(run)

    async def settings(self, scope: Scope) -> Mapping[str, Body]:
        """What is configured of groups, by name."""
        found = await self._store.read(lambda tx: tx.documents.list_of(_root(scope), _KIND))
        return {group.body[_NAME]: group.body for group in found}

    async def all_settings(self) -> Sequence[tuple[LogGroupKey, Body]]:
        """As `settings`, of all accounts and regions."""
        found = await self._store.read(lambda tx: tx.documents.everywhere(_SERVICE, _KIND))
        return [(LogGroupKey(group.root.scope, group.body[_NAME]), group.body) for group in found]

    async def tags_of_all(self, scope: Scope) -> Mapping[str, Mapping[str, str]]:
        """The tags of groups, by name."""
        settings = await self.settings(scope)
        return {name: body.get(plain_tags.TAGS, {}) for name, body in settings.items()}

    async def all_retentions(self) -> Mapping[tuple[Scope, str], int]:
        """For how many days groups are kept, without those that never end."""
        return {
            (key.scope, key.name): body[RETENTION]
            for key, body in await self.all_settings()
            if RETENTION in body
        }

    async def require(self, key: LogGroupKey) -> None:
        """Raises `ResourceNotFoundException` if the group does not exist."""
        if not await self._logs.has_group(*key.scope, key.name):
            raise no_group()

    async def require_deletable(self, key: LogGroupKey) -> None:
        """Raises `ApiError` if the group does not exist, or is protected from deletion."""
        await self.require(key)
        if (await self._body(key)).get(PROTECTION):
            raise ApiError(
                "ValidationException",
                "The log group is protected from deletion. Disable the protection first.",
            )

    async def oldest_ms(self, key: LogGroupKey) -> int:
        """The time before which the group keeps no events, in epoch milliseconds."""
        days = (await self._body(key)).get(RETENTION)
        return 0 if days is None else int(self._clock.now() * 1000) - days * _DAY_MS

    async def _body(self, key: LogGroupKey) -> Body:
        found = await self._store.read(
            lambda tx: tx.documents.get(_root(key.scope), _KIND, plain_tags.group_id(key.name))
        )
        return {} if found is None else found.body

    async def change(self, key: LogGroupKey, change: Callable[[Body], Body]) -> None:
        """Change what is configured of a group."""
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


def _logs_to(tx: Transaction, function: FunctionKey, group: LogGroupKey) -> bool:
    """Whether a function logs to a group."""
    found = tx.functions.get(function)
    is_its_scope = function.scope == group.scope
    return is_its_scope and found is not None and found.logging.log_group == group.name


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _root(scope: Scope) -> Root:
    return Root(_SERVICE, *scope, "")

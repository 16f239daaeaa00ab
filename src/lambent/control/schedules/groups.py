"""Use cases of schedule groups, and their tags. The group `default` exists in every account.

https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html
"""

import datetime
from collections.abc import Mapping
from typing import Any

from lambent.control import plain_tags
from lambent.control.events.paging import page, read_token
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError
from lambent.model.schedules.documents import SCHEDULER as SERVICE
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

DEFAULT = "default"
GROUP, SCHEDULE = "group", "schedule"
"""Kinds of documents."""
_PREFIX = "schedule-group/"
_GROUPS_MAX = 500


class Groups:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateScheduleGroup."""
        name, now = params["Name"], self._clock.now()
        tags = plain_tags.changed({}, plain_tags.from_list(params.get("Tags")))
        body = {"created": now, "modified": now, plain_tags.TAGS: tags}

        def run(tx: Transaction) -> None:
            tx.locks.account(*scope)
            root = root_of(scope, name)
            if name == DEFAULT or tx.documents.get(root, GROUP, name) is not None:
                raise ApiError("ConflictException", f"Schedule group {name} already exists.")
            if len(tx.documents.list_in(SERVICE, scope, GROUP)) >= _GROUPS_MAX:
                raise ApiError(
                    "ServiceQuotaExceededException",
                    f"There can be at most {_GROUPS_MAX} schedule groups.",
                )
            tx.documents.put(root, GROUP, name, body)

        await self._store.transact(run)
        return {"ScheduleGroupArn": group_arn(scope, name)}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetScheduleGroup."""
        root = root_of(scope, params["Name"])
        return _view(root, await self._store.read(lambda tx: require_group(tx, root)))

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListScheduleGroups."""
        prefix, after = params.get("NamePrefix", ""), read_token(params.get("NextToken"))
        found = await self._store.read(lambda tx: tx.documents.list_in(SERVICE, scope, GROUP))
        bodies: dict[str, Body] = {DEFAULT: {}, **{each.id: each.body for each in found}}
        names = sorted(name for name in bodies if name.startswith(prefix) and name > after)
        shown, more = page(names, names, params.get("MaxResults"))
        views = [_view(root_of(scope, name), bodies[name]) for name in shown]
        return {"ScheduleGroups": views, **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteScheduleGroup: with all of its schedules."""
        root = root_of(scope, params["Name"])
        if root.id == DEFAULT:
            raise ApiError("ValidationException", "The default schedule group cannot be deleted.")

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            require_group(tx, root)
            for schedule in tx.documents.list_of(root, SCHEDULE):
                tx.ticks.delete(root, schedule.id)
            tx.documents.delete_all(root)

        await self._store.transact(run)
        return {}

    async def list_tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        root = _root_in(scope, params["ResourceArn"])
        body = await self._store.read(lambda tx: require_group(tx, root))
        return {"Tags": plain_tags.to_list(body.get(plain_tags.TAGS, {}))}

    async def change_tags(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""
        root = _root_in(scope, params["ResourceArn"])
        added, removed = plain_tags.from_list(params.get("Tags")), params.get("TagKeys") or ()

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            body = require_group(tx, root)
            before = body.get(plain_tags.TAGS, {})
            tags = plain_tags.changed(before, added, removed, code="ServiceQuotaExceededException")
            tx.documents.put(root, GROUP, root.id, {**body, plain_tags.TAGS: tags})

        await self._store.transact(run)
        return {}


def root_of(scope: Scope, group: str) -> Root:
    """The root of a group, by its name."""
    return Root(SERVICE, *scope, group)


def group_arn(scope: Scope, group: str) -> str:
    """The ARN of a group."""
    return f"arn:aws:scheduler:{scope.region}:{scope.account}:{_PREFIX}{group}"


def require_group(tx: Transaction, root: Root) -> Body:
    """The body of a group, empty for a default group that nothing is stored of. Raises
    `ResourceNotFoundException`."""
    document = tx.documents.get(root, GROUP, root.id)
    if document is not None:
        return document.body
    if root.id != DEFAULT:
        raise ApiError(
            "ResourceNotFoundException", f"Schedule group {root.id} does not exist.", status=404
        )
    return {}


def tags_of_group(tx: Transaction, text: str) -> Mapping[str, str] | None:
    """The tags of a group, by its ARN; None for other ARNs."""
    arn = Arn.try_parse(text)
    if arn is None or arn.service != SERVICE or not arn.resource.startswith(_PREFIX):
        return None
    name = arn.resource.removeprefix(_PREFIX)
    found = tx.documents.get(root_of(arn.scope, name), GROUP, name)
    tags: Mapping[str, str] = {} if found is None else found.body.get(plain_tags.TAGS, {})
    return tags


def _root_in(scope: Scope, text: str) -> Root:
    arn = Arn.try_parse(text)
    if arn is None or arn.scope != scope or not arn.resource.startswith(_PREFIX):
        raise ApiError("ValidationException", f"{text[:256]} is not the ARN of a schedule group.")
    return root_of(scope, arn.resource.removeprefix(_PREFIX))


def _view(root: Root, body: Body) -> Params:
    """`ScheduleGroupSummary` of the API."""
    dates = {
        member: datetime.datetime.fromtimestamp(body[name], datetime.UTC)
        for member, name in (("CreationDate", "created"), ("LastModificationDate", "modified"))
        if name in body
    }
    return {"Arn": group_arn(root.scope, root.id), "Name": root.id, "State": "ACTIVE", **dates}

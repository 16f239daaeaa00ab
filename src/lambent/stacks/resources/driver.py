"""Makes a type of resource of a row."""

import dataclasses
import datetime
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.ports import AwsApi
from lambent.stacks.resources.expressions import Values, at, expand
from lambent.stacks.resources.inputs import (
    changed_parts,
    input_for,
    patches,
    prepared,
    tags_of,
    well_formed,
)
from lambent.stacks.resources.resource_type import Made, Properties, Step, Unfinished
from lambent.stacks.resources.row_type import Call, Op, Part, Patch, Path, Row, Several
from lambent.stacks.resources.schema import check_kinds, check_properties, given, replaced_by
from lambent.stacks.resources.stability import Stability, is_gone, is_taken

_PAGES = {
    "NextToken": "NextToken",
    "nextToken": "nextToken",
    "NextMarker": "Marker",
    "Marker": "Marker",
    "position": "position",
}
"""Members of a response that lead to its next page, and where the next request has them."""


class Driver:
    """A `ResourceType` whose operations a row names."""

    def __init__(self, row: Row, api: AwsApi, stability: Stability) -> None:
        self.row = row
        self.name = row.name
        self._api = api
        self._stability = stability

    def check(self, properties: Properties) -> None:
        check_properties(self.row, properties)

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        return replaced_by(self.row, old, new)

    def custom_name(self, properties: Properties) -> str | None:
        rule = self.row.named
        if rule is None or rule.is_shared:
            return None
        name = properties.get(rule.property)
        if not isinstance(name, str):
            return None
        return f"{properties.get(rule.parent)}/{name}" if rule.parent else name

    async def exists(self, step: Step, properties: Properties) -> bool:
        if self.custom_name(properties) is None:
            return False
        wanted = await self._prepare(step, properties, is_leaving=True)
        return await self._found(Values(step=step, properties=wanted)) is not None

    async def create(self, step: Step, properties: Properties) -> Made:
        wanted = await self._prepare(step, properties)
        rule = self.row.named
        is_generated = rule is not None and rule.property not in properties
        return await self._create(step, wanted, may_take=step.is_repeated or is_generated)

    async def _create(self, step: Step, wanted: dict[str, Any], *, may_take: bool) -> Made:
        row = self.row
        values = Values(step=step, properties=wanted)
        created: Mapping[str, Any] = {}
        physical_id = await self._found(values) if step.is_repeated else None
        if physical_id is not None and row.is_remade:
            # Parts that exist cannot be put again.
            assert row.delete is not None
            await self._remove(row.delete, dataclasses.replace(values, physical_id=physical_id))
            physical_id = None
        if physical_id is None:
            if row.is_idempotent and not may_take and await self._found(values) is not None:
                name = wanted[row.named.property] if row.named is not None else ""
                raise ApiError("AlreadyExistsException", f"{name} already exists", status=409)
            earlier = await self._earlier(values)
            try:
                if row.create is not None:
                    created = await self._call(row.create, values)
            except ApiError as error:
                if is_taken(error) and may_take:
                    physical_id = await self._found(values, is_taken=True)
                if physical_id is None:
                    raise
            else:
                physical_id = self._physical(values, created)
                if row.existing is not None and physical_id in earlier:
                    about = dataclasses.replace(values, response=created)
                    message = str(expand(row.existing.message, about))
                    raise ApiError("AlreadyExistsException", message, status=409)
        values = dataclasses.replace(values, response=created, physical_id=physical_id)
        more = expand(row.created, values)
        try:
            await self._settled(values)
            for part in row.parts:
                if part.on_create and given(wanted, part.of):
                    for item in _items(part, wanted):
                        await self._put(part, _about(values, item, more))
            if given(wanted, row.resets):
                await self._change(values, None, is_reset=True)
            elif row.patch is not None:
                paths = well_formed(row, row.patch.on_create, wanted)
                await self._patch(values, patches({}, paths))
            return await self._made(values, more, created)
        except ApiError as error:
            raise Unfinished(error, Made(physical_id, more, hidden=row.secrets)) from error

    async def find(self, step: Step, properties: Properties) -> Made | None:
        wanted = await self._prepare(step, properties, is_leaving=True)
        # What nothing can be asked about may exist. To delete it does no harm if it does not.
        physical_id = await self._found(Values(step=step, properties=wanted), is_taken=True)
        return None if physical_id is None else Made(physical_id, {})

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        row = self.row
        before = await self._prepare_old(step, old)
        after = await self._prepare(step, new, old)
        for name, value in row.defaults.items():
            if name in before and name not in after:
                after[name] = value
        was = await self._current(_values(step, made, before))
        values = dataclasses.replace(was, properties=after)
        if row.is_remade:
            if before != after:
                assert row.delete is not None
                await self._remove(row.delete, was)
                return await self._create(step, after, may_take=True)
            return made
        changes = list(changed_parts(row, before, after))
        for change in changes:
            if change.part.remove is not None:
                for item in change.removed:
                    await self._remove(change.part.remove, _about(was, item, made.attributes))
        is_reset = given(after, row.resets) and any(
            before.get(name) != after.get(name) for name in row.resets
        )
        if not is_reset:
            await self._change(values, was)
        for change in changes:
            for item in change.put:
                await self._put(change.part, _about(values, item, made.attributes))
        if is_reset:
            await self._change(values, was, is_reset=True)
        await self._retag(values, was)
        if row.after_update is not None and before != after:
            await row.after_update(self._caller(step), made.physical_id, after)
        kept = {name: made.attributes.get(name) for name in row.created}
        return await self._made(values, kept, {}, made)

    async def _change(self, values: Values, was: Values | None, *, is_reset: bool = False) -> None:
        """Change properties that differ from those that were; with `is_reset` change all."""
        row = self.row
        for op in row.update:
            wanted = input_for(row, op, values)
            if is_reset or was is None or wanted != _input_before(row, op, was):
                await self._api.call(row.service, op.name, wanted, values.step.caller)
                await self._settled(values)
        if row.patch is not None:
            after = well_formed(row, row.patch.paths, values.properties)
            before = {} if is_reset or was is None else _paths_before(row, row.patch, was)
            await self._patch(values, patches(before, after))

    async def _current(self, values: Values) -> Values:
        """The values with the resource as it is now, if the row uses that."""
        if not self.row.reads_first:
            return values
        assert self.row.read is not None
        return dataclasses.replace(values, response=await self._call(self.row.read, values))

    async def _put(self, part: Part, values: Values) -> None:
        """Put a part, unless this step has put it before."""
        values = await self._current(values)
        try:
            await self._call_or_do(part.put, values)
        except ApiError as error:
            if not (values.step.is_repeated and is_taken(error)):
                raise
        await self._settled(values)

    async def _patch(self, values: Values, operations: list[dict[str, str]]) -> None:
        if not operations:
            return
        try:
            await self._patch_at_once(values, operations)
        except ApiError:
            if not values.step.is_repeated:
                raise
            # What was added or removed before cannot be again.
            for operation in operations:
                try:
                    await self._patch_at_once(values, [operation])
                except ApiError as error:
                    if not (is_gone(error) or is_taken(error)):
                        raise

    async def _patch_at_once(self, values: Values, operations: list[dict[str, str]]) -> None:
        assert self.row.patch is not None
        op = self.row.patch.op
        named = {**op.members, "patchOperations": operations}
        await self._call(Op(op.name, named, copies=False), values)

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        row = self.row
        values = _values(step, made, await self._prepare(step, properties, is_leaving=True))
        for part in row.parts:
            if part.is_deleted_first and part.remove and given(values.properties, part.of):
                for item in _items(part, values.properties):
                    await self._remove(part.remove, _about(values, item, made.attributes))
        if row.before_delete is not None:
            try:
                await row.before_delete(self._caller(step), made.physical_id, values.properties)
            except ApiError as error:
                if not is_gone(error):
                    raise
        if row.delete is None:
            return
        try:
            values = await self._current(values)
        except ApiError as error:
            if is_gone(error):
                return
            raise
        await self._remove(row.delete, values)
        if row.waits_gone and row.read is not None:
            await self._stability.await_gone(self._reading(values))

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        if self.row.read is None:
            return made
        values = _values(step, made, await self._prepare(step, properties, is_leaving=True))
        kept = {name: made.attributes.get(name) for name in self.row.created}
        try:
            return await self._made(values, kept, {}, made)
        except ApiError as error:
            if is_gone(error):
                return None
            raise

    async def show(self, step: Step, physical_id: str, properties: Properties) -> Any:
        """What the API says of a resource: the response of `read`, or the item by which it is
        found; None if it does not exist. `properties` are those that name the resource. Raises
        `ApiError`, `UnsupportedActionException` for a type that has neither."""
        values = Values(step=step, properties=properties, physical_id=physical_id)
        find = self.row.find
        try:
            if self.row.read is not None:
                return await self._call(self.row.read, values)
            if find is None:
                message = f"Resource type {self.name} does not support READ action."
                raise ApiError("UnsupportedActionException", message)
            async for item in self._listed(find.list, find.items, values):
                if all(at(item, path) == expand(t, values) for path, t in find.match.items()):
                    return item
        except ApiError as error:
            if not is_gone(error):
                raise
        return None

    async def _prepare(
        self,
        step: Step,
        properties: Properties,
        before: Properties | None = None,
        *,
        is_leaving: bool = False,
    ) -> dict[str, Any]:
        """`is_leaving`: the properties are old ones. What they refer to may be gone; it counts as
        changed."""
        check_kinds(self.row, properties)
        more: Mapping[str, Any] = {}
        if self.row.fetch is not None and not is_leaving:
            more = await self.row.fetch(self._caller(step), properties, before)
        return prepared(self.row, {**properties, **more}, step)

    async def _prepare_old(self, step: Step, properties: Properties) -> dict[str, Any]:
        """Old properties; empty if they cannot be read. Such an update has failed, and what comes
        now is its rollback."""
        try:
            return await self._prepare(step, properties, is_leaving=True)
        except ApiError:
            return {}

    def _caller(self, step: Step) -> Call:
        async def call(
            service: str, operation: str, params: Mapping[str, Any]
        ) -> Mapping[str, Any]:
            return await self._api.call(service, operation, params, step.caller)

        return call

    async def _call(self, op: Op, values: Values) -> Mapping[str, Any]:
        wanted = input_for(self.row, op, values)
        return await self._api.call(self.row.service, op.name, wanted, values.step.caller)

    async def _call_or_do(self, op: Op | Several, values: Values) -> None:
        if isinstance(op, Several):
            call = self._caller(values.step)
            await op.does(call, values.physical_id, values.properties, values.item)
        else:
            await self._call(op, values)

    async def _remove(self, op: Op | Several, values: Values) -> None:
        try:
            await self._call_or_do(op, values)
        except ApiError as error:
            if not is_gone(error):
                raise

    def _physical(self, values: Values, response: Any) -> str:
        return str(expand(self.row.physical, dataclasses.replace(values, response=response)))

    async def _found(self, values: Values, *, is_taken: bool = False) -> str | None:
        """The physical id of the resource that this step made before; None if there is none.
        `is_taken`: there is one, or there may be, as far as nothing can be asked about it."""
        row = self.row
        find = row.find
        try:
            if find is None:
                known = expand(row.physical, values)
                if known is None or row.read is None:
                    return str(known) if known is not None and is_taken else None
                await self._call(row.read, dataclasses.replace(values, physical_id=known))
                return str(known)
            async for item in self._listed(find.list, find.items, values):
                if all(at(item, path) == expand(t, values) for path, t in find.match.items()):
                    about = dataclasses.replace(values, response=item)
                    return str(expand(find.physical or row.physical, about))
            return None
        except ApiError as error:
            if is_gone(error):
                return None
            raise

    async def _listed(self, op: Op, items: str, values: Values) -> AsyncIterator[Any]:
        """The items of a list, page by page; the response itself if `items` is empty."""
        params = dict(input_for(self.row, op, values))
        while True:
            response = await self._api.call(self.row.service, op.name, params, values.step.caller)
            for item in at(response, items) or () if items else (response,):
                yield item
            page = {_PAGES[name]: response[name] for name in _PAGES if response.get(name)}
            if not page:
                return
            params.update(page)

    async def _earlier(self, values: Values) -> set[str]:
        """The physical ids of resources that this step cannot have made."""
        existing = self.row.existing
        if existing is None or values.step.is_repeated:
            return set()
        listed = self._listed(existing.list, existing.items, values)
        return {str(at(item, existing.path)) async for item in listed}

    def _reading(self, values: Values) -> Any:
        async def read() -> Mapping[str, Any]:
            assert self.row.read is not None
            return await self._call(self.row.read, values)

        return read

    async def _settled(self, values: Values) -> None:
        """Wait until the resource can be used, or changed again."""
        if self.row.wait is not None:
            await self._stability.await_ready(
                self._reading(values), self.row.wait, values.physical_id
            )

    async def _made(
        self,
        values: Values,
        more: Mapping[str, Any],
        created: Mapping[str, Any],
        before: Made | None = None,
    ) -> Made:
        row = self.row
        response: Mapping[str, Any] = created
        if row.read is not None:
            response = await self._call(row.read, values)
        elif before is not None:
            return before
        values = dataclasses.replace(values, response=response)
        attributes = {
            name: value.isoformat() if isinstance(value, datetime.datetime) else value
            for name, value in {**expand(row.attributes, values), **more}.items()
        }
        ref = expand(row.ref, values) if row.ref else None
        return Made(values.physical_id, attributes, None if ref is None else str(ref), row.secrets)

    async def _retag(self, values: Values, was: Values) -> None:
        row, retag = self.row, self.row.retag
        if retag is None:
            return
        before = tags_of(row, was.properties, values.step)
        after = tags_of(row, values.properties, values.step)
        gone = sorted(set(before) - set(after))
        named = Op(retag.untag, {**retag.resource, "$untag": gone}, copies=False)
        if gone:
            await self._call(named, values)
        if after and (before != after or values.step.tags):
            await self._call(Op(retag.tag, {**retag.resource, "$tag": after}, copies=False), values)


def _input_before(row: Row, op: Op, was: Values) -> Mapping[str, Any] | None:
    """The input that old properties make; None if they cannot be read."""
    try:
        return input_for(row, op, was)
    except ApiError:
        return None


def _paths_before(row: Row, patch: Patch, was: Values) -> Mapping[str, Path]:
    try:
        return well_formed(row, patch.paths, was.properties)
    except ApiError:
        return {}


def _values(step: Step, made: Made, properties: Mapping[str, Any]) -> Values:
    return Values(
        step=step,
        properties=properties,
        attributes=made.attributes,
        physical_id=made.physical_id,
    )


def _items(part: Part, properties: Mapping[str, Any]) -> Iterator[Any]:
    if not part.is_each:
        yield None
    else:
        yield from properties.get(part.of[0]) or ()


def _about(values: Values, item: Any, attributes: Mapping[str, Any]) -> Values:
    return dataclasses.replace(values, attributes=attributes, item=item)

"""Macros of an account: `AWS::CloudFormation::Macro`, names of functions that rewrite templates."""

from typing import Final, NamedTuple

from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.stacks.plan import has_unknown
from lambent.stacks.resources.resource_type import Made, Properties, Step
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid
from lambent.store.store import Store, Transaction

_REQUIRED: Final = ("FunctionName", "Name")
_PROPERTIES: Final = (*_REQUIRED, "Description", "LogGroupName", "LogRoleARN")


class Macro(NamedTuple):
    """A macro, as it is stored."""

    function: str
    """As Invoke names it."""
    token: str
    """Of the step that has made it."""


async def find_macro(store: Store, scope: Scope, name: str) -> Macro | None:
    """The macro with a name; None if there is none."""
    body = await store.read(lambda tx: StackRows(tx).macro(scope, name))
    return None if body is None else Macro(**body)


class MacroType:
    """See `ResourceType`. The log properties have no effect: the function has a log."""

    name = "AWS::CloudFormation::Macro"

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, properties: Properties) -> None:
        for name in properties:
            if name not in _PROPERTIES:
                raise invalid(f"Encountered unsupported property {name}")
        for name in _REQUIRED:
            value = properties.get(name)
            if not has_unknown(value) and not (isinstance(value, str) and 0 < len(value) <= 256):
                raise invalid(f"Property {name} of a macro must be a text of 1 to 256 characters.")
        if str(properties["Name"]).startswith("AWS::"):
            raise invalid("Names of macros that begin with AWS:: are reserved.")

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        return frozenset({"Name"} if old.get("Name") != new.get("Name") else ())

    def custom_name(self, properties: Properties) -> str | None:
        name = properties.get("Name")
        return name if isinstance(name, str) else None

    async def exists(self, step: Step, properties: Properties) -> bool:
        name = str(properties["Name"])
        return await find_macro(self._store, step.caller.scope, name) is not None

    async def create(self, step: Step, properties: Properties) -> Made:
        self.check(properties)
        return await self._put(step, properties)

    async def find(self, step: Step, properties: Properties) -> Made | None:
        name = str(properties["Name"])
        found = await find_macro(self._store, step.caller.scope, name)
        return Made(name, {}) if found is not None and found.token == step.token else None

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        self.check(new)
        return await self._put(step, new)

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        def run(tx: Transaction) -> None:
            rows, scope = StackRows(tx), step.caller.scope
            rows.lock_account(scope)
            body = rows.macro(scope, made.physical_id)
            if body is not None and body["token"] == step.token:
                rows.drop_macro(scope, made.physical_id)

        await self._store.transact(run)

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        found = await find_macro(self._store, step.caller.scope, made.physical_id)
        return None if found is None else made

    async def _put(self, step: Step, properties: Properties) -> Made:
        name, macro = properties["Name"], Macro(properties["FunctionName"], step.token)

        def run(tx: Transaction) -> None:
            rows, scope = StackRows(tx), step.caller.scope
            rows.lock_account(scope)
            body = rows.macro(scope, name)
            if body is not None and body["token"] != step.token:
                raise ApiError("AlreadyExistsException", f"Macro {name} already exists", status=409)
            rows.put_macro(scope, name, macro._asdict())

        await self._store.transact(run)
        return Made(name, {})

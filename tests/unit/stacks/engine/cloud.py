"""Services that remember what exists, and simple templates, for tests of the engine."""

import dataclasses
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from lambent.identity.authorizer import Caller
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.principal import root_of
from lambent.model.stack_documents import SERVICE
from lambent.stacks.engine.ports import EngineContext
from lambent.stacks.engine.run import StackRun
from lambent.stacks.plan import Wanted
from lambent.stacks.records import (
    WANTED,
    Deployment,
    Operation,
    Resource,
    Stack,
    State,
    stored_principal,
)
from lambent.stacks.resources.resource_type import Made, Properties, Step, Unfinished
from lambent.stacks.rows import StackRows
from lambent.store.store import Store, Transaction

T = TypeVar("T")
SCOPE = Scope(AccountId("123456789012"), Region("eu-central-1"))


class Killed(BaseException):
    """The platform ends here."""


@dataclasses.dataclass
class Thing:
    """A resource that exists."""

    type: str
    token: str
    properties: Mapping[str, Any]


class Cloud:
    """All resources, and the moment at which the platform is killed."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.calls: list[str] = []
        self.count = 0
        self.busy = 0
        """How many of the next calls are throttled."""
        self.kill_at = -1
        """The number of the step at which it is killed; a call has two: before and after."""

    async def point(self) -> None:
        """A step."""
        await anyio.lowlevel.checkpoint()
        if self.count == self.kill_at:
            self.kill_at = -1
            raise Killed
        self.count += 1


class FakeType:
    """A type of resource. A change of a property whose name begins with `Fixed` needs a new one.
    `Fail` names the operation that fails; `Slow` how many seconds a creation takes."""

    def __init__(self, cloud: Cloud, name: str, clock: ManualClock) -> None:
        self.name = name
        self._cloud = cloud
        self._clock = clock

    def check(self, properties: Properties) -> None:
        return None

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        names = {*old, *new}
        return frozenset(n for n in names if n.startswith("Fixed") and old.get(n) != new.get(n))

    def custom_name(self, properties: Properties) -> str | None:
        name = properties.get("Name")
        return name if isinstance(name, str) else None

    async def exists(self, step: Step, properties: Properties) -> bool:
        await self._cloud.point()
        name = properties.get("Name")
        return any(thing.properties.get("Name") == name for thing in self._cloud.things.values())

    async def create(self, step: Step, properties: Properties) -> Made:
        await self._call("create", step, properties)
        found = await self.find(step, properties)
        if found is not None and not step.is_repeated:
            raise ApiError("AlreadyExists", "There is one.", status=409)
        if found is None:
            id = f"{step.logical_id}-{uuid.uuid4().hex[:6]}"
            self._cloud.things[id] = Thing(self.name, step.token, dict(properties))
            found = Made(id, {"Arn": f"arn:{id}"})
        await self._cloud.point()
        if properties.get("Fail") == "later":
            raise Unfinished(ApiError("Broken", "It is broken."), found)
        return found

    async def find(self, step: Step, properties: Properties) -> Made | None:
        for id, thing in self._cloud.things.items():
            has_name = "Name" in properties and properties["Name"] == thing.properties.get("Name")
            if thing.token == step.token or has_name:
                return Made(id, {"Arn": f"arn:{id}"})
        return None

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        await self._call("update", step, new)
        self._cloud.things[made.physical_id].properties = dict(new)
        await self._cloud.point()
        return made

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        await self._call("delete", step, properties)
        self._cloud.things.pop(made.physical_id, None)
        await self._cloud.point()

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        return made if made.physical_id in self._cloud.things else None

    async def _call(self, verb: str, step: Step, properties: Properties) -> None:
        self._cloud.calls.append(f"{verb} {step.logical_id}")
        if self._cloud.busy:
            self._cloud.busy -= 1
            raise ApiError("ThrottlingException", "Rate exceeded", status=429)
        await self._cloud.point()
        if "Slow" in properties and verb == "create":
            await self._clock.sleep(properties["Slow"])
        if properties.get("Fail") == verb:
            raise ApiError("Broken", "It is broken.")
        if properties.get("Fail") == "bug":
            raise KeyError("bug")


class FakeBlueprint:
    """A template: resources by logical id, with `type`, `properties` and `needs`. A property that
    is `{"Ref": X}` is the physical id of X."""

    description = ""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self._resources: Mapping[str, Any] = template["resources"]
        self._outputs: Mapping[str, Any] = template.get("outputs", {})
        self.types = {id: resource.get("type", "Thing") for id, resource in self._resources.items()}

    def imports(self) -> frozenset[str]:
        return frozenset()

    def dependencies(self, logical_id: str) -> frozenset[str]:
        resource = self._resources[logical_id]
        refs = [v["Ref"] for v in resource.get("properties", {}).values() if isinstance(v, dict)]
        return frozenset([*refs, *resource.get("needs", ())])

    def resource(self, logical_id: str, known: Mapping[str, State]) -> Wanted:
        resource = self._resources[logical_id]
        properties = {
            name: known[value["Ref"]].physical_id if isinstance(value, dict) else value
            for name, value in resource.get("properties", {}).items()
        }
        return Wanted(
            type=self.types[logical_id],
            properties=properties,
            depends_on=sorted(self.dependencies(logical_id)),
            deletion_policy=resource.get("policy", ""),
            replace_policy=resource.get("replace", ""),
        )

    def outputs(self, known: Mapping[str, State]) -> Sequence[Mapping[str, Any]]:
        return [
            {"OutputKey": name, "OutputValue": known[id].physical_id, "ExportName": f"x-{name}"}
            for name, id in self._outputs.items()
        ]


class KillableStore:
    """A store whose platform may be killed before and after each transaction."""

    def __init__(self, store: Store, cloud: Cloud) -> None:
        self._store = store
        self._cloud = cloud
        self.starts = store.starts

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        await self._cloud.point()
        result = await self._store.transact(work)
        await self._cloud.point()
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


class World:
    """One stack, and the services that it is in."""

    def __init__(self, store: Store, name: str = "app") -> None:
        self.store = store
        self.cloud = Cloud()
        self.clock = ManualClock()
        self.root = Root(SERVICE, *SCOPE, str(uuid.uuid4()))
        self.name = name
        killable: Any = KillableStore(store, self.cloud)

        async def make_blueprint(_: Stack, deployment: Deployment, __: Any) -> FakeBlueprint:
            return FakeBlueprint(json.loads(deployment.template))

        async def resolve(value: Any, _: Caller) -> tuple[Any, frozenset[str]]:
            return value, frozenset()

        self.context = EngineContext(
            store=killable,
            clock=self.clock,
            find_type=lambda name: FakeType(self.cloud, name, self.clock),
            make_blueprint=make_blueprint,
            resolve=resolve,
            notify=lambda stack: None,
        )

    async def begin(
        self,
        status: str,
        template: Mapping[str, Any] | None = None,
        timeout_minutes: int = 0,
        **operation: Any,
    ) -> None:
        """Write that an operation is under way."""

        def run(tx: Transaction) -> None:
            rows = StackRows(tx)
            stack = rows.stack(self.root) or Stack(
                account=SCOPE.account,
                region=SCOPE.region,
                id=self.root.id,
                name=self.name,
                status=status,
                created_at=self.clock.now(),
                timeout_minutes=timeout_minutes,
                caller=stored_principal(root_of(SCOPE.account)),
            )
            rows.put_stack(dataclasses.replace(stack, status=status))
            rows.put_name(stack)
            if template is not None:
                deployment = Deployment(template=json.dumps(template))
                rows.put_deployment(self.root, WANTED, deployment)
            begun = Operation(token=str(uuid.uuid4()), started_at=self.clock.now(), **operation)
            rows.put_operation(self.root, begun)

        await self.store.transact(run)

    async def run(self) -> Stack:
        """Run it to its end; returns the stack."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.pass_time)
            await StackRun(self.context, self.root).run()
            tasks.cancel_scope.cancel()
        return await self.stack()

    async def run_killed(self, at: int) -> bool:
        """As `run`, and kill it at a step; returns whether it was."""
        self.cloud.count, self.cloud.kill_at = 0, at
        try:
            await self.run()
        except BaseExceptionGroup as group:
            assert group.subgroup(Killed) is not None
            return True
        self.cloud.kill_at = -1
        return False

    async def create(self, template: Mapping[str, Any], **operation: Any) -> Stack:
        """Create the stack."""
        await self.begin("CREATE_IN_PROGRESS", template, **operation)
        return await self.run()

    async def update(self, template: Mapping[str, Any], **operation: Any) -> Stack:
        """Update the stack."""
        await self.begin("UPDATE_IN_PROGRESS", template, **operation)
        return await self.run()

    async def stack(self) -> Stack:
        """The stack as stored."""
        stack = await self.store.read(lambda tx: StackRows(tx).stack(self.root))
        assert stack is not None
        return stack

    async def resources(self) -> dict[str, Resource]:
        """The resources as stored."""
        return await self.store.read(lambda tx: StackRows(tx).resources(self.root))

    async def events(self) -> list[str]:
        """All events, the oldest first: logical id and status."""
        found = await self.store.read(lambda tx: StackRows(tx).events(self.root, limit=1000))
        return [f"{body['logical_id']} {body['status']}" for _, body in reversed(found)]

    async def reasons(self) -> list[str]:
        """The reasons of all events that have one, the oldest first."""
        found = await self.store.read(lambda tx: StackRows(tx).events(self.root, limit=1000))
        return [body["reason"] for _, body in reversed(found) if "reason" in body]

    def existing(self) -> dict[str, Mapping[str, Any]]:
        """Properties of what exists, by the logical id that it was made for. A resource that was
        made twice fails."""
        found: dict[str, Mapping[str, Any]] = {}
        for id, thing in self.cloud.things.items():
            logical_id = id.rpartition("-")[0]
            assert logical_id not in found, f"{logical_id} exists twice"
            found[logical_id] = thing.properties
        return found

    async def cancel(self) -> None:
        """Write that the user cancels the update."""

        def run(tx: Transaction) -> None:
            rows = StackRows(tx)
            operation = rows.operation(self.root)
            assert operation is not None
            rows.put_operation(self.root, dataclasses.replace(operation, is_cancelled=True))

        await self.store.transact(run)

    async def pass_time(self) -> None:
        """Time passes, much faster than elsewhere."""
        while True:
            await anyio.sleep(0.001)
            self.clock.advance(0.5)

"""Requests: from their beginning to their end, whatever happens between."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import pytest

from lambent.identity.authorizer import Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.principal import root_of
from lambent.stacks.cloud_control.records import RequestRows, Work, root_of_requests
from lambent.stacks.cloud_control.runs import Runs
from lambent.stacks.cloud_control.use_cases import CloudControl
from lambent.stacks.resources.registry import ResourceTypes
from lambent.store.store import Store
from tests.unit.stacks.resources.fake_api import QuickClock

pytestmark = pytest.mark.anyio
ROLE = "AWS::IAM::Role"
TRUST: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
UNKNOWN_ROLE = ApiError("NoSuchEntity", "There is no such role.", status=404)


class Roles:
    """IAM, with roles alone. Operations wait at `gate`."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.callers: set[str] = set()
        self.gate = anyio.Event()
        self.gate.set()

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        self.calls.append(operation)
        self.callers.add(caller.principal.arn)
        name = params.get("RoleName", "")
        if operation == "ListRoles":
            return {"Roles": [{"RoleName": each} for each in self.roles]}
        if operation == "CreateRole":
            await self.gate.wait()
            if name in self.roles:
                raise ApiError("EntityAlreadyExists", "There is one.", status=409)
            self.roles[name] = {**params, "Arn": f"arn:{name}", "RoleId": "AROA"}
            return {}
        if name not in self.roles:
            raise UNKNOWN_ROLE
        if operation == "UpdateRole":
            self.roles[name].update(params)
        if operation == "DeleteRole":
            del self.roles[name]
        return {"Role": self.roles.get(name)}


class Known:
    """A keyring without roles."""

    def role(self, arn: str) -> None:
        """None is known."""


class World(NamedTuple):
    control: CloudControl
    api: Roles
    runs: Runs
    store: Store
    caller: Caller

    async def ended(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """The event of a request that has ended."""
        token = {"RequestToken": event["ProgressEvent"]["RequestToken"]}
        with anyio.fail_after(20):
            while True:
                found = (await self.control.status(self.caller, token))["ProgressEvent"]
                if found["OperationStatus"] != "IN_PROGRESS":
                    return dict(found)
                await anyio.lowlevel.checkpoint()

    async def create(self, name: str, **properties: Any) -> Mapping[str, Any]:
        state = {"RoleName": name, "AssumeRolePolicyDocument": TRUST, **properties}
        params = {"TypeName": ROLE, "DesiredState": json.dumps(state)}
        return await self.control.create(self.caller, params)

    async def shown(self, name: str) -> Any:
        found = await self.control.get(self.caller, named(name))
        return json.loads(found["ResourceDescription"]["Properties"])


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"TypeName": ROLE, "Identifier": name, **more}


def patch(*operations: Mapping[str, Any]) -> dict[str, str]:
    return {"PatchDocument": json.dumps(operations)}


accounts = iter(range(100_000_000_000, 999_999_999_999))


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[World]:
    """Cloud Control, in an account of its own."""
    account = str(next(accounts))
    caller = Caller(
        principal=root_of(account),
        scope=Scope(account, "eu-west-1"),  # type: ignore[arg-type]
        service=None,
        access_key_id=None,
    )
    clock, api = QuickClock(), Roles()
    types = ResourceTypes(api, clock)
    roles = ServiceRoles(Known(), are_checked=False)  # type: ignore[arg-type]
    async with anyio.create_task_group() as tasks:
        runs = Runs(store, clock, types, tasks)
        control = CloudControl(store, clock, api, types, roles, runs)
        yield World(control, api, runs, store, caller)
        tasks.cancel_scope.cancel()


async def test_a_resource_is_made_read_changed_listed_and_deleted(store: Store) -> None:
    async with opened(store) as world:
        begun = await world.create("r", Description="one", Tags=[{"Key": "a", "Value": "b"}])
        assert begun["ProgressEvent"]["OperationStatus"] == "IN_PROGRESS"
        ended = await world.ended(begun)
        assert (ended["OperationStatus"], ended["Identifier"]) == ("SUCCESS", "r")
        assert (await world.shown("r")).items() >= {
            "RoleName": "r",
            "Arn": "arn:r",
            "RoleId": "AROA",
            "Description": "one",
            "AssumeRolePolicyDocument": TRUST,
        }.items()
        document = patch({"op": "replace", "path": "/Description", "value": "two"})
        ended = await world.ended(await world.control.update(world.caller, named("r", **document)))
        assert ended["OperationStatus"] == "SUCCESS"
        assert (await world.shown("r"))["Description"] == "two"
        listed = await world.control.list(world.caller, {"TypeName": ROLE})
        assert listed["ResourceDescriptions"] == [
            {"Identifier": "r", "Properties": '{"RoleName":"r"}'}
        ]
        ended = await world.ended(await world.control.delete(world.caller, named("r")))
        assert ended["OperationStatus"] == "SUCCESS"
        assert world.api.roles == {}
        requests = await world.control.list_requests(world.caller, {"MaxResults": 2})
        events = requests["ResourceRequestStatusSummaries"]
        assert len(events) == 2
        assert requests["NextToken"]
        chosen = {"ResourceRequestStatusFilter": {"Operations": ["UPDATE"]}}
        requests = await world.control.list_requests(world.caller, chosen)
        assert [each["Operation"] for each in requests["ResourceRequestStatusSummaries"]] == [
            "UPDATE"
        ]


async def test_a_failure_is_shown_with_its_code(store: Store) -> None:
    async with opened(store) as world:
        world.api.roles["r"] = {"RoleName": "r"}
        ended = await world.ended(await world.create("r"))
        assert (ended["OperationStatus"], ended["ErrorCode"]) == ("FAILED", "AlreadyExists")
        assert "with identifier 'r' already exists" in ended["StatusMessage"]
        assert world.api.roles["r"] == {"RoleName": "r"}


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("get", {"TypeName": "AWS::None::Such"}, "TypeNotFoundException"),
        ("get", {"TypeName": "AWS::CDK::Metadata"}, "UnsupportedActionException"),
        ("get", {"TypeName": "AWS::IAM::Policy"}, "UnsupportedActionException"),
        ("get", {"TypeVersionId": "1"}, "InvalidRequestException"),
        ("get", {}, "ResourceNotFoundException"),
        ("delete", {}, "ResourceNotFoundException"),
        ("update", patch({"op": "remove", "path": "/x"}), "ResourceNotFoundException"),
        ("list", {"TypeName": "AWS::IAM::Policy"}, "UnsupportedActionException"),
        ("list", {"TypeName": "AWS::Lambda::Alias"}, "InvalidRequestException"),
        ("list", {"NextToken": "x"}, "InvalidRequestException"),
        ("create", {"DesiredState": "{"}, "InvalidRequestException"),
        ("create", {"DesiredState": "[]"}, "InvalidRequestException"),
        ("create", {"DesiredState": "{}"}, "InvalidRequestException"),
        ("create", {"DesiredState": '{"Strange": 1}'}, "InvalidRequestException"),
        ("status", {"RequestToken": "none"}, "RequestTokenNotFoundException"),
        ("cancel", {"RequestToken": "none"}, "RequestTokenNotFoundException"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    store: Store, operation: str, params: dict[str, Any], code: str
) -> None:
    async with opened(store) as world:
        with pytest.raises(ApiError) as refused:
            await getattr(world.control, operation)(world.caller, {**named("none"), **params})
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "replace", "path": "/RoleName", "value": "q"}, "NotUpdatableException"),
        ({"op": "replace", "path": "/Arn", "value": "q"}, "NotUpdatableException"),
        ({"op": "add", "path": "/Strange", "value": "q"}, "InvalidRequestException"),
        ({"op": "remove", "path": "/AssumeRolePolicyDocument"}, "InvalidRequestException"),
    ],
)
async def test_what_cannot_be_changed_is_refused(
    store: Store, operation: dict[str, Any], code: str
) -> None:
    async with opened(store) as world:
        await world.ended(await world.create("r"))
        with pytest.raises(ApiError) as refused:
            await world.control.update(world.caller, named("r", **patch(operation)))
        assert refused.value.code == code


async def test_an_update_never_loses_what_cannot_be_read(store: Store) -> None:
    """The integration of a method, which its service shows in another form: an update makes the
    method again."""
    async with opened(store) as world:
        world.api.roles[""] = {"RoleName": ""}
        params = named("r|s|GET", **patch({"op": "add", "path": "/ApiKeyRequired", "value": True}))
        with pytest.raises(ApiError) as refused:
            await world.control.update(
                world.caller, {**params, "TypeName": "AWS::ApiGateway::Method"}
            )
        assert refused.value.code == "UnsupportedActionException"
        assert "PutMethod" not in world.api.calls


async def test_a_role_acts_if_one_is_given(store: Store) -> None:
    """For what is read at once, and for what is done afterwards."""
    async with opened(store) as world:
        role = f"arn:aws:iam::{world.caller.scope.account}:role/deployer"
        state = json.dumps({"RoleName": "r", "AssumeRolePolicyDocument": TRUST})
        params = {"TypeName": ROLE, "DesiredState": state, "RoleArn": role}
        await world.ended(await world.control.create(world.caller, params))
        await world.control.get(world.caller, named("r", RoleArn=role))
        await world.ended(await world.control.delete(world.caller, named("r", RoleArn=role)))
        (caller,) = world.api.callers
        assert "assumed-role/deployer" in caller


async def test_a_client_token_names_a_request(store: Store) -> None:
    """A repetition is the same request, also after it has ended; another input is refused."""
    async with opened(store) as world:
        state = json.dumps({"RoleName": "r", "AssumeRolePolicyDocument": TRUST})
        params = {"TypeName": ROLE, "DesiredState": state, "ClientToken": "t"}
        begun = await world.control.create(world.caller, params)
        await world.ended(begun)
        again = await world.control.create(world.caller, params)
        assert again["ProgressEvent"]["RequestToken"] == begun["ProgressEvent"]["RequestToken"]
        with pytest.raises(ApiError) as refused:
            await world.control.delete(world.caller, named("r", ClientToken="t"))
        assert refused.value.code == "ClientTokenConflictException"
        gone = named("r", ClientToken="d")
        begun = await world.control.delete(world.caller, gone)
        await world.ended(begun)
        again = await world.control.delete(world.caller, gone)
        assert again["ProgressEvent"]["RequestToken"] == begun["ProgressEvent"]["RequestToken"]


async def test_a_request_is_cancelled(store: Store) -> None:
    async with opened(store) as world:
        world.api.gate = anyio.Event()
        begun = (await world.create("r"))["ProgressEvent"]
        token = {"RequestToken": begun["RequestToken"]}
        for _ in range(2):
            event = (await world.control.cancel(world.caller, token))["ProgressEvent"]
            assert event["OperationStatus"] == "CANCEL_COMPLETE"
        world.api.gate.set()
        await anyio.wait_all_tasks_blocked()
        assert world.api.roles == {}
        ended = await world.ended(await world.create("q"))
        with pytest.raises(ApiError) as refused:
            await world.control.cancel(world.caller, {"RequestToken": ended["RequestToken"]})
        assert refused.value.code == "ConcurrentModificationException"


async def test_requests_on_a_resource_do_not_meet(store: Store) -> None:
    async with opened(store) as world:
        await world.ended(await world.create("r"))

        def leave(tx: Any) -> None:
            rows = RequestRows(tx)
            (request,) = rows.requests(world.caller.scope)
            root = root_of_requests(world.caller.scope)
            rows.put_work(root, request.token, Work(store.starts, {}, "n", "t"))

        await store.transact(leave)
        with pytest.raises(ApiError) as refused:
            await world.control.delete(world.caller, named("r"))
        assert refused.value.code == "ConcurrentOperationException"


async def test_what_a_platform_has_left_is_done_by_the_next_one(store: Store) -> None:
    """The role was made before the platform ended: it is taken."""
    async with opened(store) as world:
        world.api.gate = anyio.Event()
        begun = (await world.create("r"))["ProgressEvent"]
        await anyio.wait_all_tasks_blocked()
        token, root = begun["RequestToken"], root_of_requests(world.caller.scope)

        def leave(tx: Any) -> None:
            rows = RequestRows(tx)
            work = rows.work(root, token)
            assert work is not None
            rows.put_work(root, token, work._replace(owner=store.starts + 1000))

        await store.transact(leave)
        world.runs.cancel(token)
        await anyio.wait_all_tasks_blocked()
        world.api.roles["r"] = {"RoleName": "r", "Arn": "arn:r", "RoleId": "AROA"}
        world.api.gate.set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.runs.watch)
            ended = await world.ended({"ProgressEvent": begun})
            tasks.cancel_scope.cancel()
        assert (ended["OperationStatus"], ended["Identifier"]) == ("SUCCESS", "r")

"""The room of stacks: the engine and the use cases."""

import dataclasses
from typing import Final

import anyio.abc

from lambent.identity.service_roles import ServiceRoles
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.stacks.blueprint import make_blueprint
from lambent.stacks.cloud_control.runs import Runs
from lambent.stacks.cloud_control.use_cases import CloudControl
from lambent.stacks.custom_resources import CustomResourceType, Link, Responses
from lambent.stacks.dynamic_values import DynamicValues
from lambent.stacks.engine.engine import Engine
from lambent.stacks.engine.ports import EngineContext
from lambent.stacks.macros import MacroType
from lambent.stacks.nested import NestedStackType
from lambent.stacks.notifications import Notifications
from lambent.stacks.ports import AwsApi, Functions
from lambent.stacks.preparing import Preparing
from lambent.stacks.resources.registry import ResourceTypes
from lambent.stacks.resources.resource_type import ResourceType
from lambent.stacks.sam.translator import SamTranslator
from lambent.stacks.sources import invalid
from lambent.stacks.statuses import STACK_TYPE
from lambent.stacks.transforms import Transforms
from lambent.stacks.use_cases.change_sets import ChangeSetUseCases
from lambent.stacks.use_cases.context import UseCaseContext
from lambent.stacks.use_cases.events import EventUseCases
from lambent.stacks.use_cases.operating import OperatingUseCases
from lambent.stacks.use_cases.reading import ReadingUseCases
from lambent.stacks.use_cases.templates import TemplateUseCases
from lambent.stacks.wait_conditions import WaitConditionHandleType, WaitConditionType
from lambent.store.store import Store

CUSTOM_RESOURCE: Final = "AWS::CloudFormation::CustomResource"


@dataclasses.dataclass(frozen=True, slots=True)
class Stacks:
    """The use cases, by subject."""

    operating: OperatingUseCases
    change_sets: ChangeSetUseCases
    reading: ReadingUseCases
    templates: TemplateUseCases
    events: EventUseCases
    responses: Responses
    """Takes the responses of custom resources."""
    cloud_control: CloudControl
    """Resources without a stack."""


def open_stacks(
    store: Store,
    clock: Clock,
    tasks: anyio.abc.TaskGroup,
    api: AwsApi,
    functions: Functions,
    roles: ServiceRoles,
    link: Link,
) -> Stacks:
    """Open the room, and take up every operation that is under way."""
    types, responses = ResourceTypes(api, clock), Responses(store, clock)
    own: dict[str, ResourceType] = {
        kind.name: kind
        for kind in (
            WaitConditionHandleType(responses, link),
            WaitConditionType(responses),
            MacroType(store),
        )
    }

    def find_type(name: str) -> ResourceType:
        if name.startswith("Custom::") or name == CUSTOM_RESOURCE:
            return CustomResourceType(name, api, functions, responses, link)
        found = own.get(name) or types.find_type(name)
        if found is None:
            raise invalid(f"Template format error: Unrecognized resource types: [{name}]")
        return found

    notifications = Notifications(store, clock, api, tasks)
    start_loop(tasks, clock, notifications.watch)
    engine = Engine(
        EngineContext(
            store=store,
            clock=clock,
            find_type=find_type,
            make_blueprint=make_blueprint,
            resolve=DynamicValues(api).resolve,
            notify=notifications.notify,
        ),
        tasks,
    )
    context = UseCaseContext(
        store=store,
        clock=clock,
        preparing=Preparing(api, find_type, Transforms(store, api, functions, SamTranslator())),
        find_type=find_type,
        make_blueprint=make_blueprint,
        roles=roles,
        start=engine.start,
    )
    operating = OperatingUseCases(context)
    own[STACK_TYPE] = NestedStackType(store, clock, operating)
    start_loop(tasks, clock, engine.watch)
    requests = Runs(store, clock, types, tasks)
    start_loop(tasks, clock, requests.watch)
    return Stacks(
        operating,
        ChangeSetUseCases(context, operating),
        ReadingUseCases(context),
        TemplateUseCases(context),
        EventUseCases(context, responses),
        responses,
        CloudControl(store, clock, api, types, roles, requests),
    )

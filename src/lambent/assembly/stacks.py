"""Stacks: the engine, and CloudFormation's operations in the API."""

from functools import partial

from lambent.assembly.api import Api
from lambent.assembly.events import Events
from lambent.assembly.storage import Storage
from lambent.aws.any_service import AnyServiceCalls
from lambent.gateway.registry import SERVICES
from lambent.gateway.services.cloudformation.service import CLOUDFORMATION
from lambent.identity.service_roles import ServiceRoles
from lambent.services.any_service import AnyService
from lambent.settings import Settings
from lambent.stacks.room import open_stacks


def register_stacks(
    settings: Settings, url: str, storage: Storage, api: Api, events: Events
) -> None:
    """Register the operations, and take up what the last platform has left under way. The other
    operations are there already. Links to the platform begin with `url`."""
    aws_api = AnyService(
        partial(api.gateway.dispatcher.dispatch, endpoint=url),
        {service.name for service in SERVICES},
        AnyServiceCalls(events.aws),
        api.authorizer,
        settings.aws,
        events.local_services,
    )
    roles = ServiceRoles(api.keyring, are_checked=api.authorizer.is_strict)
    stacks = open_stacks(storage.store, storage.clock, storage.tasks, aws_api, roles)
    api.gateway.register(CLOUDFORMATION, CLOUDFORMATION.bind(stacks))

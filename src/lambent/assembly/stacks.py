"""Stacks: the engine, and the operations of CloudFormation and Cloud Control in the API."""

from functools import partial

from lambent.assembly.api import Api
from lambent.assembly.events import Events
from lambent.assembly.execution import Execution
from lambent.assembly.names import register_custom_resources
from lambent.assembly.storage import Storage
from lambent.asynchronous.functions_of_callers import FunctionsOfCallers
from lambent.aws.any_service import AnyServiceCalls
from lambent.gateway.registry import SERVICES
from lambent.gateway.services.cloudcontrol.service import CLOUDCONTROL
from lambent.gateway.services.cloudformation.service import CLOUDFORMATION
from lambent.gateway.services.s3.writing import with_whole_objects
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.tasks import start_task
from lambent.model.events.targets import UNIVERSAL
from lambent.services.any_service import AnyService
from lambent.settings import Settings
from lambent.stacks.custom_resources import Taken
from lambent.stacks.room import Stacks, open_stacks
from lambent.stacks.sealing import SECRET
from lambent.triggers.custom_resources.front import Respond, Verdict
from lambent.triggers.events.universal import UniversalTargets


async def register_stacks(
    settings: Settings,
    url: str,
    storage: Storage,
    api: Api,
    execution: Execution,
    events: Events,
) -> AnyService:
    """Register the operations, the universal targets of schedules and the way in for responses of
    custom resources, and take up what the last platform has left under way. The other operations
    are there already. Links to the platform begin with `url`. Returns the APIs of all services."""
    dispatch = partial(api.gateway.dispatcher.dispatch, endpoint=url)
    served = api.gateway.signing_names
    aws_api = AnyService(
        with_whole_objects(dispatch, storage.blobs),
        {service.name for service in SERVICES if service.signing_name in served},
        AnyServiceCalls(events.aws),
        api.authorizer,
        settings.aws,
        events.local_services,
        url,
    )
    targets = events.targets
    targets.register(UNIVERSAL, UniversalTargets(aws_api, targets).take)
    stacks: Stacks

    def take(key: str, document: bytes | None, respond: Respond) -> None:
        async def run() -> None:
            respond(_VERDICTS[await stacks.responses.respond(key, document)])

        start_task(storage.tasks, lambda _: respond(Verdict.UNKNOWN), run)

    # Readers cannot create it.
    await storage.store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    links = await register_custom_resources(settings, storage, api, take)
    stacks = open_stacks(
        storage.store,
        storage.clock,
        storage.tasks,
        aws_api,
        FunctionsOfCallers(events.queue, execution.invoker, api.authorizer),
        ServiceRoles(api.keyring, are_checked=api.authorizer.is_strict),
        partial(links.url, lifetime_s=_LINK_LIFETIME_S),
    )
    api.gateway.register(CLOUDFORMATION, CLOUDFORMATION.bind(stacks))
    api.gateway.register(CLOUDCONTROL, CLOUDCONTROL.bind(stacks.cloud_control))
    return aws_api


_LINK_LIFETIME_S = 86_400
"""A wait condition may wait for half a day."""
_VERDICTS = {
    Taken.TAKEN: Verdict.TAKEN,
    Taken.USED: Verdict.USED,
    Taken.UNKNOWN: Verdict.UNKNOWN,
}

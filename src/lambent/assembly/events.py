"""Events: clients of other AWS services, the asynchronous queue, event source mappings."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from lambent.assembly.api import Api
from lambent.assembly.execution import Execution
from lambent.assembly.privileged import Privileged
from lambent.assembly.storage import Storage
from lambent.asynchronous.event_targets import EventTargets
from lambent.asynchronous.queue import AsyncQueue
from lambent.asynchronous.room import open_asynchronous
from lambent.aws.client import AwsClient, open_aws_calls
from lambent.aws.clients import AwsClients
from lambent.control.alarms.states import Actions as AlarmActions
from lambent.identity.authorizer import Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.tasks import start_loop
from lambent.model.arn import Scope
from lambent.model.events.targets import BUS, LOG_GROUP
from lambent.model.principal import root_of
from lambent.polling.mapping_supervisor import MappingSupervisor, PollingContext
from lambent.polling.room import open_polling
from lambent.polling.source_checks import SourceChecks
from lambent.services.endpoints import aws_clients
from lambent.services.local_services import LocalServices
from lambent.settings import Settings
from lambent.telemetry.event_metrics import EventMetrics
from lambent.telemetry.invocation_metrics import InvocationMetrics
from lambent.telemetry.metrics import Metrics
from lambent.triggers.alarms.ticker import AlarmTicker
from lambent.triggers.events.buses import EventBuses
from lambent.triggers.events.log_groups import LogGroupTargets
from lambent.triggers.events.ticker import Ticker


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The ways that events come and go."""

    local_services: LocalServices | None
    """The emulator of other AWS services, not running yet; None if it is not wanted."""
    aws: AwsClients
    aws_calls: AwsClient
    metrics: Metrics
    queue: AsyncQueue
    mappings: MappingSupervisor
    source_checks: SourceChecks
    buses: EventBuses
    targets: EventTargets
    """Of rules and schedules."""
    alarm_actions: AlarmActions


@asynccontextmanager
async def open_events(
    settings: Settings, privileged: Privileged, storage: Storage, api: Api, execution: Execution
) -> AsyncIterator[Events]:
    """Take up the queue and the mappings where the last platform left them."""
    async with AsyncExitStack() as stack:
        local_services, cell = None, privileged.cell
        if privileged.packages is not None:
            local_services = LocalServices(
                settings.services,
                storage.clock,
                packages=privileged.packages,
                data=privileged.data.root,
                directory=privileged.data.services,
                listener=None if cell is None else cell.services,
                is_elsewhere=cell is not None and cell.number > 1,
            )
            stack.callback(local_services.close)
        aws = aws_clients(settings.aws, local_services.url if local_services is not None else None)
        metrics = execution.metrics
        of_calls = InvocationMetrics(metrics)
        storage.metrics.add_source(of_calls.take)
        execution.invoker.on_ended(of_calls.note)
        event_metrics = EventMetrics(storage.clock)
        storage.metrics.add_source(event_metrics.take)
        calls = await stack.enter_async_context(open_aws_calls(aws))
        asynchronous = await open_asynchronous(
            settings.asynchronous,
            store=storage.store,
            membership=storage.membership,
            invoker=execution.invoker,
            payloads=storage.payloads,
            metrics=metrics,
            event_metrics=event_metrics,
            clients=aws,
            aws=calls,
            authorizer=api.authorizer,
            roles=api.roles,
            service_roles=ServiceRoles(api.keyring, are_checked=api.authorizer.is_strict),
            clock=storage.clock,
            tasks=storage.tasks,
            flush_logs=storage.logs.settle,
        )
        # Before the first wait: what was left may be for these targets.
        to_targets = asynchronous.event_dispatcher
        buses = EventBuses(storage.store, to_targets, storage.clock, event_metrics)
        if "events" in api.gateway.signing_names:
            calls.serve("events", "PutEvents", buses.put_events)
            asynchronous.event_targets.register(BUS, buses.take)
        asynchronous.event_targets.register(
            LOG_GROUP, LogGroupTargets(storage.logs, storage.all_logs).take
        )
        _serve_own(calls, api)
        await storage.store.follow(buses)
        ticker = Ticker(storage.store, to_targets, storage.clock, event_metrics)
        await storage.store.follow(ticker)
        start_loop(storage.tasks, storage.clock, ticker.run)
        actions = AlarmActions(to_targets, has_bus="events" in api.gateway.signing_names)
        alarms = AlarmTicker(
            storage.store,
            storage.all_metrics,
            storage.clock,
            actions,
            settings.telemetry.alarms_every_s,
            is_mine=storage.is_mine,
        )
        await storage.store.follow(alarms)
        start_loop(storage.tasks, storage.clock, alarms.run)
        context = PollingContext(
            store=storage.store,
            membership=storage.membership,
            invoker=execution.invoker,
            aws=calls,
            roles=api.roles,
            keep=asynchronous.destination_dispatcher.keep,
            metrics=metrics,
            settle_logs=storage.logs.settle,
            clock=storage.clock,
            settings=settings.polling,
        )
        yield Events(
            local_services=local_services,
            aws=aws,
            aws_calls=calls,
            metrics=metrics,
            queue=asynchronous.queue,
            mappings=await stack.enter_async_context(open_polling(context)),
            source_checks=SourceChecks(calls, api.roles),
            buses=buses,
            targets=asynchronous.event_targets,
            alarm_actions=actions,
        )


_OWN = (("secretsmanager", "GetSecretValue"), ("s3", "PutObject"))
"""What mappings and destinations call, of services that the platform may offer itself."""


def _serve_own(calls: AwsClient, api: Api) -> None:
    """Have the platform's own services serve calls that the rooms make. Those rooms have checked
    the role on whose behalf they call."""

    async def call(service: str, operation: str, scope: Scope, params: Mapping[str, Any]) -> Any:
        owner = Caller(
            principal=root_of(scope.account), scope=scope, service=None, access_key_id=None
        )
        return await api.gateway.dispatcher.dispatch(service, operation, params, owner)

    for service, operation in _OWN:
        if service in api.gateway.signing_names:
            calls.serve(service, operation, partial(call, service, operation))

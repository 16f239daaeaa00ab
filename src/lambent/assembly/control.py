"""The control plane, and its operations in the API. It needs no data plane."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from lambent.assembly.api import Api
from lambent.assembly.logs import register_logs
from lambent.assembly.storage import Storage
from lambent.aws.clients import AwsClients
from lambent.control.activation import Prepare
from lambent.control.alarms.alarms import Alarms
from lambent.control.alarms.states import NO_ACTIONS
from lambent.control.alarms.states import Actions as AlarmActions
from lambent.control.apis.v1.operations import RestApis
from lambent.control.apis.v2.room import ApisV2
from lambent.control.buckets.reader import OwnBucketsFirst
from lambent.control.cloudfront.distributions import Distributions
from lambent.control.cloudfront.functions import Functions as EdgeFunctions
from lambent.control.cloudfront.invalidations import Invalidations
from lambent.control.cloudfront.policies import KINDS, Policies
from lambent.control.concurrency import ObserveProvisioned, nothing_provisioned
from lambent.control.events.api_destinations import ApiDestinations
from lambent.control.events.buses import Buses
from lambent.control.events.connections import Connections, open_sealing
from lambent.control.events.rules import Rules
from lambent.control.events.tags import Tags
from lambent.control.groups import Groups as UserGroups
from lambent.control.log_groups import LogGroups
from lambent.control.managed_policies import ManagedPolicies
from lambent.control.mappings import CheckSource
from lambent.control.parameters import Parameters
from lambent.control.repositories import Repositories
from lambent.control.room import Control, open_control
from lambent.control.s3 import ObjectReader, S3Objects
from lambent.control.sampling_rules import SamplingRules
from lambent.control.schedules.groups import Groups
from lambent.control.schedules.schedules import Schedules
from lambent.control.secrets import Secrets
from lambent.gateway.code_links import PATH_PREFIX, SECRET, open_code_links
from lambent.gateway.fronts import Front
from lambent.gateway.models import runtime_identifiers
from lambent.gateway.server import Gateway
from lambent.gateway.services.apigateway.rooms import RestApiRooms, Trials
from lambent.gateway.services.apigateway.service import APIGATEWAY
from lambent.gateway.services.apigatewayv2.operations import ApiGatewayV2Rooms
from lambent.gateway.services.apigatewayv2.service import APIGATEWAYV2
from lambent.gateway.services.cloudfront.operations import CloudFrontRooms, TestFunction
from lambent.gateway.services.cloudfront.service import CLOUDFRONT
from lambent.gateway.services.cloudwatch.operations import CloudWatchRooms
from lambent.gateway.services.cloudwatch.service import CLOUDWATCH
from lambent.gateway.services.ecr.service import ECR
from lambent.gateway.services.events.operations import EventsRooms, PutEvents
from lambent.gateway.services.events.service import EVENTS
from lambent.gateway.services.iam.operations import IamRooms
from lambent.gateway.services.iam.service import IAM
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.gateway.services.s3.operations import S3Rooms
from lambent.gateway.services.s3.service import S3
from lambent.gateway.services.s3.writing import content_writer, write_location
from lambent.gateway.services.scheduler.operations import SchedulerRooms
from lambent.gateway.services.scheduler.service import SCHEDULER
from lambent.gateway.services.secretsmanager.service import SECRETSMANAGER
from lambent.gateway.services.ssm.service import SSM
from lambent.gateway.services.sts.operations import StsRooms
from lambent.gateway.services.sts.service import STS
from lambent.gateway.services.xray.rooms import XRayRooms
from lambent.gateway.services.xray.service import XRAY
from lambent.settings import Settings
from lambent.telemetry.metrics import Metrics


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ControlPorts:
    """What the control plane calls outside of itself."""

    aws: AwsClients
    prepare: Prepare
    observe_provisioned: ObserveProvisioned = nothing_provisioned
    check_source: CheckSource | None = None
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    """Of functions."""
    trials: Trials | None = None
    events: PutEvents | None = None
    test_function: TestFunction | None = None
    alarm_actions: AlarmActions = NO_ACTIONS
    open_subscriptions: Callable[[LogGroups], Awaitable[None]] | None = None
    """Delivers lines of log groups to functions."""


@asynccontextmanager
async def open_control_plane(
    settings: Settings, storage: Storage, api: Api, ports: ControlPorts
) -> AsyncIterator[Control]:
    """Open the control plane and register its operations."""
    objects: ObjectReader = S3Objects(
        ports.aws, storage.clock, deadline_s=settings.aws.s3.deadline_s
    )
    has_buckets = S3.signing_name in api.gateway.signing_names
    if has_buckets:
        objects = OwnBucketsFirst(storage.store, storage.blobs, objects)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        control = await enter(
            open_control(
                settings.control,
                store=storage.store,
                blobs=storage.blobs,
                objects=objects,
                prepare=ports.prepare,
                runtimes=runtime_identifiers(),
                concurrent_executions=settings.invocation.concurrent_executions,
                observe_provisioned=ports.observe_provisioned,
                clock=storage.clock,
                roles=api.roles,
                metrics=ports.metrics,
                check_source=ports.check_source,
            )
        )
        link_key = await storage.store.transact(lambda tx: tx.identities.platform_secret(SECRET))
        links = await enter(open_code_links(storage.blobs.read, storage.clock, link_key))
        gateway = api.gateway
        lambda_rooms = LambdaRooms(control, links, settings.gateway.url_domain)
        gateway.register(LAMBDA, LAMBDA.bind(lambda_rooms))
        groups = LogGroups(storage.store, storage.all_logs, storage.clock)
        if ports.open_subscriptions is not None:
            await ports.open_subscriptions(groups)
        await register_logs(storage, gateway, groups)
        alarms = Alarms(storage.store, storage.clock, ports.alarm_actions)
        cloudwatch = CloudWatchRooms(storage.metrics, storage.all_metrics, alarms)
        gateway.register(CLOUDWATCH, CLOUDWATCH.bind(cloudwatch))
        rules = SamplingRules(storage.store, storage.clock)
        gateway.register(XRAY, XRAY.bind(XRayRooms(storage.traces, storage.all_traces, rules)))
        gateway.register(ECR, ECR.bind(Repositories(storage.store, storage.clock)))
        domain = settings.gateway.url_domain
        apis = ApiGatewayV2Rooms(ApisV2(storage.store, storage.clock, domain=domain), domain)
        gateway.register(APIGATEWAYV2, APIGATEWAYV2.bind(apis))
        sts_rooms = StsRooms(api.identities, api.keyring.sessions, api.authorizer.is_strict)
        gateway.register(STS, STS.bind(sts_rooms))
        managed = ManagedPolicies(storage.store, storage.clock)
        gateway.register(
            IAM, IAM.bind(IamRooms(api.identities, managed, UserGroups(storage.store)))
        )
        rest_apis = RestApis(storage.store, storage.clock, settings.gateway.url_domain)
        rest_rooms = RestApiRooms(rest_apis, ports.trials)
        gateway.register(APIGATEWAY, APIGATEWAY.bind(rest_rooms))
        await _register_events(storage, api, ports.events)
        _register_cloudfront(settings, storage, api, ports.test_function)
        if has_buckets:
            _register_buckets(storage, gateway, control)
        if SSM.signing_name in gateway.signing_names:
            gateway.register(SSM, SSM.bind(Parameters(storage.store, storage.clock)))
        if SECRETSMANAGER.signing_name in gateway.signing_names:
            secrets = Secrets(storage.store, storage.clock)
            gateway.register(SECRETSMANAGER, SECRETSMANAGER.bind(secrets))
        gateway.fronts.add_path(PATH_PREFIX, Front(handle=links.handle))
        yield control


async def _register_events(storage: Storage, api: Api, events: PutEvents | None) -> None:
    """Register schedules, and event buses unless the settings name another server for them."""
    store, clock = storage.store, storage.clock
    schedules = SchedulerRooms(Groups(store, clock), Schedules(store, clock))
    api.gateway.register(SCHEDULER, SCHEDULER.bind(schedules))
    if EVENTS.signing_name in api.gateway.signing_names:
        rooms = EventsRooms(
            Buses(store, clock),
            Rules(store, clock),
            Connections(store, clock, await open_sealing(store)),
            ApiDestinations(store, clock),
            Tags(store),
            events,
        )
        api.gateway.register(EVENTS, EVENTS.bind(rooms))


def _register_cloudfront(
    settings: Settings, storage: Storage, api: Api, test: TestFunction | None
) -> None:
    """Register CloudFront, unless the settings name another server for it."""
    if CLOUDFRONT.signing_name not in api.gateway.signing_names:
        return
    store, clock, gateway = storage.store, storage.clock, settings.gateway
    distributions = Distributions(
        store,
        clock,
        domain=gateway.url_domain,
        reserved=gateway.allowed_hosts,
        is_strict=api.authorizer.is_strict,
    )
    policies = {name: Policies(kind, store, clock) for name, kind in KINDS.items()}
    functions = EdgeFunctions(store, clock)
    rooms = CloudFrontRooms(distributions, Invalidations(store, clock), policies, functions, test)
    api.gateway.register(CLOUDFRONT, CLOUDFRONT.bind(rooms))


def _register_buckets(storage: Storage, gateway: Gateway, control: Control) -> None:
    """Serve the platform's own buckets."""
    gateway.register(S3, S3.bind(S3Rooms(control.buckets, control.objects, control.uploads)))
    for name in ("GetObject", "HeadObject"):
        gateway.register_writer(S3, name, content_writer(storage.blobs))
    gateway.register_writer(S3, "GetBucketLocation", write_location)

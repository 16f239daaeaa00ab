"""Opens the control plane: all use cases, and the reconciler."""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from lambent.control.account import Account
from lambent.control.activation import Activation, Prepare
from lambent.control.aliases import Aliases
from lambent.control.buckets.buckets import Buckets
from lambent.control.buckets.objects import Contents, Objects
from lambent.control.buckets.uploads import Uploads
from lambent.control.code_signing import CodeSigning
from lambent.control.concurrency import Concurrency, ObserveProvisioned, nothing_provisioned
from lambent.control.event_invoke import EventInvokeConfigs
from lambent.control.functions import Functions
from lambent.control.layers import Layers
from lambent.control.management import Management
from lambent.control.mappings import CheckSource, Mappings
from lambent.control.packages import Packages
from lambent.control.permissions import Permissions
from lambent.control.s3 import ObjectReader
from lambent.control.settings import ControlSettings
from lambent.control.signatures import load_roots
from lambent.control.tags import Tags
from lambent.control.urls import Urls
from lambent.control.versions import Versions
from lambent.identity.execution_roles import ExecutionRoles
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.store.blobs import Blobs
from lambent.store.store import Store
from lambent.telemetry.metrics import Metrics


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The use cases, one attribute per noun."""

    functions: Functions
    versions: Versions
    aliases: Aliases
    permissions: Permissions
    layers: Layers
    concurrency: Concurrency
    event_invoke: EventInvokeConfigs
    code_signing: CodeSigning
    management: Management
    mappings: Mappings
    urls: Urls
    tags: Tags
    account: Account
    buckets: Buckets
    objects: Objects
    uploads: Uploads


@asynccontextmanager
async def open_control(
    settings: ControlSettings,
    *,
    store: Store,
    blobs: Blobs,
    objects: ObjectReader,
    prepare: Prepare,
    runtimes: Sequence[str],
    concurrent_executions: int,
    observe_provisioned: ObserveProvisioned = nothing_provisioned,
    clock: Clock,
    roles: ExecutionRoles,
    metrics: Metrics,
    check_source: CheckSource | None = None,
) -> AsyncIterator[Control]:
    """Open the control plane.

    `objects` is where `S3Bucket` packages come from, `prepare` makes a version ready to run,
    `runtimes` are the runtime identifiers of the service model, `concurrent_executions` is the
    account's limit, which invocation enforces and GetAccountSettings shows. `roles` checks
    execution roles, `check_source` event sources; `observe_provisioned` returns the state of
    provisioned concurrency. `metrics` are those of functions.
    """
    packages = Packages(store, blobs, objects, clock)
    await packages.sweep()
    code_size_max = settings.total_code_size_bytes
    roots = load_roots(settings.signing_roots) if settings.signing_roots else []
    code_signing = CodeSigning(store, clock, roots, metrics)
    contents = Contents(store, packages, bytes_max=settings.buckets_bytes_max)
    async with anyio.create_task_group() as tasks:
        activation = Activation(
            store, packages, prepare, clock, tasks, parallel=settings.parallel_preparations
        )
        await store.follow(activation)
        start_loop(tasks, clock, activation.run)
        start_loop(tasks, clock, packages.delete_unused)
        yield Control(
            functions=Functions(
                store,
                packages,
                clock,
                code_signing,
                runtimes=runtimes,
                code_size_max=code_size_max,
                roles=roles,
            ),
            versions=Versions(store, clock, code_size_max=code_size_max),
            aliases=Aliases(store),
            permissions=Permissions(store),
            layers=Layers(store, packages, clock, runtimes=runtimes, code_size_max=code_size_max),
            concurrency=Concurrency(
                store,
                clock,
                account_limit=concurrent_executions,
                unreserved_min=settings.unreserved_concurrency_min,
                observe=observe_provisioned,
            ),
            event_invoke=EventInvokeConfigs(store, clock, roles),
            code_signing=code_signing,
            management=Management(store),
            mappings=Mappings(store, clock, roles, check_source),
            urls=Urls(store, clock),
            tags=Tags(store),
            account=Account(
                store,
                code_size_max=code_size_max,
                concurrent_executions=concurrent_executions,
            ),
            buckets=Buckets(store, clock),
            objects=Objects(store, contents, clock),
            uploads=Uploads(store, contents, clock),
        )
        tasks.cancel_scope.cancel()

"""What lies on disk: database, packages, payloads of events, logs, unpacked code."""

import dataclasses
from collections.abc import AsyncIterator, Set
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread

from lambent.cluster.peers import SECRET, HttpPeers
from lambent.instance.cell import Cell
from lambent.instance.data_directory import EVENTS_SUFFIX, DataDirectory
from lambent.kit.clock import Clock, FollowingClock
from lambent.kit.tasks import shielded, start_loop
from lambent.model.nodes import preferred
from lambent.model.peers import NoPeers, Peers
from lambent.settings import Settings
from lambent.store.blobs import Blobs, keep_trash_short
from lambent.store.cell_membership import CellMembership
from lambent.store.database import file_of
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.membership import Membership
from lambent.store.object_blobs import ObjectBlobs
from lambent.store.problems import StoreError, StoreUnavailable
from lambent.store.settings import StoreSettings
from lambent.store.store import Cells, Store, Transaction, open_store
from lambent.telemetry.all_logs import AllLogs
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.otlp import OtlpSender, open_otlp
from lambent.telemetry.series.all_metrics import AllMetrics
from lambent.telemetry.series.store import MetricStore, open_metric_store
from lambent.telemetry.traces.all_traces import AllTraces
from lambent.telemetry.traces.store import TraceStore, open_trace_store


@dataclasses.dataclass(frozen=True, slots=True)
class Packages:
    """See `node.ports.PackageStore`."""

    blobs: Blobs
    store: Store
    built_in: dict[str, bytes] = dataclasses.field(default_factory=dict)
    """The platform's own, by their keys."""

    async def read(self, key: str) -> bytes:
        """See `PackageStore`."""
        own = self.built_in.get(key)
        return await self.blobs.read(key) if own is None else own

    async def needed(self) -> Set[str]:
        """See `PackageStore`."""
        return await self.store.read(Transaction.code_keys) | self.built_in.keys()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What later parts keep their data in, and the clock and the task group they share."""

    clock: Clock
    tasks: anyio.abc.TaskGroup
    """For what runs as long as the platform; it ends before the storage closes."""
    store: Store
    membership: Membership | None
    """The nodes on the database; None if the platform has it for itself."""
    peers: Peers
    """What asks the other nodes."""
    blobs: Blobs
    """Packages."""
    payloads: Blobs
    """Large payloads of queued events."""
    logs: LogStore
    all_logs: AllLogs
    """The logs of all nodes."""
    copies: Path
    """The directory for copies of logs of other nodes, which queries read."""
    metrics: MetricStore
    all_metrics: AllMetrics
    """The metrics of all nodes."""
    traces: TraceStore
    all_traces: AllTraces
    """The traces of all nodes."""
    otlp: OtlpSender
    packages: Packages
    """Packages, as nodes read them."""

    def is_mine(self, thing: str) -> bool:
        """Whether this node takes care of something that one node does."""
        members = self.membership
        return members is None or preferred(thing, members.live()) == members.number


@asynccontextmanager
async def open_storage(
    settings: Settings, data: DataDirectory, clock: Clock, cell: Cell | None = None
) -> AsyncIterator[Storage]:
    """Open the storage in a data directory."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cells = Cells.NONE
        if cell is not None:
            cells = Cells.FIRST if cell.is_start else Cells.MORE
        store = await enter(open_store(settings.store, data.state, clock, cells))
        follows = FollowingClock(clock)
        is_file = file_of(store.url) is not None
        if store.is_shared and not is_file:
            # All machines have one time: what is due is due on all of them.
            follows.follow(await store.read(lambda tx: tx.nodes.time()))
            clock = follows
        blobs, payloads = [
            await _open_blobs(settings.store, data, suffix, store, clock)
            for suffix in ("", EVENTS_SUFFIX)
        ]
        logs = await enter(open_logs(settings.telemetry, data.state / "logs", clock))
        metrics = await enter(
            open_metric_store(data.state / "metrics.db", settings.telemetry, clock)
        )
        metrics.add_slow_source(logs.embedded.take)
        traces = await enter(open_trace_store(data.state / "traces.db", settings.telemetry, clock))
        otlp = await enter(open_otlp(settings.telemetry, clock))
        if otlp.is_enabled:
            # Only then: protobuf takes a few MB.
            from lambent.telemetry.traces.spans import encode_spans

            traces.export(encode_spans, partial(otlp.send, "/v1/traces"))
        membership: Membership | None = None
        peers: Peers = NoPeers()
        if store.is_shared:
            secret = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
            if cell is not None and is_file:
                membership = CellMembership(store, clock, cell.link)
            else:
                membership = Membership(store, clock, follows.follow)
            # After everything that writes.
            stack.push_async_callback(shielded, membership.leave)
        tasks = await enter(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        start_loop(tasks, clock, keep_trash_short, clock, blobs, payloads)
        start_loop(tasks, clock, metrics.run)
        start_loop(tasks, clock, traces.run)
        if membership is not None:
            start_loop(tasks, clock, membership.run)
            start_loop(tasks, clock, membership.take_over)
            peers = HttpPeers(membership, secret, clock, tasks)
        all_logs = AllLogs(logs, peers)
        yield Storage(
            clock=clock,
            tasks=tasks,
            store=store,
            membership=membership,
            peers=peers,
            blobs=blobs,
            payloads=payloads,
            logs=logs,
            all_logs=all_logs,
            copies=data.state / "copied-logs",
            metrics=metrics,
            all_metrics=AllMetrics(metrics, peers),
            traces=traces,
            all_traces=AllTraces(traces, peers),
            otlp=otlp,
            packages=Packages(blobs, store),
        )


async def _open_blobs(
    settings: StoreSettings, data: DataDirectory, suffix: str, store: Store, clock: Clock
) -> Blobs:
    """Open the blobs that belong to the store's database. Raises StoreError."""

    def run() -> Blobs:
        blobs: Blobs
        if settings.blobs_url:
            blobs = ObjectBlobs(settings, suffix, clock)
        else:
            packages = data.blobs(settings)
            blobs = DirectoryBlobs(packages.with_name(f"{packages.name}{suffix}"), clock)
        try:
            blobs.belong_to(store.id, is_new=store.is_new)
        except StoreUnavailable as error:
            raise StoreError(f"cannot use {settings.blobs_url}: see the line above") from error
        return blobs

    return await anyio.to_thread.run_sync(run)

"""What is done before the platform gives up its privileges, as whoever typed `lambent up`: take the
data directory, bind the port, read the certificate, prepare runtimes, start the launcher."""

import contextlib
import dataclasses
import fcntl
import hashlib
import logging
import os
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from lambent import weak_tier
from lambent.kit.installing import InstallFailed
from lambent.model.identity import AccessKey
from lambent.sandbox import tiers
from lambent.sandbox.client import LauncherHandle, start_launcher
from lambent.sandbox.privileges import become_unprivileged, hand_over
from lambent.services.installation import prepare_packages
from lambent.settings import ServerSettings, Settings
from lambent.store.blobs import is_of_blobs
from lambent.store.database import file_of, url_of
from lambent.store.settings import StoreSettings
from lambent.worker.interpreters import find_interpreters
from lambent.worker.runtime_clients import prepare_runtimes
from lambent.worker.runtimes import Runtimes

logger = logging.getLogger(__name__)

_DESCRIPTORS_AT_ONCE = 65_536


@dataclasses.dataclass(frozen=True, slots=True)
class DataDirectory:
    """What lies where."""

    root: Path

    @property
    def state(self) -> Path:
        """Database, packages and logs; the platform's."""
        return self.root / "state"

    def blobs(self, store: StoreSettings) -> Path:
        """Where packages are kept."""
        if "://" in store.blobs_dir:
            raise SystemExit(
                f"lambent: cannot use store.blobs_dir = {store.blobs_dir}: packages are kept in a"
                " directory; URLs of object stores are not supported"
            )
        return Path(store.blobs_dir).absolute() if store.blobs_dir else self.state / "blobs"

    def event_payloads(self, store: StoreSettings) -> Path:
        """Where large payloads of queued events are kept."""
        blobs = self.blobs(store)
        return blobs.with_name(f"{blobs.name}-events")

    @property
    def code(self) -> Path:
        """Unpacked packages, shown to boxes; the platform's."""
        return self.root / "code"

    @property
    def services(self) -> Path:
        """The stand-in's own."""
        return self.state / "services"

    @property
    def sandbox(self) -> Path:
        """The launcher's own."""
        return self.root / "sandbox"


@dataclasses.dataclass(frozen=True, slots=True)
class Front:
    """What was opened for clients while it could be."""

    listener: socket.socket
    tls: ssl.SSLContext | None
    root_credentials: "RootCredentials"

    @property
    def port(self) -> int:
        """The port, also if any was asked for."""
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Where clients reach the platform."""
        address, port = self.listener.getsockname()[:2]
        name = f"[{address}]" if ":" in address else address
        return f"{'https' if self.tls else 'http'}://{name}:{port}"


class RootCredentials:
    """The file that tells whoever started the platform its first key, in AWS's format. It is
    opened before the process gives up the right to."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, key: AccessKey) -> None:
        """Replace what is in the file."""
        text = f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
        os.truncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)
        os.fsync(self._file)


@contextmanager
def hold_data(root: Path) -> Iterator[DataDirectory]:
    """The data directory, made if need be, and held against a second platform."""
    root = root.absolute()
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SystemExit(
            f"lambent: cannot use the data directory {root}: {error.strerror}; choose another with "
            "--data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 32).decode(errors="replace").strip()
        raise SystemExit(
            f"lambent: {root} is already in use by another lambent (pid {holder}); stop it or "
            "choose another directory with --data-dir"
        ) from error
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    try:
        yield DataDirectory(root)
    finally:
        os.close(lock)


def bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise SystemExit(
            f"lambent: cannot listen on {host}:{port}: {error}; choose another with --port"
        ) from error


def load_certificate(server: ServerSettings) -> ssl.SSLContext | None:
    if not server.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(server.tls_cert, server.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SystemExit(
            f"lambent: cannot use the certificate {server.tls_cert} with the key {server.tls_key}:"
            f" {error}"
        ) from error
    return context


def _expand_descriptor_table(size: int) -> None:
    """Make room for descriptors now: growing in a process with threads waits for the kernel's
    grace period, 20 ms and more, and would do so in the middle of somebody's call."""
    with contextlib.suppress(OSError):
        os.close(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, size - 1))


def find_runtimes(settings: Settings, tier: str) -> Runtimes:
    """Find the host's interpreters and see to it that each has AWS's runtime client."""
    interpreters = weak_tier.only_reachable(find_interpreters(), settings, tier)
    cache = Path(settings.worker.runtimes_dir or weak_tier.cache(settings, tier))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Preparing runtimes", total=None)

        def report(name: str, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, description=f"Prepared {name}")

        prepared = prepare_runtimes(interpreters, cache, report)
    for one in prepared:
        if one.failure is not None:
            logger.warning(
                "%s %s cannot run functions: %s",
                one.interpreter.kind, one.interpreter.line, one.failure,
            )  # fmt: skip
    return Runtimes(prepared)


def prepare_services(settings: Settings, tier: str) -> Path | None:
    """Get the packages of the stand-in for other services, if it is wanted; gives their place."""
    if not settings.services.enabled:
        return None
    ours = weak_tier.cache(settings, tier).with_name("services")
    cache = Path(settings.services.packages_dir or ours)
    with Console(stderr=True).status("Preparing the stand-in for other services"):
        try:
            return prepare_packages(cache)
        except InstallFailed as error:
            raise SystemExit(
                f"lambent: cannot install the stand-in for other services in {cache}: {error}. It"
                " needs pip and a package index, once; without them start without --services, or"
                " name servers of your own under [aws.*]"
            ) from error


def choose_tier(settings: Settings) -> str:
    """The isolation to use, which is named if it is not the strongest."""
    tier = tiers.choose(settings.sandbox.isolation)
    if tier == "process":
        weak_tier.accept(settings)
    elif tier != tiers.TIERS[0]:
        logger.warning("isolation is %r, weaker than it could be: see `lambent doctor`", tier)
    return tier


def isolate(
    settings: Settings, tier: str, data: DataDirectory, runtimes: Runtimes, packages: Path | None
) -> LauncherHandle:
    """Start the launcher and give up this process's own privileges."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    _expand_descriptor_table(min(most_files, _DESCRIPTORS_AT_ONCE))
    uid = settings.sandbox.platform_uid
    # Functions see what is in `code`; nobody else sees keys and packages in `state`.
    private = [data.state, *_places_elsewhere(settings.store, data, uid)]
    for directory, mode in ((data.code, 0o755), *((one, 0o700) for one in private)):
        _prepare(directory, mode, uid)
    launcher = start_launcher(
        settings.sandbox,
        tier=tier,
        directory=data.sandbox,
        roots=[data.code, *runtimes.mount_roots()],
        instance=hashlib.sha256(str(data.root).encode()).hexdigest()[:12],
    )
    try:
        readable = [*runtimes.mount_roots(), *([packages] if packages is not None else [])]
        may_mount = tier != "process"
        become_unprivileged(uid, uid, readable, [data.code, *private], may_mount=may_mount)
    except BaseException:
        launcher.close()
        raise
    return launcher


def _prepare(directory: Path, mode: int, uid: int) -> None:
    """Make a directory if need be, and the platform's own."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)
    except OSError as error:
        raise SystemExit(
            f"lambent: cannot use the directory {directory}: {error.strerror}"
        ) from error
    hand_over(directory, uid, uid)


def _places_elsewhere(store: StoreSettings, data: DataDirectory, uid: int) -> list[Path]:
    """Directories of packages, of events and of a SQLite file, which may be anywhere and become the
    platform's own. Root gives none away in which others keep something."""
    blobs, events = data.blobs(store), data.event_payloads(store)
    ours: dict[Path, Callable[[str], bool]] = {blobs: is_of_blobs, events: is_of_blobs}
    file = file_of(url_of(store, data.state))
    if file is not None and file.parent != data.state and os.geteuid() == 0:
        # SQLite writes beside the file, too.
        ours[file.parent] = lambda name: name.startswith(file.name)
    for directory, is_ours in ours.items():
        if os.geteuid() != 0 or not directory.exists() or directory.stat().st_uid == uid:
            continue
        others = [one.name for one in directory.iterdir() if not is_ours(one.name)]
        if others:
            raise SystemExit(
                f"lambent: cannot use {directory}: the platform would become its owner, and it"
                f" holds other things ({others[0]}). Give store.url and store.blobs_dir directories"
                " of their own"
            )
    return list(ours)

"""Steps of the start, as the user who typed `lambent up`, before privileges are dropped:
lock the data directory, bind the port, load the certificate, prepare runtimes, start the launcher.
"""

import contextlib
import dataclasses
import fcntl
import logging
import os
import resource
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from lambent.assembly import weak_tier
from lambent.assembly.entrance import address_of
from lambent.instance.data_directory import DataDirectory
from lambent.instance.listening import FRONT, TLS, Sockets
from lambent.kit.installing import InstallFailed, keep
from lambent.kit.progress import Steps
from lambent.model.identity import AccessKey
from lambent.node.languages.interpreters import find_interpreters
from lambent.node.languages.preparing import prepare_runtimes
from lambent.node.languages.runtimes import Runtimes
from lambent.sandbox import tiers, users
from lambent.sandbox.client import LauncherHandle, start_launcher
from lambent.sandbox.launcher.cgroup_tree import LIMITS
from lambent.sandbox.privileges import become_unprivileged, hand_over
from lambent.services.installation import packages_directory, prepare_packages
from lambent.settings import ServerSettings, Settings
from lambent.store.database import file_of, url_of
from lambent.store.directory_blobs import is_of_blobs
from lambent.store.settings import StoreSettings

logger = logging.getLogger(__name__)

_DESCRIPTORS_AT_ONCE = 65_536


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """What was opened for clients while the process had its privileges."""

    listener: socket.socket
    tls: ssl.SSLContext | None
    tls_listener: socket.socket | None
    """For `server.tls = "auto"`: TLS with certificates of the platform's own authority."""
    root_credentials: "RootCredentials"
    of_cell: socket.socket | None
    """A port of its own, at which other nodes reach a cell."""

    @property
    def sockets(self) -> Sockets:
        """Those that a platform which replaces this one takes over."""
        tls = {} if self.tls_listener is None else {TLS: self.tls_listener}
        return {FRONT: self.listener, **tls}

    @property
    def port(self) -> int:
        """The port number, also if the settings said 0."""
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The URL of the platform for clients."""
        return address_of(self.listener, is_secure=self.tls is not None)

    @property
    def url_of_cell(self) -> str | None:
        """The URL by which other nodes reach a cell."""
        is_secure = self.tls is not None
        return None if self.of_cell is None else address_of(self.of_cell, is_secure=is_secure)

    @property
    def tls_url(self) -> str | None:
        """The URL by which the platform is reached with its own certificates."""
        return None if self.tls_listener is None else address_of(self.tls_listener, is_secure=True)


class RootCredentials:
    """The file with the platform's first key, in AWS's format, for the user who started it. It is
    opened while the process still may."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, key: AccessKey) -> None:
        """Replace the content of the file."""
        text = f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
        os.truncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)
        os.fsync(self._file)


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
    """Grow the table of descriptors now. Once the process has threads, growing it waits for the
    kernel's grace period, 20 ms and more, in the middle of a call."""
    with contextlib.suppress(OSError):
        os.close(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, size - 1))


def find_runtimes(settings: Settings, tier: str, steps: Steps) -> Runtimes:
    """Find the host's interpreters and install AWS's runtime client for each."""
    cache = Path(settings.worker.runtimes_dir or weak_tier.cache(settings, tier))
    found = find_interpreters(answers=cache / "interpreters.json")
    interpreters = weak_tier.only_reachable(found, settings, tier)
    while True:
        prepared = prepare_runtimes(interpreters, cache, steps)
        # `lambent gc` does not delete what is kept.
        if all([keep(runtime.directory) for runtime in prepared if runtime.directory is not None]):
            break
    for runtime in prepared:
        if runtime.failure is not None:
            logger.warning(
                "%s %s cannot run functions: %s",
                runtime.interpreter.kind, runtime.interpreter.line, runtime.failure,
            )  # fmt: skip
    return Runtimes(prepared)


def prepare_services(settings: Settings, tier: str, steps: Steps) -> Path | None:
    """Install the packages of the emulator, if it is wanted; returns their directory."""
    if not settings.services.enabled:
        return None
    ours = weak_tier.cache(settings, tier).with_name("services")
    cache = Path(settings.services.packages_dir or ours)
    failure = None
    try:
        if not packages_directory(cache).exists():
            steps.begin("services", "the emulator of other services, with pip")
        while not keep(packages := prepare_packages(cache)):
            pass
        return packages
    except InstallFailed as error:
        failure = str(error)
        raise SystemExit(
            f"lambent: cannot install the emulator of other services in {cache}: {error}. It"
            " needs pip and a package index, once; without them start without --services, or"
            " name servers of your own under [aws.*]"
        ) from error
    finally:
        steps.end("services", failure)


def choose_tier(settings: Settings) -> str:
    """The isolation tier to use. A weaker one than the host's best is logged with its cause."""
    isolation = tiers.detect()
    tier = tiers.choose(settings.sandbox.isolation, isolation)
    if tier == "process":
        weak_tier.accept(settings)
    elif tier != tiers.TIERS[0]:
        logger.warning("%s", explain_weakness(tier, isolation))
    return tier


def isolate(
    settings: Settings, tier: str, data: DataDirectory, runtimes: Runtimes, packages: Path | None
) -> LauncherHandle:
    """Start the launcher and drop the privileges of this process."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    _expand_descriptor_table(min(most_files, _DESCRIPTORS_AT_ONCE))
    uid = settings.sandbox.platform_uid
    # Functions can read `code`; only the platform can read the keys and packages in `state`.
    shared = [data.first.state] if data.cell > 1 else []
    private = [data.state, *shared, *_places_elsewhere(settings.store, data, uid)]
    for directory, mode in (
        (data.code, 0o755),
        (data.trust, 0o755),
        *((directory, 0o700) for directory in private),
    ):
        _prepare(directory, mode, uid)
    launcher = start_launcher(
        settings.sandbox,
        tier=tier,
        directory=data.sandbox,
        roots=[data.code, *runtimes.mount_roots()],
        instance=data.instance,
        trust=data.trust,
    )
    if tier == "root" and (lacking := [limit for limit in LIMITS if limit not in launcher.limits]):
        logger.warning("control groups limit no %s here: see `lambent doctor`", ", ".join(lacking))
    try:
        readable = [*runtimes.mount_roots(), *([packages] if packages is not None else [])]
        ours = [data.code, data.trust, *private]
        become_unprivileged(uid, uid, readable, ours, may_mount=may_mount(tier))
    except BaseException:
        launcher.close()
        raise
    return launcher


def may_mount(tier: str) -> bool:
    """Whether this process may use a mount namespace to drop its privileges in, in a tier."""
    has_right = not users.is_root() or users.has_capability(users.CAP_SYS_ADMIN)
    return has_right and tier != "process"


def explain_weakness(tier: str, isolation: tiers.Isolation) -> str:
    """Why isolation is not the strongest: the first missing feature, or the operator's choice."""
    lacking = next((finding for finding in isolation.findings if not finding.is_there), None)
    cause = f"{lacking.name}: {lacking.found}" if lacking else "sandbox.isolation asks for no more"
    return (
        f"isolation is {tier!r}, weaker than it could be ({cause}); `lambent doctor` says how to"
        " make it stronger"
    )


def _prepare(directory: Path, mode: int, uid: int) -> None:
    """Create a directory if missing, and make the platform its owner."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)
    except OSError as error:
        raise SystemExit(
            f"lambent: cannot use the directory {directory}: {error.strerror}"
        ) from error
    hand_over(directory, uid, uid)


def _places_elsewhere(store: StoreSettings, data: DataDirectory, uid: int) -> list[Path]:
    """The directories of packages, events and the SQLite file, which may be anywhere; the platform
    becomes their owner. Root does not hand over a directory that holds other things."""
    ours = dict[Path, Callable[[str], bool]]()
    if not store.blobs_url:
        ours = {data.blobs(store): is_of_blobs, data.event_payloads(store): is_of_blobs}
    file = file_of(url_of(store, data.state))
    if file is not None and file.parent != data.state and users.is_root():
        # SQLite also writes files next to the database.
        ours[file.parent] = lambda name: name.startswith(file.name)
    for directory, is_ours in ours.items():
        if not users.is_root() or not directory.exists() or directory.stat().st_uid == uid:
            continue
        others = [entry.name for entry in directory.iterdir() if not is_ours(entry.name)]
        if others:
            raise SystemExit(
                f"lambent: cannot use {directory}: the platform would become its owner, and it"
                f" holds other things ({others[0]}). Give store.url and store.blobs_dir directories"
                " of their own"
            )
    return list(ours)

"""The platform's own host names, and the certificates for them.

There are two authorities. People trust one: it is for the platform's domain and this machine only.
Boxes trust the other: it is also for what leads to the platform only from inside a box, such as a
custom domain name or a name of AWS's own. No client outside a box should trust those.
"""

import dataclasses
import ipaddress
import ssl
from pathlib import Path

import anyio.to_thread

from lambent.assembly.storage import Storage
from lambent.aws.clients import trusted_by_default
from lambent.instance.data_directory import DataDirectory
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.kit.tls.authority import Authority, IpNetwork, Permitted, write_whole
from lambent.kit.tls.server_names import ServerNames, Subject
from lambent.settings import Settings
from lambent.store.problems import StoreError
from lambent.triggers.host_names import HostNames

_LOOK_S = 3600.0
_BUNDLES_OF_HOSTS = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_LOCAL_NETWORKS: frozenset[IpNetwork] = frozenset(
    {ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128")}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """See the module."""

    hosts: HostNames
    tls_of_boxes: ssl.SSLContext
    tls_of_front: ssl.SSLContext


async def open_names(settings: Settings, data: DataDirectory, storage: Storage) -> Names:
    """Load what is known of names, make the authorities if there are none, and keep both up to date
    for as long as the storage is open. Raises StoreError."""
    clock = storage.clock
    try:
        certificates = Certificates(settings, data, clock)
        await anyio.to_thread.run_sync(certificates.renew)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot keep certificates in {data.root}: {error}") from error
    gateway = settings.gateway
    hosts = HostNames(gateway.url_domain, gateway.scope.region, storage.store, certificates.permit)
    await storage.store.follow(hosts)
    start_loop(storage.tasks, clock, hosts.follow_changes)
    start_loop(storage.tasks, clock, certificates.keep_up_to_date)
    of_this_machine = certificates.of_this_machine
    domain = gateway.url_domain.lower()

    def find_at_front(name: str) -> Subject | None:
        if name in of_this_machine.names:
            return of_this_machine
        subject = hosts.subject_of(name)
        is_below = subject is not None and subject.names[0].endswith(f".{domain}")
        return subject if is_below else None

    in_boxes = ServerNames(certificates.of_boxes, hosts.subject_of, clock)
    at_front = ServerNames(certificates.of_front, find_at_front, clock, nameless=of_this_machine)
    return Names(hosts, in_boxes.context, at_front.context)


class Certificates:
    """The authorities, and the files that clients trust them by."""

    def __init__(self, settings: Settings, data: DataDirectory, clock: Clock) -> None:
        """Raises OSError and ValueError."""
        self._clock = clock
        self._trust = data.trust
        self._domain = settings.gateway.url_domain.lower()
        self._names = frozenset({self._domain})
        directory = data.state / "authorities"
        self.of_boxes = Authority("Lambent boxes", directory, clock)
        self.of_front = Authority(f"Lambent {data.instance}", directory, clock)
        addresses = ["127.0.0.1", "::1"]
        host = _address_of(settings.server.host)
        if host is not None and not host.is_unspecified and not host.is_loopback:
            addresses.append(str(host))
        self.of_this_machine = Subject(tuple(sorted({"localhost", self._domain})), tuple(addresses))
        """How the front door is reached without the name of anything behind it."""

    async def permit(self, names: frozenset[str]) -> None:
        """Have boxes trust certificates for these names and no others. A process that has read the
        file before goes on to trust those of that time."""
        if names != self._names:
            self._names = names
            await anyio.to_thread.run_sync(self.renew)

    async def keep_up_to_date(self) -> None:
        """Renew what is about to expire, and follow the host's certificates, until cancelled."""
        while True:
            await self._clock.sleep(_LOOK_S)
            await anyio.to_thread.run_sync(self.renew)

    def renew(self) -> None:
        """Have valid certificates of both authorities in files that are up to date. Blocks. Raises
        OSError."""
        networks = _LOCAL_NETWORKS | {
            ipaddress.ip_network(address)
            for address in self.of_this_machine.addresses
            if not ipaddress.ip_address(address).is_loopback
        }
        names = frozenset(self.of_this_machine.names)
        self.of_front.certify(Permitted(names=names, networks=networks))
        self.of_boxes.certify(Permitted(names=self._names))
        bundle = _bundle_of_host() + b"\n# Lambent\n" + self.of_boxes.pem
        self._trust.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("ca.pem", self.of_front.pem),
            ("boxes.pem", self.of_boxes.pem),
            ("bundle.pem", bundle),
        ):
            file = self._trust / name
            if not file.exists() or file.read_bytes() != content:
                write_whole(file, content, mode=0o644)


def _bundle_of_host() -> bytes:
    found = next((file for file in _BUNDLES_OF_HOSTS if file.is_file()), trusted_by_default())
    return found.read_bytes()


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

"""The certificates for the platform's own host names, and the files that clients trust them by.

There are two authorities. People trust one: it is for the platform's domain and this machine only.
Boxes trust the other: it is also for what leads to the platform only from inside a box, such as a
custom domain name or a name of AWS's own. No client outside a box should trust those.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.tls.authority import Authority, IpNetwork, Permitted, write_whole
from lambent.kit.tls.java_store import java_store
from lambent.kit.tls.server_names import Find, Subject

_LOOK_S = 3600.0
_BUNDLES_OF_HOSTS = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_LOCAL_NETWORKS: frozenset[IpNetwork] = frozenset(
    {ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128")}
)


class Certificates:
    """See the module."""

    def __init__(
        self,
        directory: Path,
        directory_of_front: Path,
        trust: Path,
        clock: Clock,
        *,
        instance: str,
        domain: str,
        host: str,
        default_bundle: Callable[[], Path],
    ) -> None:
        """The authority of boxes is kept in `directory`, that of people in `directory_of_front`;
        what clients read is written into `trust`.
        `host` is the front door's address. `default_bundle` is what boxes trust besides, on a host
        that has no certificates of its own. Raises OSError and ValueError."""
        self._trust = trust
        self._clock = clock
        self._domain = domain.lower()
        self._names = frozenset({self._domain})
        self._default_bundle = default_bundle
        self.of_boxes = Authority("Lambent boxes", directory, clock)
        self.of_front = Authority(f"Lambent {instance}", directory_of_front, clock)
        addresses = ["127.0.0.1", "::1"]
        address = _address_of(host)
        if address is not None and not address.is_unspecified and not address.is_loopback:
            addresses.append(str(address))
        self.of_this_machine = Subject(tuple(sorted({"localhost", self._domain})), tuple(addresses))
        """How the front door is reached without the name of anything behind it."""

    def at_front(self, find: Find) -> Find:
        """Which certificate serves a name at the front door: of the names that `find` knows, those
        below the domain, and those of this machine."""

        def find_at_front(name: str) -> Subject | None:
            if name in self.of_this_machine.names:
                return self.of_this_machine
            subject = find(name)
            is_below = subject is not None and subject.names[0].endswith(f".{self._domain}")
            return subject if is_below else None

        return find_at_front

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
        bundle = self._bundle_of_host() + b"\n# Lambent\n" + self.of_boxes.pem
        self._trust.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("ca.pem", self.of_front.pem),
            ("boxes.pem", self.of_boxes.pem),
            ("bundle.pem", bundle),
            ("bundle.jks", java_store(bundle)),
        ):
            file = self._trust / name
            if not file.exists() or file.read_bytes() != content:
                write_whole(file, content, mode=0o644)

    def _bundle_of_host(self) -> bytes:
        found = (file for file in _BUNDLES_OF_HOSTS if file.is_file())
        return (next(found, None) or self._default_bundle()).read_bytes()


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

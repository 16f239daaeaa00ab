"""The platform's own host names, the certificates for them, and the links to the buckets among
them."""

import dataclasses
import ssl

import anyio.to_thread

from lambent.assembly.api import Api
from lambent.assembly.storage import Storage
from lambent.aws.clients import trusted_by_default
from lambent.gateway.fronts import Front
from lambent.instance.data_directory import DataDirectory
from lambent.kit.tasks import start_loop
from lambent.kit.tls.server_names import ServerNames
from lambent.model.custom_resource_hosts import AWS_HOSTS, HOSTS
from lambent.settings import Settings
from lambent.store.problems import StoreError
from lambent.triggers.certificates import Certificates
from lambent.triggers.custom_resources.front import CustomResourceResponses, Sink
from lambent.triggers.custom_resources.links import SECRET, ResponseLinks
from lambent.triggers.host_names import HostNames


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """See the module."""

    hosts: HostNames
    tls_of_boxes: ssl.SSLContext
    tls_of_front: ssl.SSLContext


async def open_names(settings: Settings, data: DataDirectory, storage: Storage) -> Names:
    """Load what is known of names, make the authorities if there are none, and keep both up to date
    for as long as the storage is open. Raises StoreError."""
    clock, gateway = storage.clock, settings.gateway
    try:
        certificates = Certificates(
            data.state / "authorities",
            data.first.state / "authorities",
            data.trust,
            clock,
            instance=data.first.instance,
            domain=gateway.url_domain,
            host=settings.server.host,
            default_bundle=trusted_by_default,
        )
        await anyio.to_thread.run_sync(certificates.renew)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot keep certificates in {data.root}: {error}") from error
    hosts = HostNames(gateway.url_domain, gateway.scope.region, storage.store, certificates.permit)
    await storage.store.follow(hosts)
    start_loop(storage.tasks, clock, hosts.follow_changes)
    start_loop(storage.tasks, clock, certificates.keep_up_to_date)
    in_boxes = ServerNames(certificates.of_boxes, hosts.subject_of, clock)
    at_front = ServerNames(
        certificates.of_front,
        certificates.at_front(hosts.subject_of),
        clock,
        nameless=certificates.of_this_machine,
    )
    return Names(hosts, in_boxes.context, at_front.context)


async def register_custom_resources(
    settings: Settings, storage: Storage, api: Api, sink: Sink
) -> ResponseLinks:
    """Have `sink` get the responses of custom resources; returns what makes the links that they
    respond to."""
    secret = await storage.store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    links = ResponseLinks(secret, settings.gateway.url_domain, storage.clock)
    responses = CustomResourceResponses(links, sink)
    for hosts, has_own_names in ((AWS_HOSTS, True), (HOSTS, False)):
        front = Front(
            handle=responses.handle,
            oversized=responses.handle_oversized,
            is_open=True,
            has_own_names=has_own_names,
        )
        api.gateway.fronts.add_hosts(hosts, front)
    return links

"""A box's access to the network: egress and name resolution, served by the platform."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lambent.sandbox.egress import Egress, Front
from lambent.sandbox.egress_policy import EgressSettings
from lambent.sandbox.ports import Box, Traffic
from lambent.sandbox.resolver import Resolver

IsOurs = Callable[[str, str], bool]
"""Whether a host name, in lower case, leads to the platform from a box of an owner."""


class NetworkServices:
    """Opens the egress and the name resolution of boxes."""

    def __init__(self, settings: EgressSettings, is_ours: IsOurs) -> None:
        self._egress = Egress(settings)
        self._resolver = Resolver(settings)
        self._is_ours = is_ours

    @asynccontextmanager
    async def open(self, box: Box, owner: str, front: Front) -> AsyncIterator[Traffic]:
        """Serve a box for the duration of the context. `front` takes over the box's connections to
        the platform. A box without a resolver has no network namespace and needs nothing: there the
        names do not lead here, and nothing listens on the ports of HTTP and HTTPS. Yields what is
        counted of its traffic."""
        if box.resolver is None:
            yield Traffic()
            return
        egress = self._egress.open(box.egress, box.name, box.datagrams, front)
        names = self._resolver.open(
            *box.resolver,
            uses_ipv6=self._egress.may_use_ipv6(box.egress),
            is_ours=lambda name: self._is_ours(name, owner),
        )
        try:
            yield egress.traffic
        finally:
            names.close()
            egress.close()

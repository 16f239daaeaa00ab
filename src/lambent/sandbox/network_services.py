"""A box's access to the network: egress and name resolution, served by the platform."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lambent.sandbox.egress import Egress
from lambent.sandbox.egress_policy import EgressSettings
from lambent.sandbox.ports import Box
from lambent.sandbox.resolver import Resolver


class NetworkServices:
    """Opens the egress and the name resolution of boxes."""

    def __init__(self, settings: EgressSettings) -> None:
        self._egress = Egress(settings)
        self._resolver = Resolver(settings)

    @asynccontextmanager
    async def open(self, box: Box) -> AsyncIterator[None]:
        """Serve a box for the duration of the context. A box without a resolver has no network
        namespace and needs nothing."""
        if box.resolver is None:
            yield
            return
        egress = self._egress.open(box.egress, box.name, box.datagrams)
        uses_ipv6 = self._egress.may_use_ipv6(box.egress)
        names = self._resolver.open(*box.resolver, uses_ipv6=uses_ipv6)
        try:
            yield
        finally:
            names.close()
            egress.close()

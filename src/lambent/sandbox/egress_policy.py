"""Where boxes may connect to: the settings, and the policy built from them."""

import dataclasses
import socket
import struct
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_EVERY_IPV4, _EVERY_IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """Network access of functions, and their name servers."""

    enabled: bool = True
    """Whether functions have network access, DNS included. Default: true, as for a function in AWS
    without a VPC."""
    allow: tuple[str, ...] = ()
    """Networks, such as `192.0.2.7/32` or `2001:db8::7/128`, that are reachable even if another
    rule refuses them, for example a service on this host. Default: none."""
    deny: tuple[str, ...] = ()
    """Networks that are refused in addition to those always refused: loopback, link-local and
    other metadata addresses, multicast, reserved addresses and this host's own. `::/0` turns IPv6
    off, `0.0.0.0/0` refuses IPv6 as well. Default: none, so other machines of a private network
    are reachable."""
    connections_per_box_max: int = 512
    """Maximum connections of one environment; more are reset. Default: 512: an environment
    has 1,024 descriptors, and each connection takes two of the platform's."""
    connections_max: int = 4096
    """Maximum connections and datagram flows of all environments; more are reset or refused.
    Default: 4,096, well below the usual descriptor limit of a service."""
    connect_timeout_s: float = 10.0
    """Timeout of a connection attempt, in seconds. Default: 10."""
    idle_timeout_s: float = 350.0
    """Seconds without a byte in either direction after which a connection is reset. Default: 350,
    as in AWS's NAT gateways."""
    nameservers: tuple[str, ...] = ()
    """Addresses of name servers, tried in this order. Default: those of /etc/resolv.conf."""


_ALWAYS_REFUSED: dict[Network, str] = {
    IPv4Network("0.0.0.0/8"): "an address of the host",
    IPv4Network("127.0.0.0/8"): "a loopback address",
    IPv4Network("169.254.0.0/16"): "a link-local address",
    IPv4Network("100.100.100.200/32"): "a metadata address",
    IPv4Network("168.63.129.16/32"): "a metadata address",
    IPv4Network("192.0.0.192/32"): "a metadata address",
    IPv4Network("224.0.0.0/4"): "a multicast address",
    IPv4Network("240.0.0.0/4"): "a reserved address",
    IPv6Network("::/128"): "an address of the host",
    IPv6Network("::1/128"): "a loopback address",
    IPv6Network("fe80::/10"): "a link-local address",
    IPv6Network("fd00:ec2::/32"): "a metadata address",
    IPv6Network("fd20:ce::/32"): "a metadata address",
    IPv6Network("fd00:c1::/32"): "a metadata address",
    IPv6Network("fd00:42::/32"): "a metadata address",
    IPv6Network("ff00::/8"): "a multicast address",
}

_TRANSLATED = IPv6Network("64:ff9b::/96")
_REACHABLE_IPV6 = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"), _TRANSLATED)
"""Public and private unicast. All other addresses are reserved, are valid only on this host, or map
to an IPv4 address."""


class EgressPolicy:
    """Which destinations are refused. Pure except for `is_host_address`."""

    def __init__(
        self, settings: EgressSettings, is_host_address: Callable[[Address], bool]
    ) -> None:
        """Raises ValueError for an invalid network."""
        self._enabled = settings.enabled
        self._allow = [_network("allow", text) for text in settings.allow]
        self._deny = [_network("deny", text) for text in settings.deny]
        if _EVERY_IPV4 in self._deny:
            # `0.0.0.0/0` is meant to cover everything.
            self._deny.append(_EVERY_IPV6)
        self._is_host_address = is_host_address

    @property
    def may_use_ipv6(self) -> bool:
        """Whether any IPv6 address may be allowed."""
        allows_some = any(network.version == 6 for network in self._allow)
        return self._enabled and (allows_some or _EVERY_IPV6 not in self._deny)

    def refusal(self, address: Address) -> str | None:
        """Return why connections to `address` are refused, or None.

        An IPv6 address that a gateway translates to an IPv4 address is refused if that is.
        """
        if not self._enabled:
            return "egress is disabled"
        if any(address in network for network in self._allow):
            return None
        if any(address in network for network in self._deny):
            return "a denied address"
        for network, reason in _ALWAYS_REFUSED.items():
            if address in network:
                return reason
        if isinstance(address, IPv6Address):
            if not any(address in network for network in _REACHABLE_IPV6):
                return "a reserved address"
            for embedded in _embedded(address):
                if (reason_of_embedded := self.refusal(embedded)) is not None:
                    return f"{reason_of_embedded}: {embedded}"
        return "an address of the host" if self._is_host_address(address) else None


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses at which packets to `address` may end: by NAT64, 6to4 or Teredo."""
    found = [IPv4Address(address.packed[12:])] if address in _TRANSLATED else []
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    return [*found, *(address.teredo or ())]


def _network(setting: str, text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"cannot read egress.{setting} {text!r}: {error}") from error


def is_host_address(address: Address) -> bool:
    """Whether the kernel would deliver to this host, or broadcast, rather than to another machine.

    It asks the routing table, which also knows addresses that no interface shows.
    """
    unicast = 1
    get_route, request = 26, 1
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = struct.pack("=BBBBBBBBI", family, address.max_prefixlen, *(0,) * 6, 0)
    body += struct.pack("=HH", 4 + len(address.packed), 1) + address.packed
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(body), get_route, request, 1, 0) + body)
        reply = netlink.recv(4096)
    (kind,) = struct.unpack_from("=H", reply, 4)
    # An error means "no route": connecting will report it.
    return kind == 24 and reply[16 + 7] != unicast

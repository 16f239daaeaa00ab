"""Which destinations are refused."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest

from lambent.sandbox.egress_policy import EgressPolicy, EgressSettings, is_host_address

HOST, HOST_IPV6 = IPv4Address("192.0.2.10"), IPv6Address("2001:db8::10")


def policy(**settings: object) -> EgressPolicy:
    return EgressPolicy(EgressSettings(**settings), lambda address: address in (HOST, HOST_IPV6))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "127.0.0.1",
        "127.255.0.9",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        str(HOST),
        "::",
        "::1",
        "::7f00:1",  # 127.0.0.1, as a compatible address
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",  # over IPv4 this is not such an address
        "::ffff:0:127.0.0.1",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "100::1",
        "4000::1",
        "64:ff9b:1::a00:1",  # translated by a gateway of the network's own
        str(HOST_IPV6),
    ],
)
def test_addresses_that_are_no_other_machine_are_refused(address: str) -> None:
    """Loopback, metadata, multicast, reserved and the host's own addresses are refused."""
    assert policy().refusal(ip_address(address)) is not None


@pytest.mark.parametrize("embedded", ["127.0.0.1", "169.254.169.254", "10.0.0.1", str(HOST)])
def test_an_ipv6_address_that_ends_at_a_refused_one_is_refused(embedded: str) -> None:
    """By NAT64, by 6to4, and by Teredo as its server or its client."""
    refused, harmless = int(IPv4Address(embedded)), int(IPv4Address("1.1.1.1"))
    chosen = policy(deny=("10.0.0.0/8",))
    inverted = 0xFFFFFFFF

    def addresses(number: int) -> list[IPv6Address]:
        teredo = 0x20010000 << 96
        return [
            IPv6Address((0x0064FF9B << 96) + number),
            IPv6Address((0x2002 << 112) + (number << 80) + 1),
            IPv6Address(teredo + (number << 64) + (harmless ^ inverted)),
            IPv6Address(teredo + (harmless << 64) + (number ^ inverted)),
        ]

    for address in addresses(refused):
        reason = chosen.refusal(address)
        assert reason is not None
        assert reason.endswith(f": {embedded}")
    assert [chosen.refusal(address) for address in addresses(harmless)] == [None] * 4


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "10.0.0.7", "172.16.0.7", "192.168.1.7", "2a00:1450::1", "2001:db8::7", "fd00::7"],
)
def test_other_machines_are_reachable(address: str) -> None:
    """Public addresses and private networks are not refused."""
    assert policy().refusal(ip_address(address)) is None


def test_denied_networks_are_refused_and_allowed_ones_win() -> None:
    """`deny` adds to what is refused; `allow` takes away, the host's own addresses included."""
    chosen = policy(deny=("10.0.0.0/8",), allow=("10.1.0.0/16", f"{HOST}/32"))
    assert chosen.refusal(IPv4Address("10.2.0.1")) == "a denied address"
    assert chosen.refusal(IPv4Address("10.1.0.1")) is None
    assert chosen.refusal(HOST) is None
    chosen = policy(deny=("2001:db8::/32",), allow=("2001:db8::10/124", "::1/128"))
    assert chosen.refusal(IPv6Address("2001:db8:1::1")) == "a denied address"
    assert chosen.refusal(HOST_IPV6) is None
    assert chosen.refusal(IPv6Address("::1")) is None


def test_ipv6_can_be_turned_off() -> None:
    """By denying all of it, or all of IPv4, whose author had no other addresses in mind."""
    public = IPv6Address("2a00:1450::1")
    for deny in ("::/0", "0.0.0.0/0"):
        assert policy(deny=(deny,)).refusal(public) == "a denied address"
        assert not policy(deny=(deny,)).may_use_ipv6
        assert not policy(deny=(deny,), allow=("10.0.0.0/8",)).may_use_ipv6
        assert policy(deny=(deny,), allow=("fd00::/8",)).may_use_ipv6
    assert policy(deny=("::/0",)).refusal(IPv4Address("1.1.1.1")) is None
    assert policy().may_use_ipv6
    assert not policy(enabled=False).may_use_ipv6


def test_disabled_egress_refuses_everything() -> None:
    """With egress off even allowed networks are refused."""
    chosen = policy(enabled=False, allow=("0.0.0.0/0",))
    assert chosen.refusal(IPv4Address("1.1.1.1")) == "egress is disabled"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "fd00::1/8", "fd00::/129", "example.com", ""])
def test_a_network_that_cannot_be_read_is_named(text: str) -> None:
    """A wrong setting fails at start and says which."""
    with pytest.raises(ValueError, match=r"cannot read egress\.deny"):
        policy(deny=(text,))


def test_the_kernel_knows_the_hosts_addresses() -> None:
    """Loopback is the host's; the way to another machine is not."""
    assert is_host_address(IPv4Address("127.0.0.1"))
    if Path("/proc/net/if_inet6").exists():
        assert is_host_address(IPv6Address("::1"))
    assert not is_host_address(IPv6Address("2001:db8::77"))
    assert not is_host_address(IPv4Address("203.0.113.77"))

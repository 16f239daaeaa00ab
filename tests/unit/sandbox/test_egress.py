"""Which destinations are refused."""

from ipaddress import IPv4Address

import pytest

from lambent.sandbox.egress import EgressPolicy, EgressSettings, is_host_address

HOST = IPv4Address("192.0.2.10")


def policy(**settings: object) -> EgressPolicy:
    return EgressPolicy(EgressSettings(**settings), lambda address: address == HOST)  # type: ignore[arg-type]


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
    ],
)
def test_addresses_that_are_no_other_machine_are_refused(address: str) -> None:
    """Loopback, metadata, multicast, reserved and the host's own addresses are refused."""
    assert policy().refusal(IPv4Address(address)) is not None


@pytest.mark.parametrize("address", ["1.1.1.1", "10.0.0.7", "172.16.0.7", "192.168.1.7"])
def test_other_machines_are_reachable(address: str) -> None:
    """Public addresses and private networks are not refused."""
    assert policy().refusal(IPv4Address(address)) is None


def test_denied_networks_are_refused_and_allowed_ones_win() -> None:
    """`deny` adds to what is refused; `allow` takes away, the host's own addresses included."""
    chosen = policy(deny=("10.0.0.0/8",), allow=("10.1.0.0/16", f"{HOST}/32"))
    assert chosen.refusal(IPv4Address("10.2.0.1")) == "a denied address"
    assert chosen.refusal(IPv4Address("10.1.0.1")) is None
    assert chosen.refusal(HOST) is None


def test_disabled_egress_refuses_everything() -> None:
    """With egress off even allowed networks are refused."""
    chosen = policy(enabled=False, allow=("0.0.0.0/0",))
    assert chosen.refusal(IPv4Address("1.1.1.1")) == "egress is disabled"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "fd00::/8", "example.com", ""])
def test_a_network_that_cannot_be_read_is_named(text: str) -> None:
    """A wrong setting fails at start and says which."""
    with pytest.raises(ValueError, match=r"cannot read egress\.deny"):
        policy(deny=(text,))


def test_the_kernel_knows_the_hosts_addresses() -> None:
    """Loopback is the host's; the way to another machine is not."""
    assert is_host_address(IPv4Address("127.0.0.1"))
    assert not is_host_address(IPv4Address("203.0.113.77"))

"""The ports of HTTP and HTTPS inside a box lead to the platform."""

import os
import shutil
import socket

import pytest

from lambent.sandbox.egress import Egress
from lambent.sandbox.egress_policy import EgressSettings
from lambent.sandbox.launcher.network import Network
from lambent.sandbox.resolver import Resolver

from .test_network import network, network_without_bpf, run_beside

__all__ = ["network", "network_without_bpf"]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip of iproute2"),
]

CONNECT = """
    def greeting(address):
        with socket.create_connection(address, timeout=10) as peer:
            return peer.recv(100).decode()
    answer([outcome(lambda: greeting(address)) for address in {addresses}])
"""


async def connect(
    network: Network, addresses: list[tuple[str, int]], *, is_enabled: bool = True
) -> object:
    """What a program in the box gets from each address."""

    def front(connection: socket.socket, port: int) -> None:
        with connection:
            connection.send(f"front {port}".encode())

    listeners = [each for name, each in network.sockets.items() if name.startswith("egress")]
    egress = Egress(EgressSettings(enabled=is_enabled)).open(listeners, "test", None, front)
    try:
        return await run_beside(network, CONNECT.format(addresses=addresses))
    finally:
        egress.close()


@pytest.mark.parametrize("which", ["network", "network_without_bpf"])
@pytest.mark.parametrize("is_enabled", [True, False])
async def test_they_lead_to_the_platform(
    which: str, is_enabled: bool, request: pytest.FixtureRequest
) -> None:
    """With BPF and without, and for functions without a network."""
    found = await connect(
        request.getfixturevalue(which),
        [("127.0.0.1", 80), ("127.0.0.1", 443)],
        is_enabled=is_enabled,
    )
    assert found == ["front 80", "front 443"]


async def test_nothing_else_does(network: Network) -> None:
    """Neither other ports of loopback, nor these ports of other addresses."""
    found = await connect(
        network, [("127.0.0.1", 8080), ("127.0.0.2", 443), ("10.255.255.1", 444)][:2]
    )
    assert isinstance(found, list)
    assert set(found) <= {"ECONNREFUSED", "ECONNRESET"}


async def test_names_of_ours_need_no_name_server(network: Network) -> None:
    """A box without a network still resolves them, and nothing else."""
    resolver = Resolver(EgressSettings(enabled=False), list)
    udp, tcp = network.sockets["resolver_udp"], network.sockets["resolver_tcp"]
    box = resolver.open(udp, tcp, uses_ipv6=False, is_ours=lambda name: name == "a.test")
    try:
        found = await run_beside(
            network,
            """
    def ask(label):
        query = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0)
        query += bytes([len(label)]) + label + b"\\x04test\\x00" + struct.pack("!HH", 1, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(10)
            peer.connect(("127.0.0.1", 53))
            peer.send(query)
            reply = peer.recv(4096)
            return [reply[3] & 15, list(reply[-4:]) if reply[7] else None]
    answer([ask(b"A"), ask(b"b")])
""",
        )
    finally:
        box.close()
    refused = 5
    assert found == [[0, [127, 0, 0, 1]], [refused, None]]

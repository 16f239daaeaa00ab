"""Services of the host and of its cloud, as seen from a function."""

import contextlib
import os
import re
import select
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from tests.hostile import host
from tests.hostile.cases import case
from tests.hostile.conftest import Function, Neighbour, StartFunction
from tests.platforms import Platform

METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192")
METADATA_IPV6 = ("fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42")
REFUSALS = {
    "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH",
    "EAFNOSUPPORT", "ConnectionResetError", "EINVAL",
}  # fmt: skip


def own_addresses() -> set[str]:
    """Every IPv4 address of this host."""
    tried = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", Path("/proc/net/fib_trie").read_text())
    return set(tried)


def own_ipv6_addresses() -> set[str]:
    """Every IPv6 address of this host."""
    with contextlib.suppress(FileNotFoundError):
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
        return {str(IPv6Address(int(line.split()[0], 16))) for line in lines}
    return set()


@pytest.fixture(scope="module")
def attacker(start: StartFunction) -> Function:
    """Networks are the same in every start mode."""
    return start()


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Services of the host: on loopback, on every address, on IPv6."""
    with contextlib.ExitStack() as stack:
        found = []
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
            found.append(stack.enter_context(socket.socket(family)))
            found[-1].bind((address, 0))
        with contextlib.suppress(OSError):
            six = stack.enter_context(socket.socket(socket.AF_INET6))
            six.bind(("::", 0))
            found.append(six)
        for listener in found:
            listener.listen()
        yield found


@case("host-loopback", "host-addresses", "host-ipv6")
def test_services_of_the_host_are_not_reached(
    attacker: Function, listeners: list[socket.socket]
) -> None:
    """By every address of the host, on every port with a listener: no connection is made."""
    addresses = {"127.0.0.1", "127.0.0.2", "127.1.2.3", "0.0.0.0", "::1", "::ffff:127.0.0.1"}
    addresses |= {"::", *own_addresses(), *own_ipv6_addresses()}
    assert len(addresses) >= 7
    ports = [listener.getsockname()[1] for listener in listeners]
    targets = [[address, port] for address in sorted(addresses) for port in ports]
    found = attacker.do("way_out.connect", targets=targets)
    assert len(found) == len(targets)
    assert set(found) <= REFUSALS
    assert select.select(listeners, [], [], 0)[0] == []


def remote_addresses(pid: int) -> set[str]:
    """The destinations of a process's own TCP sockets, without others of the host."""
    sockets = {host.link(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        str(IPv4Address(bytes.fromhex(row[2].partition(":")[0])[::-1]))
        for row in rows
        if f"socket:[{row[9]}]" in sockets
    }


def test_a_processs_connections_are_found(platform: Platform) -> None:
    """Its own, and no other."""
    with (
        socket.create_server(("127.0.0.3", 0)) as server,
        socket.create_connection(server.getsockname()),
    ):
        assert "127.0.0.3" in remote_addresses(os.getpid())
        assert "127.0.0.3" not in remote_addresses(platform.process.pid)


@case("metadata-address")
def test_the_clouds_metadata_is_not_reached(attacker: Function, platform: Platform) -> None:
    """Refused at once, and the platform makes no connection there."""
    targets = [[address, port] for address in METADATA for port in (80, 443)]
    found = attacker.do("way_out.connect", targets=targets)
    assert set(found) <= {"ECONNREFUSED", "ECONNRESET", "ConnectionResetError"}
    connected = remote_addresses(platform.process.pid)
    assert not connected & set(METADATA)
    targets = [[address, port] for address in METADATA_IPV6 for port in (80, 443)]
    assert set(attacker.do("way_out.connect", targets=targets)) <= REFUSALS


@case("translated-addresses")
def test_what_ends_at_a_refused_address_is_refused(
    attacker: Function, listeners: list[socket.socket]
) -> None:
    """IPv6 addresses that gateways translate to the host's IPv4 addresses, or to metadata: by
    NAT64, 6to4, Teredo, and in deprecated forms."""
    numbers = {int(IPv4Address(each)) for each in {*own_addresses(), *METADATA}}
    forms = [
        form
        for number in numbers
        for form in (
            number,
            (0xFFFF << 32) + number,
            (0xFFFF << 48) + number,
            (0x0064FF9B << 96) + number,
            (0x2002 << 112) + (number << 80),
            (0x20010000 << 96) + (number << 64),
            (0x20010000 << 96) + (number ^ 0xFFFFFFFF),
        )
    ]
    port = listeners[-1].getsockname()[1]
    targets = [[str(IPv6Address(form)), port] for form in forms]
    found = attacker.do("way_out.connect", targets=targets)
    assert set(found) <= REFUSALS
    assert select.select(listeners, [], [], 0)[0] == []


@case("datagrams")
def test_datagrams_do_not_leave(attacker: Function) -> None:
    """Nothing arrives at a socket of the host, on any address; the sender gets an error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("0.0.0.0", 0))
        port = receiver.getsockname()[1]
        targets = [[address, port] for address in sorted({"127.0.0.1", *own_addresses()})]
        targets += [[address, port] for address in METADATA]
        attacker.do("way_out.send", targets=targets)
        results = attacker.do("way_out.send_and_wait", targets=targets)
        assert set(results) <= {"ECONNREFUSED", "ENETUNREACH"}
        assert select.select([receiver], [], [], 0)[0] == []


@case("datagram-flood")
def test_datagrams_are_bounded(
    attacker: Function, neighbour: Neighbour, platform: Platform
) -> None:
    """As many as it can send, from many sockets, to refused addresses: the neighbor is served, and
    the platform holds little for them."""
    descriptors = Path(f"/proc/{platform.process.pid}/fd")
    before = len(os.listdir(descriptors))
    with neighbour.watched():
        attacker.do("way_out.flood_datagrams", seconds=0.5)
        assert len(os.listdir(descriptors)) - before < 150


@case("platform-port")
def test_the_platforms_own_door_is_not_reached_from_outside(
    attacker: Function, platform: Platform
) -> None:
    """Through the host's addresses; functions have their own endpoint."""
    port = int(platform.endpoint.rpartition(":")[2])
    targets = [[address, port] for address in sorted({"127.0.0.1", "0.0.0.0", *own_addresses()})]
    found = attacker.do("way_out.connect", targets=targets)
    assert not any("HTTP" in line for line in found)


@case("name-flood")
def test_questions_for_names_are_bounded(
    attacker: Function, neighbour: Neighbour, platform: Platform
) -> None:
    """Thousands of questions and of chunks of garbage: the neighbor is served, and the platform
    holds little for them."""
    pid = platform.process.pid
    before = len(os.listdir(f"/proc/{pid}/fd"))
    with neighbour.watched():
        assert attacker.do("way_out.flood_names", seconds=0.5) > 50
        assert len(os.listdir(f"/proc/{pid}/fd")) - before < 150


@case("socket-lists")
def test_sockets_of_others_are_not_listed(
    attacker: Function, listeners: list[socket.socket], platform: Platform
) -> None:
    """The kernel lists a box's own listeners and no others to it."""
    ports = attacker.do("way_out.diagnose")
    others = {listener.getsockname()[1] for listener in listeners}
    others.add(int(platform.endpoint.rpartition(":")[2]))
    assert not others & set(ports)
    network = Path(f"/proc/{attacker.box().functions()[0]}/net/tcp").read_text()
    listening = re.findall(r"\d+: \S+:([0-9A-F]{4}) \S+ 0A", network)
    assert set(ports) <= {int(port, 16) for port in listening}

"""Services of the host and of its cloud, seen from a function."""

import contextlib
import os
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.cases import case
from tests.hostile.conftest import Function, Neighbour, StartFunction
from tests.platforms import Platform

METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192")


def own_addresses() -> set[str]:
    """Every IPv4 address of this host."""
    tried = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", Path("/proc/net/fib_trie").read_text())
    return set(tried)


@pytest.fixture(scope="module")
def attacker(start: StartFunction) -> Function:
    """Networks are the same however a function is started."""
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
        for one in found:
            one.listen()
        yield found


@case("host-loopback", "host-addresses", "host-ipv6")
def test_services_of_the_host_are_not_reached(
    attacker: Function, listeners: list[socket.socket]
) -> None:
    """By every address of the host, on every port that something listens on: nobody connects."""
    addresses = {"127.0.0.1", "127.0.0.2", "127.1.2.3", "0.0.0.0", "::1", "::ffff:127.0.0.1"}
    addresses |= {"::", *own_addresses()}
    assert len(addresses) >= 7
    ports = [listener.getsockname()[1] for listener in listeners]
    targets = [[address, port] for address in sorted(addresses) for port in ports]
    found = attacker.do("way_out.connect", targets=targets)
    assert len(found) == len(targets)
    assert set(found) <= {
        "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH",
        "EAFNOSUPPORT", "ConnectionResetError", "EINVAL",
    }  # fmt: skip
    assert select.select(listeners, [], [], 0)[0] == []


@case("metadata-address")
def test_the_clouds_metadata_is_not_reached(attacker: Function) -> None:
    """Refused at once, and no connection of the platform's goes there."""
    targets = [[address, port] for address in METADATA for port in (80, 443)]
    found = attacker.do("way_out.connect", targets=targets)
    assert set(found) <= {"ECONNREFUSED", "ECONNRESET", "ConnectionResetError"}
    table = Path("/proc/net/tcp").read_text().upper()
    for address in METADATA:
        assert socket.inet_aton(address)[::-1].hex().upper() + ":" not in table


@case("datagrams")
def test_datagrams_do_not_leave(attacker: Function) -> None:
    """Nothing arrives at a socket of the host, on any of its addresses; what has another address
    than loopback is refused as it is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("0.0.0.0", 0))
        port = receiver.getsockname()[1]
        targets = [[address, port] for address in sorted({"127.0.0.1", *own_addresses()})]
        found = attacker.do("way_out.send", targets=targets)
        datagrams = dict(zip((address for address, _ in targets), found[::2], strict=True))
        elsewhere = {address for address in datagrams if not address.startswith("127.")}
        assert {datagrams[address] for address in elsewhere} == {"ENETUNREACH"}
        assert select.select([receiver], [], [], 0)[0] == []


@case("platform-port")
def test_the_platforms_own_door_is_not_reached_from_outside(
    attacker: Function, platform: Platform
) -> None:
    """By way of the host's addresses; what a function may ask has a door of its own."""
    port = int(platform.endpoint.rpartition(":")[2])
    targets = [[address, port] for address in sorted({"127.0.0.1", "0.0.0.0", *own_addresses()})]
    found = attacker.do("way_out.connect", targets=targets)
    assert not any("HTTP" in one for one in found)


@case("name-flood")
def test_questions_for_names_are_bounded(
    attacker: Function, neighbour: Neighbour, platform: Platform
) -> None:
    """Thousands of questions and of pieces of garbage: the neighbour is served, and what the
    platform holds for them stays small."""
    pid = platform.process.pid
    before = len(os.listdir(f"/proc/{pid}/fd"))
    with neighbour.watched():
        assert attacker.do("way_out.flood_names", seconds=0.5) > 50
        assert len(os.listdir(f"/proc/{pid}/fd")) - before < 150


@case("socket-lists")
def test_sockets_of_others_are_not_listed(
    attacker: Function, listeners: list[socket.socket], platform: Platform
) -> None:
    """The kernel tells a box of its own listeners and nobody else's."""
    ports = attacker.do("way_out.diagnose")
    others = {listener.getsockname()[1] for listener in listeners}
    others.add(int(platform.endpoint.rpartition(":")[2]))
    assert not others & set(ports)
    network = Path(f"/proc/{attacker.box().functions()[0]}/net/tcp").read_text()
    listening = re.findall(r"\d+: \S+:([0-9A-F]{4}) \S+ 0A", network)
    assert set(ports) <= {int(port, 16) for port in listening}

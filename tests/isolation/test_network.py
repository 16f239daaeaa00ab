"""A box's network: what listens in it, what can leave it and what cannot."""

import errno
import hashlib
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from lambent.sandbox import datagrams
from lambent.sandbox.egress import Egress
from lambent.sandbox.egress_policy import EgressSettings
from lambent.sandbox.launcher import sk_lookup
from lambent.sandbox.launcher.network import Network, create_network
from lambent.sandbox.resolver import NameServer, Resolver

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip of iproute2"),
]

# Networks of this process: other tests run at the same time on the same host.
_FIRST = IPv4Address("198.18.0.0") + os.getpid() % (1 << 15) * 4
HOST_SIDE, FAR, BROADCAST = str(_FIRST + 1), str(_FIRST + 2), str(_FIRST + 3)
_PREFIX = f"fd5e:6b1d:9c2a:{os.getpid() % (1 << 16):x}"
HOST_SIDE_IPV6, FAR_IPV6 = (str(IPv6Address(f"{_PREFIX}::{number}")) for number in (1, 2))
_IPV6_IS_OFF = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
needs_ipv6 = pytest.mark.skipif(
    not _IPV6_IS_OFF.exists() or _IPV6_IS_OFF.read_text() != "0\n", reason="needs IPv6"
)
MEGABYTES = 6

IN_BOX = """
import ctypes, errno, hashlib, json, os, socket, struct, sys, threading
assert ctypes.CDLL(None).setns({namespace}, 0x40000000) == 0
def outcome(act):
    try:
        return act()
    except OSError as error:
        return errno.errorcode[error.errno]
def answer(value):
    print(json.dumps(value))
def exchange(address, payload):
    with socket.create_connection(address, timeout=20) as peer:
        threading.Thread(target=lambda: (peer.sendall(payload), peer.shutdown(1))).start()
        received = b""
        while chunk := peer.recv(1 << 20):
            received += chunk
    return received
"""

FAR_SERVER = """
import asyncio, hashlib, sys
async def digest(reader, writer):
    # Speaks only after the other side has ended: half-close must be passed on.
    received = hashlib.sha256()
    while chunk := await reader.read(1 << 16):
        received.update(chunk)
    writer.write(received.digest() + bytes(range(256)) * 4096 * {megabytes})
    await writer.drain()
    writer.close()
async def http(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello")
    await writer.drain()
    writer.close()
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, sender):
        self.transport.sendto(data[::-1], sender)
async def main():
    loop = asyncio.get_running_loop()
    for port in (8125, 53):
        await loop.create_datagram_endpoint(Echo, ({addresses}[0], port))
    for port, serve in ((8080, http), (40001, digest)):
        await asyncio.start_server(serve, {addresses}, port, backlog=512)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@contextmanager
def box_network(*, has_ipv6: bool = False) -> Iterator[Network]:
    network = create_network(lambda: has_ipv6)
    try:
        yield network
    finally:
        network.close()


@pytest.fixture
def network() -> Iterator[Network]:
    with box_network() as network:
        yield network


@pytest.fixture
def network_without_bpf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The network where the kernel refuses the program."""

    def steer(*_: object) -> int:
        raise OSError(errno.EPERM, "bpf: Operation not permitted")

    monkeypatch.setattr(sk_lookup, "steer", steer)
    with box_network() as network:
        yield network


@pytest.fixture
def network_ipv6() -> Iterator[Network]:
    """The network on a host with IPv6."""
    with box_network(has_ipv6=True) as network:
        yield network


@pytest.fixture(scope="module")
def far_machine() -> Iterator[None]:
    """Another machine at `FAR`, behind a virtual cable."""
    name = f"lambent-{os.getpid()}"
    near, far = f"lambent{os.getpid() % 100000}a", f"lambent{os.getpid() % 100000}b"

    def ip(command: str) -> None:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)

    ip(f"netns add {name}")
    server = None
    try:
        ip(f"link add {near} type veth peer name {far} netns {name}")
        ip(f"addr add {HOST_SIDE}/30 dev {near}")
        ip(f"link set {near} up")
        ip(f"-n {name} addr add {FAR}/30 dev {far}")
        ip(f"-n {name} link set {far} up")
        addresses = [FAR]
        if not needs_ipv6.args[0]:
            ip(f"addr add {HOST_SIDE_IPV6}/64 dev {near} nodad")
            ip(f"-n {name} addr add {FAR_IPV6}/64 dev {far} nodad")
            addresses.append(FAR_IPV6)
        code = FAR_SERVER.format(addresses=addresses, megabytes=MEGABYTES)
        server = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield
    finally:
        if server is not None:
            server.communicate()
        ip(f"netns delete {name}")


def run_in_box(network: Network, code: str) -> object:
    """The result that a process in the box's network returns."""
    program = IN_BOX.format(namespace=network.namespace_fd) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        pass_fds=(network.namespace_fd,),
        capture_output=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


async def run_beside(network: Network, code: str) -> object:
    return await anyio.to_thread.run_sync(run_in_box, network, code)


@asynccontextmanager
async def way_out(network: Network, **settings: object) -> AsyncIterator[Egress]:
    egress = Egress(EgressSettings(**settings))  # type: ignore[arg-type]
    listeners = [each for name, each in network.sockets.items() if name.startswith("egress")]
    names = ("datagrams", "answers")
    found = [each for name in names if (each := network.sockets.get(name)) is not None]
    udp = (found[0], found[1]) if found else None
    box = egress.open(listeners, "test", udp)
    try:
        yield egress
    finally:
        box.close()
        await wait_until(lambda: egress.connections == 0)


async def wait_until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 (polls a level)
            await anyio.sleep(0.005)


def accept(listener: socket.socket) -> socket.socket:
    ready, _, _ = select.select([listener], [], [], 10)
    assert ready
    return listener.accept()[0]


def test_a_closed_network_leaves_no_descriptor() -> None:
    """Everything a network opens is closed with it."""
    with box_network():
        before = os.listdir("/proc/self/fd")
        for _ in range(20):
            with box_network() as network:
                assert all(not each.getblocking() for each in network.sockets.values())
                assert all(not each.get_inheritable() for each in network.sockets.values())
        assert os.listdir("/proc/self/fd") == before


def test_creating_a_network_leaves_the_caller_where_it_was() -> None:
    """The launcher's own network namespace is the same before and after."""
    before = os.readlink("/proc/self/ns/net")
    with box_network() as network:
        assert os.readlink("/proc/self/ns/net") == before
        assert os.readlink(f"/proc/self/fd/{network.namespace_fd}") != before


def test_the_platform_is_on_loopback_of_the_box(network: Network) -> None:
    """The sockets of the Runtime API and the endpoint accept connections from inside the box."""
    run_in_box(
        network,
        """
        for port in (9001, 9002):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        answer(None)
        """,
    )
    accept(network.sockets["runtime_api"]).close()
    accept(network.sockets["endpoint"]).close()


def test_any_destination_arrives_at_the_egress_listener(network: Network) -> None:
    """The local address of an accepted connection is the destination that the function wanted."""
    if network.limitation is not None:
        pytest.skip(str(network.limitation))
    wanted = [("203.0.113.7", 443), ("8.8.8.8", 12345), ("10.1.2.3", 9001), ("1.2.3.4", 15001)]
    run_in_box(
        network,
        f"""
        for address in {wanted}:
            socket.create_connection(address, timeout=5)
        answer(None)
        """,
    )
    for address in wanted:
        with accept(network.sockets["egress"]) as connection:
            assert connection.getsockname() == address


def test_a_functions_own_listeners_are_its_own(network: Network) -> None:
    """Loopback stays in the box, and a listener on every address gets no outbound connection."""
    found = run_in_box(
        network,
        """
        own = socket.create_server(("127.0.0.1", 8080))
        inside = socket.create_connection(("127.0.0.1", 8080), timeout=5)
        own.accept()
        everywhere = socket.create_server(("0.0.0.0", 8443))
        inside = socket.create_connection(("127.0.0.9", 8443), timeout=5)
        everywhere.accept()
        six = socket.create_server(("::1", 8080), family=socket.AF_INET6)
        inside = socket.create_connection(("::1", 8080), timeout=5)
        outside = outcome(lambda: socket.create_connection(("203.0.113.7", 8443), timeout=5) and 0)
        everywhere.settimeout(0.05)
        hijacked = True
        try:
            everywhere.accept()
        except TimeoutError:
            hijacked = False
        answer([hijacked, outside])
        """,
    )
    assert found == [False, 0]


SEND_DATAGRAMS = """
    class Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("name_length", ctypes.c_uint32),
            ("chunks", ctypes.c_void_p), ("chunks_length", ctypes.c_size_t),
            ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
            ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]
    def send_many(peer, address):
        name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", address[1])
        name += socket.inet_aton(address[0]) + bytes(8)
        messages = (Message * 2)(*[Message(name, len(name))] * 2)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.sendmmsg(peer.fileno(), messages, 2, 0) < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
    def send(address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return [
                outcome(lambda: peer.sendto(b"x", address)),
                outcome(lambda: peer.sendto(bytes(60000), address)),
                outcome(lambda: peer.sendmsg([b"x"], [], 0, address)),
                outcome(lambda: send_many(peer, address)),
                outcome(lambda: peer.connect(address)),
            ]
"""


def test_datagrams_without_a_server_are_refused_as_they_are_sent(
    network_without_bpf: Network,
) -> None:
    """With every system call that sends, to every destination: ENETUNREACH, never silence."""
    targets = ["8.8.8.8", "10.1.2.3", "169.254.79.129", "224.0.0.1", "255.255.255.255"]
    found = run_in_box(
        network_without_bpf,
        SEND_DATAGRAMS + f"    answer([send((address, 8125)) for address in {targets}])",
    )
    assert found == [["ENETUNREACH"] * 5] * len(targets)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_without_raw_sockets_datagrams_are_refused_and_connections_lead_out() -> None:
    """In a container whose root has no CAP_NET_RAW."""
    program = """
    import ctypes, errno, json, socket
    from lambent.sandbox.launcher.network import create_network
    made = create_network(lambda: False)
    assert ctypes.CDLL(None).setns(made.namespace_fd, 0x40000000) == 0
    found = [made.limitation is None, "datagrams" in made.sockets]
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as peer:
            peer.settimeout(5)
            found.append(peer.connect_ex(("203.0.113.7", 12345)) == errno.ENETUNREACH)
    print(json.dumps(found))
    """
    done = subprocess.run(
        ["setpriv", "--bounding-set=-net_raw", sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        timeout=30,
        check=True,
    )
    redirects_all_ports, *found = json.loads(done.stdout)
    if not redirects_all_ports:
        pytest.skip("needs BPF")
    assert found == [False, True, False]


def test_a_connected_datagram_socket_cannot_be_led_elsewhere(network_without_bpf: Network) -> None:
    """A socket that is connected inside the box can send nowhere else, and UDP-Lite is no way
    around."""
    found = run_in_box(
        network_without_bpf,
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.connect(("127.0.0.1", 53))
            led = [outcome(lambda: peer.sendto(b"x", ("8.8.8.8", 53)))]
            led.append(outcome(lambda: peer.connect(("8.8.8.8", 53))))
        def lite():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136) as peer:
                peer.sendto(b"x", ("8.8.8.8", 53))
        answer([*led, outcome(lite)])
        """,
    )
    assert isinstance(found, list)
    assert found[:2] == ["ENETUNREACH"] * 2
    assert found[2] in ("ENETUNREACH", "EPROTONOSUPPORT")


def test_datagrams_inside_a_box_arrive(network: Network) -> None:
    """On every loopback address, complete, and the response arrives."""
    found = run_in_box(
        network,
        """
        received = []
        for address in ("127.0.0.1", "127.9.9.9"):
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for each in (server, client):
                each.settimeout(5)
            server.bind((address, 8125))
            client.sendto(bytes(60000), server.getsockname())
            data, sender = server.recvfrom(65535)
            server.sendto(b"thanks", sender)
            received.append([len(data), client.recv(100).decode()])
        answer(received)
        """,
    )
    assert found == [[60000, "thanks"]] * 2


def test_a_host_without_ipv6_has_no_addresses(network: Network) -> None:
    """On a host without IPv6, only ::1 has a route, for connections and for datagrams."""
    found = run_in_box(
        network,
        """
        def connect(kind):
            with socket.socket(socket.AF_INET6, kind) as six:
                six.connect(("2001:db8::1", 443))
        answer([outcome(lambda: connect(kind)) for kind in (1, 2)])
        """,
    )
    assert found == ["ENETUNREACH"] * 2


@needs_ipv6
def test_any_ipv6_destination_arrives_at_its_listener(network_ipv6: Network) -> None:
    """On a host with IPv6, and a listener of the function itself gets only loopback."""
    if network_ipv6.limitation is not None:
        pytest.skip(str(network_ipv6.limitation))
    wanted = [["2a00:1450::7", 443], ["fd00::1", 9001], ["1::2", 15001], ["ff00:1::", 1]]
    found = run_in_box(
        network_ipv6,
        f"""
        everywhere = socket.create_server(("::", 443), family=socket.AF_INET6)
        inside = socket.create_connection(("::1", 443), timeout=5)
        everywhere.accept()
        def connect(address):
            with socket.create_connection(address, timeout=5) as peer:
                return peer.getsockname()[0]
        outside = [outcome(lambda: connect(address)) for address in {wanted}]
        everywhere.settimeout(0.05)
        hijacked = True
        try:
            everywhere.accept()
        except TimeoutError:
            hijacked = False
        answer([hijacked, outside])
        """,
    )
    assert found == [False, ["::1"] * 3 + ["ENETUNREACH"]]
    for address in wanted[:3]:
        with accept(network_ipv6.sockets["egress_ipv6"]) as connection:
            assert list(connection.getsockname()[:2]) == address
    with pytest.raises(BlockingIOError):
        network_ipv6.sockets["egress"].accept()


@needs_ipv6
def test_ipv6_datagrams_are_refused_as_they_are_sent(network_ipv6: Network) -> None:
    """On a host with IPv6 as well; inside the box they arrive."""
    found = run_in_box(
        network_ipv6,
        """
        def send(address):
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
                return [
                    outcome(lambda: peer.sendto(b"x", address)),
                    outcome(lambda: peer.connect(address)),
                ]
        addresses = ("2a00:1450::7", "fd00::1", "ff0e::1")
        answer([send((address, 8125)) for address in addresses] + [send(("::1", 8125))])
        """,
    )
    assert found == [["ENETUNREACH"] * 2] * 3 + [[1, None]]


@needs_ipv6
def test_a_host_has_ipv6_when_the_internet_has_a_route_from_an_address_of_it() -> None:
    """A route from a private address is not enough, and neither is an address without a route."""
    program = """
    import json, os, subprocess
    from lambent.sandbox.launcher.routing import host_has_ipv6
    found = [host_has_ipv6()]
    for command in ("link add there type veth peer name far",
                    "link set far up", "link set there up",
                    "addr add fd00::2/64 dev there nodad", "route add default dev there",
                    "route del default dev there", "addr add 2001:db8::2/64 dev there nodad",
                    "route add default dev there"):
        subprocess.run(["ip", "-6", *command.split()], check=True)
        found.append(host_has_ipv6())
    print(json.dumps(found))
    """
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == [False] * 8 + [True]


def test_without_bpf_common_ports_lead_out() -> None:
    """A rootless launcher says what is limited, and HTTPS still gets out; what cannot is refused at
    once."""
    program = """
    import ctypes, errno, os, socket
    from lambent.sandbox.launcher import network
    import encodings.idna
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
    libc.prctl(4, 1, 0, 0, 0)
    assert libc.unshare(0x10000000) == 0, "no user namespaces"
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write("0 65534 1")
    open("/proc/self/gid_map", "w").write("0 65534 1")
    made = [network.create_network() for _ in range(3)]
    assert libc.setns(made[1].namespace_fd, 0x40000000) == 0
    socket.create_connection(("203.0.113.7", 443), timeout=5)
    made[1].sockets["egress_443"].setblocking(True)
    connection, _ = made[1].sockets["egress_443"].accept()
    for port, wanted in ((8125, errno.ECONNREFUSED), (53, errno.ENETUNREACH)):
        kind = socket.SOCK_STREAM if port == 8125 else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as peer:
            peer.settimeout(5)
            assert peer.connect_ex(("203.0.113.7", port)) == wanted
    six = network.create_network(lambda: True)
    if "egress_ipv6" in six.sockets:
        assert libc.setns(six.namespace_fd, 0x40000000) == 0
        socket.create_connection(("2001:db8::7", 443), timeout=5)
        six.sockets["egress_ipv6_443"].setblocking(True)
        assert six.sockets["egress_ipv6_443"].accept()[0].getsockname()[0] == "2001:db8::7"
    print(connection.getsockname(), made[1].limitation is None, made[1].limitation)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if "no user namespaces" in done.stderr:
        pytest.skip("needs user namespaces for unprivileged users")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("('203.0.113.7', 443) False outbound TCP only to the ports 80,")
    assert "bpf: Operation not permitted" in done.stdout


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_a_function_reaches_another_machine(network: Network) -> None:
    """An HTTP request gets out and its response arrives."""
    async with way_out(network) as egress:
        body = await run_beside(
            network,
            f"""
            with socket.create_connection(("{FAR}", 8080), timeout=10) as peer:
                peer.sendall(b"GET / HTTP/1.1\\r\\nHost: far\\r\\n\\r\\n")
                answer(peer.makefile("rb").read().decode())
            """,
        )
        assert str(body).endswith("hello")
        await wait_until(lambda: egress.connections == 0)


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_megabytes_arrive_whole_both_ways_and_ends_are_passed_on(network: Network) -> None:
    """The remote end sees the box's end of stream, and responds after it; nothing is lost."""
    if network.limitation is not None:
        pytest.skip(str(network.limitation))
    async with way_out(network) as egress:
        found = await run_beside(
            network,
            f"""
            payload = bytes(range(256)) * 4096 * {MEGABYTES}
            received = exchange(("{FAR}", 40001), payload)
            answer([received[:32].hex(), received[32:] == payload])
            """,
        )
        payload = bytes(range(256)) * 4096 * MEGABYTES
        assert found == [hashlib.sha256(payload).hexdigest(), True]
        await wait_until(lambda: egress.connections == 0)


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_many_connections_at_once(network: Network) -> None:
    """Two hundred connections of one box are served concurrently."""
    async with way_out(network) as egress:
        found = await run_beside(
            network,
            f"""
            peers = [socket.create_connection(("{FAR}", 8080), timeout=10) for _ in range(200)]
            for peer in peers:
                peer.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
            answer(sum(peer.makefile("rb").read().endswith(b"hello") for peer in peers))
            """,
        )
        assert found == 200
        await wait_until(lambda: egress.connections == 0)


@needs_ipv6
@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_a_function_reaches_another_machine_over_ipv6(network_ipv6: Network) -> None:
    """An HTTP request gets out and its response arrives."""
    async with way_out(network_ipv6):
        body = await run_beside(
            network_ipv6,
            f"""
            with socket.create_connection(("{FAR_IPV6}", 8080), timeout=10) as peer:
                peer.sendall(b"GET / HTTP/1.1\\r\\nHost: far\\r\\n\\r\\n")
                answer(peer.makefile("rb").read().decode())
            """,
        )
        assert str(body).endswith("hello")


REFUSED = """
    def attempt(address):
        def act():
            with socket.create_connection(address, timeout=10) as peer:
                return peer.recv(1).decode()
        return outcome(act)
"""


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_refused_destinations_are_reset(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    """Metadata, the host's own and denied addresses answer with a reset, and are logged."""
    refused = ["169.254.169.254", HOST_SIDE, "203.0.113.9", "224.0.0.1"]
    with socket.create_server((HOST_SIDE, 8080)) as private:
        async with way_out(network, deny=("203.0.113.0/24",)):
            found = await run_beside(
                network,
                REFUSED + f"    answer([attempt((address, 80)) for address in {refused[:3]}]"
                f" + [attempt(('{HOST_SIDE}', 8080)), attempt(('127.0.0.1', 15001))])",
            )
        private.setblocking(False)
        with pytest.raises(BlockingIOError):
            private.accept()
    assert found == ["ECONNRESET"] * 5
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == (
        "refused a connection of box test to 169.254.169.254:80: a link-local address"
    )
    assert len(lines) == 5


@needs_ipv6
@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_refused_ipv6_destinations_are_reset(
    network_ipv6: Network, caplog: pytest.LogCaptureFixture
) -> None:
    """Each kind of address that is not another machine, and addresses that are translated to one:
    no connection is made."""
    service = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
    near = int(IPv4Address(HOST_SIDE))
    refused = {
        HOST_SIDE_IPV6: "an address of the host",
        "fd00:ec2::254": "a metadata address",
        "100::7f00:1": "a reserved address",
        "fec0::1": "a reserved address",
        str(IPv6Address((0x0064FF9B << 96) + near)): f"an address of the host: {HOST_SIDE}",
        str(IPv6Address((0x2002 << 112) + (near << 80))): f"an address of the host: {HOST_SIDE}",
        "2001:0:a9fe:a9fe::": "a link-local address: 169.254.169.254",
        "2001:db8:0:d::1": "a denied address",
    }
    with service:
        async with way_out(network_ipv6, deny=("2001:db8:0:d::/64",)):
            found = await run_beside(
                network_ipv6,
                REFUSED + f"    answer([attempt((each, 8080)) for each in {list(refused)}])",
            )
        service.setblocking(False)
        with pytest.raises(BlockingIOError):
            service.accept()
    assert found == ["ECONNRESET"] * len(refused)
    assert [record.getMessage() for record in caplog.records] == [
        f"refused a connection of box test to [{address}]:8080: {reason}"
        for address, reason in refused.items()
    ]


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_an_allowed_service_of_the_host_is_reachable(network: Network) -> None:
    """`allow` opens the way to the host's own address."""
    with socket.create_server((HOST_SIDE, 8080)) as service:
        service.setblocking(False)
        async with way_out(network, allow=(f"{HOST_SIDE}/32",)), anyio.create_task_group() as tasks:

            async def serve() -> None:
                await anyio.wait_readable(service)
                service.accept()[0].close()

            tasks.start_soon(serve)
            found = await run_beside(
                network, REFUSED + f"    answer(attempt(('{HOST_SIDE}', 8080)))"
            )
    assert found == ""


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_a_far_end_that_refuses_is_a_reset(network: Network) -> None:
    """The box's connection is reset when the way out fails."""
    async with way_out(network):
        assert await run_beside(network, REFUSED + f"    answer(attempt(('{FAR}', 80)))") == (
            "ECONNRESET"
        )


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_connections_are_bounded(network: Network) -> None:
    """One more than a box may have is reset; the others go on."""
    async with way_out(network, connections_per_box_max=3):
        found = await run_beside(
            network,
            f"""
            def connect():
                return socket.create_connection(("{FAR}", 8080), timeout=10)
            peers = [connect() for _ in range(3)]
            last = outcome(lambda: connect().recv(1))
            for peer in peers:
                peer.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
            whole = [peer.makefile("rb").read().endswith(b"hello") for peer in peers]
            answer([last, whole])
            """,
        )
        assert found == ["ECONNRESET", [True, True, True]]


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_idle_connections_end(network: Network) -> None:
    """A connection on which nothing happens is reset after the deadline."""
    async with way_out(network, idle_timeout_s=0.2) as egress:
        found = await run_beside(network, REFUSED + f"    answer(attempt(('{FAR}', 8080)))")
        assert found == "ECONNRESET"
        await wait_until(lambda: egress.connections == 0)


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_closing_a_box_resets_what_is_open(network: Network) -> None:
    """Giving a box away ends its connections on both sides."""
    found: list[object] = []
    async with anyio.create_task_group() as tasks, way_out(network) as egress:

        async def stay_connected() -> None:
            attempt = REFUSED + f"    answer(attempt(('{FAR}', 8080)))"
            found.append(await run_beside(network, attempt))

        tasks.start_soon(stay_connected)
        await wait_until(lambda: egress.connections == 1)
    assert found == ["ECONNRESET"]


ASK_FAR = textwrap.dedent("""
    def ask(peer, payload, address):
        peer.settimeout(10)
        peer.sendto(payload, address)
        answer, sender = peer.recvfrom(65535)
        return [answer == payload[::-1], list(sender) == list(address)]
    def datagram_socket():
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
""")


def skip_without_datagrams(network: Network) -> None:
    if "datagrams" not in network.sockets:
        pytest.skip(str(network.limitation))


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_datagrams_reach_another_machine_and_its_answers_come_back(network: Network) -> None:
    """From the address and port they were sent to, of any size, on connected and other sockets."""
    skip_without_datagrams(network)
    async with way_out(network) as egress:
        found = await run_beside(
            network,
            ASK_FAR
            + textwrap.dedent(f"""
            peer = datagram_socket()
            found = [ask(peer, bytes(range(256)) * size, ("{FAR}", port))
                     for size in (1, 5, 255) for port in (8125, 53)]
            found.append(ask(peer, os.urandom(65507), ("{FAR}", 8125)))
            connected = datagram_socket()
            connected.settimeout(10)
            connected.connect(("{FAR}", 8125))
            connected.send(b"hello")
            found.append([connected.recv(100) == b"olleh", True])
            bound = datagram_socket()
            bound.bind(("0.0.0.0", 5000))
            found.append(ask(bound, b"hello", ("{FAR}", 53)))
            six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            six.settimeout(10)
            six.sendto(b"hello", ("::ffff:{FAR}", 53))
            found.append([six.recv(100) == b"olleh", True])
            answer(found)
            """),
        )
        assert found == [[True, True]] * 10
        assert egress.connections == 5
    assert egress.connections == 0


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_a_far_end_without_the_port_refuses_datagrams(network: Network) -> None:
    """What a closed port answers comes to the socket that sent."""
    skip_without_datagrams(network)
    async with way_out(network):
        found = await run_beside(
            network,
            f"""
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.settimeout(10)
            peer.connect(("{FAR}", 9))
            peer.send(b"hello")
            answer(outcome(lambda: peer.recv(100)))
            """,
        )
    assert found == "ECONNREFUSED"


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_refused_destinations_get_no_datagram(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    """Metadata, the host's own, broadcast and denied addresses, and what is loopback's: nothing
    arrives, the sender has ECONNREFUSED, and it is logged."""
    skip_without_datagrams(network)
    refused = ["169.254.169.254", HOST_SIDE, "203.0.113.9", BROADCAST, "224.0.0.1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as private:
        private.bind(("0.0.0.0", 8125))
        private.setblocking(False)
        async with way_out(network, deny=("203.0.113.0/24",)):
            found = await run_beside(
                network,
                f"""
                def attempt(address):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                        peer.settimeout(10)
                        peer.connect(address)
                        peer.send(b"hello")
                        return peer.recv(100)
                refused = [(address, 8125) for address in {refused[:4]}] + [("127.0.0.1", 15001)]
                for address in {refused[4:]}:
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                        outcome(lambda: peer.sendto(b"hello", (address, 8125)))
                answer([outcome(lambda: attempt(address)) for address in refused])
                """,
            )
        with pytest.raises(BlockingIOError):
            private.recv(100)
    assert found == ["ECONNREFUSED"] * 5
    lines = [record.getMessage() for record in caplog.records]
    wanted = (
        "refused a connection of box test to 169.254.169.254:8125 over UDP: a link-local address"
    )
    assert wanted in lines
    assert len(lines) >= 5


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_only_the_far_end_of_a_flow_answers(network: Network) -> None:
    """Neither another machine nor another port of the same one gets anything into a box."""
    skip_without_datagrams(network)
    async with way_out(network, allow=(f"{HOST_SIDE}/32",)):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        ):
            server.bind((HOST_SIDE, 0))
            server.settimeout(10)
            stranger.bind((HOST_SIDE, 0))
            port = server.getsockname()[1]

            def answer_both() -> None:
                _, sender = server.recvfrom(100)
                stranger.sendto(b"forged", sender)
                server.sendto(b"true", sender)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, answer_both)
                found = await run_beside(
                    network,
                    f"""
                    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    peer.settimeout(10)
                    peer.sendto(b"hello", ("{HOST_SIDE}", {port}))
                    answer(peer.recv(100).decode())
                    """,
                )
    assert found == "true"


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_flows_of_datagrams_are_bounded(network: Network) -> None:
    """A socket for each question is served; old flows make room, and idle ones end."""
    skip_without_datagrams(network)
    async with way_out(network) as egress:
        found = await run_beside(
            network,
            ASK_FAR
            + textwrap.dedent(f"""
            answer(all(all(ask(datagram_socket(), b"hello", ("{FAR}", 8125))) for _ in range(180)))
            """),
        )
        assert found is True
        assert egress.connections == 128


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_flows_without_datagrams_end(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each a while after its last one; the next datagram has a new flow."""
    skip_without_datagrams(network)
    monkeypatch.setattr(datagrams, "_IDLE_TIMEOUT_S", 0.1)
    ask = ASK_FAR + f"answer(ask(datagram_socket(), b'hello', ('{FAR}', 8125)))"
    async with way_out(network) as egress:
        for _ in range(2):
            assert await run_beside(network, ask) == [True, True]
            await wait_until(lambda: egress.connections == 0)


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_datagrams_do_not_leave_when_egress_is_off_or_the_host_is_full(
    network: Network,
) -> None:
    """The sender gets an error, as from a remote end without the port."""
    skip_without_datagrams(network)
    send = f"""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(10)
    peer.connect(("{FAR}", 8125))
    peer.send(b"hello")
    answer(outcome(lambda: peer.recv(100)))
    """
    for settings in ({"enabled": False}, {"connections_max": 0}):
        async with way_out(network, **settings):
            assert await run_beside(network, send) == "ECONNREFUSED"


@pytest.mark.anyio
@pytest.mark.usefixtures("far_machine")
async def test_a_flood_of_datagrams_leaves_the_platform_time(network: Network) -> None:
    """From many sockets, to one destination or to thousands: the loop serves others meanwhile."""
    skip_without_datagrams(network)
    longest_s = 0.0

    async def watch() -> None:
        nonlocal longest_s
        while True:
            # Of the processor: what others take of it is not the platform's doing.
            began = time.thread_time()
            await anyio.lowlevel.checkpoint()
            longest_s = max(longest_s, time.thread_time() - began)

    async with way_out(network) as egress, anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        sent = await run_beside(
            network,
            f"""
            peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(50)]
            count = 0
            for _ in range(200):
                for peer in peers:
                    count += 1
                    for port in (8125, 10000 + count % 5000):
                        outcome(lambda: peer.sendto(bytes(1000), 0x40, ("{FAR}", port)))
            answer(count)
            """,
        )
        tasks.cancel_scope.cancel()
        assert sent == 10_000
        assert egress.connections <= 128
    assert egress.connections == 0
    assert longest_s < 0.5


def bind_both() -> tuple[socket.socket, socket.socket]:
    """A datagram socket and a listener on the same free port."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        try:
            tcp = socket.create_server(udp.getsockname())
        except OSError as error:
            udp.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        tcp.setblocking(False)
        return udp, tcp


@asynccontextmanager
async def name_server(answers: Callable[[bytes], bytes | None]) -> AsyncIterator[NameServer]:
    """A name server for UDP and TCP on loopback."""
    udp, tcp = bind_both()
    address: NameServer = udp.getsockname()

    async def serve_udp() -> None:
        while True:
            await anyio.wait_readable(udp)
            query, sender = udp.recvfrom(4096)
            if (reply := answers(query)) is not None:
                udp.sendto(reply, sender)

    async def serve_tcp() -> None:
        while True:
            await anyio.wait_readable(tcp)
            with tcp.accept()[0] as client:
                client.setblocking(True)
                client.settimeout(5)
                (length,) = struct.unpack("!H", client.recv(2))
                reply = answers(client.recv(length)) or b""
                client.sendall(struct.pack("!H", len(reply)) + reply)

    with udp, tcp:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve_udp)
            tasks.start_soon(serve_tcp)
            yield address
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def resolving(
    network: Network,
    *nameservers: NameServer,
    is_enabled: bool = True,
    uses_ipv6: bool = False,
) -> AsyncIterator[None]:
    resolver = Resolver(EgressSettings(enabled=is_enabled), lambda: list(nameservers))
    udp, tcp = network.sockets["resolver_udp"], network.sockets["resolver_tcp"]
    box = resolver.open(udp, tcp, uses_ipv6=uses_ipv6)
    try:
        yield
    finally:
        box.close()


ASK = """
    def query(kind, identifier=7):
        header = struct.pack("!HHHHHH", identifier, 0x100, 1, 0, 0, 0)
        return header + b"\\x07example\\x03com\\x00" + struct.pack("!HH", kind, 1)
    def ask(message):
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.settimeout(15)
        datagrams.connect(("127.0.0.1", 53))
        datagrams.send(b"nonsense")
        datagrams.send(message)
        return datagrams.recv(4096)
    def ask_stream(*messages):
        with socket.create_connection(("127.0.0.1", 53), timeout=15) as stream:
            stream.sendall(b"".join(struct.pack("!H", len(each)) + each for each in messages))
            reader = stream.makefile("rb")
            return [reader.read(*struct.unpack("!H", reader.read(2))) for _ in messages]
"""


def an_address(query: bytes) -> bytes:
    """The name server's response: 192.0.2.33."""
    record = b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, bytes([192, 0, 2, 33]))
    return query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:] + record


@pytest.mark.anyio
async def test_names_are_resolved_by_the_hosts_servers(network: Network) -> None:
    """Queries over UDP and TCP reach the name server; a dead one before it is skipped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        dead: NameServer = unused.getsockname()
    async with name_server(an_address) as alive, resolving(network, dead, alive):
        found = await run_beside(
            network,
            ASK + "    answer([list(each[-4:]) for each in"
            " [ask(query(1)), *ask_stream(query(1), query(1, 8))]])",
        )
    assert found == [[192, 0, 2, 33]] * 3


@pytest.mark.anyio
async def test_no_ipv6_address_is_given(network: Network) -> None:
    """Questions for AAAA get an empty response, without a query to a name server."""
    async with resolving(network):
        found = await run_beside(
            network,
            ASK
            + "    answer([list(each[2:8]) for each in [ask(query(28)), *ask_stream(query(28))]])",
        )
    assert found == [[0x81, 0x80, 0, 1, 0, 0]] * 2


@pytest.mark.anyio
async def test_a_box_with_ipv6_knows_its_addresses(network: Network) -> None:
    """Then the name server responds to questions for AAAA."""
    queries: list[bytes] = []

    def answers(query: bytes) -> bytes:
        queries.append(query)
        return an_address(query)

    async with name_server(answers) as server, resolving(network, server, uses_ipv6=True):
        found = await run_beside(network, ASK + "    answer(list(ask(query(28))[-4:]))")
    assert found == [192, 0, 2, 33]
    assert [query[-4:] for query in queries] == [struct.pack("!HH", 28, 1)]


@pytest.mark.anyio
async def test_a_name_server_that_is_gone_is_a_server_failure(network: Network) -> None:
    """If no name server responds, the box gets SERVFAIL, not silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        dead: NameServer = unused.getsockname()
    async with resolving(network, dead):
        found = await run_beside(
            network,
            ASK + "    answer([each[3] & 15 for each in [ask(query(1)), *ask_stream(query(1))]])",
        )
    assert found == [2, 2]


@pytest.mark.anyio
async def test_without_egress_names_are_refused(network: Network) -> None:
    """With egress off, no name server is queried."""
    async with resolving(network, is_enabled=False):
        found = await run_beside(network, ASK + "    answer(ask(query(1))[3] & 15)")
    assert found == 5

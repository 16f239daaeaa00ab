"""What functions reach beyond their sandbox."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.sandbox.launcher.network import create_network
from tests.platforms import Platform, deploy, invoke

IPV6_IS_OFF = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")

FUNCTION = """
import errno, socket

def handler(event, context):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        try:
            if event["connects"]:
                peer.connect(tuple(event["address"]))
                peer.send(event["text"].encode())
            else:
                peer.sendto(event["text"].encode(), tuple(event["address"]))
            answer, sender = peer.recvfrom(1000)
        except OSError as error:
            return errno.errorcode.get(error.errno, "timeout")
        return [answer.decode(), *sender]
"""


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server on an address of this host that answers datagrams in capitals."""
    table = Path("/proc/net/fib_trie").read_text()
    own = re.findall(r"\|-- (?!127\.)(\S+)\n\s+/32 host LOCAL", table)
    if not own:
        pytest.skip("needs an address besides loopback")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((own[0], 0))

        def serve() -> None:
            while data := server.recvfrom(1000):
                if data[0] == b"end":
                    return
                server.sendto(data[0].upper(), data[1])

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", server.getsockname())
        thread.join()


def udp_leaves_boxes() -> bool:
    """Whether this user and kernel can do that."""
    if os.geteuid() != 0:
        return False
    network = create_network()
    try:
        return "datagrams" in network.sockets
    finally:
        network.close()


def test_datagrams_reach_an_allowed_service_and_no_other(
    start_platform: Callable[..., Platform], echo: tuple[str, int]
) -> None:
    """A function uses UDP to reach allowed addresses, and gets errors for others; a platform that
    is not root refuses both as they are sent."""
    platform = start_platform(environment={"LAMBENT_EGRESS__ALLOW": f"{echo[0]}/32"})
    client = platform.client("lambda")
    deploy(client, "talker", {"app.py": FUNCTION}, Handler="app.handler")

    def send(address: tuple[str, int], connects: bool) -> Any:
        event = {"address": address, "text": "hello", "connects": connects}
        return invoke(client, "talker", event)[0]

    found = [send(echo, connects) for connects in (False, True)]
    refused = send(("169.254.169.254", 53), True)
    if udp_leaves_boxes():
        assert found == [["HELLO", *echo]] * 2
        assert refused == "ECONNREFUSED"
    else:
        assert [*found, refused] == ["ENETUNREACH"] * 3


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes network namespaces")
@pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip of iproute2")
@pytest.mark.skipif(
    not IPV6_IS_OFF.exists() or IPV6_IS_OFF.read_text() != "0\n", reason="needs IPv6"
)
def test_functions_of_a_host_with_ipv6_reach_ipv6_addresses(tmp_path: Path) -> None:
    """By address and by name, which has no other address; the host and metadata they do not."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "tests.scenario.ipv6_host", str(tmp_path)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {
        "address": "hello",
        "name": "hello",
        "host": "ECONNRESET",
        "metadata": "ECONNRESET",
        "link-local": "ECONNRESET",
    }

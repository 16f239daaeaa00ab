"""Runs in a separate network namespace: a host with IPv6, a remote machine, and a platform.

Prints the function's results: by the names of `FUNCTION`'s event, text or an error.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.platforms import Platform, deploy, invoke

HOST, FAR = "2001:db8::1", "2001:db8::2"

FUNCTION = """
import errno, socket

def handler(event, context):
    found = {}
    for name, address in event.items():
        try:
            with socket.create_connection((address, 80), timeout=5) as peer:
                found[name] = peer.recv(100).decode()
        except OSError as error:
            found[name] = errno.errorcode[error.errno]
    return found
"""

FAR_MACHINE = """
import socket, struct, subprocess, sys, threading

def answer_names():
    # Every name has the far machine's address, and none of IPv4.
    while True:
        query, sender = names.recvfrom(4096)
        end = query.index(b"\\0", 12) + 5
        is_aaaa = query[end - 4 : end - 2] == b"\\0\\x1c"
        record = b"\\xc0\\x0c" + struct.pack("!HHIH", 28, 1, 60, 16)
        record += socket.inet_pton(socket.AF_INET6, "{far}")
        counts = struct.pack("!HHHH", 1, is_aaaa, 0, 0)
        answer = query[:2] + b"\\x81\\x80" + counts + query[12:end] + record * is_aaaa
        names.sendto(answer, sender)

print("there", flush=True)
sys.stdin.readline()
for command in ("link set far up", "addr add {far}/64 dev far nodad"):
    subprocess.run(["ip", *command.split()], check=True)
names = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
names.bind(("{far}", 53))
threading.Thread(target=answer_names, daemon=True).start()
server = socket.create_server(("{far}", 80), family=socket.AF_INET6)
print("ready", flush=True)
while True:
    with server.accept()[0] as client:
        client.sendall(b"hello")
"""


@contextmanager
def far_machine() -> Iterator[None]:
    """In another namespace, behind a virtual cable that is the host's only route."""
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", FAR_MACHINE.format(far=FAR)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as far:
        assert far.stdin is not None
        assert far.stdout is not None
        try:
            assert far.stdout.readline() == "there\n"
            for command in (
                "link set lo up",
                f"link add near type veth peer name far netns {far.pid}",
                "link set near up",
                f"addr add {HOST}/64 dev near nodad",
                f"-6 route add default via {FAR} dev near",
            ):
                subprocess.run(["ip", *command.split()], check=True)
            far.stdin.write("on\n")
            far.stdin.flush()
            assert far.stdout.readline() == "ready\n"
            yield
        finally:
            far.kill()


def main() -> None:
    with far_machine():
        environment = {"LAMBENT_EGRESS__NAMESERVERS": FAR}
        platform = Platform(Path(sys.argv[1]) / "data", environment=environment)
        try:
            client = platform.client("lambda")
            deploy(client, "caller", {"app.py": FUNCTION})
            targets = {
                "address": FAR,
                "name": "six.example.com",
                "host": HOST,
                "metadata": "fd00:ec2::254",
                "link-local": "fe80::1%lo",
            }
            print(json.dumps(invoke(client, "caller", targets)[0]))
        finally:
            platform.stop()


if __name__ == "__main__":
    main()

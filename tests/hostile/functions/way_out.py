"""Attempts to reach listeners on the host, or around it."""

import socket
import struct

from attempts import attempt


def connect(targets):
    """Connect and send a greeting: the response, or the error."""
    found = []
    for address, port in targets:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as peer:
            peer.settimeout(5)
            outcome = attempt(peer.connect, (address, port))
            if outcome == "done":
                outcome = attempt(peer.sendall, b"GET / HTTP/1.0\r\n\r\n")
                try:
                    outcome = peer.recv(1000).decode("latin-1")
                except OSError as error:
                    outcome = type(error).__name__
            found.append(outcome)
    return found


def send(targets):
    """Datagrams and pings."""
    found = []
    for address, port in targets:
        for kind, protocol in ((socket.SOCK_DGRAM, 0), (socket.SOCK_DGRAM, 1)):
            try:
                with socket.socket(socket.AF_INET, kind, protocol) as peer:
                    found.append(attempt(peer.sendto, b"hello" * 4, (address, port)))
            except OSError as error:
                found.append(str(error))
    return found


def send_and_wait(targets):
    """One datagram from a connected socket each, and its result."""
    found = []
    for address, port in targets:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            outcome = attempt(peer.connect, (address, port))
            if outcome == "done":
                peer.send(b"hello")
                outcome = attempt(peer.recv, 100)
            found.append(outcome)
    return found


def flood_datagrams(seconds):
    """Of all sizes, from a hundred sockets, to thousands of refused addresses and ports."""
    import time

    until = time.monotonic() + seconds
    count = 0
    peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(100)]
    while time.monotonic() < until:
        for peer in peers:
            count += 1
            for address in (f"169.254.{count >> 8 & 255}.{count & 255}", "169.254.1.1"):
                for size in (0, 20, 60000):
                    attempt(peer.sendto, bytes(size), (address, 1 + count % 65535))
    return count


def diagnose():
    """Sockets that the kernel lists to any process: ports of TCP listeners."""
    request = struct.pack("=BBBBI", 2, 6, 0, 0, 1 << 10) + bytes(48)
    header = struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0)
    ports = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:
        netlink.settimeout(5)
        netlink.send(header + request)
        while True:
            data = netlink.recv(65536)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3):
                    return ports
                ports.append(struct.unpack_from("!H", data, 16 + 4)[0])
                data = data[length:]


def flood_names(seconds):
    """Questions that do not leave the host, and invalid ones, over UDP and TCP."""
    import os
    import time

    until = time.monotonic() + seconds
    count = 0
    kept = []
    name = b"\x07hostile\x07example\0" + struct.pack("!HH", 28, 1)
    while time.monotonic() < until:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for _ in range(50):
                head = struct.pack("!HHHHHH", count & 0xFFFF, 0x0100, 1, 0, 0, 0)
                for message in (head + name, os.urandom(40), head + b"\xff" * 300, b""):
                    attempt(peer.sendto, message, ("127.0.0.1", 53))
                count += 1
        if len(kept) < 100:
            kept.append(socket.socket())
            kept[-1].settimeout(0.1)
            if attempt(kept[-1].connect, ("127.0.0.1", 53)) == "done":
                attempt(kept[-1].sendall, b"\xff\xff" + bytes(1000))
    return count

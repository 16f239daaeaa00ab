"""A function that talks to the Runtime API itself, and to the platform's API."""

import contextlib
import gc
import os
import socket
import threading
import time

RUNTIME_API, ENDPOINT = ("127.0.0.1", 9001), ("127.0.0.1", 9002)
INVOCATION = "/2018-06-01/runtime/invocation/"
kept = []


def own_id():
    """The id of the current request."""
    from awslambdaric.lambda_context import LambdaContext

    contexts = [context for context in gc.get_objects() if isinstance(context, LambdaContext)]
    return contexts[-1].aws_request_id


def post(path, body, more=""):
    """POST; returns the status."""
    head = (
        "POST {} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n"
    )
    return raw(head.format(path, more, len(body)).encode("latin-1") + body)


def raw(data, address=RUNTIME_API):
    """Send raw bytes; returns the status, `closed` or `silent`."""
    with socket.create_connection(address, 5) as peer:
        peer.settimeout(0.3)
        try:
            peer.sendall(data)
            answer = peer.recv(65536)
        except TimeoutError:
            return "silent"
        except OSError:
            return "closed"
    return answer[9:12].decode() if answer else "closed"


def answer_others(ids):
    """Respond to requests of others, and report that they failed."""
    return [
        post(INVOCATION + id_ + action, b'"forged"')
        for id_ in (*ids, "", "..", "%2e%2e", own_id() + "x", "x" * 10000)
        for action in ("/response", "/error")
    ]


def answer_twice():
    """Our own request, to which our runtime will respond once more."""
    path = INVOCATION + own_id() + "/response"
    return [post(path, b'{"forged": 1}'), post(path, b'{"forged": 2}')]


def remember():
    """Write the id of this request to where the next environment on this disk finds it, and stay
    until the end."""
    with open("/tmp/id", "w") as file:
        file.write(own_id())
    while True:
        time.sleep(1)  # noqa: TID251 - until the timeout


def answer_late():
    """Respond to the request that has timed out."""
    with open("/tmp/id") as file:
        id_ = file.read()
    return [post(INVOCATION + id_ + action, b'"late"') for action in ("/response", "/error")]


def ask_while_running(count):
    """Ask for the next event before responding to this one: returns whose events arrive."""
    found = []
    for _ in range(count):
        with socket.create_connection(RUNTIME_API, 5) as peer:
            peer.settimeout(5)
            peer.sendall(
                b"GET " + (INVOCATION + "next").encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            answer = peer.recv(65536).decode()
        found.append(own_id() in answer)
    return found


def compete():
    """Threads that take events from our own runtime, from now on."""

    def take():
        while True:
            with contextlib.suppress(OSError), socket.create_connection(RUNTIME_API, 5) as peer:
                peer.sendall(
                    b"GET "
                    + (INVOCATION + "next").encode()
                    + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
                peer.recv(65536)

    for _ in range(4):
        threading.Thread(target=take, daemon=True).start()


def fail_init():
    """Report that init has failed, long after it is over."""
    return [post("/2018-06-01/runtime/init/error", b'{"errorMessage": "forged"}') for _ in "123"]


def oversize(megabytes):
    """Too large a body; then invalid lengths, and one without end. The first would end its own
    invocation."""
    path = INVOCATION + "x/error"
    found = [post(INVOCATION + "x/response", bytes(megabytes << 20))]
    for framing in (
        "Content-Length: 999999999999999999\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n".encode()
        found.append(raw(head + b"FFFFFFFFFFFFFFFF\r\n" + bytes(1 << 20)))
    return found


def hold_bodies(count, size):
    """Bodies that begin and never end, at both endpoints."""
    doors = ((RUNTIME_API, INVOCATION + "x/response"), (ENDPOINT, "/2015-03-31/functions"))
    for address, path in doors:
        for _ in range(count):
            with contextlib.suppress(OSError):
                peer = socket.create_connection(address, 2)
                kept.append(peer)
                peer.settimeout(2)
                head = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n"
                peer.sendall(head.format(path, size).encode() + bytes(size - 1))


def leave_answers(name, count):
    """Invoke a function with large responses, and read none of them."""
    body = b'{"do": "attempts.large"}'
    path = f"/2015-03-31/functions/{name}/invocations"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(count):
        peer = socket.socket()
        kept.append(peer)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(60)
        with contextlib.suppress(OSError):
            peer.connect(ENDPOINT)
            peer.sendall(head.encode() + body)
            peer.recv(10)


def garbage(seed):
    """Invalid HTTP, at both endpoints."""
    import random

    chance = random.Random(seed)
    chunks = [
        b"", b"\0" * 1000, b"GET", b"\r\n" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n", b"G" * 2_000_000, b"GET / HTTP/1.1\r\nA: " + b"b" * 2_000_000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000, b"\x16\x03\x01\x02\x00" + bytes(500),
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\x00\xff\x80 HTTP/1.1\r\nHost: \x00\r\n\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n",
        b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
        *(chance.randbytes(chance.randrange(1, 5000)) for _ in range(20)),
    ]  # fmt: skip
    return [raw(chunk, address) for chunk in chunks for address in (RUNTIME_API, ENDPOINT)]


def connect_many(processes, each):
    """Connections that stay, from more processes than a process may have descriptors."""
    made = 0
    for _ in range(processes):
        reader, tells = os.pipe()
        if os.fork() == 0:
            count = 0
            with contextlib.suppress(OSError):
                for number in range(each):
                    kept.append(socket.create_connection((RUNTIME_API, ENDPOINT)[number % 2], 2))
                    count += 1
            os.write(tells, str(count).encode())
            while True:
                time.sleep(1000)  # noqa: TID251 - holding them
        os.close(tells)
        made += int(os.read(reader, 100))
        os.close(reader)
    return made


def forge_headers():
    """Responses whose headers imitate the platform's: then the runtime's own."""
    path = INVOCATION + own_id() + "/response"
    more = "Content-Type: text/plain\rX-Evil: 1\r\nX-Amz-Function-Error: Forged\r\n"
    return [post(path, b'"forged"', more), post(path, b'"forged"', "Content-Type: a\0b\r\n")]


def forge_own_headers():
    """A response with headers that only the platform may set."""
    more = "X-Amz-Function-Error: Forged\r\nX-Amz-Log-Result: Zm9yZ2Vk\r\nX-Evil: 1\r\n"
    return post(INVOCATION + own_id() + "/response", b'"mine"', more)


def write_frames(megabytes):
    """Garbage to the pipe of framed logs: wrong magic, lengths without end, halves."""
    pipe = int(os.environ.get("_LAMBDA_TELEMETRY_LOG_FD", "3"))
    for data in (
        b"\xa5\x5a\x00\x03\xff\xff\xff\xff" + b"x" * 100,
        b"\xa5\x5a\x00\x03\x7f\xff\xff\xff" + bytes(1000),
        b"\x00" * 5000,
        os.urandom(5000),
        b"\xa5\x5a",
    ):
        write_all(pipe, data)
    for _ in range(megabytes):
        write_all(pipe, bytes(1 << 20))


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data) :]

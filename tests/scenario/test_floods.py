"""What strangers send to keep the platform busy or to fill its memory, while others are served."""

import contextlib
import http.client
import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.yardstick import allowing

from .conftest import Platform, deploy, wait_for

STALL_S = 1.0
"""A health check never takes longer, on a busy machine; without attacks it takes a millisecond."""
MB = 1 << 20
ECHO = "def handler(event, context):\n    return {'seen': len(event.get('body', ''))}\n"
RESULTS = {
    "arrays": "[[]] * 1_400_000",
    "members": "{format(number, 'x'): 1 for number in range(450_000)}",
    "text": "{'statusCode': 200, 'body': chr(233) * 900_000}",
}


class Watch:
    """Asks for the platform's health again and again, and remembers the longest wait."""

    def __init__(self, platform: Platform) -> None:
        self._address = urlsplit(platform.endpoint).netloc
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.waits: list[float] = []

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        while not self._stop.is_set():
            began = time.monotonic()
            connection.request("GET", "/_lambent/health")
            connection.getresponse().read()
            self.waits.append(time.monotonic() - began)
            self._stop.wait(0.002)
        connection.close()

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def longest_s(self) -> float:
        median = statistics.median(self.waits)
        print(f"health: median {median * 1000:.1f} ms, longest {max(self.waits) * 1000:.0f} ms")
        return max(self.waits)


@pytest.fixture(scope="module")
def key(platform: Platform) -> Credentials:
    """A key that the platform knows."""
    iam = platform.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="flood")
    made = iam.create_access_key(UserName="flood")["AccessKey"]
    return Credentials(made["AccessKeyId"], made["SecretAccessKey"])


def send(
    platform: Platform,
    key: Credentials,
    path: str,
    body: bytes,
    service: str = "lambda",
    method: str = "POST",
    **headers: str,
) -> tuple[int, bytes]:
    """Send a signed request; returns status and body of the response."""
    url = platform.endpoint + path
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(platform.endpoint).netloc, timeout=60)
    try:
        try:
            connection.request(method, path, body, dict(request.headers.items()))
        except (BrokenPipeError, ConnectionResetError):
            pass  # The response came before everything was sent.
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def dense(size: int, piece: str = "[],") -> bytes:
    return ("[" + piece * (size // len(piece)) + "1]").encode()


FLOODS: dict[str, tuple[int, Callable[[Platform, Credentials], tuple[int, bytes]]]] = {
    "chunks of one byte": (
        403,
        lambda platform, key: send(
            platform,
            key,
            "/bucket/key",
            b"1\r\na\r\n" * (66 * MB // 6) + b"0\r\n\r\n",
            "s3",
            "PUT",
            **{"X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
        ),
    ),
    "chunks for a service that takes none": (
        403,
        lambda platform, key: send(
            platform,
            key,
            "/2015-03-31/functions",
            b"1\r\na\r\n" * (66 * MB // 6) + b"0\r\n\r\n",
            **{"X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
        ),
    ),
    "a body that is only hashed": (
        404,
        lambda platform, key: send(platform, key, "/nothing", bytes(66 * MB)),
    ),
    "an event of arrays": (
        404,
        lambda platform, key: send(
            platform, key, "/2015-03-31/functions/none/invocations", dense(6_000_000)
        ),
    ),
    "a request of arrays": (
        400,
        lambda platform, key: send(platform, key, "/2015-03-31/functions", dense(60 * MB)),
    ),
    "a request of long numbers": (
        400,
        lambda platform, key: send(
            platform, key, "/2015-03-31/functions", dense(20 * MB, "9" * 4000 + ",")
        ),
    ),
    "a form of fields": (
        400,
        lambda platform, key: send(platform, key, "/", b"Action=ListUsers&" * 2 * MB, "iam"),
    ),
    "a query of fields": (
        400,
        lambda platform, key: send(platform, key, "/?" + "a&" * 7000, b""),
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_requests_do_not_stop_the_loop(platform: Platform, key: Credentials, name: str) -> None:
    """Whatever a large request contains, other clients get their responses meanwhile."""
    status, flood = FLOODS[name]
    with allowing(STALL_S) as most_s, Watch(platform) as watch:
        answer = flood(platform, key)
    assert watch.longest_s < most_s()
    assert answer[0] in (status, 413) if name == "a form of fields" else answer[0] == status


@pytest.mark.parametrize("size", [100, 6_000_000])
def test_events_are_checked_wherever_it_is_done(
    platform: Platform, key: Credentials, size: int
) -> None:
    """Invalid JSON is refused, and valid JSON gets through."""
    client = platform.client("lambda")
    with contextlib.suppress(client.exceptions.ResourceConflictException):
        deploy(client, "takes", {"app.py": "def handler(event, context):\n    return len(event)\n"})
    with allowing(STALL_S) as most_s, Watch(platform) as watch:
        answer = client.invoke(FunctionName="takes", Payload=dense(size - 10))
        assert json.loads(answer["Payload"].read()) == (size - 10) // 3 + 1
        code = None
        try:
            client.invoke(FunctionName="takes", Payload=dense(size - 10)[:-1])
        except client.exceptions.InvalidRequestContentException as error:
            code = error.response["Error"]["Code"]
    assert code == "InvalidRequestContentException"
    assert watch.longest_s < most_s()


def test_bodies_and_results_of_urls_do_not_stop_the_loop(platform: Platform) -> None:
    """Requests are escaped or encoded, responses are parsed."""
    client = platform.client("lambda")
    deploy(client, "echoes", {"app.py": ECHO})
    code = "".join(
        f"def {name}(event, context):\n    return {made}\n" for name, made in RESULTS.items()
    )
    for name in RESULTS:
        deploy(client, f"gives-{name}", {"app.py": code}, Handler=f"app.{name}", MemorySize=1769)
    for name in ("echoes", *(f"gives-{name}" for name in RESULTS)):
        made = client.create_function_url_config(FunctionName=name, AuthType="NONE")
        path = f"/_lambent/url/{urlsplit(made['FunctionUrl']).netloc.partition('.')[0]}/"
        body = b"\x01" * 900_000 if name == "echoes" else b""
        connection = http.client.HTTPConnection(urlsplit(platform.endpoint).netloc, timeout=60)
        with allowing(STALL_S) as most_s, Watch(platform) as watch:
            connection.request("POST", path, body, {"Content-Type": "text/plain"})
            answer = connection.getresponse()
            got = answer.read()
        connection.close()
        assert answer.status == 200, got[:200]
        assert len(got) > 1_000_000 or json.loads(got) == {"seen": 900_000}
        assert watch.longest_s < most_s(), name


def rss(platform: Platform) -> int:
    """The platform's memory, in MB."""
    pages = int(Path(f"/proc/{platform.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // MB


@contextmanager
def unfinished(platform: Platform, count: int, head: bytes, size: int) -> Iterator[list[Any]]:
    """Connections that send a head and a part of a body, and stay open."""
    address = urlsplit(platform.endpoint)
    peers = []
    for _ in range(count):
        peer = socket.create_connection((str(address.hostname), address.port or 80), 20)
        peers.append(peer)
        with contextlib.suppress(OSError):
            peer.sendall(head)
            for _ in range(size // MB):
                peer.sendall(bytes(MB))
    yield peers
    for peer in peers:
        peer.close()


CREATE = b"POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\n"
HEADS = {
    "bodies of sixty megabytes": (
        25,
        CREATE + b"Content-Length: 69000000\r\n\r\n",
        60 * MB,
    ),
    "chunked bodies": (
        25,
        CREATE + b"Transfer-Encoding: chunked\r\n\r\n4000000\r\n",
        60 * MB,
    ),
    "bodies for a URL": (
        80,
        b"POST /_lambent/url/x/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6000000\r\n\r\n",
        5 * MB,
    ),
    "heads of one megabyte": (300, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MB, 0),
}


@pytest.fixture(scope="module", params=["relaxed", "strict"])
def narrow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform that may hold little."""
    data = tmp_path_factory.mktemp("narrow") / "data"
    running = Platform(data, "--auth", request.param, "--set", "gateway.held_mb=200")
    yield running
    assert running.stop() == 0, running.output


@pytest.mark.parametrize("name", HEADS)
def test_what_never_ends_takes_little_memory(narrow: Platform, name: str) -> None:
    """Incomplete requests of unknown clients are held within a budget; others are served, and held
    memory is released. A strict platform does not even read unsigned requests."""
    before = rss(narrow)
    connection = http.client.HTTPConnection(urlsplit(narrow.endpoint).netloc, timeout=20)
    with unfinished(narrow, *HEADS[name]):
        during = rss(narrow)
        connection.request("GET", "/_lambent/health")
        assert connection.getresponse().read()
        connection.request("POST", "/2015-03-31/functions/none/invocations", b"{}")
        answer = connection.getresponse()
        assert answer.status in (403, 404)
        is_strict = answer.status == 403
    connection.close()
    print(f"{name}, strict {is_strict}: {before} MB before, {during} MB during")
    assert during - before < (50 if is_strict and "bodies for" not in name else 350)
    wait_for(lambda: rss(narrow) - before < 100, "memory given back")


def readers_of(platform: Platform) -> list[int]:
    """The processes in which the platform reads JSON."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and b"anyio.to_process" in (entry / "cmdline").read_bytes():
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == platform.process.pid:
                    found.append(int(entry.name))
    return found


def test_the_process_that_reads_ends_with_the_platform(
    start_platform: Callable[..., Platform],
) -> None:
    """However that ends; and it has no privileges."""
    running = start_platform()
    client = running.client("lambda")
    deploy(client, "takes", {"app.py": "def handler(event, context):\n    return len(event)\n"})
    client.invoke(FunctionName="takes", Payload=dense(300_000))
    (reader,) = readers_of(running)
    status = Path(f"/proc/{reader}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    running.kill()
    wait_for(lambda: not Path(f"/proc/{reader}").exists(), "the process has ended", 20)

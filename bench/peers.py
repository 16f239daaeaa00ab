"""Other programs that run functions and are in the registries, under the same load.

`tools/make-bench-peers` installs them into `build/peers`. Each is started on loopback with the
function that the platform was measured with, and ended afterwards. One that is not installed or
does not work is a row that says why.
"""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import load
from bench.own import NO_OP, Row, deploy, lambda_client, measure, row

PEERS = Path(__file__).parent.parent / "build" / "peers"
_START_DEADLINE_S = 60.0
_COLD = 20
_WARM = 2_000
_THROUGHPUT = 8_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A peer that answers."""

    endpoint: str
    requests: Sequence[bytes]
    """One for each function; none has been called."""
    started_s: float
    """From starting its process until it listens."""


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """A peer, and how it is started with a number of functions."""

    name: str
    start: Callable[[int], contextlib.AbstractContextManager[Running]]
    callers: int = 16
    """How many at once it bears."""
    functions_max: int = _COLD
    compares: tuple[str, str, str] = ("cold-python", "warm-1", "warm-16")
    """Our measurements of a first call, of one caller and of 16."""


def measure_peers(scale: float, report: Callable[[str], None]) -> Iterator[Row]:
    """Rows of every peer."""
    for peer in _peers():
        report(peer.name)
        try:
            yield from _measure(peer, scale)
        except (OSError, subprocess.SubprocessError, TimeoutError) as error:
            yield {"measurement": peer.name, "note": f"left out: {error}"}
    yield {
        "measurement": "moto",
        "note": "left out: without Docker it does not run a function's code",
    }


def _measure(peer: Peer, scale: float) -> Iterator[Row]:
    with peer.start(peer.functions_max) as running:
        first = list(running.requests)
        if len(first) > 1:
            title, sample = (
                "first call of a function",
                measure(running.endpoint, first, 1, len(first)),
            )
        else:
            title = "first call after its start"
            sample = measure(running.endpoint, first, 1, 1)
        note = f"listens {running.started_s:.1f} s after its start"
        yield row(f"{peer.name}: {title}", sample, note=note, compares=peer.compares[0])
        measure(running.endpoint, first[:1], 1, 100)
        count = max(int(_WARM * scale), 50)
        sample = measure(running.endpoint, first[:1], 1, count)
        yield row(f"{peer.name}: warm, c=1", sample, compares=peer.compares[1])
        if peer.callers > 1:
            measure(running.endpoint, first[:1], peer.callers, 200)
            count = max(int(_THROUGHPUT * scale), 200)
            sample = measure(running.endpoint, first[:1], peer.callers, count)
            yield row(f"{peer.name}: c={peer.callers}", sample, compares=peer.compares[2])


def _peers() -> Iterator[Peer]:
    yield Peer("AWS Lambda RIE", _start_rie, callers=1, functions_max=1)
    yield Peer("serverless-offline", _start_serverless)
    http_api = ("", "HTTP API, c=1", "HTTP API, c=16")
    yield Peer("serverless-offline, HTTP API", _start_serverless_http_api, compares=http_api)
    yield Peer("MiniStack", _start_ministack)
    yield Peer("functions-framework", _start_functions_framework, functions_max=1)


@contextlib.contextmanager
def _start_rie(_: int) -> Iterator[Running]:
    """The emulator of AWS's base images; it starts the function with its first call."""
    found = sorted(PEERS.glob("rie/lib/python*/site-packages/samcli/local/rapid/*x86_64"))
    if not found:
        raise OSError("not installed")
    with _folder({"app.py": NO_OP}) as folder:
        port = _free_port()
        command = [str(found[-1]), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{_free_port()}"]
        command += [str(PEERS / "rie/bin/python"), "-m", "awslambdaric", "app.handler"]
        path = "/2015-03-31/functions/function/invocations"
        with _process(command, folder, port, {"AWS_LAMBDA_FUNCTION_TIMEOUT": "60"}) as running:
            yield _with_paths(running, [path])


@contextlib.contextmanager
def _start_serverless(count: int) -> Iterator[Running]:
    names = [f"f{number}" for number in range(count)]
    lambda_port = _free_port()
    with _serverless(
        {name: {} for name in names}, lambda_port, _free_port(), lambda_port
    ) as running:
        paths = [f"/2015-03-31/functions/bench-dev-{name}/invocations" for name in names]
        yield _with_paths(running, paths)


@contextlib.contextmanager
def _start_serverless_http_api(count: int) -> Iterator[Running]:
    names = [f"f{number}" for number in range(count)]
    functions = {name: {"events": [{"httpApi": f"POST /{name}"}]} for name in names}
    http_port = _free_port()
    with _serverless(functions, _free_port(), http_port, http_port) as running:
        yield _with_paths(running, [f"/{name}" for name in names])


@contextlib.contextmanager
def _serverless(
    functions: dict[str, dict[str, Any]], lambda_port: int, http_port: int, measured_port: int
) -> Iterator[Running]:
    """serverless-offline; `measured_port` is the one of its two ports that is called."""
    described = {
        "service": "bench",
        "provider": {"name": "aws", "runtime": "python3.11"},
        "plugins": ["serverless-offline"],
        "functions": {name: {"handler": "app.handler", **more} for name, more in functions.items()},
    }
    files = {"app.py": NO_OP, "serverless.json": json.dumps(described)}
    with _folder(files) as folder:
        (folder / "node_modules").symlink_to(PEERS / "serverless/node_modules")
        command = [str(PEERS / "serverless/node_modules/.bin/osls"), "offline", "start"]
        command += ["--host", "127.0.0.1", "--httpPort", str(http_port)]
        command += ["--lambdaPort", str(lambda_port), "--noTimeout"]
        environment = {"SLS_TELEMETRY_DISABLED": "1"}
        with _process(command, folder, measured_port, environment) as running:
            yield running


@contextlib.contextmanager
def _start_ministack(count: int) -> Iterator[Running]:
    with _folder({}) as folder:
        port = _free_port()
        environment = {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "LAMBDA_EXECUTOR": "local",
            "HOME": str(folder),
        }
        with _process(
            [str(PEERS / "ministack/bin/ministack")], folder, port, environment
        ) as running:
            paths = [_deploy_at(running.endpoint, f"f{number}") for number in range(count)]
            yield _with_paths(running, paths)


@contextlib.contextmanager
def _start_functions_framework(_: int) -> Iterator[Running]:
    code = "def handler(request):\n    return {'ok': True}\n"
    with _folder({"main.py": code}) as folder:
        port = _free_port()
        command = [str(PEERS / "functions-framework/bin/functions-framework")]
        command += ["--target=handler", "--source=main.py", "--host=127.0.0.1", f"--port={port}"]
        with _process(command, folder, port, {}) as running:
            yield _with_paths(running, ["/"])


def _deploy_at(endpoint: str, name: str) -> str:
    deploy(lambda_client(endpoint), name, {"app.py": NO_OP})
    return f"/2015-03-31/functions/{name}/invocations"


def _with_paths(running: Running, paths: Sequence[str]) -> Running:
    requests = [load.post_request(running.endpoint, path) for path in paths]
    return dataclasses.replace(running, requests=requests)


@contextlib.contextmanager
def _folder(files: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as name:
        for path, content in files.items():
            (Path(name) / path).write_text(content)
        yield Path(name)


@contextlib.contextmanager
def _process(
    command: list[str], folder: Path, port: int, environment: dict[str, str]
) -> Iterator[Running]:
    """A peer's process and all that it starts, until the context is left."""
    if not Path(command[0]).exists():
        raise OSError("not installed")
    began = time.monotonic()
    process: subprocess.Popen[Any] = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _listens(port):
            if process.poll() is not None:
                raise OSError(f"it ended with {process.returncode}")
            if time.monotonic() - began > _START_DEADLINE_S:
                raise TimeoutError(f"it did not listen within {_START_DEADLINE_S:g} s")
            time.sleep(0.02)  # noqa: TID251 - a benchmark lives in real time
        yield Running(
            endpoint=f"http://127.0.0.1:{port}", requests=(), started_s=time.monotonic() - began
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

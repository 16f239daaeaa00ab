"""The control plane with many functions: how long it takes to start, to list and to look up; and
what verifying a signature costs."""

import dataclasses
import hashlib
import io
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import anyio
from bench import load
from bench.own import PYTHON, Report, Row, measure, row, running_platform
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.identity.signature import read_signature, verify
from lambent.model.function import FunctionKey, FunctionVersion, LoggingConfiguration
from lambent.store.settings import StoreSettings
from lambent.store.store import Transaction, open_store

FUNCTIONS = 10_000
_STARTS = 5
_SIGNATURES = 5_000
_SECRET = "secret-of-the-bench"


def measure_control_plane(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    report("signature")
    yield _measure_signature()
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as data_dir:
        report(f"making {FUNCTIONS} functions")
        anyio.run(_fill, Path(data_dir) / "state")
        report("starting")
        yield _measure_start(data_dir)
        with running_platform(data_dir) as endpoint:
            report("listing")
            yield _measure_get(endpoint, "ListFunctions, a page", ["/2015-03-31/functions"], scale)
            names = [f"/2015-03-31/functions/f{number}" for number in range(0, FUNCTIONS, 7)]
            yield _measure_get(endpoint, "GetFunction", names, scale)


async def _fill(state: Path) -> None:
    """A database and packages as if so many functions had been deployed, each with its own."""
    blobs = state / "blobs"
    blobs.mkdir(parents=True)

    def write(tx: Transaction) -> None:
        for number in range(FUNCTIONS):
            data = _package(number)
            key = hashlib.sha256(data).hexdigest()
            (blobs / key).write_bytes(data)
            tx.functions.create(_function(number, key, len(data)))

    async with open_store(StoreSettings(synchronous="OFF"), state) as store:
        await store.transact(write)


def _package(number: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", f"def handler(event, context):\n    return {number}\n")
    return file.getvalue()


def _function(number: int, code_key: str, code_size: int) -> FunctionVersion:
    name = f"f{number}"
    return FunctionVersion(
        key=FunctionKey("000000000000", "us-east-1", name),
        version="$LATEST",
        role="arn:aws:iam::000000000000:role/bench",
        runtime=PYTHON,
        handler="app.handler",
        environment={"STAGE": "bench", "NUMBER": name},
        logging=LoggingConfiguration(log_group=f"/aws/lambda/{name}"),
        code_key=code_key,
        code_size=code_size,
        configuration_id=name,
        revision_id=name,
        last_modified_ms=0,
        last_update_status="Successful",
        other={"TracingConfig": {"Mode": "PassThrough"}},
    )


def _measure_start(data_dir: str) -> Row:
    latencies = []
    for _ in range(_STARTS):
        before = time.perf_counter()
        with running_platform(data_dir):
            latencies.append(time.perf_counter() - before)
    sample = load.Sample(latencies_s=latencies, errors=0, duration_s=sum(latencies))
    return row(f"start with {FUNCTIONS} functions", sample)


def _measure_get(endpoint: str, title: str, paths: list[str], scale: float) -> Row:
    host = endpoint.removeprefix("http://")
    requests = [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in paths]
    sample = measure(endpoint, requests, 1, max(200, int(2000 * scale)))
    return row(f"{title}, {FUNCTIONS} functions, c=1", sample)


@dataclasses.dataclass
class _Exchange:
    """As much of a request as a signature covers."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def _measure_signature() -> Row:
    """Of signed Invoke requests with 1 KB, each with a time and signature of its own."""
    signer = SigV4Auth(Credentials("AKIABENCH", _SECRET), "lambda", "us-east-1")
    body = b'{"data": "' + b"x" * 1000 + b'"}'
    path = "/2015-03-31/functions/bench/invocations"
    exchanges = []
    for number in range(_SIGNATURES):
        headers = {"Content-Type": "application/json", "X-Number": str(number)}
        request = AWSRequest("POST", f"http://127.0.0.1:5262{path}", headers, body)
        signer.add_auth(request)
        signed = {name.lower(): str(value) for name, value in request.headers.items()}
        exchanges.append(_Exchange("POST", path, "", {"host": "127.0.0.1:5262", **signed}, body))
    now, latencies = time.time(), []
    for exchange in exchanges:
        before = time.perf_counter()
        signature = read_signature(exchange)  # type: ignore[arg-type]
        assert signature is not None
        verify(signature, exchange, _SECRET, now)  # type: ignore[arg-type]
        latencies.append(time.perf_counter() - before)
    sample = load.Sample(latencies_s=latencies, errors=0, duration_s=sum(latencies))
    return row("verifying a signature, 1 KB", sample)

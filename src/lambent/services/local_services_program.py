"""The program of the emulator's process: ministack on a socket that it inherits; its deliveries to
functions go to the platform.

Run as a script by the interpreter of the platform, isolated from the platform's own packages; it
imports nothing of the platform. The first line on stdin is its configuration. When stdin ends, the
platform has ended in some way, and the program ends, too.

ministack serves everyone who reaches it and is not hardened against its users, who here are
functions in boxes. So it runs no programs, reads only its own files and the system's, connects only
to the platform, and its pages for operators are closed.
"""

import asyncio
import contextvars
import fcntl
import http.client
import importlib
import importlib.util
import json
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

_CALLERS = Path(__file__).with_name("local_services_callers.py")
_ROTATIONS = Path(__file__).with_name("local_services_rotations.py")
_STREAMS = Path(__file__).with_name("local_services_streams.py")
_STOP_DEADLINE_S = 15.0
_SAVE_EVERY_S = 15.0
_EVENT_DEADLINE_S = 30.0
_CALL_DEADLINE_S = 910.0
"""Timeout of a function's response in seconds: the maximum timeout and a little more."""
_EVENT_ATTEMPTS = 8
"""Attempts to deliver an event while the platform accepts none: about two minutes."""
_EVENTS_PATH = "/events"
"""Where the platform takes events for its buses."""
_ARN = re.compile(r"arn:[a-z-]+:lambda:([a-z0-9-]+):(\d{12}):function:([\w-]+)(?::([\w$-]+))?")
_READS = frozenset({"os.listdir", "os.scandir"})
_CHANGES = frozenset(
    {
        *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
        *("os.symlink", "os.truncate"),
    }
)
_PROGRAMS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
)
_SYSTEM = ("/dev/null", "/dev/urandom", "/etc", "/lib", "/lib64", "/proc/meminfo", "/usr")
"""Readable paths in addition to Python's library."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Json = dict[str, Any]

trace_header: contextvars.ContextVar[str] = contextvars.ContextVar("trace_header", default="")
"""Of the current request; functions that are invoked for it receive it, too."""


def main() -> None:
    config = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_platform, daemon=True).start()
    limit = config["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    directory = Path(config["directory"])
    _take(directory)
    (directory / "tmp").mkdir(exist_ok=True)
    sys.path.insert(0, config["packages"])
    callers, rotations, streams = (_load(path) for path in (_CALLERS, _ROTATIONS, _STREAMS))
    address = (config["deliveries"]["host"], config["deliveries"]["port"])
    sys.addaudithook(Guard(Path(config["data"]), directory, address))
    app = importlib.import_module("ministack.app")
    deliveries = Deliveries(config["deliveries"])
    lead_to_platform(deliveries)
    callers.lead_callers(deliveries, _replace)
    rotations.lead_rotations(deliveries, _replace)
    streams.lead_streams(deliveries, _replace)
    objects = importlib.import_module("ministack.services.s3_object_lambda")
    _have_a_default_key()
    # Functions fetch the object from the platform's endpoint in their box.
    _replace(objects, "_endpoint_for", lambda _: config["box_endpoint"])
    asyncio.run(_serve(app, config["listener"]))


def _load(path: Path) -> Any:
    """Another file of this program. Its directory has modules of the platform, too, so it is not
    searched for imports."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _end_with_platform() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_STOP_DEADLINE_S)
    os._exit(1)


def _take(directory: Path) -> None:
    """Wait for another process that holds the directory and is ending, because its platform is
    gone. Kills it if it does not end."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _STOP_DEADLINE_S + 1
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.kill(int(os.pread(lock, 16, 0)), signal.SIGKILL)
            threading.Event().wait(0.05)
    os.truncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


class Guard:
    """An audit hook; an exception refuses the operation."""

    def __init__(self, data: Path, own: Path, platform: tuple[str, int]) -> None:
        """`data` is the platform's data directory, `own` the emulator's directory in it. Paths on
        `sys.path` at this moment are readable."""
        self._data = _prefix(data)
        self._own = _prefix(own)
        self._readable = tuple(
            _prefix(place) for place in (*sys.path, *_SYSTEM, f"/proc/{os.getpid()}")
        )
        self._platform = platform

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _PROGRAMS:
            raise PermissionError(f"the emulator runs no programs ({event})")
        if event == "socket.connect" and arguments[1] != self._platform:
            raise PermissionError(f"the emulator connects to the platform only: {arguments[1]}")
        if event == "open":
            self._check(arguments[0], is_change=bool(arguments[2] & _WRITES))
        elif event in _READS:
            self._check(arguments[0], is_change=False)
        elif event in _CHANGES:
            self._check(arguments[0], is_change=True)
            if event in ("os.rename", "os.link"):
                self._check(arguments[1], is_change=True)

    def _check(self, path: object, *, is_change: bool) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # A descriptor was opened by name before.
        real = _prefix(path)
        if real.startswith(self._own):
            return
        if real.startswith(self._data) or not real.startswith(self._readable):
            raise PermissionError(f"the emulator may not use {real}")
        if is_change and real != "/dev/null/":
            raise PermissionError(f"the emulator may not change {real}")


def _prefix(path: str | bytes | os.PathLike[Any]) -> str:
    """The prefix of all paths that are this one or in it."""
    return os.path.join(os.path.realpath(os.fsdecode(path)), "")


class Deliveries:
    """Sends events and invocations to the platform."""

    def __init__(self, config: Json) -> None:
        self._host: str = config["host"]
        self._port: int = config["port"]
        self._token: str = config["token"]
        self.caller: contextvars.ContextVar[Json | None] = contextvars.ContextVar("caller")
        """Who invokes functions in this context, where a part of ministack does not say it."""

    def send(self, arn: str, event: Any, source: Json) -> None:
        """Invoke a function asynchronously; returns at once."""
        headers = _about(arn, source, "Event")
        self._send_later(f"the event for {arn}", "/", json.dumps(event).encode(), headers)

    def call(self, arn: str, event: Any, source: Json) -> Json:
        """Invoke a function; returns the result in ministack's form."""
        body = json.dumps(event).encode()
        headers = _about(arn, source, "RequestResponse")
        try:
            status, answer = self._post("/", body, headers, _CALL_DEADLINE_S)
        except OSError as error:
            return _failed(f"the platform does not answer: {error}")
        if status not in (200, 299):
            return {**_failed(answer.decode(errors="replace")), "code": _code_of(answer)}
        found: Json = {"body": json.loads(answer) if answer else None}
        if status == 299:
            found["error"] = True
        return found

    def put_events(self, request: Json) -> tuple[int, bytes]:
        """Put events on buses of the platform; returns the status and the response."""
        try:
            return self._post(_EVENTS_PATH, json.dumps(request).encode(), {}, _EVENT_DEADLINE_S)
        except OSError as error:
            text = f"the platform does not answer: {error}"
            return 503, json.dumps({"__type": "InternalException", "message": text}).encode()

    def put_event_later(self, request: Json) -> None:
        """Put an event of a service on a bus of the platform; returns at once."""
        source = request["Entries"][0]["Source"]
        body = json.dumps(request).encode()
        self._send_later(f"the event of {source}", _EVENTS_PATH, body, {})

    def _send_later(self, what: str, path: str, body: bytes, headers: Json) -> None:
        context = contextvars.copy_context()
        run = (self._send, what, path, body, headers)
        threading.Thread(target=context.run, args=run, daemon=True).start()

    def _send(self, what: str, path: str, body: bytes, headers: Json) -> None:
        for attempt in range(_EVENT_ATTEMPTS):
            try:
                status, answer = self._post(path, body, headers, _EVENT_DEADLINE_S)
            except OSError as error:
                status, answer = 503, str(error).encode()
            if status in (200, 202):
                return
            if status != 429 and status < 500:
                break
            threading.Event().wait(2**attempt)
        _log(f"{what} was not taken: {status} {answer[:500].decode(errors='replace')}")

    def _post(self, path: str, body: bytes, headers: Json, deadline_s: float) -> tuple[int, bytes]:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "X-Amzn-Trace-Id": trace_header.get(),
            **headers,
        }
        connection = http.client.HTTPConnection(self._host, self._port, timeout=deadline_s)
        try:
            connection.request("POST", path, body, {k: v for k, v in headers.items() if v})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"no answer: {error!r}") from error
        finally:
            connection.close()


def _about(arn: str, source: Json, kind: str) -> Json:
    """Headers of an invocation."""
    return {
        "X-Function": arn,
        "X-Invocation-Type": kind,
        "X-Source": source.get("service", ""),
        "X-Source-Arn": source.get("arn", ""),
        "X-Source-Account": source.get("account", ""),
        "X-Source-Role": source.get("role", ""),
    }


def _code_of(answer: bytes) -> str:
    """The code of the platform's error."""
    try:
        return str(json.loads(answer)["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _failed(message: str) -> Json:
    return {"body": {"errorMessage": message, "errorType": "ServiceException"}, "error": True}


def lead_to_platform(deliveries: Deliveries) -> None:
    """Replace the parts of ministack that find and invoke functions. Its version is pinned: if a
    part is missing, the program does not start."""
    responses = importlib.import_module("ministack.core.responses")
    functions = importlib.import_module("ministack.services.lambda_svc")

    def find(reference: str) -> tuple[Json | None, Json | None, str]:
        match = _ARN.fullmatch(reference)
        if match is None and "/" not in reference:  # A name, in the current account and region.
            scope = f"{responses.get_region()}:{responses.get_account_id()}"
            match = _ARN.fullmatch(f"arn:aws:lambda:{scope}:function:{reference}")
        if match is None:
            return None, None, reference
        config = {
            "FunctionName": match[3],
            "FunctionArn": match[0],
            "Version": match[4] or "$LATEST",
            "Timeout": 900,
        }
        return {"config": config}, config, match[3]

    def call(function: Json, event: Any) -> Json:
        return deliveries.call(_arn_of(function), event, deliveries.caller.get(None) or {})

    def send(function: Json, event: Json) -> None:
        bucket = event["Records"][0]["s3"]["bucket"]["arn"]
        account = responses.get_account_id()
        source = {"service": "s3.amazonaws.com", "arn": bucket, "account": account}
        deliveries.send(_arn_of(function), event, source)

    def find_qualified(reference: str, qualifier: str | None) -> tuple[Json | None, Json | None]:
        return find(f"{reference}:{qualifier}" if qualifier else reference)[:2]

    _replace(functions, "_get_func_record_for_ref", find)
    # Callers that split a reference get the whole one back: a name has no account.
    _replace(functions, "_resolve_name_and_qualifier", lambda reference: (reference, None))
    _replace(functions, "_get_func_record_for_qualifier", find_qualified)
    _replace(functions, "_execute_function", call)
    # Only S3 uses it.
    _replace(functions, "invoke_async_with_retry", send)
    _lead_topics(deliveries)
    _lead_events(deliveries, responses)
    _find_owners_of_pools(responses)
    _keep_trace_headers()


def _lead_topics(deliveries: Deliveries) -> None:
    topics = importlib.import_module("ministack.services.sns")

    def send(endpoint: str, envelope: str, topic: str, subscription: str, *_: object) -> None:
        message = json.loads(envelope)
        for name in ("SigningCert", "Unsubscribe"):
            # Functions receive these under other names than HTTP endpoints.
            message[f"{name}Url"] = message.pop(f"{name}URL", "")
        message.setdefault("Subject", None)
        message.setdefault("MessageAttributes", {})
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": message,
        }
        account = topic.split(":")[4]
        source = {"service": "sns.amazonaws.com", "arn": topic, "account": account}
        deliveries.send(endpoint, {"Records": [record]}, source)

    _replace(topics, "_deliver_to_lambda", send)


def _lead_events(deliveries: Deliveries, responses: Any) -> None:
    """Event buses are the platform's own: what services here put on a bus goes there."""
    buses = importlib.import_module("ministack.services.eventbridge")

    def request(entries: list[Json], *, is_from_service: bool) -> Json:
        scope = {"account": responses.get_account_id(), "region": responses.get_region()}
        return {"Entries": entries, "IsFromService": is_from_service, **scope}

    def put_events(data: Json, allow_aws_source: bool = False) -> tuple[int, Json, bytes]:
        given = request(data.get("Entries", []), is_from_service=allow_aws_source)
        status, answer = deliveries.put_events(given)
        return status, {"Content-Type": "application/json"}, answer

    def put_event(event: Json, *_: object) -> None:
        members = ("Source", "DetailType", "Detail", "Resources", "EventBusName")
        entry = {member: event[member] for member in members if member in event}
        deliveries.put_event_later(request([entry], is_from_service=True))

    _replace(buses, "_put_events", put_events)
    _replace(buses, "_dispatch_event", put_event)
    for module in (buses, importlib.import_module("ministack.services.scheduler")):
        # Schedules are the platform's own, too. The emulator may have some of an earlier version.
        _replace(module, "start_scheduler", lambda: None)


def _find_owners_of_pools(responses: Any) -> None:
    """Unsigned requests for identities are for the account of their pool."""
    cognito = importlib.import_module("ministack.services.cognito")
    run_identity = cognito._run_identity_handler

    def run(handler: Any, action: str, data: Json) -> Any:
        if action in cognito._UNSIGNED_IDENTITY_ACTIONS:
            ids = data.get("IdentityPoolId"), data.get("IdentityId")
            for (account, _, name), pool in cognito._identity_pools.all_items():
                if name == ids[0] or ids[1] in pool.get("_identities", {}):
                    responses.set_request_account_id(account)
        return run_identity(handler, action, data)

    _replace(cognito, "_run_identity_handler", run)


def _keep_trace_headers() -> None:
    """SQS stores the trace header of the request with the message."""
    queues = importlib.import_module("ministack.services.sqs")
    build = queues._build_send_sys_attrs

    def build_with_header(now: float, given: Json) -> Json:
        attributes: Json = build(now, given)
        if header := trace_header.get():
            attributes.setdefault("AWSTraceHeader", header)
        return attributes

    _replace(queues, "_build_send_sys_attrs", build_with_header)


def _have_a_default_key() -> None:
    """An object that is written with `aws:kms` and no key has the account's key `aws/s3`, as in
    AWS. CDK publishes assets in this way."""
    objects = importlib.import_module("ministack.services.s3")
    responses = importlib.import_module("ministack.core.responses")
    resolve = objects._resolve_sse_write_headers

    def resolve_with_key(headers: Json, bucket: str) -> Any:
        if headers.get("x-amz-server-side-encryption") == "aws:kms":
            scope = f"{responses.get_region()}:{responses.get_account_id()}"
            key = f"arn:aws:kms:{scope}:alias/aws/s3"
            headers = {"x-amz-server-side-encryption-aws-kms-key-id": key, **headers}
        return resolve(headers, bucket)

    _replace(objects, "_resolve_sse_write_headers", resolve_with_key)


def _replace(module: Any, name: str, function: Callable[..., Any]) -> None:
    if not callable(getattr(module, name)):
        raise TypeError(f"{module.__name__}.{name} is not a function")
    setattr(module, name, function)


def _arn_of(function: Json) -> str:
    config = function.get("config") or function
    return str(config["FunctionArn"])


async def _serve(app: Any, listener: int) -> None:
    hypercorn = importlib.import_module("hypercorn.asyncio")
    configuration = importlib.import_module("hypercorn.config").Config()
    configuration.bind = [f"fd://{listener}"]
    configuration.loglevel = "WARNING"
    configuration.graceful_timeout = 2
    configuration.keep_alive_timeout = 75
    used = [False]

    async def serve(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            used[0] = True
            headers = dict(scope["headers"])
            trace_header.set(headers.get(b"x-amzn-trace-id", b"").decode("latin-1"))
            if scope["path"].lstrip("/").startswith("_"):
                await _refuse(send)
                return
        await app.app(scope, receive, send)

    saving = asyncio.get_running_loop().create_task(_save_now_and_then(app, used))
    try:
        await hypercorn.serve(serve, configuration)
    finally:
        saving.cancel()


async def _refuse(send: Any) -> None:
    """Such paths are for operators, or for host names that the platform does not serve."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"There is no such page.\n"})


async def _save_now_and_then(app: Any, used: list[bool]) -> None:
    """Save the state regularly; ministack itself saves it only when it stops."""
    persistence = importlib.import_module("ministack.core.persistence")
    while True:
        await asyncio.sleep(_SAVE_EVERY_S)
        if used[0]:
            used[0] = False
            began = time.monotonic()
            persistence.save_all(app._build_persistence_save_dict())
            # Slow saves run less often, because requests wait meanwhile.
            await asyncio.sleep(20 * (time.monotonic() - began))


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

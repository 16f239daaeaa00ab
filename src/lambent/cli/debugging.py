"""`lambent invoke --debug`: one call that waits for a debugger."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from lambent.cli import admin_api
from lambent.cli.bucket import open_bucket
from lambent.cli.build_tools import pip_install
from lambent.cli.client import open_client
from lambent.cli.deploy import sent
from lambent.cli.invoke import InvokeResult
from lambent.cli.output import UsageError
from lambent.cli.package import pack

PORTS = {"python": 5678, "nodejs": 9229}
"""The usual port of the debugger, by the beginning of the runtime's name."""
DEBUGPY = "debugpy>=1.8,<2"
_SESSION_S = 3700
"""Longer than a session may take."""


def debug(
    endpoint: str,
    name: str,
    event: bytes,
    *,
    qualifier: str | None,
    port: int | None,
    show: Callable[[str], None],
) -> InvokeResult:
    """Call a function under a debugger, and wait for the response. Raises `CliError`."""
    with open_client("lambda", endpoint) as client:
        options = {"Qualifier": qualifier} if qualifier else {}
        found = client.get_function_configuration(FunctionName=name, **options)
    runtime = str(found.get("Runtime"))
    usual = next((port for start, port in PORTS.items() if runtime.startswith(start)), None)
    if usual is None:
        raise UsageError(f"cannot debug {name}: only Python and Node.js, not {runtime}")
    port = port or usual
    query: dict[str, Any] = {"port": port, **({"qualifier": qualifier} if qualifier else {})}
    if runtime.startswith("python"):
        query["layer"] = _debugpy_layer(endpoint, runtime, show)
    show(f"waiting for a debugger at 127.0.0.1:{port} of the platform's host; Ctrl-C ends the call")
    path = f"/_lambent/debug/{quote(name, safe='')}?{urlencode(query)}"
    answer = admin_api.request(endpoint, "POST", path, event, timeout_s=_SESSION_S)
    return InvokeResult(
        status=answer["StatusCode"],
        payload=answer["Payload"].encode(),
        function_error=answer["FunctionError"],
        log="",
        version=answer["ExecutedVersion"],
    )


def _debugpy_layer(endpoint: str, runtime: str, show: Callable[[str], None]) -> str:
    """The ARN of a layer with debugpy for a runtime; made by pip if there is none."""
    name = f"lambent-debugpy-{runtime.replace('.', '-')}"
    with open_client("lambda", endpoint) as client:
        known = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
        if known:
            return str(known[0]["LayerVersionArn"])
        show(f"installing debugpy for {runtime} into the layer {name}")
        with tempfile.TemporaryDirectory(prefix="lambent-debugpy-") as directory:
            pip_install(runtime, Path(directory) / "python", [DEBUGPY], Path(directory))
            package = pack(Path(directory))
        with sent(partial(open_bucket, endpoint), name, package) as content:
            made = client.publish_layer_version(
                LayerName=name,
                Description="debugpy, for `lambent invoke --debug`",
                Content=content,
                CompatibleRuntimes=[runtime],
            )
    return str(made["LayerVersionArn"])

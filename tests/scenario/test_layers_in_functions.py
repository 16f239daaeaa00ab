"""Layers as functions see them."""

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.platforms import Link, Platform, deploy, invoke, publish_layer, zip_of

LIST = """
import os
def handler(event, context):
    layers = os.environ.get("LAMBENT_LAYERS_DIR", "/opt")  # Set where no box has it at /opt.
    return {
        os.path.join("/opt", os.path.relpath(where, layers), name).replace("/./", "/"):
            open(os.path.join(where, name)).read()
        for where, _, names in os.walk(layers) for name in names
    }
"""


def test_layers_lie_over_each_other(lambda_client: Any) -> None:
    """In their order: the later hides the earlier, a directory hides a file."""
    first = publish_layer(
        lambda_client, "first", {"a": "1", "both/x": "1", "both/y": "1", "c": "1"}
    )
    second = publish_layer(lambda_client, "second", {"b": "2", "both/x": "2", "c/d": "2"})
    deploy(lambda_client, "over", {"app.py": LIST}, Layers=[first, second])
    assert invoke(lambda_client, "over")[0] == {
        "/opt/a": "1",
        "/opt/b": "2",
        "/opt/both/x": "2",
        "/opt/both/y": "1",
        "/opt/c/d": "2",
    }
    deploy(lambda_client, "under", {"app.py": LIST}, Layers=[second, first])
    assert invoke(lambda_client, "under")[0]["/opt/c"] == "1"


def test_languages_find_their_modules(lambda_client: Any) -> None:
    """Modules for Python and Node, and a custom runtime's program, come from layers; the function's
    own module has precedence."""
    layer = publish_layer(
        lambda_client,
        "modules",
        {
            "python/from_layer.py": "who = 'layer'",
            "python/own.py": "who = 'layer'",
            "nodejs/node_modules/from-layer/index.js": "module.exports = 'layer';",
            "bootstrap": BOOTSTRAP,
        },
    )
    code = {
        "app.py": "import from_layer, own\ndef handler(e, c): return [from_layer.who, own.who]",
        "own.py": "who = 'function'",
    }
    deploy(lambda_client, "py-layer", code, Layers=[layer])
    assert invoke(lambda_client, "py-layer")[0] == ["layer", "function"]
    deploy(
        lambda_client,
        "js-layer",
        {"index.js": "exports.handler = async () => require('from-layer');"},
        Runtime="nodejs20.x",
        Handler="index.handler",
        Layers=[layer],
    )
    assert invoke(lambda_client, "js-layer")[0] == "layer"
    deploy(lambda_client, "os-layer", {"data": ""}, Runtime="provided.al2023", Layers=[layer])
    assert invoke(lambda_client, "os-layer")[0] == "from a layer"


BOOTSTRAP = """#!/bin/bash
while true; do
    api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
    id=$(curl -sS -o /tmp/event -D - "$api/next" \\
        | grep -i aws-request-id | tr -d '\\r' | cut -d' ' -f2)
    curl -sS -o /dev/null -d '"from a layer"' "$api/$id/response"
done
"""


def test_changes_of_layers(lambda_client: Any) -> None:
    """Adding, replacing and removing are updates; functions keep a deleted layer."""
    arn = publish_layer(lambda_client, "changing", {"a": "1"})
    deploy(lambda_client, "changes", {"app.py": LIST})
    assert invoke(lambda_client, "changes")[0] == {}
    update(lambda_client, "changes", [arn])
    assert invoke(lambda_client, "changes")[0] == {"/opt/a": "1"}
    lambda_client.delete_layer_version(LayerName="changing", VersionNumber=1)
    lambda_client.update_function_code(
        FunctionName="changes", ZipFile=zip_of({"app.py": LIST + "#"})
    )
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName="changes")
    assert invoke(lambda_client, "changes")[0] == {"/opt/a": "1"}
    update(lambda_client, "changes", [])
    assert invoke(lambda_client, "changes")[0] == {}


def update(client: Any, name: str, layers: list[str]) -> None:
    client.update_function_configuration(FunctionName=name, Layers=layers)
    client.get_waiter("function_updated_v2").wait(FunctionName=name)


def test_files_are_shared(platform: Platform, lambda_client: Any) -> None:
    """Layers together cost no space: the files are links to the layers' own."""
    big = os.urandom(1 << 20)
    arns = [publish_layer(lambda_client, f"shared{at}", {f"f{at}": big}) for at in range(2)]
    deploy(lambda_client, "shares", {"app.py": "def handler(e, c): return 1"}, Layers=arns)
    invoke(lambda_client, "shares")
    code = platform.data_dir / "code"
    merged = [path for path in Path(code).glob("layers-*/f0")]
    assert merged
    assert all(path.stat().st_nlink > 1 for path in merged)


def test_after_a_restart(start_platform: Any) -> None:
    """They are still there."""
    own = start_platform()
    client = own.client("lambda")
    arns = [publish_layer(client, f"layer{at}", {f"f{at}": str(at)}) for at in range(2)]
    deploy(client, "restarts", {"app.py": LIST}, Layers=arns)
    own.stop()
    again = start_platform(own.data_dir).client("lambda")
    assert invoke(again, "restarts")[0] == {"/opt/f0": "0", "/opt/f1": "1"}


SHARED = "int {name}(void) {{ return {value}; }}"
CALLS = """
import ctypes
def handler(event, context):
    return [ctypes.CDLL(f"lib{name}.so")[name]() for name in event]
"""


def compile_library(directory: Path, name: str, source: str, *options: str) -> bytes:
    """A shared library, `lib<name>.so`."""
    target = directory / f"lib{name}.so"
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(target), *options]
    subprocess.run(command, input=source.encode(), check=True)
    return target.read_bytes()


def test_shared_libraries_of_layers_and_packages_are_found(
    lambda_client: Any, tmp_path: Path
) -> None:
    """In `/opt/lib` and `/var/task/lib`, which are in LD_LIBRARY_PATH: by Python and by the
    libraries of a Node.js addon, in every start mode."""
    layered = compile_library(tmp_path, "layered", SHARED.format(name="layered", value=7))
    packed = compile_library(tmp_path, "packed", SHARED.format(name="packed", value=8))
    layer = publish_layer(lambda_client, "libraries", {"lib/liblayered.so": layered})
    code: dict[str, str | bytes] = {"app.py": CALLS, "lib/libpacked.so": packed}
    for name, variables in (("so-fork", {}), ("so-exec", {"LAMBENT_START_MODE": "exec"})):
        environment = {"Variables": variables}
        deploy(lambda_client, name, code, Layers=[layer], Environment=environment)
        assert invoke(lambda_client, name, ["layered", "packed"])[0] == [7, 8]
    needs = "int layered(void); int packed(void); int both(void) { return layered() + packed(); }"
    addon = compile_library(
        tmp_path, "both", needs, f"-L{tmp_path}", "-Wl,--no-as-needed", "-llayered", "-lpacked"
    )
    script = """
exports.handler = async () => {
  try {
    process.dlopen({exports: {}}, '/var/task/both.node');
  } catch (error) {
    return error.message;
  }
};
"""
    deploy(
        lambda_client,
        "so-addon",
        {"index.js": script, "both.node": addon, "lib/libpacked.so": packed},
        Runtime="nodejs20.x",
        Handler="index.handler",
        Layers=[layer],
    )
    assert "did not self-register" in invoke(lambda_client, "so-addon")[0]


FOLLOWS = """
import os
def handler(event, context):
    found = {}
    for name in os.listdir("/var/task"):
        if os.path.islink(name):
            try:
                with open(name) as file: found[name] = file.read()
            except OSError as error:
                found[name] = type(error).__name__
    return found
"""


def test_links_of_packages_lead_where_their_functions_can_look(
    platform: Platform, lambda_client: Any
) -> None:
    """To a layer, to a program, nowhere; never to a file of the host."""
    secret = platform.data_dir.parent / "secret-of-the-host"
    secret.write_text("secret")
    layer = publish_layer(lambda_client, "linked", {"shared/text": "from the layer"})
    links = {
        "text": "/opt/shared/text",
        "beyond": "../../opt/shared/text",
        "nowhere": "../../lib64/nothing",
        "around": "around",
        "secret": str(secret),
        "root": f"/proc/{platform.process.pid}/root{secret}",
        "shadow": "/etc/shadow",
    }
    deploy(
        lambda_client,
        "follows-links",
        {"app.py": FOLLOWS, **{name: Link(target) for name, target in links.items()}},
        Layers=[layer],
    )
    assert invoke(lambda_client, "follows-links")[0] == {
        "text": "from the layer",
        "beyond": "from the layer",
        "nowhere": "FileNotFoundError",
        "around": "OSError",
        "secret": "FileNotFoundError",
        "root": "FileNotFoundError",
        "shadow": "FileNotFoundError",
    }

"""Layers as functions see them."""

import os
from pathlib import Path
from typing import Any

from tests.platforms import Platform, deploy, invoke, publish_layer, zip_of

LIST = """
import os
def handler(event, context):
    return {
        os.path.join(where, name): open(os.path.join(where, name)).read()
        for where, _, names in os.walk("/opt") for name in names
    }
"""


def test_layers_lie_over_each_other(lambda_client: Any) -> None:
    """In their order: the later hides what the earlier has, a directory what is no directory."""
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
    """Python's, Node's and a custom runtime's program come from layers; the function's own module
    goes before a layer's."""
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
    """Adding, replacing and removing are updates; a deleted layer stays with who has it."""
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

"""Modules are compiled when a function is deployed, not when it starts."""

from typing import Any

import pytest

from tests.interpreters import installed
from tests.scenario.conftest import deploy, invoke

BIG = "\n".join(f"def f{number}(x):\n    return x + {number}" for number in range(1500))
APP = """
import os, pkg.big
def handler(event, context):
    try:
        import broken
    except SyntaxError as error:
        problem = str(error)
    return {
        "loader": type(pkg.big.__loader__).__name__,
        "file": pkg.big.f7.__code__.co_filename,
        "result": pkg.big.f7(1),
        "task": sorted(os.listdir("/var/task")),
        "problem": problem,
    }
"""


RUNTIMES = [
    f"python{interpreter.line}" for interpreter in installed() if interpreter.kind == "python"
]


@pytest.mark.parametrize("mode", [None, "exec"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_modules_are_compiled_at_deploy(lambda_client: Any, runtime: str, mode: str | None) -> None:
    """The function imports bytecode, sees its package as it deployed it and its own errors."""
    variables: dict[str, Any] = {"Runtime": runtime}
    if mode is not None:
        variables["Environment"] = {"Variables": {"LAMBENT_START_MODE": mode}}
    name = f"compiled-{runtime.replace('.', '')}-{mode}"
    files = {"app.py": APP, "pkg/__init__.py": "", "pkg/big.py": BIG, "broken.py": "def f(:\n"}
    deploy(lambda_client, name, files, **variables)
    found, _ = invoke(lambda_client, name)
    assert found["loader"] == "Compiled"
    assert found["file"] == "/var/task/pkg/big.py"
    assert found["result"] == 8
    assert found["task"] == ["app.py", "broken.py", "pkg"]
    assert "broken.py" in found["problem"]

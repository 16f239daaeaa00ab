"""What `lambent deploy` reads from function.toml and guesses from files."""

from pathlib import Path

import pytest

from lambent.cli.function_file import (
    FunctionFile,
    complete,
    read_function_file,
)
from lambent.cli.output import UsageError


def write(directory: Path, **files: str) -> Path:
    """Files by name, `__` for the dot."""
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return directory


def test_the_whole_file(tmp_path: Path) -> None:
    """Every key, in the API's words afterwards."""
    toml = """
        name = "hello"
        runtime = "python3.12"
        handler = "app.handler"
        memory = 256
        timeout = 5
        description = "Says hello"
        event = {who = "world"}
        [environment]
        GREETING = "Hello"
    """
    found = read_function_file(write(tmp_path, function__toml=toml))
    assert found.name == "hello"
    assert found.event == {"who": "world"}
    assert found.configuration() == {
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "MemorySize": 256,
        "Timeout": 5,
        "Description": "Says hello",
        "Environment": {"Variables": {"GREETING": "Hello"}},
    }


def test_what_is_not_said_is_not_sent(tmp_path: Path) -> None:
    """So that an update leaves it alone."""
    assert read_function_file(tmp_path).configuration() == {}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("memmory = 1\n", ["memmory", "memory"]),
        ('memory = "much"\n', ["memory", "much"]),
        ("timeout = true\n", ["timeout"]),
        ("name = 1\n", ["name"]),
        ("[environment]\nA = 1\n", ["environment"]),
        ("name = \n", ["function.toml"]),
    ],
)
def test_mistakes(tmp_path: Path, toml: str, words: list[str]) -> None:
    """The error names the key and the file."""
    with pytest.raises(UsageError) as refused:
        read_function_file(write(tmp_path, function__toml=toml))
    assert all(word in str(refused.value) for word in [*words, "function.toml"])


@pytest.mark.parametrize(
    ("files", "runtime", "handler"),
    [
        ({"app__py": "def handler(e, c): pass"}, "python3.", "app.handler"),
        ({"main__py": "def lambda_handler(e, c): pass"}, "python3.", "main.lambda_handler"),
        ({"index__mjs": "export const handler = 1"}, "nodejs", "index.handler"),
        ({"index__ts": "export const handler = 1"}, "nodejs", "index.handler"),
        ({"bootstrap": "#!/bin/sh"}, "provided.al2023", "bootstrap"),
        ({"go__mod": "module hello"}, "provided.al2023", "bootstrap"),
        (
            {"lambda_function__rb": "def lambda_handler(event:, context:)\n  1\nend"},
            "ruby",
            "lambda_function.lambda_handler",
        ),
    ],
)
def test_guesses(tmp_path: Path, files: dict[str, str], runtime: str, handler: str) -> None:
    """Runtime and handler follow from the files, the name from the directory."""
    found = complete(FunctionFile(), write(tmp_path / "my function!", **files))
    assert found.name == "my-function"
    assert found.runtime is not None
    assert found.runtime.startswith(runtime)
    assert found.handler == handler


def test_a_given_runtime_leads_the_guess(tmp_path: Path) -> None:
    """With both languages there, the handler is the runtime's."""
    write(tmp_path, app__py="def handler(e, c): pass", index__js="exports.handler = 1")
    found = complete(FunctionFile(runtime="nodejs20.x"), tmp_path)
    assert (found.runtime, found.handler) == ("nodejs20.x", "index.handler")


def test_no_guess_is_an_error(tmp_path: Path) -> None:
    """It says which flags are wanted."""
    write(tmp_path, readme__txt="x", broken__py="def (")
    with pytest.raises(UsageError, match="--runtime"):
        complete(FunctionFile(), tmp_path)
    with pytest.raises(UsageError, match=r"handler of dotnet8 .* give --handler,"):
        complete(FunctionFile(runtime="dotnet8"), tmp_path)
    write(tmp_path, App__class="")
    with pytest.raises(UsageError, match="java21"):
        complete(FunctionFile(), tmp_path)

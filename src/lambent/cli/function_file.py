"""The function to deploy: from flags, the directory's `function.toml`, or guessed from files."""

import ast
import dataclasses
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from lambent.cli.output import UsageError
from lambent.cli.tables import read_table

FUNCTION_FILE = "function.toml"
_PYTHON_FILES = ("app.py", "lambda_function.py", "main.py", "handler.py", "index.py")
_PYTHON_HANDLERS = ("handler", "lambda_handler")
_RUBY_FILES = ("lambda_function.rb", "app.rb", "handler.rb", "main.rb")
_RUBY_HANDLER = re.compile(r"^\s*def (?:self\.)?(lambda_handler|handler)\b", re.MULTILINE)
_NODE_FILES = tuple(
    f"{stem}.{suffix}" for stem in ("index", "app", "handler") for suffix in ("mjs", "js", "cjs")
)
_TYPESCRIPT_FILES = ("index.ts", "app.ts", "handler.ts")
_NODE_DEFAULT = 22
_DEFAULT_RUNTIMES = {"ruby": "ruby3.4", "java": "java21"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFile:
    """What is not said stays unchanged in an update. Flags of `lambent deploy` override it."""

    name: str | None = None
    """The name of the function."""
    runtime: str | None = None
    """The runtime, such as `python3.12`; by default the files say it."""
    handler: str | None = None
    """The handler, such as `app.handler`; by default the files say it."""
    role: str | None = None
    """ARN of the execution role."""
    memory: int | None = None
    """Megabytes."""
    timeout: int | None = None
    """Seconds."""
    description: str | None = None
    """Description of the function."""
    environment: Mapping[str, str] | None = None
    """Environment variables."""
    event: Any = None
    """An example event."""

    def configuration(self) -> dict[str, Any]:
        """Members of CreateFunction and UpdateFunctionConfiguration."""
        members = {
            "Runtime": self.runtime,
            "Handler": self.handler,
            "Role": self.role,
            "MemorySize": self.memory,
            "Timeout": self.timeout,
            "Description": self.description,
            "Environment": None if self.environment is None else {"Variables": self.environment},
        }
        return {name: value for name, value in members.items() if value is not None}


File = TypeVar("File", bound=FunctionFile)


def read_function_file(directory: Path) -> FunctionFile:
    """The directory's `function.toml`; all None without one. Raises `UsageError`."""
    path = directory / FUNCTION_FILE
    return read_table(FunctionFile, read_toml(path) or {}, str(path))


def read_toml(path: Path) -> dict[str, Any] | None:
    """The content of a file; None if there is none. Raises `UsageError`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def complete(wanted: File, directory: Path, *, default_name: str = "") -> File:
    """Fill in name, runtime and handler from the directory. Raises `UsageError`."""
    default_name = default_name or directory.resolve().name
    name = wanted.name or re.sub(r"[^A-Za-z0-9_-]+", "-", default_name).strip("-")
    if not name:
        raise UsageError(f"cannot make a name from {directory}: give one with --name")
    runtime, handler = wanted.runtime, wanted.handler
    if runtime is None or handler is None:
        guessed_runtime, guessed_handler = _guess(directory, runtime)
        runtime, handler = runtime or guessed_runtime, handler or guessed_handler
    return dataclasses.replace(wanted, name=name, runtime=runtime, handler=handler)


def _guess(directory: Path, runtime: str | None) -> tuple[str, str]:
    family = re.sub(r"[\d.].*", "", runtime or "")
    is_compiled = any((directory / name).is_file() for name in ("bootstrap", "go.mod"))
    if is_compiled and family in ("", "provided"):
        return "provided.al2023", "bootstrap"
    if family in ("", "python"):
        for name in _PYTHON_FILES:
            if function := _python_handler(directory / name):
                version = f"python{sys.version_info.major}.{sys.version_info.minor}"
                return version, f"{Path(name).stem}.{function}"
    if family in ("", "nodejs"):
        for name in (*_NODE_FILES, *_TYPESCRIPT_FILES):
            if (directory / name).is_file():
                return f"nodejs{_node_major()}.x", f"{Path(name).stem}.handler"
    if family in ("", "ruby"):
        for name in _RUBY_FILES:
            if found := _RUBY_HANDLER.search(_text_of(directory / name)):
                return _DEFAULT_RUNTIMES["ruby"], f"{Path(name).stem}.{found[1]}"
    raise UsageError(_cannot_guess(directory, runtime))


def _cannot_guess(directory: Path, runtime: str | None) -> str:
    where = f"or write it into {FUNCTION_FILE}"
    if runtime is not None:
        return (
            f"cannot tell the handler of {runtime} from the files in {directory}: give --handler,"
            f" {where}"
        )
    if any(directory.glob("lib/*.jar")) or any(directory.rglob("*.class")):
        return (
            f"cannot tell the handler of the Java function in {directory}: give --runtime, such as"
            f" {_DEFAULT_RUNTIMES['java']}, and --handler, such as example.App::handle, {where}"
        )
    return (
        f"cannot tell runtime and handler from the files in {directory}: give --runtime and"
        f" --handler, or write them into {FUNCTION_FILE}"
    )


def _text_of(path: Path) -> str:
    """The text of a file; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _python_handler(path: Path) -> str | None:
    """The handler a Python file defines, if any."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return next((name for name in _PYTHON_HANDLERS if name in defined), None)


def _node_major() -> int:
    node = shutil.which("node")
    if node is None:
        return _NODE_DEFAULT
    done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10)
    found = re.match(r"v(\d+)\.", done.stdout)
    return int(found[1]) if found else _NODE_DEFAULT

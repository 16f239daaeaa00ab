"""The function to deploy: from flags, the directory's `function.toml`, or guessed from files."""

import ast
import dataclasses
import difflib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lambent.cli.output import UsageError
from lambent.cli.package import IGNORE_FILE, left_out

FUNCTION_FILE = "function.toml"
_PYTHON_FILES = ("app.py", "lambda_function.py", "main.py", "handler.py", "index.py")
_PYTHON_HANDLERS = ("handler", "lambda_handler")
_RUBY_FILES = ("lambda_function.rb", "app.rb", "handler.rb", "main.rb")
_RUBY_HANDLER = re.compile(r"^\s*def (?:self\.)?(lambda_handler|handler)\b", re.MULTILINE)
_NODE_FILES = tuple(
    f"{stem}.{suffix}" for stem in ("index", "app", "handler") for suffix in ("mjs", "js", "cjs")
)
_NODE_DEFAULT = 22
_SUFFIXES = {
    "python": (".py", ""),
    "nodejs": (".js", ".mjs", ".cjs", ""),
    "ruby": (".rb",),
}
"""What the file of a handler may be called; none stands for a directory."""
_DEFAULT_RUNTIMES = {"ruby": "ruby3.4", "java": "java21"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFile:
    """The wanted configuration of a function. None means: do not change it."""

    name: str | None = None
    runtime: str | None = None
    handler: str | None = None
    role: str | None = None
    memory: int | None = None
    """Megabytes."""
    timeout: int | None = None
    """Seconds."""
    description: str | None = None
    environment: Mapping[str, str] | None = None
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


def read_function_file(directory: Path) -> FunctionFile:
    """The directory's `function.toml`; all None without one. Raises `UsageError`."""
    path = directory / FUNCTION_FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return FunctionFile()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    known = [field.name for field in dataclasses.fields(FunctionFile)]
    for key, value in content.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f" Did you mean {close[0]}?" if close else f" Known are {', '.join(known)}."
            raise UsageError(f"cannot use {key} in {path}: there is no such key.{hint}")
        if not _CHECKS.get(key, _is_text)(value):
            raise UsageError(f"cannot use {key} = {value!r} in {path}: it has the wrong type")
    return FunctionFile(**content)


def complete(wanted: FunctionFile, directory: Path) -> FunctionFile:
    """Fill in name, runtime and handler from the directory. Raises `UsageError`."""
    name = wanted.name or re.sub(r"[^A-Za-z0-9_-]+", "-", directory.resolve().name).strip("-")
    if not name:
        raise UsageError(f"cannot make a name from {directory}: give one with --name")
    runtime, handler = wanted.runtime, wanted.handler
    if runtime is None or handler is None:
        guessed_runtime, guessed_handler = _guess(directory, runtime)
        runtime, handler = runtime or guessed_runtime, handler or guessed_handler
    return dataclasses.replace(wanted, name=name, runtime=runtime, handler=handler)


def _guess(directory: Path, runtime: str | None) -> tuple[str, str]:
    family = re.sub(r"[\d.].*", "", runtime or "")
    if (directory / "bootstrap").is_file() and family in ("", "provided"):
        return "provided.al2023", "bootstrap"
    if family in ("", "python"):
        for name in _PYTHON_FILES:
            if function := _python_handler(directory / name):
                version = f"python{sys.version_info.major}.{sys.version_info.minor}"
                return version, f"{Path(name).stem}.{function}"
    if family in ("", "nodejs"):
        for name in _NODE_FILES:
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
    if any(directory.glob("*.ts")):
        return (
            f"cannot deploy {directory}: it has TypeScript, which Node.js functions are compiled"
            " from: build it, and deploy the directory with the JavaScript"
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


def likely_mistakes(directory: Path, wanted: FunctionFile) -> list[str]:
    """Sentences that name what will probably be missing when the function runs."""
    found = [
        f"left out {name}, which may hold secrets; `!{name}` in {IGNORE_FILE} packs it"
        for name in left_out(directory)
    ]
    if (directory / "requirements.txt").is_file() and not any(directory.rglob("*.dist-info")):
        found.append(
            "requirements.txt is not installed by deploying: run"
            f" `pip install -r {directory}/requirements.txt -t {directory}` first"
        )
    if (
        '"dependencies"' in _text_of(directory / "package.json")
        and not (directory / "node_modules").exists()
    ):
        found.append(
            "the dependencies in package.json are not installed by deploying: run"
            f" `npm install --prefix {directory}` first"
        )
    module = (wanted.handler or "").partition(".")[0]
    suffixes = _SUFFIXES.get(re.sub(r"[\d.].*", "", wanted.runtime or ""), ())
    if suffixes and not any((directory / f"{module}{suffix}").exists() for suffix in suffixes):
        found.append(
            f"{directory} has no {module}{suffixes[0]}: the handler {wanted.handler} must come from"
            " a layer"
        )
    return found


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


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "memory": _is_whole,
    "timeout": _is_whole,
    "environment": _is_text_table,
    "event": lambda _: True,
}

"""Checks that a package has its handler, by reading its source. No code of the package runs.

A check refuses only what cannot work. A handler that a module may define in a way that reading does
not show, such as `exec` or a star import, passes.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from lambent.cli.output import UsageError

_NODE_SUFFIXES = (".js", ".mjs", ".cjs")
_SOURCE_BYTES_MAX = 4 << 20
"""A larger file, such as a bundle, is not read."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DYNAMIC = frozenset({"exec", "eval", "globals", "setattr", "__import__", "vars"})
_NODE_ANYTHING = re.compile(
    r"module\s*\.\s*exports\s*=(?!=)|exports\s*\[|export\s*\*|__exportStar"
    r"|Object\s*\.\s*(assign|define)"
)
"""What may export any name."""
_NO_FILE = "there is no "
_MALFORMED = "it must be a file and a name in it, such as app.handler"


def check_handler(directory: Path, runtime: str, handler: str, has_layers: bool) -> None:
    """Raise `UsageError` if the handler is not in the files of a package. With layers, its file may
    be elsewhere."""
    family = re.sub(r"[\d.].*", "", runtime)
    check = _CHECKS.get(family)
    if check is None or not handler:
        return
    fault = check(directory, handler, runtime)
    if fault is not None and not (has_layers and fault.startswith(_NO_FILE)):
        raise UsageError(f"cannot deploy the handler {handler} of {directory}: {fault}")


def _check_python(directory: Path, handler: str, runtime: str) -> str | None:
    stem, _, name = handler.rpartition(".")
    module = stem.replace(".", "/")
    if not module:
        return _MALFORMED
    candidates = [directory / f"{module}.py", directory / module / "__init__.py"]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        # A compiled module, or a namespace package.
        if (directory / module).is_dir() or any(directory.glob(f"{module}.*.so")):
            return None
        return f"{_NO_FILE}{module}.py"
    if file.stat().st_size > _SOURCE_BYTES_MAX:
        return None
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError, RecursionError) as error:
        if runtime == f"python{sys.version_info.major}.{sys.version_info.minor}":
            return f"{file.name} cannot be imported: {error}"
        return None  # Another version of Python may read it.
    defined = set(_python_names(tree.body))
    if name in defined or defined & {"*", "__getattr__"} or _is_dynamic(tree):
        return None
    functions = sorted(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return f"{file.name} defines no {name}" + _instead(functions)


def _python_names(body: list[ast.stmt]) -> Iterator[str]:
    """The names that statements of a module bind, also those in branches."""
    for statement in body:
        is_definition = isinstance(statement, _DEFINITIONS)
        nodes: Iterable[ast.AST] = [statement] if is_definition else ast.walk(statement)
        for node in nodes:
            if isinstance(node, _DEFINITIONS):
                yield node.name
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _is_dynamic(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Name) and node.id in _DYNAMIC for node in ast.walk(tree))


def _check_node(directory: Path, handler: str, _: str) -> str | None:
    parent, _, base = handler.rpartition("/")
    module, _, name = base.partition(".")
    if not name:
        return _MALFORMED
    stem = f"{parent}/{module}" if parent else module
    candidates = [directory / f"{stem}{suffix}" for suffix in _NODE_SUFFIXES]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        others = (directory / stem, directory / "node_modules" / stem)
        if any(path.exists() for path in others):
            return None
        return f"{_NO_FILE}{stem}.js, {stem}.mjs or {stem}.cjs"
    name = name.rpartition(".")[2]
    if file.stat().st_size > _SOURCE_BYTES_MAX:
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    # What the text says of the name anywhere is enough: a bundle may export it in many ways.
    if re.search(_NODE_ANYTHING, text):
        return None
    word = rf"(?<![\w$]){re.escape(name)}(?![\w$])"
    if not re.search(word, text):
        return f"{file.name} does not mention {name}"
    if not re.search(r"(?<![\w$.])exports?(?![\w$])|module\s*\.\s*exports", text):
        return f"{file.name} exports nothing; write `export const {name} = …` or `exports.{name} =`"
    return None


def _check_ruby(directory: Path, handler: str, _: str) -> str | None:
    file, _, method = handler.partition(".")
    if not method:
        return _MALFORMED
    return None if (directory / f"{file}.rb").is_file() else f"{_NO_FILE}{file}.rb"


def _instead(names: list[str]) -> str:
    return f"; it defines {', '.join(names[:5])}" if names else ""


_CHECKS: Mapping[str, Callable[[Path, str, str], str | None]] = {
    "python": _check_python,
    "nodejs": _check_node,
    "ruby": _check_ruby,
}

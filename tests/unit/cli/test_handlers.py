"""A handler that is not in the package is refused before the upload; code is read, never run."""

import sys
from pathlib import Path

import pytest

from lambent.cli.handlers import check_handler
from lambent.cli.output import UsageError

from .conftest import write

PYTHON = "python3.11"
HERE = f"python3.{sys.version_info.minor}"
NODE = "nodejs20.x"


@pytest.mark.parametrize(
    ("files", "runtime", "handler"),
    [
        ({"app.py": "def handler(e, c): pass"}, PYTHON, "app.handler"),
        ({"app.py": "async def handler(e, c): pass"}, PYTHON, "app.handler"),
        ({"app.py": "handler = print"}, PYTHON, "app.handler"),
        ({"app.py": "from other import main as handler"}, PYTHON, "app.handler"),
        ({"app.py": "from other import *"}, PYTHON, "app.handler"),
        (
            {"app.py": "try:\n  import x\nexcept E:\n  def handler(e, c): pass"},
            PYTHON,
            "app.handler",
        ),
        ({"app.py": "globals()['handler'] = print"}, PYTHON, "app.handler"),
        ({"app.py": "def __getattr__(name): pass"}, PYTHON, "app.handler"),
        ({"a/b.py": "def c(e, c): pass"}, PYTHON, "a.b.c"),
        ({"a/b.py": "def c(e, c): pass"}, PYTHON, "a/b.c"),
        ({"a/__init__.py": "c = 1"}, PYTHON, "a.c"),
        ({"app.py": "this is for another version"}, "python3.99", "app.handler"),
        ({"app.mjs": "export const handler = 1"}, NODE, "app.handler"),
        ({"app.js": "exports.handler = 1"}, NODE, "app.handler"),
        ({"app.js": "module.exports = require('./other')"}, NODE, "app.handler"),
        ({"app.js": "for (const k in x) exports[k] = x[k]"}, NODE, "app.handler"),
        ({"app.mjs": "export * from './other.mjs'"}, NODE, "app.handler"),
        ({"app.mjs": "const a = 1; export { a as handler }"}, NODE, "app.handler"),
        ({"src/app.js": "exports.a = {b: 1}"}, NODE, "src/app.a.b"),
        ({"node_modules/app/index.js": ""}, NODE, "app.handler"),
        ({"app.rb": ""}, "ruby3.4", "app.Module::Class.method"),
        ({"x": ""}, "java21", "example.App::handle"),
        ({"x": ""}, "provided.al2023", "anything"),
        ({"x": ""}, PYTHON, ""),
    ],
)
def test_what_may_work_passes(
    tmp_path: Path, files: dict[str, str], runtime: str, handler: str
) -> None:
    """Also what only running the code would tell."""
    check_handler(write(tmp_path, files), runtime, handler, False)


@pytest.mark.parametrize(
    ("files", "runtime", "handler", "words"),
    [
        ({"app.py": "def main(e, c): pass"}, PYTHON, "app.handler", "no handler; it defines main"),
        ({"app.py": "class A:\n  def handler(s): pass"}, PYTHON, "app.handler", "no handler"),
        ({"app.py": "def f():\n  handler = 1"}, PYTHON, "app.handler", "no handler"),
        ({"app.py": ""}, PYTHON, "main.handler", "there is no main.py"),
        ({"app.py": ""}, PYTHON, "handler", "a file and a name"),
        ({"app.js": "exports.main = 1"}, NODE, "app.handler", "does not mention handler"),
        ({"app.mjs": "const handler = 1"}, NODE, "app.handler", "exports nothing"),
        ({"app.py": ""}, NODE, "app.handler", "there is no app.js"),
        ({"app.js": ""}, NODE, "app", "a file and a name"),
        ({"app.py": ""}, "ruby3.4", "app.handler", "there is no app.rb"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, files: dict[str, str], runtime: str, handler: str, words: str
) -> None:
    """With the reason, and what is there instead."""
    with pytest.raises(UsageError, match=words):
        check_handler(write(tmp_path, files), runtime, handler, False)


def test_a_syntax_error(tmp_path: Path) -> None:
    """Is named with its line, for the version of Python that reads it."""
    with pytest.raises(UsageError, match=r"cannot be imported: .*line 2"):
        check_handler(write(tmp_path, {"app.py": "\ndef ("}), HERE, "app.handler", False)


def test_a_handler_of_a_layer(tmp_path: Path) -> None:
    """Only a file may be elsewhere; one that is here is checked."""
    write(tmp_path, {"app.py": ""})
    check_handler(tmp_path, PYTHON, "other.handler", True)
    with pytest.raises(UsageError, match="defines no handler"):
        check_handler(tmp_path, PYTHON, "app.handler", True)


def test_code_does_not_run(tmp_path: Path) -> None:
    """Not even hostile code, however deep it is nested."""
    marker = tmp_path / "ran"
    write(tmp_path, {"app.py": f"open({str(marker)!r}, 'w')\ndef handler(e, c): pass"})
    check_handler(tmp_path, PYTHON, "app.handler", False)
    assert not marker.exists()
    write(tmp_path, {"app.py": "x = " + "(" * 5000 + ")" * 5000})
    with pytest.raises(UsageError, match="cannot be imported"):
        check_handler(tmp_path, HERE, "app.handler", False)

"""Finds tasks started past `lambent.kit.tasks`, where one exception could end the platform.

    python tools/check_tasks.py FILE_OR_DIRECTORY...

prints each place; exits with 1 if there are any. No linter knows methods by their class.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

_EXEMPT = ("lambent/kit/tasks.py", "lambent/services/local_services_program.py")
"""The guard, and what is a process of its own."""
_STARTS = frozenset({"start_soon", "create_task", "ensure_future"})


def unguarded(file: Path) -> Iterator[int]:
    """The lines of a file that start a task, or pass on what does."""
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        name = node.attr if isinstance(node, ast.Attribute) else None
        if isinstance(node, ast.ImportFrom):
            name = next((alias.name for alias in node.names if alias.name in _STARTS), None)
        if name in _STARTS:
            assert isinstance(node, ast.Attribute | ast.ImportFrom)
            yield node.lineno


def main(paths: list[str]) -> int:
    files = [
        file
        for path in map(Path, paths)
        for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])
        if not file.as_posix().endswith(_EXEMPT)
    ]
    found = [f"{file}:{line}" for file in files for line in unguarded(file)]
    for place in found:
        print(f"{place}: start tasks with lambent.kit.tasks")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

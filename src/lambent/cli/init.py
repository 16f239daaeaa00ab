"""`lambent init`: a directory with a function that can be tested and deployed at once."""

import re
from pathlib import Path

from lambent.cli.output import UsageError
from lambent.cli.tables import nearest

TEMPLATES = Path(__file__).with_name("templates")
_NAME = "__NAME__"
"""What stands for the name of the function or stack in the files."""
_DOT = "dot_"
"""How the names of hidden files begin there: packages leave out hidden files."""


def template_names() -> list[str]:
    """The names that `create` takes."""
    return sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())


def create(directory: Path, template: str) -> list[Path]:
    """Write the files of a template into a directory, which is made if there is none; returns
    them. Raises `UsageError` if there is no such template, or if a file is there already."""
    names = template_names()
    if template not in names:
        raise UsageError(f"there is no template {template}.{nearest(template, names)}")
    name = re.sub(r"[^A-Za-z0-9-]+", "-", directory.resolve().name).strip("-").lower()
    if not re.match(r"[a-z]", name):
        raise UsageError(f"cannot name a function after {directory}: begin its name with a letter")
    source = TEMPLATES / template
    files = {
        directory / path.relative_to(source).with_name(path.name.replace(_DOT, ".", 1)): path
        for path in sorted(source.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    if existing := [str(path) for path in files if path.exists()]:
        raise UsageError(f"cannot write into {directory}: {', '.join(existing)} is there already")
    for path, original in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = original.read_text(encoding="utf-8").replace(_NAME, name)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return list(files)

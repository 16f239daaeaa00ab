"""Deployment packages with what tools/make-test-needs installs for functions."""

import functools
import io
import zipfile
from pathlib import Path

INSTALLED = Path(__file__).parents[1] / "build" / "test-packages"
_OF_THE_RUNTIME = "botocore"
_UNUSED = {"__pycache__", "LC_MESSAGES", "bin"}
"""Directories that no function needs; Django's translations alone are thousands of files."""


def package(group: str, source: str, name: str = "app.py") -> bytes:
    """A package of a function: its source, and all that is installed for this group."""
    file = io.BytesIO(_archive(group))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, source)
    return file.getvalue()


@functools.cache
def _archive(group: str) -> bytes:
    directory = INSTALLED / group
    assert directory.is_dir(), "run `make test`, it installs the packages"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(directory.rglob("*")):
            inside = path.relative_to(directory)
            is_needed = inside.parts[0] != _OF_THE_RUNTIME and not _UNUSED.intersection(
                inside.parts
            )
            if path.is_file() and is_needed:
                archive.write(path, inside)
    return file.getvalue()

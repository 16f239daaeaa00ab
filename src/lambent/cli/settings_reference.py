"""Prints docs/reference/settings.md: every setting, its type, default, variable and docstring.

The docstrings below the fields are read from the source; a test fails when the page differs.
"""

import ast
import dataclasses
import inspect
import itertools
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lambent.settings import Setting, all_settings

_INTRODUCTION = """\
# Settings

Written by `make docs` from the code; do not edit.

A setting has one name and four places where it can be set; each overrides the ones above it:

| where | example |
|---|---|
| default | below |
| `lambent.toml` | `concurrent_executions = 50` below `[invocation]` |
| environment | `LAMBENT_INVOCATION__CONCURRENT_EXECUTIONS=50` |
| flags of `lambent up` | `--set invocation.concurrent_executions=50` |

The file is the one in the working directory unless `--config` or `LAMBENT_CONFIG` names another.
`--host`, `--port` and `--data-dir` set the settings of `server`. Lists are written
`["a", "b"]` in the file and `a,b` elsewhere. An unknown name is an error. `lambent
config show` prints every value and its source.
"""


def render() -> str:
    """The page."""
    parts = [_INTRODUCTION]
    section = ""
    for setting in all_settings():
        owner, _, field = setting.name.rpartition(".")
        if owner != section:
            section = owner
            parts.append(f"\n## {section}\n\n{inspect.getdoc(setting.slice)}\n")
        documentation = " ".join(field_docstrings(setting.slice).get(setting.field, "").split())
        parts.append(
            f"\n### {field}\n\n{documentation}\n\n`{setting.name}` · `{setting.variable}` ·"
            f" {_type(setting.type)} · default {_default(setting)}\n"
        )
    return "".join(parts)


def field_docstrings(slice_: type[Any]) -> dict[str, str]:
    """The docstring below each field of a dataclass."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(slice_)))
    definition = tree.body[0]
    assert isinstance(definition, ast.ClassDef)
    return dict(_documented(definition.body))


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, following in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            yield field.target.id, following.value.value


def _type(kind: Any) -> str:
    names = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
    if isinstance(kind, types.GenericAlias):
        return "list" if kind.__origin__ is tuple else "table"
    return names.get(kind, str(kind))


def _default(setting: Setting) -> str:
    field = next(
        field for field in dataclasses.fields(setting.slice) if field.name == setting.field
    )
    if field.default is dataclasses.MISSING:
        return "see above"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if field.default == ():
        return "none"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


if __name__ == "__main__":
    print(render(), end="")

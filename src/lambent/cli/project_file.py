"""A project: the functions of a directory with their triggers, as its `function.toml` says.

A `function.toml` with `[functions.NAME]` is a project; without, it is one function (see
`function_file`). A project is deployed as a stack: `project_template` makes its template.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambent.cli.function_file import FUNCTION_FILE, FunctionFile, complete, read_toml
from lambent.cli.output import UsageError
from lambent.cli.tables import nearest, read_table

_IS_PROJECT = ("functions", "defaults", "layers")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Calls the function at times."""

    expression: str
    """`rate(5 minutes)`, `cron(0 9 ? * MON-FRI *)` or `at(2030-01-01T00:00:00)`."""
    timezone: str = "UTC"
    """The time zone of `cron` and `at`."""
    input: Any = None
    """The event that the function receives; by default the event of a schedule."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Sends the messages of an SQS queue to the function."""

    name: str
    """A queue that the project creates, or the ARN of another one."""
    batch_size: int | None = None
    """Messages in an event at most; by default 10."""
    batch_window: int | None = None
    """Seconds to wait for a full batch."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Calls the function for changes of objects in an S3 bucket."""

    name: str
    """A bucket that the project creates."""
    events: tuple[str, ...] = ("s3:ObjectCreated:*",)
    """Which changes; by default new objects."""
    prefix: str = ""
    """Only objects whose key begins so."""
    suffix: str = ""
    """Only objects whose key ends so."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Calls the function for each message of an SNS topic."""

    name: str
    """A topic that the project creates, or the ARN of another one."""
    filter: Mapping[str, Any] | None = None
    """The filter policy: which messages."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of the project's HTTP API."""

    route: str
    """A method and a path, such as `GET /pets/{id}`, `ANY /{proxy+}`, or `$default`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Calls the function for events of an EventBridge bus."""

    pattern: Mapping[str, Any]
    """The event pattern."""
    bus: str | None = None
    """The name of a bus that exists; by default the default bus."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What all functions of the project have, unless they say something else. `environment` and
    `tags` of a function are added to those here."""

    runtime: str | None = None
    """The runtime."""
    memory: int | None = None
    """Megabytes."""
    timeout: int | None = None
    """Seconds."""
    role: str | None = None
    """ARN of the execution role; by default each function has a role of its own."""
    policies: tuple[Any, ...] = ()
    """Permissions of the roles, see below."""
    layers: tuple[str, ...] = ()
    """Layers, see below."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Environment variables."""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Tags."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFunction(FunctionFile):
    """A function of a project: the keys of a function alone, and these."""

    code: str | None = None
    """Directory of the code, from the project's; by default the function's name."""
    build: str | None = None
    """`makefile` or `esbuild`; by default what the files in the directory need."""
    policies: tuple[Any, ...] = ()
    """Permissions of its role: names or ARNs of managed policies, statements, or policy templates
    of SAM."""
    layers: tuple[str, ...] = ()
    """Names of layers of the project, or ARNs of layer versions."""
    tags: Mapping[str, str] | None = None
    """Tags."""
    url: bool = False
    """Whether it has a function URL that everybody may call."""
    alias: str | None = None
    """An alias that leads to a version which each deployment publishes. Triggers call the alias."""
    http: tuple[Route, ...] = ()
    """Routes of the HTTP API."""
    schedule: tuple[Schedule, ...] = ()
    """Schedules."""
    queue: tuple[Queue, ...] = ()
    """SQS queues."""
    bucket: tuple[Bucket, ...] = ()
    """S3 buckets."""
    topic: tuple[Topic, ...] = ()
    """SNS topics."""
    rule: tuple[Rule, ...] = ()
    """Rules of EventBridge."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of the project."""

    code: str
    """Directory with its content, such as `python/` or `nodejs/`, or a zip file."""
    runtimes: tuple[str, ...] = ()
    """Compatible runtimes."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The whole file."""

    name: str | None = None
    """The name of the stack, and the beginning of the names of functions; by default the
    directory's."""
    description: str | None = None
    """Description of the stack."""
    defaults: Defaults = dataclasses.field(default_factory=Defaults)
    """What all functions have."""
    functions: Mapping[str, ProjectFunction] = dataclasses.field(default_factory=dict)
    """The functions."""
    layers: Mapping[str, Layer] = dataclasses.field(default_factory=dict)
    """The layers."""


def is_project(directory: Path) -> bool:
    """Whether the directory's `function.toml` is a project. Raises `UsageError` if it is no
    TOML."""
    content = read_toml(directory / FUNCTION_FILE) or {}
    return any(key in content for key in _IS_PROJECT)


def read_project(path: Path) -> Project:
    """The project of a `function.toml`; its functions have names, directories, runtimes, handlers
    and what the defaults say. Raises `UsageError`."""
    project = read_table(Project, read_toml(path) or {}, str(path))
    if not project.functions:
        raise UsageError(f"cannot deploy {path}: it has no [functions.NAME]")
    for name in (*project.functions, *project.layers):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise UsageError(
                f"cannot use the name {name!r} in {path}: use letters, digits, - and _"
            )
    functions = {
        name: _completed(path, project, name, function)
        for name, function in project.functions.items()
    }
    for function in functions.values():
        for layer in function.layers:
            if not layer.startswith("arn:") and layer not in project.layers:
                hint = nearest(layer, project.layers) if project.layers else ""
                raise UsageError(
                    f"cannot use the layer {layer} in {path}: there is no [layers.{layer}].{hint}"
                )
    name = project.name or stack_name_of(path.resolve().parent)
    return dataclasses.replace(project, name=name, functions=functions)


def stack_name_of(directory: Path) -> str:
    """The name of a directory, with the characters that names of stacks have. Raises
    `UsageError`."""
    letters = "".join(letter if letter.isalnum() else "-" for letter in directory.name).strip("-")
    if not letters or not letters[0].isalpha() or not letters.isascii():
        raise UsageError(f"cannot name a stack after {directory}: use --stack NAME")
    return letters


def _completed(
    path: Path, project: Project, name: str, function: ProjectFunction
) -> ProjectFunction:
    defaults = project.defaults
    directory = path.parent / (function.code or name)
    if not directory.is_dir():
        raise UsageError(
            f"cannot deploy {name} of {path}: {directory} is no directory; `code` names another"
        )
    for route in function.http:
        if not re.fullmatch(r"\$default|[A-Z]+ /\S*", route.route):
            raise UsageError(
                f"cannot use http = {route.route!r} of {name} in {path}: write a method and a path,"
                " such as GET /pets, or $default"
            )
    known = dataclasses.replace(
        function,
        code=function.code or name,
        runtime=function.runtime or defaults.runtime,
        memory=defaults.memory if function.memory is None else function.memory,
        timeout=defaults.timeout if function.timeout is None else function.timeout,
        role=function.role or defaults.role,
        policies=function.policies or defaults.policies,
        layers=function.layers or defaults.layers,
        environment={**defaults.environment, **(function.environment or {})},
        tags={**defaults.tags, **(function.tags or {})},
    )
    if known.build == "makefile" and not (known.runtime and known.handler):
        raise UsageError(f"cannot deploy {name} of {path}: with a Makefile, give runtime, handler")
    return complete(known, directory, default_name=name)

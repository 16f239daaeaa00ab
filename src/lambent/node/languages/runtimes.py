"""Which program runs a function, and what of the host its box is shown.

A runtime identifier names an interpreter: `python3.12` the host's Python 3.12 and nothing else,
`nodejs20.x` the host's Node 20 or, if there is none, its newest Node; Java and Ruby likewise, as
`java.py` and `ruby.py` say. `provided.*` functions bring their own program. Whatever cannot be run
is a `RuntimeMissing` that says what to do.
"""

import dataclasses
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion
from lambent.node.languages import java, ruby
from lambent.node.languages.interpreters import Interpreter
from lambent.node.languages.runtime_clients import PreparedRuntime
from lambent.sandbox.ports import Mount

LOG_PIPE_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"
TASK_ROOT = "/var/task"
RUNTIME_DIR = "/var/runtime"
LAYERS_ROOT = "/opt"
EXTENSIONS_DIR = f"{LAYERS_ROOT}/extensions"
_NO_EXTENSIONS = "disable-extensions-jwigqn8j"
"""A layer that brings this file switches extensions off, at AWS too."""
_BYTECODE_DIR = "/var/pycache"
LANGUAGE_DIR = Path("/var/lang")
_HOST_PROGRAMS = Path("/usr")
"""Every box shows the host's /usr; interpreters elsewhere are shown at `/var/lang`."""
_HEAP_SHARE, _YOUNG_SHARE = 0.9, 0.05
"""Of the function's memory, for Node's old and young generation, as AWS sets them."""
_OF_A_SHELL: Mapping[str, str] = {"PWD": TASK_ROOT, "SHLVL": "0"}
"""At AWS a script starts the runtimes of languages, but for Java, and leaves these."""
_WRAPPER_VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
_OTHER_LANGUAGES = {
    "dotnet": ".NET",
    "go": "Go",
}


class RuntimeMissing(ApiError):
    """The function's runtime cannot be run on this host; `hint` says what to do about it."""

    def __init__(self, runtime: str, hint: str) -> None:
        super().__init__("InvalidRuntimeException", f"{runtime}: {hint}", status=502)
        self.runtime = runtime
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """How to start one function's runtime in a box."""

    mounts: tuple[Mount, ...]
    """What is the function's own."""
    argv: tuple[str, ...]
    runtime_mounts: tuple[Mount, ...] = ()
    """What all functions of the runtime are shown."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables this runtime wants; the function's own configuration overrides them."""
    log_pipe_variable: str | None = None
    waiting_argv: tuple[str, ...] = ()
    """The same runtime, started without a function to wait for one; empty if it cannot."""
    compiler_argv: tuple[str, ...] = ()
    """Compiles the function's modules."""
    bytecode: Path | None = None
    """Where they are kept once they are compiled; None for runtimes without that."""
    forks: bool = False
    """Whether `waiting_argv` is a zygote's."""
    extensions: tuple[str, ...] = ()
    """Names of the programs in `/opt/extensions`, which start before the runtime."""
    missing_entrypoint: bool = False
    """An OS-only function without an executable `bootstrap`: there is nothing to start."""


class Runtimes:
    """The runtimes of this host."""

    def __init__(self, prepared: Sequence[PreparedRuntime]) -> None:
        self._pythons = {
            one.interpreter.line: one for one in prepared if one.interpreter.kind == "python"
        }
        self._nodes = {
            int(one.interpreter.line): one for one in prepared if one.interpreter.kind == "node"
        }
        self._javas = {
            int(one.interpreter.line): one for one in prepared if one.interpreter.kind == "java"
        }
        self._rubies = {
            one.interpreter.line: one for one in prepared if one.interpreter.kind == "ruby"
        }

    def mount_roots(self) -> tuple[Path, ...]:
        """Every host directory a `LaunchSpec` may mount, but for the functions' code."""
        roots: dict[Path, None] = {}
        for runtimes in (self._pythons, self._nodes, self._javas, self._rubies):
            for one in runtimes.values():
                if one.directory is not None:
                    roots[one.directory] = None
                    if not _is_in_box(one.interpreter):
                        roots[one.interpreter.prefix] = None
        return tuple(roots)

    def launch(
        self, function: FunctionVersion, code: Path, layers: Path | None = None
    ) -> LaunchSpec:
        """How to start `function`, whose package is unpacked in `code` and its layers together in
        `layers`.

        Raises RuntimeMissing.
        """
        launch = self._launch_runtime(function, code, layers)
        if layers is None:
            return launch
        mount = Mount(source=str(layers), target=LAYERS_ROOT)
        extensions = find_extensions(layers)
        if extensions:
            # They come first, and a prepared runtime would not wait for them.
            launch = dataclasses.replace(launch, extensions=extensions, waiting_argv=())
        return dataclasses.replace(launch, mounts=(*launch.mounts, mount))

    def _launch_runtime(
        self, function: FunctionVersion, code: Path, layers: Path | None
    ) -> LaunchSpec:
        runtime = function.runtime or function.package_type
        mount = Mount(source=str(code), target=TASK_ROOT)
        if runtime.startswith("provided"):
            return _launch_provided(mount, find_bootstrap(code, layers))
        prepared = self._find(runtime)
        match prepared.interpreter.kind:
            case "python":
                bytecode = code.with_name(f"{code.name}.{runtime}")
                launch = _launch_python(prepared, mount, bytecode)
            case "node":
                launch = _launch_node(prepared, mount, function)
            case "java":
                launch = _launch_java(prepared, mount, function)
            case "ruby":
                launch = _launch_ruby(prepared, mount, function)
        if function.environment and function.environment.get(_WRAPPER_VARIABLE):
            shell = ("/bin/sh", "-c", f'exec "${_WRAPPER_VARIABLE}" "$0" "$@"')
            return dataclasses.replace(launch, argv=(*shell, *launch.argv), waiting_argv=())
        return launch

    def hint(self, runtime: str) -> str | None:
        """What to do before functions of a runtime run on this host; None if they do."""
        if runtime.startswith("provided"):
            return None
        try:
            self._find(runtime)
        except RuntimeMissing as missing:
            return missing.hint
        return None

    def _find(self, runtime: str) -> PreparedRuntime:
        """What runs a runtime, other than `provided.*`. Raises RuntimeMissing."""
        if found := re.fullmatch(r"python(\d+\.\d+)", runtime):
            return self._python(runtime, found[1])
        if found := re.fullmatch(r"nodejs(\d+)\.x", runtime):
            return self._node(runtime, int(found[1]))
        if found := re.fullmatch(r"java(\d+)(\.al\d+)?", runtime):
            return self._java(runtime, int(found[1]))
        if found := re.fullmatch(r"ruby(\d+\.\d+)", runtime):
            return self._ruby(runtime, found[1])
        raise RuntimeMissing(runtime, _other_hint(runtime))

    def _python(self, runtime: str, version: str) -> PreparedRuntime:
        prepared = self._pythons.get(version)
        if prepared is None:
            raise RuntimeMissing(
                runtime,
                f"install Python {version} (pyenv install {version}, uv python install {version}"
                f" or apt install python{version}) and restart",
            )
        return _usable(runtime, prepared)

    def _node(self, runtime: str, major: int) -> PreparedRuntime:
        if not self._nodes:
            raise RuntimeMissing(
                runtime,
                f"install Node.js {major} (nvm install {major}, n {major} or apt install nodejs)"
                " and restart",
            )
        return _usable(runtime, self._nodes.get(major) or self._nodes[max(self._nodes)])

    def _java(self, runtime: str, major: int) -> PreparedRuntime:
        if not self._javas:
            raise RuntimeMissing(
                runtime, f"install Java (apt install openjdk-{major}-jdk-headless) and restart"
            )
        return _usable(runtime, self._javas[java.choose_major(major, self._javas)])

    def _ruby(self, runtime: str, line: str) -> PreparedRuntime:
        if not self._rubies:
            raise RuntimeMissing(
                runtime, f"install Ruby (apt install ruby or rbenv install {line}) and restart"
            )
        return _usable(runtime, self._rubies[ruby.choose_line(line, self._rubies)])


def find_extensions(layers: Path) -> tuple[str, ...]:
    """Names of the external extensions that merged layers bring: files, sorted, whether they can
    be executed or not."""
    directory = layers / "extensions"
    switch = layers / _NO_EXTENSIONS
    if directory.is_symlink() or not directory.is_dir() or os.path.lexists(switch):
        return ()
    with os.scandir(directory) as entries:
        return tuple(sorted(one.name for one in entries if not one.is_dir(follow_symlinks=False)))


def find_bootstrap(code: Path, layers: Path | None = None) -> str | None:
    """The program of an OS-only function, as its box names it: that of the package, else that of
    the merged layers; None if neither has an executable `bootstrap`. A link counts as one: where it
    leads is known only inside the box."""
    for directory, target in ((code, TASK_ROOT), (layers, LAYERS_ROOT)):
        if directory is None:
            continue
        try:
            mode = (directory / "bootstrap").lstat().st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode) or (stat.S_ISREG(mode) and mode & 0o001):
            return f"{target}/bootstrap"
    return None


def _launch_provided(code: Mount, bootstrap: str | None) -> LaunchSpec:
    return LaunchSpec(
        mounts=(code,),
        argv=() if bootstrap is None else (bootstrap,),
        missing_entrypoint=bootstrap is None,
    )


def _launch_python(prepared: PreparedRuntime, code: Mount, bytecode: Path) -> LaunchSpec:
    mounts: tuple[Mount, ...] = (code,)
    if bytecode.is_dir():
        mounts = (code, Mount(source=str(bytecode), target=_BYTECODE_DIR))
    return LaunchSpec(
        mounts=mounts,
        bytecode=bytecode,
        compiler_argv=(_in_box(prepared.interpreter), "-S", f"{RUNTIME_DIR}/compiler.py"),
        runtime_mounts=_mounts(prepared),
        argv=(_in_box(prepared.interpreter), "-S", f"{RUNTIME_DIR}/bootstrap.py"),
        waiting_argv=(_in_box(prepared.interpreter), "-S", f"{RUNTIME_DIR}/zygote.py"),
        forks=True,
        environment={"PYTHONPATH": RUNTIME_DIR, **_OF_A_SHELL},
        log_pipe_variable=LOG_PIPE_VARIABLE,
    )


def _launch_node(prepared: PreparedRuntime, code: Mount, function: FunctionVersion) -> LaunchSpec:
    # The packages once more, where ES modules of the function look for what they did not bring.
    packages = Mount(source=f"{prepared.directory}/node_modules", target="/var/node_modules")
    major = re.sub(r"\D", "", function.runtime or "")
    paths = (f"/opt/nodejs/node{major}", "/opt/nodejs", RUNTIME_DIR)
    program = (
        _in_box(prepared.interpreter),
        f"--max-old-space-size={int(function.memory_mb * _HEAP_SHARE)}",
        f"--max-semi-space-size={int(function.memory_mb * _YOUNG_SHARE)}",
    )
    return LaunchSpec(
        mounts=(code,),
        runtime_mounts=(*_mounts(prepared), packages),
        argv=(*program, f"{RUNTIME_DIR}/bootstrap.cjs"),
        waiting_argv=(*program, f"{RUNTIME_DIR}/waiting.cjs"),
        environment={
            "NODE_PATH": os.pathsep.join(
                (*(f"{path}/node_modules" for path in paths), RUNTIME_DIR, TASK_ROOT)
            ),
            **_OF_A_SHELL,
        },
        log_pipe_variable=LOG_PIPE_VARIABLE,
    )


def _launch_java(prepared: PreparedRuntime, code: Mount, function: FunctionVersion) -> LaunchSpec:
    options = java.jvm_options(function.memory_mb, function.environment or {})
    client = ("-cp", f"{RUNTIME_DIR}/{java.CLIENT}", java.MAIN_CLASS)
    return LaunchSpec(
        mounts=(code,),
        runtime_mounts=_mounts(prepared),
        argv=(_in_box(prepared.interpreter), *options, *client),
        log_pipe_variable=LOG_PIPE_VARIABLE,
    )


def _launch_ruby(prepared: PreparedRuntime, code: Mount, function: FunctionVersion) -> LaunchSpec:
    one = prepared.interpreter
    shown = one.prefix if _is_in_box(one) else LANGUAGE_DIR
    options = ruby.ruby_options(function.environment or {})
    return LaunchSpec(
        mounts=(code,),
        runtime_mounts=_mounts(prepared),
        argv=(_in_box(one), *options, f"{RUNTIME_DIR}/bootstrap.rb"),
        environment={
            **ruby.ruby_variables(function.runtime or "", one.line, one.prefix, shown),
            **_OF_A_SHELL,
        },
        log_pipe_variable=LOG_PIPE_VARIABLE,
    )


def _mounts(prepared: PreparedRuntime) -> tuple[Mount, ...]:
    runtime = Mount(source=str(prepared.directory), target=RUNTIME_DIR)
    if _is_in_box(prepared.interpreter):
        return (runtime,)
    return (runtime, Mount(source=str(prepared.interpreter.prefix), target=str(LANGUAGE_DIR)))


def _is_in_box(interpreter: Interpreter) -> bool:
    return interpreter.prefix.is_relative_to(_HOST_PROGRAMS)


def _in_box(interpreter: Interpreter) -> str:
    if _is_in_box(interpreter):
        return str(interpreter.executable)
    return str(LANGUAGE_DIR / interpreter.executable.relative_to(interpreter.prefix))


def _usable(runtime: str, prepared: PreparedRuntime) -> PreparedRuntime:
    if prepared.directory is None:
        raise RuntimeMissing(
            runtime, f"could not be prepared: {prepared.failure}; run `lambent doctor`"
        )
    return prepared


def _other_hint(runtime: str) -> str:
    if runtime == "Image":
        return "container images are not supported; deploy a zip package"
    for prefix, language in _OTHER_LANGUAGES.items():
        if runtime.startswith(prefix):
            return (
                f"{language} functions do not run here yet; install a custom runtime in the"
                " package (an executable `bootstrap`) and use provided.al2023"
            )
    return "no such runtime is known here; use python3.*, nodejs*.x, java*, ruby* or provided.*"

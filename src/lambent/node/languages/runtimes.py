"""Which runtime runs a function on this host.

A runtime identifier names a version line of a language, which chooses among the prepared
interpreters. `provided.*` functions contain their own program. A function that cannot run raises
`RuntimeMissing`, which says what to do.
"""

import dataclasses
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion
from lambent.node.languages.language import Language, PreparedRuntime
from lambent.node.languages.launch import LAYERS_ROOT, TASK_ROOT, LaunchSpec, is_in_box
from lambent.node.languages.registry import LANGUAGES
from lambent.sandbox.ports import Mount

_NO_EXTENSIONS = "disable-extensions-jwigqn8j"
"""A layer with this file disables extensions, as in AWS."""
_WRAPPER_VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
_OTHER_LANGUAGES = {
    "dotnet": ".NET",
    "go": "Go",
}


class RuntimeMissing(ApiError):
    """The function's runtime cannot run on this host; `hint` says what to do about it."""

    def __init__(self, runtime: str, hint: str) -> None:
        super().__init__("InvalidRuntimeException", f"{runtime}: {hint}", status=502)
        self.runtime = runtime
        self.hint = hint


class Runtimes:
    """The runtimes of this host."""

    def __init__(self, prepared: Sequence[PreparedRuntime]) -> None:
        self._prepared = {
            language.name: {
                runtime.interpreter.line: runtime
                for runtime in prepared
                if runtime.interpreter.kind == language.name
            }
            for language in LANGUAGES
        }

    def mount_roots(self) -> tuple[Path, ...]:
        """Every host directory a `LaunchSpec` may mount, except the functions' code."""
        roots: dict[Path, None] = {}
        for by_line in self._prepared.values():
            for runtime in by_line.values():
                if runtime.directory is not None:
                    roots[runtime.directory] = None
                    if not is_in_box(runtime.interpreter.prefix):
                        roots[runtime.interpreter.prefix] = None
        return tuple(roots)

    def launch(
        self, function: FunctionVersion, code: Path, layers: Path | None = None
    ) -> LaunchSpec:
        """How to start `function`, whose package is unpacked in `code` and its merged layers in
        `layers`.

        Raises RuntimeMissing.
        """
        launch = self._launch_runtime(function, code, layers)
        if layers is None:
            return launch
        mount = Mount(source=str(layers), target=LAYERS_ROOT)
        extensions = find_extensions(layers)
        if extensions:
            # Extensions start first, and a prepared runtime would not wait for them.
            launch = dataclasses.replace(launch, extensions=extensions, waiting_argv=())
        return dataclasses.replace(launch, mounts=(*launch.mounts, mount))

    def _launch_runtime(
        self, function: FunctionVersion, code: Path, layers: Path | None
    ) -> LaunchSpec:
        runtime = function.runtime or function.package_type
        package = Mount(source=str(code), target=TASK_ROOT)
        if runtime.startswith("provided"):
            return _launch_provided(package, find_bootstrap(code, layers))
        language, prepared = self._find(runtime)
        launch = language.launch(prepared, function, code, package)
        if function.environment and function.environment.get(_WRAPPER_VARIABLE):
            shell = ("/bin/sh", "-c", f'exec "${_WRAPPER_VARIABLE}" "$0" "$@"')
            return dataclasses.replace(launch, argv=(*shell, *launch.argv), waiting_argv=())
        return launch

    def hint(self, runtime: str) -> str | None:
        """What to do so that functions of a runtime run on this host; None if they do already."""
        if runtime.startswith("provided"):
            return None
        try:
            self._find(runtime)
        except RuntimeMissing as missing:
            return missing.hint
        return None

    def _find(self, runtime: str) -> tuple[Language, PreparedRuntime]:
        """The interpreter for a runtime other than `provided.*`. Raises RuntimeMissing."""
        for language in LANGUAGES:
            wanted = language.wanted(runtime)
            if wanted is not None:
                by_line = self._prepared[language.name]
                line = language.choose(wanted, by_line) if by_line else None
                if line is None:
                    hint = f"{language.how_to_install(wanted)} and restart"
                    raise RuntimeMissing(runtime, hint)
                return language, _usable(runtime, by_line[line])
        raise RuntimeMissing(runtime, _other_hint(runtime))


def find_extensions(layers: Path) -> tuple[str, ...]:
    """Names of the external extensions in merged layers: files, sorted, executable or not."""
    directory = layers / "extensions"
    switch = layers / _NO_EXTENSIONS
    if directory.is_symlink() or not directory.is_dir() or os.path.lexists(switch):
        return ()
    with os.scandir(directory) as entries:
        return tuple(
            sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
        )


def find_bootstrap(code: Path, layers: Path | None = None) -> str | None:
    """The program of an OS-only function, by its path in the box: from the package, else from the
    merged layers; None if neither has an executable `bootstrap`. A link counts as one: its target
    is known only inside the box."""
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

"""Builds the package of a function from its source: dependencies are installed beside the code.

The source directory stays as it is. What is built depends on the files that are there, as with
`sam build`:

- Python: `requirements.txt`, `uv.lock` or the dependencies of `pyproject.toml` are installed.
- Node.js: the packages of `package.json` are installed. A handler in TypeScript is bundled by
  esbuild.
- Go: a `go.mod` is compiled to `bootstrap`.
- A `Makefile`, if the template's metadata says so.

What the directory has already, as `node_modules` or installed Python packages, is not installed,
nor what a file says that `.lambentignore` leaves out.
"""

import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lambent.cli.build_tools import Progress, pip_install, run, tool
from lambent.cli.handlers import check_handler
from lambent.cli.output import UsageError
from lambent.cli.package import copy_files, is_ignored, pack

TYPESCRIPT = (".ts", ".mts", ".tsx")
DEPENDENCIES = (
    *("requirements.txt", "pyproject.toml", "uv.lock"),
    *("package.json", "package-lock.json", "Makefile", "go.mod"),
)
"""Files that say what is built."""


class Source(NamedTuple):
    """The source of a function."""

    logical_id: str
    """Its name in the template, or the function's name; only for messages and for `make`."""
    directory: Path
    runtime: str
    handler: str
    """Empty if only the platform knows it."""
    metadata: Mapping[str, Any] = {}
    """`BuildMethod` and `BuildProperties`, as in SAM."""
    has_layers: bool = False
    """Whether the handler may come from a layer."""

    @property
    def builder(self) -> str:
        """How it is built: `makefile`, `esbuild`, `go`, `python`, `npm`, or empty if the directory
        is packed as it is."""
        method = str(self.metadata.get("BuildMethod", ""))
        files = {
            name
            for name in DEPENDENCIES
            if (self.directory / name).is_file() and not is_ignored(self.directory, name)
        }
        if method in ("makefile", "esbuild"):
            return method
        if self.runtime.startswith("nodejs") and self.entry is not None:
            return "esbuild"
        if self.runtime.startswith("provided") and "go.mod" in files:
            return "go"
        if self.runtime.startswith("python") and files & {*DEPENDENCIES[:3]}:
            return "" if any(self.directory.glob("*.dist-info")) else "python"
        if self.runtime.startswith("nodejs") and "package.json" in files:
            return "" if (self.directory / "node_modules").is_dir() else "npm"
        return ""

    @property
    def entry(self) -> str | None:
        """The file of the handler, if it is TypeScript."""
        parent, slash, base = self.handler.rpartition("/")
        stem = parent + slash + base.partition(".")[0]
        names = (f"{stem}{suffix}" for suffix in TYPESCRIPT)
        return next((name for name in names if stem and (self.directory / name).is_file()), None)


def make_package(source: Source, progress: Progress) -> bytes:
    """The package of a function, built if its files need that. Raises `UsageError` if the handler
    is not in it or a tool is missing, `CliError` if a step fails."""
    if not source.builder:
        check_handler(source.directory, source.runtime, source.handler, source.has_layers)
        return pack(source.directory)
    with tempfile.TemporaryDirectory(prefix="lambent-build-") as target:
        build(source, Path(target), progress)
        return pack_built(source, Path(target))


def pack_built(source: Source, built: Path) -> bytes:
    """The package of what was built. Raises `UsageError` if the handler is not in it."""
    check_handler(built, source.runtime, source.handler, source.has_layers)
    return pack(built, rules=source.directory)


def build(source: Source, target: Path, progress: Progress) -> None:
    """Write the files of a package into the empty directory `target`. Raises `CliError` if a step
    fails, `UsageError` if a tool is missing."""
    match source.builder:
        case "makefile":
            progress(f"building {source.logical_id} with make")
            environment = {**os.environ, "ARTIFACTS_DIR": str(target)}
            run(["make", f"build-{source.logical_id}"], source.directory, environment)
        case "esbuild":
            _bundle(source, target, progress)
        case "go":
            _compile_go(source, target, progress)
        case builder:
            copy_files(source.directory, target)
            if builder == "python":
                progress(f"installing the requirements of {source.logical_id}")
                _install_python(source, target)
            elif builder == "npm":
                _npm_install(source, target, "--omit=dev", progress)


def _install_python(source: Source, target: Path) -> None:
    directory = source.directory
    if (directory / "requirements.txt").is_file():
        wanted = ["-r", str(directory / "requirements.txt")]
    elif (directory / "uv.lock").is_file():
        uv = tool("uv", "pip install uv", directory)
        flags = ("--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet")
        with tempfile.TemporaryDirectory(prefix="lambent-build-") as scratch:
            exported = Path(scratch) / "requirements.txt"
            run([uv, "export", *flags, "-o", str(exported)], directory, os.environ)
            pip_install(source.runtime, target, ["-r", str(exported)], directory)
            return
    else:
        wanted = _dependencies(directory / "pyproject.toml")
    if wanted:
        pip_install(source.runtime, target, wanted, directory)


def _dependencies(pyproject: Path) -> list[str]:
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {pyproject}: {error}") from error
    found = (content.get("project") or {}).get("dependencies") or []
    return [str(name) for name in found]


def _npm_install(source: Source, directory: Path, flag: str, progress: Progress) -> None:
    npm = tool("npm", "install Node.js", source.directory)
    progress(f"installing the packages of {source.logical_id}")
    run([npm, "install", flag, "--no-audit", "--no-fund"], directory, os.environ)


def _bundle(source: Source, target: Path, progress: Progress) -> None:
    """`BuildMethod: esbuild`, with SAM's properties."""
    directory = source.directory
    with tempfile.TemporaryDirectory(prefix="lambent-build-") as scratch:
        has_packages = (directory / "package.json").is_file()
        if has_packages and not (directory / "node_modules").is_dir():
            directory = Path(scratch)
            copy_files(source.directory, directory)
            _npm_install(source, directory, "--include=dev", progress)
        own = directory / "node_modules" / ".bin" / "esbuild"
        program = str(own) if own.exists() else shutil.which("esbuild")
        if program is None:
            raise UsageError(
                f"cannot bundle {source.logical_id}: esbuild is not installed; run `npm install"
                f" --save-dev esbuild` in {source.directory}"
            )
        progress(f"bundling {source.logical_id}")
        run([program, *_esbuild_flags(source, target)], directory, os.environ)


def _esbuild_flags(source: Source, target: Path) -> Sequence[str]:
    properties = source.metadata.get("BuildProperties") or {}
    entries = properties.get("EntryPoints") or [source.entry or "app.ts"]
    flags = [*entries, "--bundle", "--platform=node", f"--outdir={target}"]
    # So that a handler in a directory stays in it.
    flags.append("--outbase=.")
    for name in ("Minify", "Sourcemap"):
        if properties.get(name):
            flags.append(f"--{name.lower()}")
    if not properties:
        flags.append("--sourcemap")
    flags.append(f"--target={properties.get('Target', 'es2020')}")
    flags.append(f"--format={properties.get('Format', 'cjs')}")
    flags += [f"--external:{name}" for name in properties.get("External") or ["@aws-sdk/*"]]
    return flags


def _compile_go(source: Source, target: Path, progress: Progress) -> None:
    go = tool("go", "see https://go.dev/doc/install", source.directory)
    progress(f"compiling {source.logical_id}")
    environment = {**os.environ, "GOOS": "linux", "CGO_ENABLED": "0"}
    command = [go, "build", "-tags", "lambda.norpc", "-trimpath", "-o", str(target / "bootstrap")]
    run([*command, "."], source.directory, environment)

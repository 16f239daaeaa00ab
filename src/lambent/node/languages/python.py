"""Python functions: AWS's runtime client, forked from a zygote that has imported it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.kit.installing import pip_install
from lambent.model.function import FunctionVersion
from lambent.node.languages.language import Interpreter, Language, Missing, PreparedRuntime
from lambent.node.languages.launch import (
    LOG_PIPE_VARIABLE,
    OF_A_SHELL,
    RUNTIME_DIR,
    TRUSTED_BUNDLE,
    LaunchSpec,
    runtime_mounts,
    shown_program,
)
from lambent.node.languages.search import directories, glob, json_of
from lambent.sandbox.ports import Mount

_PROBE = (
    "-I",
    "-S",
    "-c",
    "import json, sys; print(json.dumps([sys.implementation.name + getattr(sys, 'abiflags', ''),"
    " list(sys.version_info[:3]), sys.executable, sys.base_prefix]))",
)
_REQUIREMENTS = {
    (3, 8): ("awslambdaric==2.2.1", "boto3>=1.37,<2"),
    (3, 9): ("awslambdaric==4.0.4", "boto3>=1.40,<2"),
    (3, 10): ("awslambdaric==4.2.2", "boto3>=1.44,<2"),
}
"""By the oldest Python they support. 2.2.1 and 4.0.4 are the last clients for 3.8 and 3.9."""
_BYTECODE_DIR = "/var/pycache"


class Python(Language):
    """`python3.12` runs only on the host's Python 3.12."""

    name = "python"
    folder = "python"
    runtime_pattern = re.compile(r"python(\d+\.\d+)")
    oldest = (3, 8)
    line_parts = 2
    step = "AWS's runtime client and SDK, with pip"
    missing = Missing("python", "no Python", "install Python, such as: apt-get install python3")

    def places(
        self, environment: Mapping[str, str], home: Path, system: Sequence[Path]
    ) -> Iterator[Path]:
        """Includes those of pyenv and uv."""
        pyenv = Path(environment.get("PYENV_ROOT") or home / ".pyenv")
        uv = Path(environment.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
        for directory in directories(environment, system):
            yield from glob(directory, "python3", "python3.[0-9]", "python3.[0-9][0-9]")
        yield from glob(pyenv, "versions/*/bin/python3")
        yield from glob(uv, "*/bin/python3")

    def probe(self, program: Path) -> Any:
        """A virtual environment reports the installation it was made from."""
        return json_of(program, _PROBE)

    def is_plain(self, implementation: str) -> bool:
        """Neither PyPy nor free-threaded Python."""
        return implementation == "cpython"

    def executable_in(self, prefix: Path, version: tuple[int, ...], found: Path) -> Path:
        """The installation's program rather than a virtual environment's."""
        named = prefix / "bin" / f"python{self.line(version)}"
        return named.resolve() if named.exists() else found

    def choose(self, wanted: str, lines: Collection[str]) -> str | None:
        """Only the same line: packages are built for one minor version."""
        return wanted if wanted in lines else None

    def how_to_install(self, wanted: str) -> str:
        """With a version manager, or from the distribution."""
        return (
            f"install Python {wanted} (pyenv install {wanted}, uv python install {wanted}"
            f" or apt install python{wanted})"
        )

    def requirements(self, interpreter: Interpreter) -> tuple[str, ...]:
        """AWS's runtime client and SDK."""
        oldest = max(version for version in _REQUIREMENTS if version <= interpreter.version)
        return _REQUIREMENTS[oldest]

    def can_prepare(self, version: tuple[int, ...]) -> bool:
        """Whether a runtime client supports it."""
        return version >= min(_REQUIREMENTS)

    def prepare(self, interpreter: Interpreter, target: Path) -> None:
        """With the interpreter's own pip, if it has one."""
        requirements = self.requirements(interpreter)
        pip_install(interpreter.executable, interpreter.line, target, requirements)

    def launch(
        self, prepared: PreparedRuntime, function: FunctionVersion, code: Path, package: Mount
    ) -> LaunchSpec:
        """Bytecode that was compiled when the function was deployed is mounted next to it."""
        assert prepared.directory is not None
        interpreter = prepared.interpreter
        program = shown_program(interpreter.executable, interpreter.prefix)
        bytecode = code.with_name(f"{code.name}.{function.runtime}")
        mounts: tuple[Mount, ...] = (package,)
        if bytecode.is_dir():
            mounts = (package, Mount(source=str(bytecode), target=_BYTECODE_DIR))
        return LaunchSpec(
            mounts=mounts,
            bytecode=bytecode,
            compiler_argv=(program, "-S", f"{RUNTIME_DIR}/compiler.py"),
            runtime_mounts=runtime_mounts(prepared.directory, interpreter.prefix),
            argv=(program, "-S", f"{RUNTIME_DIR}/bootstrap.py"),
            waiting_argv=(program, "-S", f"{RUNTIME_DIR}/zygote.py"),
            forks=True,
            environment={
                "PYTHONPATH": RUNTIME_DIR,
                # botocore trusts a file of its own otherwise.
                "AWS_CA_BUNDLE": TRUSTED_BUNDLE,
                **OF_A_SHELL,
            },
            log_pipe_variable=LOG_PIPE_VARIABLE,
        )

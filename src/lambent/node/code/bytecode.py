"""Bytecode of a function's modules, compiled when it is deployed.

Packages contain sources and `/var/task` is read-only, so every cold start would compile them again.
Compiling runs in a box like any hostile program, because parsers have bugs. The compiler's output
is checked like any hostile input, stored next to the package, and shown to its functions at
`/var/pycache`; `runtimes/python/bootstrap.py` looks there first. A function without bytecode works
as well, so a failure here is not reported as an error.
"""

import logging
import os
import shutil
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import anyio
import anyio.to_thread

from lambent.kit.tasks import shielded
from lambent.node.languages.launch import LANGUAGE_DIR, TASK_ROOT, LaunchSpec
from lambent.sandbox.ports import BoxSpec, ExitStatus, ProcessSpec, SandboxError, Sandboxes

logger = logging.getLogger(__name__)

_SOURCES_BYTES_MIN = 20_000
"""Bytes. Less source is compiled faster than bytecode is read."""
_OUTPUT_BYTES_MAX = 128 * 1024 * 1024
_MEMORY_MB = 1024
_VOLUME_MB = 64
_DEADLINE_S = 60.0
_OUTPUT_VARIABLE = "LAMBENT_OUTPUT_FD"
_LENGTHS = struct.Struct(">II")
_PARTIAL = ".partial-"


async def compile_code(sandboxes: Sandboxes, launch: LaunchSpec) -> None:
    """Compile the modules of the function that `launch` would start, if they are large enough and
    not compiled yet."""
    target = launch.bytecode
    if target is None or target.exists():
        return
    code = Path(launch.mounts[0].source)
    if not await anyio.to_thread.run_sync(_is_worth_it, code):
        return
    try:
        with anyio.fail_after(_DEADLINE_S):
            output = await _run_compiler(sandboxes, launch)
        await anyio.to_thread.run_sync(_keep, output, target)
    except (SandboxError, OSError, TimeoutError, ValueError) as error:
        logger.warning("cannot compile %s ahead: %s", code.name, error)


def _is_worth_it(code: Path) -> bool:
    total = 0
    for directory, _, names in os.walk(code):
        for name in names:
            if name.endswith(".py"):
                total += os.lstat(os.path.join(directory, name)).st_size
                if total >= _SOURCES_BYTES_MIN:
                    return True
    return False


async def _run_compiler(sandboxes: Sandboxes, launch: LaunchSpec) -> bytes:
    """Everything that the compiler sends."""
    volume = await sandboxes.open_volume(_VOLUME_MB)
    try:
        mounts = (launch.mounts[0], *launch.runtime_mounts)
        box = await sandboxes.open_box(BoxSpec(memory_mb=_MEMORY_MB, mounts=mounts, volume=volume))
        try:
            environment = {
                "LAMBDA_TASK_ROOT": TASK_ROOT,
                "LD_LIBRARY_PATH": f"{LANGUAGE_DIR}/lib",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            spec = ProcessSpec(
                argv=launch.compiler_argv,
                environment=environment,
                log_pipe_variable=_OUTPUT_VARIABLE,
            )
            process = await box.spawn(spec, _ignore)
            assert process.log_pipe is not None
            try:
                return await _read_all(process.log_pipe)
            finally:
                os.close(process.stdout)
                os.close(process.log_pipe)
        finally:
            await shielded(box.close)
    finally:
        await shielded(volume.close)


def _ignore(_: ExitStatus) -> None:
    """Its output is enough of an error message."""


async def _read_all(pipe: int) -> bytes:
    output = bytearray()
    while True:
        await anyio.wait_readable(pipe)
        chunk = os.read(pipe, 1 << 18)
        if not chunk:
            return bytes(output)
        output += chunk
        if len(output) > _OUTPUT_BYTES_MAX:
            raise ValueError(f"more than {_OUTPUT_BYTES_MAX} bytes of bytecode")


def _keep(output: bytes, target: Path) -> None:
    """Write the files; the directory appears complete or not at all. Raises ValueError if the
    output is not valid."""
    partial = target.with_name(f"{_PARTIAL}{uuid.uuid4().hex}")
    try:
        partial.mkdir()
        partial.chmod(0o755)
        for path, content in _files(output):
            file = partial / path.with_name(f"{path.name}c")
            for parent in reversed(file.relative_to(partial).parents):
                (partial / parent).mkdir(mode=0o755, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o644)
        try:
            partial.rename(target)
        except OSError:
            # Two functions with the same package are compiled at the same time: the first result is
            # kept.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _files(output: bytes) -> Iterator[tuple[PurePosixPath, bytes]]:
    at = 0
    while True:
        if len(output) < at + _LENGTHS.size:
            raise ValueError("the compiler's output has no end")
        path_length, length = _LENGTHS.unpack_from(output, at)
        at += _LENGTHS.size
        if path_length == 0:
            return
        end = at + path_length + length
        if end > len(output):
            raise ValueError("the compiler's output was cut")
        path = PurePosixPath(os.fsdecode(output[at : at + path_length]))
        if path.is_absolute() or ".." in path.parts or path.suffix != ".py" or "\0" in str(path):
            raise ValueError(f"the compiler names {str(path)!r}")
        yield path, output[at + path_length : end]
        at = end

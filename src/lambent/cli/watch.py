"""Watches the source of functions, and updates their code when a file is saved."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import botocore.exceptions

from lambent.cli.build import build
from lambent.cli.deploy import OpenS3, sent
from lambent.cli.output import CliError
from lambent.cli.package import State, copy_files, pack, state_of

_POLL_S = 0.1
_DEPENDENCIES = ("requirements.txt", "package.json", "package-lock.json", "Makefile")
"""A change of these builds the package again; a change of another file is only copied."""
Show = Callable[[str], None]


class Source(NamedTuple):
    """What is watched."""

    function: str
    """The function's name."""
    directory: Path
    logical_id: str = ""
    """Empty for a directory that is deployed as it is, without a build."""
    runtime: str = ""
    metadata: Mapping[str, Any] = {}


def watch(client: Any, open_s3: OpenS3, sources: Sequence[Source], show: Show) -> None:
    """Update the code of functions whenever their files change, until the user interrupts it. An
    update that fails is shown, and the next change is tried."""
    with contextlib.ExitStack() as stack:
        packages = [stack.enter_context(_package(source)) for source in sources]
        states = [state_of(source.directory) for source in sources]
        show(f"watching {', '.join(source.function for source in sources)}; Ctrl-C ends it")
        while True:
            time.sleep(_POLL_S)  # noqa: TID251 - files are watched on the wall clock
            for number, source in enumerate(sources):
                known, state = states[number], state_of(source.directory)
                if state == known:
                    continue
                states[number] = state
                began = time.perf_counter()
                try:
                    _update(client, open_s3, source, packages[number](known, state))
                except (CliError, botocore.exceptions.ClientError) as error:
                    show(f"{source.function}: {error}")
                else:
                    show(f"{source.function} is updated ({time.perf_counter() - began:.2f} s)")


@contextmanager
def _package(source: Source) -> Iterator[Callable[[State, State], bytes]]:
    """Makes the package of a source after a change, from the state before and the one after."""
    if not source.logical_id:
        yield lambda _, __: pack(source.directory)
        return
    with tempfile.TemporaryDirectory(prefix="lambent-build-") as directory:
        built = Path(directory)

        def make(known: State, state: State) -> bytes:
            changed = {name for name, value in state.items() if known.get(name) != value}
            is_bundled = bool(source.metadata.get("BuildMethod"))
            if is_bundled or not any(built.iterdir()) or changed & set(_DEPENDENCIES):
                _empty(built)
                build(
                    source.directory,
                    built,
                    logical_id=source.logical_id,
                    runtime=source.runtime,
                    metadata=source.metadata,
                    progress=lambda _: None,
                )
            else:
                copy_files(source.directory, built)
                for name in known.keys() - state.keys():
                    (built / name).unlink(missing_ok=True)
            return pack(built)

        yield make


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _update(client: Any, open_s3: OpenS3, source: Source, package: bytes) -> None:
    with sent(open_s3, source.function, package) as code:
        client.update_function_code(FunctionName=source.function, **code)

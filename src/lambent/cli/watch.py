"""Watches the source of functions, and updates their code when a file is saved."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import botocore.exceptions

from lambent.cli.bucket import OpenBucket
from lambent.cli.build import DEPENDENCIES, Source, build, make_package, pack_built
from lambent.cli.deploy import sent
from lambent.cli.output import CliError
from lambent.cli.package import State, copy_files, state_of

_POLL_S = 0.1
_COPIED = ("python", "npm")
"""Builders that leave the files as they are: a change of one that names no dependencies is only
copied."""
Show = Callable[[str], None]


class Watched(NamedTuple):
    """A function and its source."""

    function: str
    source: Source
    state: State
    """The files as they were before the deployment: what was saved since is live soon, too."""


def watch(
    client: Any,
    open_bucket: OpenBucket,
    watched: Sequence[Watched],
    show: Show,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Update the code of functions whenever their files change, until `until` says so. It is asked
    about every tenth of a second. An update that fails is shown, and the next change is tried."""
    with contextlib.ExitStack() as stack:
        packages = [stack.enter_context(_package(each.source)) for each in watched]
        states = [each.state for each in watched]
        names = ", ".join(each.function for each in watched) or "the template"
        show(f"watching {names}; Ctrl-C ends it")
        while not until():
            time.sleep(_POLL_S)  # noqa: TID251 - files are watched on the wall clock
            for number, (function, source, _) in enumerate(watched):
                known, state = states[number], state_of(source.directory)
                if state == known:
                    continue
                states[number] = state
                began = time.perf_counter()
                try:
                    package = packages[number](known, state)
                    with sent(open_bucket, function, package) as code:
                        client.update_function_code(FunctionName=function, **code)
                except (CliError, botocore.exceptions.ClientError) as error:
                    show(f"{function}: {error}")
                    if "ResourceConflictException" in str(error):
                        states[number] = known  # The update before is not done: try again.
                else:
                    show(f"{function} is updated ({time.perf_counter() - began:.2f} s)")


@contextmanager
def _package(source: Source) -> Iterator[Callable[[State, State], bytes]]:
    """Makes the package of a source after a change, from the state before and the one after."""
    with tempfile.TemporaryDirectory(prefix="lambent-build-") as directory:
        built = Path(directory)

        def make(known: State, state: State) -> bytes:
            if source.builder not in _COPIED:
                return make_package(source, lambda _: None)
            changed = {name for name, value in state.items() if known.get(name) != value}
            if not any(built.iterdir()) or changed & set(DEPENDENCIES):
                _empty(built)
                build(source, built, lambda _: None)
            else:
                copy_files(source.directory, built)
                for name in known.keys() - state.keys():
                    (built / name).unlink(missing_ok=True)
            return pack_built(source, built)

        yield make


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

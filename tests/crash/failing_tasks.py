"""`lambent up` whose tasks fail on command, each at a place where it waits.

    python -m tests.crash.failing_tasks [SITE] -- up …

A site is where a task is started, as `sites` finds them in the source. Commands on stdin: `now
SITE` fails the task that was started there last, `next SITE` fails the next one; so does a site
that is given as an argument. `group SITE` fails the task group of the last one. Reports on stdout:
`began SITE` and `failed SITE`.
"""

import ast
import asyncio
import collections
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import anyio.abc

from lambent.kit import tasks as guard

SOURCE = Path(guard.__file__).parents[1]
_STARTS = {"start_task": 2, "start_loop": 2, "start_part": 1}
"""Names, and the argument that is run."""


def sites() -> dict[tuple[str, int], str]:
    """Where tasks are started: file and line, and the site's name."""
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        source = file.read_text()
        if file == Path(guard.__file__) or not any(name in source for name in _STARTS):
            continue
        seen = collections.Counter[str]()
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda call: call.lineno):
            if isinstance(call.func, ast.Name) and call.func.id in _STARTS:
                run = ast.unparse(call.args[_STARTS[call.func.id]])
                place = f"{file.relative_to(SOURCE)}:{run}"
                seen[place] += 1
                place += f"#{seen[place]}" if seen[place] > 1 else ""
                found[str(file), call.lineno] = place
    return found


class InjectedError(Exception):
    """The exception with which a task fails."""


class _Failing:
    """A coroutine that can be made to fail where it waits."""

    def __init__(self, site: str, inner: Awaitable[object], *, at_once: bool) -> None:
        self._site = site
        self._inner = inner.__await__()
        self._at_once = at_once
        self._task = asyncio.current_task()
        self._is_failing = False

    def fail(self) -> None:
        """From outside the task: as soon as possible."""
        assert self._task is not None
        self._is_failing = True
        self._task.cancel()

    def __await__(self) -> Generator[Any, Any, object]:
        inner, site = self._inner, self._site
        try:
            step: Callable[[], Any] = partial(inner.send, None)
            while True:
                waits_for = step()
                if self._at_once:
                    self._at_once = False
                    self.fail()
                try:
                    sent = yield waits_for
                except BaseException as error:
                    step = partial(inner.throw, self._turned(error))
                else:
                    step = partial(inner.send, sent)
        except StopIteration as end:
            if self._at_once:  # It never waited.
                raise self._failure() from None
            return end.value
        finally:
            running = _running[site]
            if self in running:
                running.remove(self)

    def _turned(self, error: BaseException) -> BaseException:
        """Our own cancellation is the failure; others are passed on."""
        if not self._is_failing or not isinstance(error, asyncio.CancelledError):
            return error
        self._is_failing = False
        assert self._task is not None
        self._task.uncancel()
        return self._failure()

    def _failure(self) -> InjectedError:
        print(f"failed {self._site}", flush=True)
        return InjectedError(self._site)


_running: dict[str, list[_Failing]] = collections.defaultdict(list)
_groups: dict[str, anyio.abc.TaskGroup] = {}
_armed: set[str] = set()
SITES = sites()


def _start(start: Callable[..., None], number: int, *args: Any) -> None:
    _listen()
    frame = sys._getframe(1)
    site = SITES[frame.f_code.co_filename, frame.f_lineno]
    run = args[number]
    _groups[site] = args[0]

    async def failing(*inner: Any) -> object:
        print(f"began {site}", flush=True)
        task = _Failing(site, run(*inner), at_once=site in _armed)
        _armed.discard(site)
        _running[site].append(task)
        return await task

    start(*args[:number], failing, *args[number + 1 :])


async def _fail(site: str) -> None:
    raise InjectedError(site)


_is_listening = False
_unread = b""


def _listen() -> None:
    global _is_listening
    if not _is_listening:
        _is_listening = True
        os.set_blocking(0, False)
        asyncio.get_running_loop().add_reader(0, _hear)


def _hear() -> None:
    global _unread
    data = os.read(0, 65536)
    if not data:
        asyncio.get_running_loop().remove_reader(0)
    *lines, _unread = (_unread + data).split(b"\n")
    for line in lines:
        when, _, site = line.decode().partition(" ")
        if when == "group":
            _groups[site].start_soon(_fail, site)
        elif when == "now" and _running[site]:
            _running[site][-1].fail()
        else:
            _armed.add(site)


def main() -> None:
    end = sys.argv.index("--")
    _armed.update(sys.argv[1:end])
    del sys.argv[1 : end + 1]
    for name, number in _STARTS.items():
        setattr(guard, name, partial(_start, getattr(guard, name), number))
    for name in [module for module in sys.modules if module.startswith("lambent.")]:
        assert name in ("lambent.kit", "lambent.kit.clock", "lambent.kit.tasks"), (
            f"{name} has the real ones"
        )
    from lambent.__main__ import main as platform

    platform()


if __name__ == "__main__":
    main()

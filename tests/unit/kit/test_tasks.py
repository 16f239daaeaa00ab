"""Whose failure a task's failure is."""

import itertools
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from lambent.kit.clock import ManualClock
from lambent.kit.tasks import Reported, guarded, start_loop, start_part, start_task

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]


async def _fail(*_: object) -> None:
    raise RuntimeError("on purpose")


async def _settle() -> None:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def test_a_task_that_fails_is_reported_and_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors: list[Exception] = []
    went_on = []

    async def other() -> None:
        await _settle()
        went_on.append(True)

    async with anyio.create_task_group() as tasks:
        start_task(tasks, errors.append, _fail)
        start_task(tasks, None, _fail)
        start_task(tasks, None, other)
    assert [str(error) for error in errors] == ["on purpose"]
    assert went_on == [True]
    assert caplog.text.count("RuntimeError: on purpose") == 2


async def test_a_failure_that_cannot_be_reported_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def tell(_: Exception) -> None:
        raise ValueError("gone")

    async with anyio.create_task_group() as tasks:
        start_task(tasks, tell, _fail)
    assert "ValueError: gone" in caplog.text


async def test_the_log_names_what_failed_and_not_its_arguments(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with anyio.create_task_group() as tasks:
        start_task(tasks, None, partial(_fail, "a secret"))
        start_task(tasks, None, _fail, "a secret")
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["_fail failed", "_fail failed"]


async def test_a_loop_that_fails_begins_again_after_ever_longer_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    runs: list[float] = []

    async def run() -> None:
        runs.append(clock.monotonic())
        if len(runs) < 9:
            raise RuntimeError("on purpose")

    async with anyio.create_task_group() as tasks:
        start_loop(tasks, clock, run)
        for _ in range(400):
            await _settle()
            clock.advance(0.1)
    pauses = [after - before for before, after in itertools.pairwise(runs)]
    for pause, most in zip(pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10], strict=True):
        assert most / 2 <= pause < most + 0.11
    (record,) = caplog.records
    assert "run failed" in record.getMessage()
    assert record.exc_info is not None


async def test_a_loop_tells_each_kind_of_failure_and_each_row_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure that was already reported is not reported again."""
    clock = ManualClock()
    failures = [OSError(), OSError(), ValueError(), Reported(), ValueError(), None, ValueError()]

    async def run() -> None:
        failure = failures.pop(0) if failures else None
        if failure is not None:
            raise failure
        if failures:
            await clock.sleep(61)
            raise failures.pop(0) or AssertionError()

    async with anyio.create_task_group() as tasks:
        start_loop(tasks, clock, run)
        for _ in range(1000):
            await _settle()
            clock.advance(0.1)
    kinds = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert kinds == [OSError, ValueError, ValueError]


async def test_a_reported_failure_reaches_its_waiter_and_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors: list[Exception] = []

    async def run() -> None:
        raise Reported

    async with anyio.create_task_group() as tasks:
        start_task(tasks, errors.append, run)
    assert len(errors) == 1
    assert not caplog.records


async def test_a_loop_that_ran_for_long_is_back_at_once() -> None:
    clock = ManualClock()
    runs: list[float] = []

    async def run() -> None:
        runs.append(clock.monotonic())
        if len(runs) == 5:
            await clock.sleep(61)
        if len(runs) < 7:
            raise RuntimeError("on purpose")

    async with anyio.create_task_group() as tasks:
        start_loop(tasks, clock, run)
        for _ in range(800):
            await _settle()
            clock.advance(0.1)
    assert runs[4] - runs[3] > 0.39
    assert 61 <= runs[5] - runs[4] < 61.3


async def test_a_part_that_fails_is_its_parents_failure() -> None:
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with anyio.create_task_group() as tasks:
            start_part(tasks, _fail)


async def test_a_guarded_callback_does_not_raise(caplog: pytest.LogCaptureFixture) -> None:
    """Its exception is logged and reported, even if that fails, too."""
    errors: list[Exception] = []
    done: list[int] = []

    def call(number: int) -> None:
        if number < 0:
            raise ValueError("negative")
        done.append(number)

    def tell(error: Exception) -> None:
        errors.append(error)
        raise OSError("gone")

    call_guarded = guarded(tell, call)
    for number in (1, -1, 2):
        call_guarded(number)
    assert done == [1, 2]
    assert [str(error) for error in errors] == ["negative"]
    assert len(caplog.records) == 2


async def test_a_cancelled_task_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async with anyio.create_task_group() as tasks:
        start_task(tasks, None, anyio.sleep_forever)
        start_loop(tasks, ManualClock(), anyio.sleep_forever)
        await _settle()
        tasks.cancel_scope.cancel()
    assert caplog.records == []


def _check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/check_tasks.py", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_linter_lets_no_other_way_to_start_a_task_pass(tmp_path: Path) -> None:
    assert _check(ROOT / "src").returncode == 0
    for number, line in enumerate(
        (
            "tasks.start_soon(run)",
            "spawn = self._tasks.start_soon",
            "asyncio.get_running_loop().create_task(run())",
            "from asyncio import create_task",
            "asyncio.ensure_future(run())",
        )
    ):
        file = tmp_path / f"{number}.py"
        file.write_text(f"\n{line}\n")
        found = _check(file)
        assert found.returncode == 1, line
        assert f"{number}.py:2: start tasks with lambent.kit.tasks" in found.stdout

"""`lambent up` that kills itself on the way of a stack: before and after a call of an API, and
before and after a step is written.

python -m tests.crash.stack_failpoints POINT N WITNESS up …
"""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.services.any_service import AnyService
from lambent.stacks.engine.ledger import Ledger
from lambent.stacks.use_cases.context import UseCaseContext
from tests.crash.failpoints import Point, before_commit, run


def _before_call(come_by: Callable[[], None]) -> None:
    call = AnyService.call

    async def patched(self: AnyService, *arguments: Any) -> Mapping[str, Any]:
        come_by()
        return await call(self, *arguments)

    AnyService.call = patched  # type: ignore[method-assign]


def _after_call(come_by: Callable[[], None]) -> None:
    """After calls that change something alone: others leave nothing."""
    call = AnyService.call

    async def patched(
        self: AnyService, service: str, operation: str, *arguments: Any
    ) -> Mapping[str, Any]:
        output = await call(self, service, operation, *arguments)
        if not operation.startswith(("Get", "List", "Describe")):
            come_by()
        return output

    AnyService.call = patched  # type: ignore[method-assign]


def _after_step(come_by: Callable[[], None]) -> None:
    for name in ("_write", "turn"):
        _come_by_after(name, come_by)


def _come_by_after(name: str, come_by: Callable[[], None]) -> None:
    write = getattr(Ledger, name)

    async def patched(self: Ledger, *arguments: Any, **more: Any) -> Any:
        result = await write(self, *arguments, **more)
        come_by()
        return result

    setattr(Ledger, name, patched)


def _before_begin(come_by: Callable[[], None]) -> None:
    """Once an operation is stored, and before it begins."""
    init = UseCaseContext.__init__

    def patched(self: UseCaseContext, *arguments: Any, **more: Any) -> None:
        start = more["start"]

        def starting(root: Any) -> None:
            come_by()
            start(root)

        init(self, *arguments, **{**more, "start": starting})

    UseCaseContext.__init__ = patched  # type: ignore[method-assign]


POINTS: Mapping[str, Point] = {
    "before-call": _before_call,
    "after-call": _after_call,
    "before-commit": before_commit,
    "after-step": _after_step,
    "before-begin": _before_begin,
}
OFTEN = frozenset({"before-call", "after-call", "before-commit", "after-step"})
"""Points that an operation passes some ten times."""

if __name__ == "__main__":
    run(POINTS, lambda _write: None)

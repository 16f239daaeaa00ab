"""An exchange that passes everything on to another one; subclasses change a part of it."""

from typing import TYPE_CHECKING, Any

from lambent.kit.http.messages import Exchange

if TYPE_CHECKING:
    _Base = Any  # It has all members of an `Exchange`.
else:
    _Base = object


class PassedExchange(_Base):  # type: ignore[misc]
    """See the module. A member that a subclass does not have is the other exchange's."""

    def __init__(self, exchange: Exchange) -> None:
        self.passed = exchange

    def __getattr__(self, name: str) -> Any:
        return getattr(self.passed, name)

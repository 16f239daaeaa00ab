"""What a kind of API is to the front: HTTP, REST, WebSocket."""

from typing import Protocol

from lambent.kit.http.messages import Exchange
from lambent.triggers.apis.api import Api, Stage
from lambent.triggers.apis.request import ApiRequest


class ServedStage(Protocol):
    """A stage as it runs, compiled from its snapshot. It is dropped when the API changes: requests
    that it serves at that moment go on."""

    def handle(self, request: ApiRequest) -> None:
        """Serve a request to its end. Called on the event loop; must not block. If it raises, the
        client gets the response of `ApiKind.refuse` for 500."""
        ...


class ApiKind(Protocol):
    """Serves all APIs of one kind."""

    def choose_stage(self, api: Api, path: str) -> tuple[str, str] | None:
        """The name of the stage that a path below the host leads to, and the rest of the path; None
        if there is none. Neither is decoded."""
        ...

    def compile(self, stage: Stage) -> ServedStage:
        """Make what serves a stage. Called once after each change, on the event loop."""
        ...

    def refuse(self, exchange: Exchange, status: int) -> None:
        """Respond to a request that no stage serves: 404 if there is no such stage, 403 if the API
        does not take requests at this address, 413 for a body that is too large, 500."""
        ...


def stage_of_path(api: Api, path: str) -> tuple[str, str] | None:
    """The first segment if it names a stage, else the stage `$default`, which has no segment."""
    end = path.find("/", 1)
    first = path[1:] if end < 0 else path[1:end]
    if first in api.stages and first != "$default":
        return first, "/" if end < 0 else path[end:]
    return ("$default", path) if "$default" in api.stages else None

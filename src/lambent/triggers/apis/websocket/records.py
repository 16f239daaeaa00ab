"""Lines in the access log of a stage: one for each event of a connection."""

from typing import Any

from lambent.triggers.apis.access_logs import AccessLog
from lambent.triggers.apis.websocket.answers import Answer
from lambent.triggers.apis.websocket.events import RouteRequest


def record(log: AccessLog | None, request: RouteRequest, answer: Answer, now: float) -> None:
    """Write the line of an event that was served; `now` is epoch seconds. `log` is None if the
    stage has none."""
    if log is None:
        return
    context: dict[str, Any] = request.context() | {
        "accountId": request.connection.account,
        "status": answer.status,
        "error": {"message": answer.error, "messageString": f'"{answer.error}"'},
        "integrationLatency": int((now - request.now) * 1000),
        "integration": {"status": answer.status, "error": answer.detail or answer.error},
        "integrationErrorMessage": answer.detail or answer.error,
    }
    if not answer.error:
        del context["error"]

    def resolve(name: str) -> object:
        value: Any = context
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return None if isinstance(value, dict | list) else value

    log.write(resolve)

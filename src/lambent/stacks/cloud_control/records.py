"""What is stored of requests, as documents of the service `cloudcontrol` of the account itself.

A request under way has two documents, which end together: what callers see of it, and what is to be
done. Properties are in the second one, since they may have secrets, and in `given`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lambent.model.arn import Scope
from lambent.model.document import Root
from lambent.stacks.sealing import SealedDocuments
from lambent.store.store import Transaction

SERVICE: Final = "cloudcontrol"
_REQUEST: Final = "request"
_WORK: Final = "work"
_CLIENT_TOKEN: Final = "clienttoken"
_GIVEN: Final = "given"
_KEPT_S: Final = 7 * 24 * 3600.0
"""How long a request is kept, as in AWS."""
_DROPPED_AT_ONCE: Final = 10

_SEALED: Final = {_WORK: ("attributes", "old", "wanted"), _GIVEN: None}

IN_PROGRESS, SUCCESS, FAILED = "IN_PROGRESS", "SUCCESS", "FAILED"
CANCELLED = "CANCEL_COMPLETE"


class Request(NamedTuple):
    """What callers see of a request."""

    token: str
    """Begins with the time, so that the oldest is listed first."""
    operation: str
    """CREATE, UPDATE or DELETE."""
    type: str
    status: str
    time: float
    identifier: str = ""
    code: str = ""
    message: str = ""
    client_token: str = ""
    digest: str = ""
    """Of the input, by which a repetition is known."""


class Work(NamedTuple):
    """What is to be done for a request."""

    owner: int
    """The platform that does it, as `Store.starts`."""
    caller: Mapping[str, str]
    """The principal whose rights decide, as `stored_principal` has it."""
    name: str
    """Of the step, as its token."""
    step_token: str
    wanted: Mapping[str, Any] = {}
    old: Mapping[str, Any] = {}
    physical_id: str = ""
    attributes: Mapping[str, Any] = {}
    is_free: bool = False
    """Whether the name was found to be free: what has it now is the request's own."""


class RequestRows:
    """The documents of requests in one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows = SealedDocuments(tx, _SEALED)

    def lock(self, scope: Scope) -> None:
        """Keep other writers from an account's requests."""
        self._tx.locks.root(root_of_requests(scope))

    def is_running(self, starts: int) -> bool:
        """See `NodeRows.is_running`."""
        return self._tx.nodes.is_running(starts)

    def request(self, scope: Scope, token: str) -> Request | None:
        """A request by its token."""
        found = self._rows.get(root_of_requests(scope), _REQUEST, token)
        return None if found is None else Request(**found.body)

    def requests(self, scope: Scope) -> list[Request]:
        """All requests of an account and region, the newest first."""
        found = self._rows.list_of(root_of_requests(scope), _REQUEST)
        return [Request(**document.body) for document in reversed(found)]

    def with_client_token(self, scope: Scope, client_token: str) -> Request | None:
        """The request that a client has named."""
        found = self._rows.get(root_of_requests(scope), _CLIENT_TOKEN, client_token)
        return None if found is None else self.request(scope, found.body["request"])

    def put_request(self, scope: Scope, request: Request) -> None:
        """Add or replace what callers see."""
        body = {name: value for name, value in request._asdict().items() if value}
        self._rows.put(root_of_requests(scope), _REQUEST, request.token, body)

    def begin(self, scope: Scope, request: Request, work: Work) -> None:
        """Add a request, and drop some of those that are kept no longer."""
        root = root_of_requests(scope)
        for document in self._rows.list_of(root, _REQUEST, limit=_DROPPED_AT_ONCE):
            old = Request(**document.body)
            if old.status != IN_PROGRESS and old.time < request.time - _KEPT_S:
                self._rows.delete(root, _REQUEST, old.token)
                self._rows.delete(root, _CLIENT_TOKEN, old.client_token)
        self.put_request(scope, request)
        if request.client_token:
            body = {"request": request.token}
            self._rows.put(root, _CLIENT_TOKEN, request.client_token, body)
        self.put_work(root, request.token, work)

    def work(self, root: Root, token: str) -> Work | None:
        """What is to be done for a request; None if it has ended."""
        found = self._rows.get(root, _WORK, token)
        return None if found is None else Work(**found.body)

    def put_work(self, root: Root, token: str, work: Work) -> None:
        """Add or replace what is to be done."""
        self._rows.put(root, _WORK, token, work._asdict())

    def end(self, root: Root, request: Request) -> None:
        """Write how a request has ended."""
        self._rows.delete(root, _WORK, request.token)
        self.put_request(root.scope, request)

    def under_way(self, scope: Scope) -> list[Request]:
        """The requests of an account and region that have not ended."""
        root = root_of_requests(scope)
        found = [self.request(scope, work.id) for work in self._rows.list_of(root, _WORK)]
        return [request for request in found if request is not None]

    def all_under_way(self) -> list[tuple[Root, str, Work]]:
        """What is to be done for all accounts, with the tokens of the requests."""
        found = self._rows.everywhere(SERVICE, _WORK)
        return [(document.root, document.id, Work(**document.body)) for document in found]

    def given(self, scope: Scope, type: str, identifier: str) -> Mapping[str, Any]:
        """The properties that requests have set of a resource; empty if no request has made it."""
        found = self._rows.get(root_of_requests(scope), _GIVEN, _digest(type, identifier))
        return {} if found is None else found.body

    def put_given(
        self, scope: Scope, type: str, identifier: str, properties: Mapping[str, Any]
    ) -> None:
        """Add or replace them; if there are none, forget the resource."""
        root, id = root_of_requests(scope), _digest(type, identifier)
        if properties:
            self._rows.put(root, _GIVEN, id, properties)
        else:
            self._rows.delete(root, _GIVEN, id)


def root_of_requests(scope: Scope) -> Root:
    """What the documents of an account and region belong to."""
    return Root(SERVICE, *scope, "")


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()

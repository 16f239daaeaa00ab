"""The management API: messages to clients, facts about them, their end."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed

from lambent.model.arn import AccountId
from tests.unit.triggers.apis.serving import ACCOUNT
from tests.unit.triggers.websocket.chat import API, GOOD, Chat, chatting, text_of

KB = 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with chatting(tmp_path_factory.mktemp("management")) as chat:
        chat.deploy({"$connect": chat.function("f", lambda event: GOOD)})
        chat.deploy({"$connect": chat.function("f", lambda event: GOOD)}, name="other")
        yield chat


@pytest.fixture
def chat(running: Chat) -> Chat:
    running.events.clear()
    return running


def id_of(chat: Chat) -> str:
    """The id of the connection that was made last."""
    found: str = chat.wait(1)[-1]["requestContext"]["connectionId"]
    return found


def refused(call: Any, **parameters: Any) -> tuple[int, str]:
    """Status and code of an error."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_message_reaches_the_client(chat: Chat) -> None:
    """As text, whatever its size up to 128 KB; the SDK encodes the id in the path."""
    api = chat.management()
    with chat.client() as client:
        id = id_of(chat)
        for data in ("hällo", "", "x" * 128 * KB):
            api.post_to_connection(ConnectionId=id, Data=data.encode())
            assert text_of(client) == data


def test_what_is_known_of_a_connection(chat: Chat) -> None:
    """Since when, from where, and when it was used last."""
    api, before = chat.management(), datetime.datetime.now(datetime.UTC)
    with chat.client(user_agent_header="me/1") as client:
        id = id_of(chat)
        first = api.get_connection(ConnectionId=id)
        assert first["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "me/1"}
        assert before - datetime.timedelta(seconds=1) <= first["ConnectedAt"]
        assert first["LastActiveAt"] >= first["ConnectedAt"]
        client.send("x")
        text_of(client)
        assert api.get_connection(ConnectionId=id)["LastActiveAt"] >= first["LastActiveAt"]


def test_a_connection_is_closed(chat: Chat) -> None:
    """With 1000; afterwards it is gone for everybody."""
    api = chat.management()
    with chat.client() as client:
        id = id_of(chat)
        api.delete_connection(ConnectionId=id)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
    for call in (api.get_connection, api.delete_connection):
        assert refused(call, ConnectionId=id) == (410, "GoneException")
    assert refused(api.post_to_connection, ConnectionId=id, Data=b"x") == (410, "GoneException")


def test_what_cannot_be_sent_is_refused(chat: Chat) -> None:
    """More than 128 KB, and what is no text; ids that are none."""
    api = chat.management()
    with chat.client():
        post, id = api.post_to_connection, id_of(chat)
        large = b"x" * (128 * KB + 1)
        assert refused(post, ConnectionId=id, Data=large) == (413, "PayloadTooLargeException")
        assert refused(post, ConnectionId=id, Data=b"\xff") == (400, "BadRequestException")
        for wrong in ("x", "a/../b=", "%", "é" * 12 + "="):
            assert refused(post, ConnectionId=wrong, Data=b"x") == (400, "BadRequestException")


def test_connections_belong_to_their_stage(chat: Chat) -> None:
    """The ids of one stage are unknown in another. Other accounts may not ask."""
    with chat.client("/other"):
        id = id_of(chat)
        assert refused(chat.management().get_connection, ConnectionId=id) == (410, "GoneException")
        assert chat.management("other").get_connection(ConnectionId=id)["ConnectedAt"]
        foreign = chat.management("other", key="111122223333")
        assert refused(foreign.get_connection, ConnectionId=id)[0] == 403


def test_permissions_on_a_strict_platform(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A caller needs `execute-api:ManageConnections` on the method of this stage. What another
    account allows its users does not count."""
    with chatting(tmp_path_factory.mktemp("strict"), is_strict=True) as chat:
        chat.deploy({})
        arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API}/test"
        api, action = chat.management(key="AKIAEXAMPLE"), "execute-api:ManageConnections"
        other, foreign = AccountId("111122223333"), chat.management(key="AKIAFOREIGN")
        calls = {
            "POST": lambda of: refused(of.post_to_connection, ConnectionId=id, Data=b"x"),
            "GET": lambda of: refused(of.get_connection, ConnectionId=id),
            "DELETE": lambda of: refused(of.delete_connection, ConnectionId=id),
        }
        id = "a" * 15 + "="
        gone, denied = (410, "GoneException"), (403, "AccessDeniedException")
        assert refused(api.get_connection, ConnectionId=id)[0] == 403, "the key is not known"
        for allowed, resource, passes in (
            (action, f"{arn}/POST/@connections/*", ["POST"]),
            (action, f"{arn}/GET/@connections/{id}", ["GET"]),
            (action, f"{arn}/*", ["POST", "GET", "DELETE"]),
            (action, f"{arn}x/*", []),
            ("execute-api:Invoke", f"{arn}/*", []),
        ):
            chat.served.user(allowed, resource)
            found = {method: call(api) for method, call in calls.items()}
            wanted = {method: gone if method in passes else denied for method in calls}
            assert found == wanted, (allowed, resource)
        chat.served.user(action, "*", account=other, key="AKIAFOREIGN")
        assert {call(foreign) for call in calls.values()} == {denied}
        with chat.client() as client:
            chat.until(lambda: len(chat.sessions.by_id) == 1)
            (id,) = chat.sessions.by_id
            assert calls["POST"](foreign) == denied
            chat.served.user(action, f"{arn}/POST/@connections/*")
            api.post_to_connection(ConnectionId=id, Data=b"allowed")
            assert text_of(client) == "allowed"


def test_a_client_that_does_not_read(chat: Chat) -> None:
    """What fits is kept; then messages are refused with 429. The connections of others are not
    affected."""
    api = chat.management()
    with chat.client() as client:
        id, data = id_of(chat), b"x" * 100 * KB

        def post_until_refused() -> int:
            for number in range(1000):
                try:
                    api.post_to_connection(ConnectionId=id, Data=data)
                except api.exceptions.LimitExceededException:
                    return number
            raise AssertionError("the client has room for everything")

        sent = post_until_refused()
        with chat.client() as other:
            of_other = chat.wait(2)[-1]["requestContext"]["connectionId"]
            api.post_to_connection(ConnectionId=of_other, Data=b"x")
            assert text_of(other) == "x"
        for _ in range(sent):
            assert text_of(client) == data.decode()
        api.post_to_connection(ConnectionId=id, Data=b"again")
        assert text_of(client) == "again"


def test_a_stage_that_does_not_exist(chat: Chat) -> None:
    """Nothing is said about connections there."""
    nowhere = chat.management("nowhere")
    assert refused(nowhere.get_connection, ConnectionId="a" * 15 + "=")[0] == 403


def test_a_function_posts_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """While it serves a message, as most functions of chats do. Until `$connect` has ended the
    connection is not there."""
    with chatting(tmp_path_factory.mktemp("back")) as chat:
        seen: list[bool | None] = []

        def serve(event: Any) -> Any:
            context = event["requestContext"]
            where = (context["apiId"], context["stage"], context["connectionId"])
            seen.append(chat.sessions.post(*where, b"posted"))
            return GOOD

        function = chat.function("f", serve)
        chat.deploy({"$connect": function, "$default": function})
        with chat.client() as client:
            client.send("x")
            assert text_of(client) == "posted"
        assert seen == [None, True]

"""Mail of user pools, through a server of the test."""

import logging
import socket

import anyio
import anyio.lowlevel
import pytest

from lambent.control.cognito.pool import Pool
from lambent.control.cognito.settings import CognitoSettings
from lambent.model.arn import AccountId, Region
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.triggers.user_pools.mail import SmtpMail, message_of
from tests.servers.smtp import Smtp

pytestmark = pytest.mark.anyio
ROOT = Root("cognito-idp", AccountId("111111111111"), Region("us-east-1"), "us-east-1_p")


async def test_a_message_arrives() -> None:
    """With the sender of the pool, if it has one."""
    pool = Pool(ROOT, {"EmailConfiguration": {"From": "Shop <shop@example.com>"}})
    with Smtp() as server:
        async with anyio.create_task_group() as tasks:
            mail = SmtpMail(CognitoSettings(smtp_url=server.url), tasks)
            assert mail.is_configured
            mail.send(pool, "ann@example.com", "Your code", "It is <b>7</b>: ß.\n.\nEnd")
            mail.send(Pool(ROOT, {}), "bob@example.com", "Ünïcode", "7")
        message = server.take("ann@example.com")
        assert message["From"] == "Shop <shop@example.com>"
        assert message.get_content_type() == "text/html"
        assert message.get_content().replace("\r\n", "\n") == "It is <b>7</b>: ß.\n.\nEnd\n"
        message = server.take("bob@example.com")
        assert (message["From"], message["Subject"]) == ("no-reply@localhost", "Ünïcode")


async def test_a_server_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, without address, code and password."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = CognitoSettings(smtp_url=f"smtp://me:hidden@127.0.0.1:{port}")
    async with anyio.create_task_group() as tasks:
        SmtpMail(settings, tasks).send(Pool(ROOT, {}), "ann@example.com", "s", "code 123456")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    message = record.getMessage()
    assert message == "mail of the user pool us-east-1_p is not sent: ConnectionRefusedError"


async def test_a_server_that_says_nothing() -> None:
    """It holds up a message for its deadline, and at most 200 messages wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=300) as listener:
        url = f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        settings = CognitoSettings(smtp_url=url, smtp_deadline_s=0.2)
        async with anyio.create_task_group() as tasks:
            mail = SmtpMail(settings, tasks)
            for _ in range(200):
                mail.send(Pool(ROOT, {}), "ann@example.com", "s", "t")
            with pytest.raises(ApiError, match="CodeDeliveryFailureException"):
                mail.send(Pool(ROOT, {}), "ann@example.com", "s", "t")


@pytest.mark.parametrize(
    ("address", "subject"),
    [("a@example.com\r\nBcc: x@y.z", "s"), ("a@example.com", "s\r\nBcc: x@y.z"), ("a\n", "s")],
)
def test_no_header_is_added(address: str, subject: str) -> None:
    with pytest.raises(ApiError, match="CodeDeliveryFailureException"):
        message_of("p@example.com", address, subject, "t")

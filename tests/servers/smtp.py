"""An SMTP server that keeps the messages it gets."""

import email
import email.policy
import re
import socketserver
import threading
import time
from email.message import EmailMessage
from typing import Any, Self


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                data = b"".join(each.removeprefix(b".") for each in lines)
                server: Any = self.server
                server.keep(email.message_from_bytes(data, policy=email.policy.default))
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


class Smtp(socketserver.ThreadingTCPServer):
    """Listens on a free port of loopback while the context lasts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"smtp://127.0.0.1:{self.server_address[1]}"
        self._messages: list[EmailMessage] = []
        self._came = threading.Condition()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def keep(self, message: EmailMessage) -> None:
        """A message has come."""
        with self._came:
            self._messages.append(message)
            self._came.notify_all()

    def take(self, address: str, subject: str = "", deadline_s: float = 60) -> EmailMessage:
        """The next message to an address whose subject begins so; waits for it. Messages that are
        sent shortly after each other may come in any order."""
        ends = time.monotonic() + deadline_s
        with self._came:
            while True:
                for message in self._messages:
                    is_it = message["To"] == address and message["Subject"].startswith(subject)
                    if is_it:
                        self._messages.remove(message)
                        return message
                assert self._came.wait(ends - time.monotonic()), f"no mail for {address}"

    def take_code(self, address: str, subject: str = "") -> str:
        """The code in such a message."""
        found = re.search(r"\b\d{6}\b", self.take(address, subject).get_content())
        assert found is not None
        return found[0]

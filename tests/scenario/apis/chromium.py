"""Chromium without a window, driven by its DevTools protocol."""

import json
import re
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
_WAIT_S = 60


class Chromium:
    """A browser with a new profile; its exit ends it."""

    def __init__(self, profile: Path) -> None:
        self._process = subprocess.Popen(
            [
                PROGRAM,
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-dev-shm-usage", "--remote-debugging-port=0"),
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._calls = 0
        self._connection = connect(self._address(), compression=None, max_size=None, proxy=None)

    def __enter__(self) -> Self:
        self._socket = self._connection.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.call("Browser.close")
            self._connection.__exit__(None, None, None)
        finally:
            self._end()

    def _address(self) -> str:
        """Where it listens, which it prints."""
        assert self._process.stderr is not None
        deadline, printed = time.monotonic() + _WAIT_S, ""
        while time.monotonic() < deadline:
            if select.select([self._process.stderr], [], [], 1)[0]:
                data = self._process.stderr.read1(65536)  # type: ignore[attr-defined]
                if not data:
                    break
                printed += data.decode(errors="replace")
                if found := re.search(r"DevTools listening on (ws://\S+)", printed):
                    return found[1]
        self._process.kill()
        raise AssertionError(f"Chromium did not get ready:\n{printed}")

    def _end(self) -> None:
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; returns its result."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=_WAIT_S))
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def tab(self, url: str) -> "Tab":
        """A new tab, when its page is there."""
        target = self.call("Target.createTarget", url=url)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session)
        deadline = time.monotonic() + _WAIT_S
        while tab.run("location.href") == "about:blank" and time.monotonic() < deadline:
            pass
        tab.run("new Promise((f) => document.readyState === 'complete' ? f() : (onload = f))")
        return tab


class Tab:
    """A page."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session

    def run(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it resolves to."""
        answer = self._browser.call(
            "Runtime.evaluate",
            self._session,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

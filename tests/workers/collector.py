"""Collects all tests, and forks workers that run some of them.

    python -P collector.py LISTENER ARGUMENTS

LISTENER is an inherited descriptor, ARGUMENTS those of pytest. A request is a message with the
descriptors 0, 1 and 2 of the worker. The connection stays open until the worker has ended. The
collector ends when its own stdin does.
"""

import atexit
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import threading
from typing import Any, BinaryIO

import _pytest.config
import pytest
from _pytest.capture import CaptureManager
from _pytest.tmpdir import TempPathFactory


class Collection:
    """A session of pytest: before forks it collects, after a fork it runs what xdist says."""

    def __init__(self, arguments: list[str]) -> None:
        """Collect, as each worker of xdist would."""
        self._reports: list[pytest.CollectReport] = []
        self._warnings: list[dict[str, Any]] = []
        self._is_forked = False
        self._config = config = _pytest.config._prepareconfig(arguments)
        xdist = importlib.import_module("xdist.remote")  # A plugin, so not before pytest does.
        xdist.setup_config(config, None)
        config.workerinput = {}  # type: ignore[attr-defined]
        config.pluginmanager.register(self)
        self._session = pytest.Session.from_config(config)
        config._do_configure()
        config.hook.pytest_sessionstart(session=self._session)
        config.hook.pytest_collection(session=self._session)
        self._path = [*sys.path]

    def work(self, streams: list[int]) -> None:
        """Be a worker for the process at the other end of the streams 0 and 1, until it ends."""
        random.seed()  # Others have the same state.
        self._is_forked = True
        self._capturing.stop_global_capturing()  # It goes to files of the collector.
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _pytest.config._prepareconfig = self._prepared
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(0, 1)
        exec(eval(line), {"__name__": "__main__"})  # noqa: S102 - as xdist starts it

    def _prepared(self, *_: object, **__: object) -> pytest.Config:
        """What xdist's program of a worker asks pytest for."""
        sys.path[:] = self._path
        self._capturing.start_global_capturing()
        return self._config

    @property
    def _capturing(self) -> CaptureManager:
        manager: CaptureManager = self._config.pluginmanager.getplugin("capturemanager")
        return manager

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> pytest.ExitCode:
        """Run the session after its collection, as `_pytest.main.wrap_session` does."""
        hook, session = config.hook, self._session
        config._tmp_path_factory = TempPathFactory.from_config(config, _ispytest=True)  # type: ignore[attr-defined]
        worker = next(
            plugin
            for plugin in config.pluginmanager.get_plugins()
            if type(plugin).__name__ == "WorkerInteractor"
        )
        worker.pytest_sessionstart(session=session)
        worker.pytest_collection()
        for report in self._reports:
            worker.pytest_collectreport(report=report)
        for warning in self._warnings:
            worker.pytest_warning_recorded(**warning)
        worker.pytest_collection_finish(session=session)
        status = pytest.ExitCode.OK
        try:
            hook.pytest_runtestloop(session=session)
            if session.testsfailed:
                status = pytest.ExitCode.TESTS_FAILED
        except (KeyboardInterrupt, pytest.exit.Exception):
            status = pytest.ExitCode.INTERRUPTED
        except BaseException:
            config.notify_exception(pytest.ExceptionInfo.from_current(), config.option)
            status = pytest.ExitCode.INTERNAL_ERROR
        finally:
            hook.pytest_sessionfinish(session=session, exitstatus=status)
            config._ensure_unconfigure()
        return status

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Each worker reports it."""
        if not self._is_forked:
            self._reports.append(report)

    def pytest_warning_recorded(self, **warning: Any) -> None:
        """Each worker reports it."""
        if not self._is_forked:
            self._warnings.append(warning)


def fork_workers(
    stdin: BinaryIO, listener: socket.socket
) -> tuple[socket.socket, list[int]] | None:
    """Fork a worker for each request until stdin ends; returns None. In each worker, returns the
    connection to keep and its streams."""
    with selectors.DefaultSelector() as selector:
        selector.register(stdin, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            if any(key.fileobj is stdin for key, _ in selector.select()):
                return None
            connection, _ = listener.accept()
            _, descriptors, _, _ = socket.recv_fds(connection, 16, 3)
            if os.fork() == 0:
                return connection, descriptors
            connection.close()
            for descriptor in descriptors:
                os.close(descriptor)


def main() -> None:
    with open(os.dup(0), "rb") as stdin:  # pytest replaces it.
        try:
            collection = Collection(json.loads(sys.argv[2]))
        except pytest.UsageError as error:
            sys.exit(f"ERROR: {error}")
        assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose threads"
        # The children need not be waited for, and Ctrl-C is for them.
        ignored = {
            number: signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGCHLD, signal.SIGINT)
        }
        with socket.socket(fileno=int(sys.argv[1])) as listener:
            forked = fork_workers(stdin, listener)
        if forked is not None:
            for number, handler in ignored.items():
                signal.signal(number, handler)
            _connection, streams = forked  # It is open until this process ends.
            collection.work(streams)
        _end()


def _end() -> None:
    """As Python ends, but without tearing down the libraries, which takes a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

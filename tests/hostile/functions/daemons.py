"""Processes that try to outlive their invocation."""

import os
import signal
import time


def leave(count):
    """Fork twice, leave the session, close everything, ignore all signals, and stay."""
    for _ in range(count):
        reader, tells = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in range(1, 65):
                    try:
                        signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError):
                        pass
                os.chdir("/")
                os.write(tells, b".")
                os.closerange(0, 1024)
                while True:
                    time.sleep(0.05)  # noqa: TID251 - alive, not only there
            os._exit(0)
        os.close(tells)
        os.read(reader, 1)
        os.close(reader)
        os.wait()

"""What systemd does with `lambent.socket` and `lambent.service`: hold a listening socket, run a
program that serves it, and run it again when it ends. SIGTERM ends both.

    python socket_unit.py HOST:PORT PROGRAM ARGUMENT…
"""

import signal
import socket
import subprocess
import sys

_SERVED = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execve(sys.argv[2], sys.argv[2:], {**environment, "LISTEN_FDNAMES": "lambent.socket"})
"""


def main(address: str, *command: str) -> int:
    """Run the program until SIGTERM; returns its last exit code."""
    host, _, port = address.rpartition(":")
    is_stopped = False
    with socket.create_server((host, int(port)), backlog=1024) as listener:
        number = listener.fileno()
        while True:
            program = subprocess.Popen(
                [sys.executable, "-c", _SERVED, str(number), *command], pass_fds=[number]
            )

            def stop(*_: object, program: "subprocess.Popen[bytes]" = program) -> None:
                nonlocal is_stopped
                is_stopped = True
                program.send_signal(signal.SIGTERM)

            signal.signal(signal.SIGTERM, stop)
            code = program.wait()
            if is_stopped or code != 0:
                return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

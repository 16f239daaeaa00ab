"""What xdist starts as a worker: asks the collector for a fork that reads and writes its streams,
and ends when the fork does.

    python join.py SOCKET ...
"""

import os
import signal
import socket
import sys

signal.signal(signal.SIGINT, signal.SIG_IGN)  # The fork has it, too, and ends in order.
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as collector:
    collector.connect(sys.argv[1])
    socket.send_fds(collector, [b"fork"], [0, 1, 2])
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    collector.recv(1)

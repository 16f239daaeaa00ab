"""Prints its input, and ends as its argument says: `python -m tests.forking.mirror HOW`."""

import atexit
import json
import os
import signal
import sys
import threading


def main() -> None:
    how = sys.argv[1]
    if how == "sleep":
        print("sleeping", flush=True)
        threading.Event().wait()
    atexit.register(print, "at exit")
    threading.Thread(target=lambda: threading.Event().wait(0.1) or print("a thread")).start()
    seen = {
        "arguments": sys.argv[1:],
        "directory": os.getcwd(),
        "path": sys.path[0],
        "environment": dict(os.environ),
        "given": sys.stdin.read(),
        "streams": [
            (
                stream.fileno(),
                stream.isatty(),
                stream.line_buffering,
                stream.encoding,
                stream.errors,
            )
            for stream in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3],
        "signals": [
            str(signal.getsignal(number))
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE)
        ],
        "is_main": __name__ == "__main__",
        "threads": len(threading.enumerate()),
        "is_leader": os.getsid(0) == os.getpid(),
    }
    print(json.dumps(seen))
    print("wärns", file=sys.stderr)
    if how == "code":
        sys.exit(7)
    if how == "words":
        sys.exit("in words")
    if how == "error":
        raise ValueError("as told")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
